"""Lines between a frame: the frame from Textual's stylesheet, the lines past it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from rich.segment import Segment
from textual.color import TRANSPARENT
from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar
from textual.strip import Strip

from tui.widgets.base.quiet_scroll_bar import QuietScrollBar
from tui.widgets.status.toast import app_of

MAX_FRAMED = 128
"""Framed lines that are remembered."""


class CachedScrollView(ScrollView):
    """A scrolled view whose lines come with their own background, and skip the styles cache.

    Painting is what keys wait for. Textual asks a widget for all of its lines whenever one of them
    changed, and styles each of them anew; here a line that was not refreshed is the one that was
    drawn last, and of one that is drawn nothing but the frame is left to style.
    """

    def __init__(
        self, *, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._edges: tuple[Strip, Strip] | None = None
        self._edges_fit: object = None
        self._background = TRANSPARENT
        self.inner_width = 0
        """The cells inside the frame, as they were when it was drawn last."""
        # By identity: strips that were drawn are kept and come again as the same object.
        self._framed: dict[int, tuple[Strip, Strip]] = {}
        self._drawn: dict[int, Strip] = {}
        """What stands on the rows of the view, frame included, as long as nobody refreshes them."""
        self._drawn_fit: object = None

    def refresh(
        self,
        *regions: Region,
        repaint: bool = True,
        layout: bool = False,
        recompose: bool = False,
    ) -> Self:
        """Have the view drawn anew, or those regions of what is inside the frame."""
        if repaint:
            self._forget(regions)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def _forget(self, regions: Iterable[Region]) -> None:
        if not regions:
            self._drawn.clear()
            return
        top = self.styles.gutter.top
        for region in regions:
            for y in region.line_range:
                self._drawn.pop(y + top, None)

    @property
    def vertical_scrollbar(self) -> ScrollBar:
        """The scroll bar, made when it is asked for."""
        if self._vertical_scrollbar is None:
            bar = QuietScrollBar(name="vertical", thickness=self.scrollbar_size_vertical)
            bar.display = False
            self._vertical_scrollbar = bar
            app_of(self)._start_widget(self, bar)  # pyright: ignore[reportPrivateUsage] as Textual does
        return self._vertical_scrollbar

    def stretch(self, first: int, count: int) -> Region:
        """Give the region of rows inside the frame, from edge to edge: whole lines paint faster."""
        return Region(-self.styles.gutter.left, first, self.region.width, count)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Give the lines of a region, frame included."""
        size, gutter = self.region.size, self.styles.gutter
        self.inner_width = self.scrollable_content_region.width
        if self.opacity < 1 or size.height <= gutter.height:
            return super().render_lines(crop)
        fit = (size, gutter, self.scroll_offset)
        if fit != self._drawn_fit:
            self._drawn.clear()
            self._drawn_fit = fit
        strips: list[Strip] = []
        for y in crop.line_range:
            strip = self._drawn.get(y)
            if strip is None:
                inside = gutter.top <= y < size.height - gutter.bottom
                strip = (
                    self.framed(self.render_line(y - gutter.top), size.width)
                    if inside
                    else self.frame_line(y)
                )
                self._drawn[y] = strip
            strips.append(strip)
        start, end = crop.column_span
        if (start, end) == (0, size.width):
            return strips
        return [strip.crop(start, end) for strip in strips]

    def frame_line(self, y: int) -> Strip:
        """Draw a line above or below what is inside the frame."""
        return super().render_lines(Region(0, y, self.region.width, 1))[0]

    def framed(self, line: Strip, width: int) -> Strip:
        """Give a line within the frame of the view, `width` cells wide in all."""
        left, right = self._frame(width)
        known = self._framed.get(id(line))
        if known is not None:
            return known[1]
        segments: list[Segment] = [*left, *line, *right]
        for line_filter in self.get_line_filters():
            segments = line_filter.apply(segments, self._background)
        framed = Strip(segments, width)
        if len(self._framed) >= MAX_FRAMED:
            self._framed.clear()
        self._framed[id(line)] = (line, framed)
        return framed

    def _frame(self, width: int) -> tuple[Strip, Strip]:
        """Give what stands left and right of a line, as Textual draws it."""
        gutter, inner = self.styles.gutter, self.inner_width
        fit = (width, gutter, inner)
        if self._edges is None or self._edges_fit != fit:
            self._framed.clear()
            row = self._styles_cache.render_widget(self, Region(0, gutter.top, width, 1))[0]
            start = gutter.left
            self._edges = row.crop(0, start), row.crop(start + inner, width)
            self._edges_fit = fit
            self._background = self.background_colors[1]
        return self._edges

    def notify_style_update(self) -> None:
        """Draw the frame anew."""
        super().notify_style_update()
        self._edges = None
        self._drawn.clear()
