"""List of disk usage: bars, sizes and contents; only visible lines are drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.strip import Strip

from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run
from tui import commands, formatting
from tui.terminal.cells import clean, fit
from tui.widgets.base.marks import MarkableView, Marks
from tui.widgets.disk.disk_rows import DiskRow, DiskRows

SIZE, BAR, STATE, STATUS, AGE = 10, 8, 30, 12, 7
ROOM_FOR_STATE, ROOM_FOR_REST = 110, 70
MARKS = [
    binding
    for binding in commands.bindings("list")
    if (getattr(binding, "id", None) or "").startswith("mark.")
]


class DiskTree(MarkableView):
    """Rows of `DiskRows`; the screen measures, the list shows and keeps the place."""

    BINDINGS: ClassVar[list[BindingType]] = [*MARKS, *commands.bindings("disktree")]

    @dataclass
    class Unfolded(Message):
        """The user wants to see what is in a row."""

        row: DiskRow

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(title="Disk usage", empty_text="Looking …")
        self.model = DiskRows()
        self.marks = Marks(self, lambda: self.model)
        self.runs: Mapping[str, Run] = {}
        self._clock = clock
        self._moved = False

    def renew(self) -> None:
        """Show what is known now; the cursor stays on its row."""
        here = self.row.id if self.row else None
        top = self.scroll_offset.y
        before = self.cursor_line
        self.model.arrange()
        count = len(self.model.rows)
        if not self._moved:  # what is largest is still to be found out
            here = self.model.rows[0].id if count else None
        line = self.model.line_of(here or "")
        cursor = min(before, max(0, count - 1)) if line is None else line
        self.marks.drop_hidden()
        self.set_lines(count, cursor=cursor, top=top + cursor - before if top else 0)

    @property
    def row(self) -> DiskRow | None:
        """The row under the cursor."""
        rows = self.model.rows
        return rows[self.cursor_line] if self.cursor_line < len(rows) else None

    def cursor_moved(self) -> None:
        """Stay with the row from now on."""
        self.marks.follow_cursor()
        self._moved = True

    # Folding

    def action_unfold(self) -> None:
        """Show what is in the row; where that is shown, hide it."""
        if row := self.row:
            self._fold(row) if row.is_open else self._unfold(row)

    def action_expand(self) -> None:
        """Show what is in the row."""
        if row := self.row:
            self._unfold(row)

    def action_collapse(self) -> None:
        """Hide what is in the row, or go to the row it is in."""
        row = self.row
        if row is None:
            return
        if row.is_open:
            self._fold(row)
            return
        for line in range(self.cursor_line - 1, -1, -1):
            if self.model.rows[line].depth < row.depth:
                self.move_cursor(line)
                return

    def _unfold(self, row: DiskRow) -> None:
        if row.opens:
            self.model.toggle(row.id, is_open=True)
            self.post_message(self.Unfolded(row))
            self.renew()

    def _fold(self, row: DiskRow) -> None:
        self.model.toggle(row.id, is_open=False)
        self.renew()

    def on_click(self, event: events.Click) -> None:
        """Select the row clicked; a double click unfolds it."""
        line = self.line_at(event)
        if line is not None:
            self.move_cursor(line)
            if event.chain == 2:
                self.action_unfold()

    # Drawing

    def draw(self, line: int, width: int) -> Strip:
        """Draw one row."""
        row = self.model.rows[line]
        cursor = line == self.cursor_line
        parts = list(self._parts(row, width, cursor=cursor, marked=row.id in self.marks.ids))
        return self.paint.strip(
            [Segment(text, self.paint.tone(tone)) for text, tone in parts], width, cursor=cursor
        )

    def _parts(
        self, row: DiskRow, width: int, *, cursor: bool, marked: bool
    ) -> Sequence[tuple[str, str]]:
        gutter = formatting.sign("▌", "|") if cursor else " "
        mark = formatting.sign("●", "*") if marked else " "
        figures = row.figures
        size = formatting.size(self.model.bytes(figures)) + (
            "" if row.is_done else formatting.sign("…", "~")
        )
        filled = round(row.share * BAR)
        bar = formatting.sign("█", "#") * filled + formatting.sign("░", "-") * (BAR - filled)
        head = [
            (gutter, "live"),
            (mark, "warn"),
            (fit(size, SIZE + 1, right=True), "plain" if row.is_done else "dim"),
            (f" {bar} ", "live"),
        ]
        tail: list[tuple[str, str]] = []
        if width >= ROOM_FOR_REST:
            can_go = formatting.size(figures.rebuildable) if figures.rebuildable else ""
            tail.append((fit(can_go, SIZE, right=True) + " ", "good"))
            tail += self._of_run(row, width)
        left = width - sum(len(text) for text, _ in [*head, *tail])
        fold = "  "
        if row.opens:
            fold = formatting.sign("▾ ", "v ") if row.is_open else formatting.sign("▸ ", "> ")
        name = clean(f"{row.name}: {row.error}" if row.error else row.name, 300)
        text = "  " * row.depth + fold + name
        return [*head, (fit(text, max(4, left)), "bad" if row.error else "plain"), *tail]

    def _of_run(self, row: DiskRow, width: int) -> list[tuple[str, str]]:
        run = self.runs.get(row.run)
        ended = self.model.ended(row)
        ages = [self._age(row.figures.newest)]
        if width >= ROOM_FOR_STATE:
            ages.append(self._age(ended or 0.0))
        parts = [(fit(age, AGE, right=True) + " ", "dim") for age in ages]
        status = (
            f"{formatting.glyph(run.status)} {formatting.word(run.status)}"
            if run and row.path
            else ""
        )
        parts.append((fit(status, STATUS), formatting.tone(run.status) if run else "dim"))
        if width >= ROOM_FOR_STATE:
            words, is_warning = self._state(row, run)
            parts.append((" " + fit(words, STATE), "warn" if is_warning else "dim"))
        return parts

    def _age(self, at: float) -> str:
        return formatting.age(max(0.0, self._clock() - at)) if at else ""

    def _state(self, row: DiskRow, run: Run | None) -> tuple[str, bool]:
        """Return whether a workspace's work exists elsewhere, and whether that is a warning."""
        if row.state:
            return row.state, False
        if row.depth != 1 or row.path is None or self.model.tab != "workspaces":
            return "", False
        if run is None:
            return "of no run that is known", False
        if run.status not in FINISHED:
            return "live", False
        found = self.model.states.get(str(row.path))
        return (found.state, bool(found)) if found is not None else ("", False)

    def heading(self, width: int) -> str:
        """Name the columns, for a list so wide."""
        size = "apparent" if self.model.is_apparent else "on disk"
        text = "  " + fit(size, SIZE + 1, right=True) + " " * (BAR + 2)
        tail = ""
        if width >= ROOM_FOR_REST:
            tail = fit("can go", SIZE, right=True) + " " + fit("touched", AGE, right=True) + " "
            if width >= ROOM_FOR_STATE:
                ended = "deleted" if self.model.tab == "trash" else "ended"
                tail += fit(ended, AGE, right=True) + " "
            tail += fit("status", STATUS)
            if width >= ROOM_FOR_STATE:
                of_sessions = self.model.tab == "Codex"
                tail += " " + fit("why it stays" if of_sessions else "git", STATE)
        return text + fit("  name", max(4, width - len(text) - len(tail))) + tail
