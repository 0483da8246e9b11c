"""Rows of a view as painted last, frame included: only rows that were refreshed are drawn again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.color import TRANSPARENT
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.terminal.cells import clean, wrap

if TYPE_CHECKING:
    from tui.widgets.base.line_view import LineView

MAX_FRAMED = 128
"""Framed lines that are remembered."""


class PaintedRows:
    """Paints the rows of a view past Textual's styles cache.

    Painting is what keys wait for. Textual asks a widget for all of its lines whenever one of them
    changed, and styles each of them again. Here a line that was not refreshed is the one drawn
    last, and of a line that is drawn only the frame is left to style.
    """

    def __init__(self, view: LineView) -> None:
        self._view = view
        self._edges: tuple[Strip, Strip] | None = None
        self._edges_fit: object = None
        self._background = TRANSPARENT
        self.inner_width = 0
        """The cells inside the frame, as they were when it was drawn last."""
        # By identity: strips that were drawn are kept and come again as the same object.
        self._framed: dict[int, tuple[Strip, Strip]] = {}
        self._drawn: dict[int, Strip] = {}
        """The rows of the view, frame included, until they are refreshed."""
        self._drawn_fit: object = None

    def forget(self, regions: Iterable[Region]) -> None:
        """Forget rows inside the frame; with no regions, all."""
        if not regions:
            self._drawn.clear()
            return
        top = self._view.styles.gutter.top
        for region in regions:
            for y in region.line_range:
                self._drawn.pop(y + top, None)

    def lines(self, crop: Region) -> list[Strip]:
        """Return the lines of a region, frame included."""
        view = self._view
        size, gutter = view.region.size, view.styles.gutter
        fit = (size, gutter, view.scroll_offset)
        if fit != self._drawn_fit:
            self._drawn.clear()
            self._drawn_fit = fit
        strips: list[Strip] = []
        for y in crop.line_range:
            strip = self._drawn.get(y)
            if strip is None:
                inside = gutter.top <= y < size.height - gutter.bottom
                strip = (
                    self.framed(view.render_line(y - gutter.top), size.width)
                    if inside
                    else view.frame_line(y)
                )
                self._drawn[y] = strip
            strips.append(strip)
        start, end = crop.column_span
        if (start, end) == (0, size.width):
            return strips
        return [strip.crop(start, end) for strip in strips]

    def row(self, row: int) -> Strip:
        """Draw a row of all rows of the view, without the frame."""
        view = self._view
        width = self.inner_width or view.scrollable_content_region.width
        if view.line_count and not view.tiles.is_list:
            return self._tile_row(row)
        if row < view.line_count:
            return view.draw(row, width)
        if not view.line_count and view.empty_text:
            return self._empty_row(row, width)
        return Strip.blank(width, view.paint.ground(cursor=False))

    def _tile_row(self, row: int) -> Strip:
        """Draw a row of the screen: the row of each tile that it crosses."""
        view, tiles = self._view, self._view.tiles
        width = view.scrollable_content_region.width
        lines = tiles.lines_at(row, view.line_count)
        parts: list[Strip] = []
        for line in lines:
            left, right = tiles.span(line - lines.start, width)
            parts.append(view.draw_row(line, row % tiles.tall, right - left))
        rest = max(0, width - sum(part.cell_length for part in parts))
        return Strip.join([*parts, Strip.blank(rest, view.paint.ground(cursor=False))])

    def _empty_row(self, row: int, width: int) -> Strip:
        """Draw a row of the text that is shown where there are no lines."""
        view = self._view
        parts = view.empty_text.splitlines()
        texts = [text for part in parts for text in wrap(clean(part, 500), width - 2)]
        text = f" {texts[row]}" if row < len(texts) else ""
        return view.paint.strip([Segment(text, view.paint.tone("dim"))], width)

    def framed(self, line: Strip, width: int) -> Strip:
        """Return a line within the frame of the view, `width` cells wide in all."""
        left, right = self._frame(width)
        known = self._framed.get(id(line))
        if known is not None:
            return known[1]
        segments: list[Segment] = [*left, *line, *right]
        for line_filter in self._view.get_line_filters():
            segments = line_filter.apply(segments, self._background)
        framed = Strip(segments, width)
        if len(self._framed) >= MAX_FRAMED:
            self._framed.clear()
        self._framed[id(line)] = (line, framed)
        return framed

    def _frame(self, width: int) -> tuple[Strip, Strip]:
        """Return the frame left and right of a line, as Textual draws it."""
        view, inner = self._view, self.inner_width
        gutter = view.styles.gutter
        fit = (width, gutter, inner)
        if self._edges is None or self._edges_fit != fit:
            self._framed.clear()
            row = Widget.render_lines(view, Region(0, gutter.top, width, 1))[0]
            start = gutter.left
            self._edges = row.crop(0, start), row.crop(start + inner, width)
            self._edges_fit = fit
            self._background = view.background_colors[1]
        return self._edges

    def forget_frame(self) -> None:
        """Forget the frame, and all rows within it."""
        self._edges = None
        self._drawn.clear()
