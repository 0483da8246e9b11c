"""Lines as tiles: several beside each other, each some rows tall; or one to a row, as in a list."""

from __future__ import annotations

from textual import events
from textual.geometry import Region
from textual.strip import Strip

from tui.widgets.base.line_view import LineView


class GridView(LineView):
    """A view whose lines are laid out like words on a page, each in a tile of the same size."""

    across = 1
    """How many tiles stand beside each other."""
    tall = 1
    """The rows of a tile."""

    def draw_row(self, line: int, row: int, width: int) -> Strip:
        """Draw one of a tile's rows, `width` cells wide."""
        raise NotImplementedError

    def set_grid(self, across: int, tall: int) -> None:
        """Take other tiles; the line the cursor is on stays in view."""
        if (across, tall) == (self.across, self.tall):
            return
        self.across, self.tall = across, tall
        self.forget_strips()
        self.set_lines(self.line_count, cursor=self.cursor_line)
        self.show_line(self.cursor_line)

    # Where tiles stand

    @property
    def page(self) -> int:
        """How many lines are visible at a time."""
        height = self.scrollable_content_region.height
        return max(1, height // self.tall) * self.across

    def rows(self, count: int) -> int:
        """Give how many rows of the screen `count` lines take up."""
        return -(-count // self.across) * self.tall

    def region_of(self, line: int) -> Region:
        """Give where a tile would stand, the first row of all at 0."""
        row, column = divmod(line, self.across)
        left, right = self._span(column)
        return Region(left, row * self.tall, right - left, self.tall)

    def _span(self, column: int) -> tuple[int, int]:
        """Give where a column of tiles begins and ends: what is left over is shared out."""
        width = self.scrollable_content_region.width if self.across > 1 else self.size.width
        return width * column // self.across, width * (column + 1) // self.across

    def visible_lines(self) -> range:
        """Give the lines that are in view, be it in part."""
        top = self.scroll_offset.y
        bottom = top + max(1, self.scrollable_content_region.height)
        first = top // self.tall * self.across
        return range(first, max(first, min(self.line_count, self.rows_to_lines(bottom))))

    def rows_to_lines(self, rows: int) -> int:
        """Give how many lines begin within so many rows."""
        return -(-rows // self.tall) * self.across

    def line_at(self, event: events.MouseEvent) -> int | None:
        """Give the line a mouse event is on."""
        offset = event.get_content_offset(self)
        if offset is None:
            return None
        first = (self.scroll_offset.y + offset.y) // self.tall * self.across
        for line in range(first, min(first + self.across, self.line_count)):
            left, right = self._span(line - first)
            if left <= offset.x < right:
                return line
        return None

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Draw a row of the view: of each tile that it crosses."""
        if (self.across, self.tall) == (1, 1) or not self.line_count:
            return super().render_line(y)
        width = self.scrollable_content_region.width
        row, inner = divmod(self.scroll_offset.y + y, self.tall)
        first = row * self.across
        tiles = range(first, min(first + self.across, self.line_count))
        parts: list[Strip] = []
        for line in tiles:
            left, right = self._span(line - first)
            parts.append(self.draw_row(line, inner, right - left))
        return Strip.join([*parts, self._blank(width - sum(part.cell_length for part in parts))])

    def _blank(self, width: int) -> Strip:
        return Strip.blank(max(0, width), self.ground(cursor=False))

    # Moving about

    def action_cursor_up(self) -> None:
        """Go one row up."""
        if self.here >= self.across:
            self.move_cursor(self.here - self.across)

    def action_cursor_down(self) -> None:
        """Go one row down; from the last but one to its last tile, where there is none below."""
        if self.here // self.across < (self.line_count - 1) // self.across:
            self.move_cursor(self.here + self.across)

    def _page(self, direction: int) -> None:
        height = self.scrollable_content_region.height
        rows = max(1, height // self.tall - 1)
        here = self.here
        self.scroll_to(
            y=self.scroll_offset.y + direction * rows * self.tall, animate=False, force=True
        )
        self.move_cursor(here + direction * rows * self.across)
