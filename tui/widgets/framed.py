"""Lines between a frame: the frame from Textual's stylesheet, the lines past it."""

from __future__ import annotations

from textual.color import TRANSPARENT
from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.strip import Strip

MAX_FRAMED = 500
"""Framed lines that are remembered."""


class Framed(ScrollView):
    """A scrolled view whose lines come with their own background, and skip the styles cache.

    Painting is what keys wait for, and Textual styles each line of a widget anew whenever it
    changes, though of these lines nothing but the frame is left to style.
    """

    def __init__(
        self, *, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._edges: tuple[Strip, Strip] | None = None
        self._edges_fit: object = None
        self._background = TRANSPARENT
        # By identity: strips that were drawn are kept and come again as the same object.
        self._framed: dict[int, tuple[Strip, Strip]] = {}

    def render_lines(self, crop: Region) -> list[Strip]:
        """Give the lines of a region, frame included."""
        size, gutter = self.region.size, self.styles.gutter
        if self.opacity < 1 or size.height <= gutter.height:
            return super().render_lines(crop)
        strips: list[Strip] = []
        for y in crop.line_range:
            if gutter.top <= y < size.height - gutter.bottom:
                strips.append(self.framed(self.render_line(y - gutter.top), size.width))
            else:
                strips += super().render_lines(Region(0, y, size.width, 1))
        start, end = crop.column_span
        if (start, end) == (0, size.width):
            return strips
        return [strip.crop(start, end) for strip in strips]

    def framed(self, line: Strip, width: int) -> Strip:
        """Give a line within the frame of the view, `width` cells wide in all."""
        left, right = self._frame(width)
        known = self._framed.get(id(line))
        if known is not None:
            return known[1]
        framed = Strip.join([left, line, right])
        for line_filter in self.get_line_filters():
            framed = framed.apply_filter(line_filter, self._background)
        if len(self._framed) >= MAX_FRAMED:
            self._framed.clear()
        self._framed[id(line)] = (line, framed)
        return framed

    def _frame(self, width: int) -> tuple[Strip, Strip]:
        """Give what stands left and right of a line, as Textual draws it."""
        gutter, inner = self.styles.gutter, self.scrollable_content_region.width
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
