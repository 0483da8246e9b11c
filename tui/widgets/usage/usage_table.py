"""The table of usage: a line for each group, of which only the visible ones are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip

from engine.domain.model import Run
from engine.domain.usage import UsageGroup, UsageRow
from tui import formatting
from tui.formatting.usage import UsageColumns, columns_for, row_name, share_bar
from tui.models.usage_options import UsageOptions, UsageSort
from tui.terminal.cells import fit
from tui.widgets.base.line_view import LineView

READING = "Reading the ledger …"
HEAD = 2
"""Lines above the groups: the names of the columns, and the total."""


class UsageHeading(LineView, can_focus=False):
    """The names of the columns above the total of all groups."""

    DEFAULT_CSS = "UsageHeading { height: 2; border: none; overflow-y: hidden; padding: 0 1; }"

    @dataclass
    class ColumnClicked(Message):
        """The name of a column was clicked."""

        column: UsageSort

    def __init__(self) -> None:
        super().__init__()
        self._columns = columns_for(0, UsageGroup.DAY)
        self._by = UsageGroup.DAY
        self._total: UsageRow | None = None

    def show(self, total: UsageRow | None, by: UsageGroup, columns: UsageColumns) -> None:
        """Show the total of a table with these columns."""
        self._total, self._by, self._columns = total, by, columns
        self.set_lines(HEAD, cursor=0)

    def draw(self, line: int, width: int) -> Strip:
        """Draw the names, or the total."""
        columns, tone = self._columns, self.paint.tone
        if line == 0:
            return self.paint.strip([Segment(columns.heading(self._by), tone("faint"))], width)
        total = self._total
        name = fit("total", columns.name_width)
        numbers = columns.cells(total) if total else ""
        strong = tone("plain") + self.paint.strong()
        return self.paint.strip([Segment(f" {name}{columns.gap}{numbers}", strong)], width)

    def on_click(self, event: events.Click) -> None:
        """Post the column that was clicked."""
        offset = event.get_content_offset(self)
        column = self._columns.column_at(offset.x) if offset and not offset.y else None
        if column:
            self.post_message(self.ColumnClicked(column))


class UsageTable(LineView):
    """The groups with a cursor on one."""

    DEFAULT_CSS = """
    UsageTable {
        height: 1fr; border: none; padding: 0 1;
        &:focus { border: none; }
    }
    """

    class RowOpened(Message):
        """The user wants to see more of the row under the cursor."""

    class RowSelected(Message):
        """The cursor is on another row."""

    def __init__(self) -> None:
        super().__init__(empty_text=READING)
        self.rows: Sequence[UsageRow] = ()
        """The rows in their order."""
        self._options = UsageOptions()
        self._runs: Mapping[str, Run] = {}
        self._now = 0.0
        self._most = 1
        self.columns = columns_for(0, UsageGroup.DAY)

    @property
    def chosen(self) -> UsageRow | None:
        """The row the cursor is on."""
        return self.rows[self.cursor_line] if self.rows else None

    @property
    def by(self) -> UsageGroup:
        """The groups that are shown."""
        return self._options.by

    def name_of(self, row: UsageRow) -> str:
        """Return the name of a row as it is shown."""
        return row_name(row, self._options.by, self._runs, self._now)

    def show(
        self,
        rows: Sequence[UsageRow],
        options: UsageOptions,
        runs: Mapping[str, Run],
        now: float,
    ) -> None:
        """Show these rows in their order; the cursor stays on its group."""
        is_same = options.by is self._options.by
        old = self.chosen if is_same else None
        before, top = self.cursor_line, self.scroll_offset.y
        self._options, self._runs, self._now = options, runs, now
        self.styles_changed()
        self.rows = rows
        self._most = max((row.tokens for row in rows), default=1) or 1
        place = self._line_of(old) if old else None
        cursor = place if place is not None else before if is_same else 0
        self.set_lines(len(rows), cursor=cursor, top=top + cursor - before if is_same else 0)
        if not is_same:
            self.show_line(self.cursor_line)

    def _line_of(self, old: UsageRow) -> int | None:
        wanted = _identity(old)
        return next((n for n, row in enumerate(self.rows) if _identity(row) == wanted), None)

    def cursor_moved(self) -> None:
        """Notify the screen of the row under the cursor."""
        self.post_message(self.RowSelected())

    def styles_changed(self) -> None:
        """Choose the columns for the present width."""
        self.columns = columns_for(self.scrollable_content_region.width, self._options.by)

    def on_click(self, event: events.Click) -> None:
        """Select the row clicked; a double click opens it."""
        line = self.line_at(event)
        if line is not None:
            self.move_cursor(line)
            if event.chain == 2:
                self.post_message(self.RowOpened())

    def draw(self, line: int, width: int) -> Strip:
        """Draw one row."""
        row, columns = self.rows[line], self.columns
        cursor = line == self.cursor_line
        is_dim = row.is_other_sessions or row.is_forgotten
        tone = "dim" if is_dim else "plain"
        gutter = formatting.sign("▌", "|") if cursor else " "
        parts = [
            (gutter, "live"),
            (formatting.fit_title(self.name_of(row), columns.name_width), tone),
        ]
        if columns.bar_width:
            bar = share_bar(row.tokens / self._most, columns.bar_width)
            parts.append((f" {bar}", "dim" if is_dim else "live"))
        parts.append((columns.cells(row), tone))
        segments = [Segment(text, self.paint.tone(tone)) for text, tone in parts]
        return self.paint.strip(segments, width, cursor=cursor)


def _identity(row: UsageRow) -> tuple[str, bool, bool]:
    return row.key, row.is_other_sessions, row.is_forgotten
