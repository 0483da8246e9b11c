"""Places of lines on the screen: one to a row, or tiles laid out like words on a page."""

from __future__ import annotations

from textual.geometry import Region


class TileLayout:
    """Tiles of one size: `across` of them beside each other, each `tall` rows tall."""

    def __init__(self) -> None:
        self.across = 1
        self.tall = 1

    @property
    def is_list(self) -> bool:
        """True if each line takes one row of its own."""
        return self.across == self.tall == 1

    def set(self, across: int, tall: int) -> bool:
        """Set the number and height of tiles; return whether that changed anything."""
        if (across, tall) == (self.across, self.tall):
            return False
        self.across, self.tall = across, tall
        return True

    def page(self, height: int) -> int:
        """Return how many whole lines fit into a height."""
        return max(1, height // self.tall) * self.across

    def page_rows(self, height: int) -> int:
        """Return how many rows of tiles a page moves: all that fit but one."""
        return max(1, max(1, height // self.tall) - 1)

    def rows(self, count: int) -> int:
        """Return how many rows of the screen `count` lines take."""
        return -(-count // self.across) * self.tall

    def span(self, column: int, width: int) -> tuple[int, int]:
        """Return where a column of tiles begins and ends; cells left over are shared out."""
        return width * column // self.across, width * (column + 1) // self.across

    def region_of(self, line: int, width: int) -> Region:
        """Return the region of a line, the first row of all lines at 0."""
        row, column = divmod(line, self.across)
        left, right = self.span(column, width)
        return Region(left, row * self.tall, right - left, self.tall)

    def visible(self, top: int, height: int, count: int) -> range:
        """Return the lines of `count` that a view shows, those cut off included."""
        first = top // self.tall * self.across
        end = -(-(top + max(1, height)) // self.tall) * self.across
        return range(first, max(first, min(count, end)))

    def lines_at(self, y: int, count: int) -> range:
        """Return the lines that cross a row of the screen."""
        first = y // self.tall * self.across
        return range(first, max(first, min(first + self.across, count)))

    def line_at(self, x: int, y: int, width: int, count: int) -> int | None:
        """Return the line at a cell."""
        lines = self.lines_at(y, count)
        if self.across == 1:
            return lines.start if lines else None
        for line in lines:
            left, right = self.span(line - lines.start, width)
            if left <= x < right:
                return line
        return None

    def above(self, line: int) -> int:
        """Return the line above; in the first row, the line itself."""
        return line - self.across if line >= self.across else line

    def below(self, line: int, count: int) -> int:
        """Return the line below, or the last one beside a gap; in the last row, the line itself."""
        is_last = line // self.across >= (count - 1) // self.across
        return line if is_last else min(line + self.across, count - 1)
