"""Runs side by side, a column each: their properties, then the lines of each changed file."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.strip import Strip

from engine.domain.cost import RunCost
from engine.domain.model import Run
from engine.domain.ranking import RankedTask
from tui import formatting
from tui.formatting import comparison
from tui.formatting.comparison import Compared, Row
from tui.formatting.file_changes import path_tail
from tui.terminal.cells import fit
from tui.widgets.base.line_view import LineView

NAME = 30
LEAST, MOST = 24, 60
"""Cells of a column."""
GAP = 2
REVERSE = Style(reverse=True)


class RunTable(LineView):
    """The rows, with a cursor; one column is chosen, and those around it are shown."""

    def __init__(self, ranking: RankedTask, cost: RunCost) -> None:
        super().__init__(empty_text="Comparing …")
        self._ranking = ranking
        self._cost = cost
        self._runs: Sequence[Run] = ranking.runs
        self._compared: Compared = {}
        self._now = 0.0
        self._chosen = self._first = 0
        self.marked = ""
        """The run that the chosen one is compared with."""
        self.hints = ""
        """The keys, for the frame."""
        self._facts: list[Row] = []
        self._paths: list[str] = []
        self._name = self._width = self._shown = 1

    def show(self, task: RankedTask, runs: Sequence[Run], compared: Compared, now: float) -> None:
        """Show runs of a task in this order; the chosen one stays chosen."""
        self._ranking, self._runs, self._compared, self._now = task, runs, compared, now
        self._paths = comparison.paths_of(compared)
        self._lay_out()

    @property
    def chosen(self) -> Run:
        """The run whose column is chosen."""
        return self._runs[self._chosen]

    @property
    def visible_runs(self) -> Sequence[Run]:
        """The runs whose columns are in view."""
        return self._runs[self._first : self._first + self._shown]

    def choose(self, by: int) -> None:
        """Choose the column so many places further right, and bring it into view."""
        self._chosen = max(0, min(self._chosen + by, len(self._runs) - 1))
        self._lay_out()

    def styles_changed(self) -> None:
        """Compute again which columns have room."""
        self._lay_out()

    def _lay_out(self) -> None:
        count, room = len(self._runs), self.scrollable_content_region.width - 1
        if not count or room <= 0:
            return
        longest = max((len(path) for path in self._paths), default=0)
        self._name = min(NAME, max(10, longest), max(10, room // 4))
        room -= self._name
        self._shown = max(1, min(count, room // (LEAST + GAP)))
        self._width = max(1, min(MOST, room // self._shown - GAP))
        last = count - self._shown
        self._first = max(self._chosen - self._shown + 1, min(self._first, self._chosen, last))
        self._facts = comparison.fact_rows(
            self._ranking,
            self.visible_runs,
            self._compared,
            self._now,
            self._width,
            self._cost,
        )
        end = min(count, self._first + self._shown)
        self.border_subtitle = Content(f"{self._first + 1}–{end} of {count} · {self.hints}")
        self.set_lines(len(self._facts) + len(self._paths), cursor=self.cursor_line)

    def draw(self, line: int, width: int) -> Strip:
        """Draw one row."""
        cursor, (name, cells) = line == self.cursor_line, self._row(line)
        segments = [
            Segment(formatting.sign("▌", "|") if cursor else " ", self.paint.tone("live")),
            Segment(fit(path_tail(name, self._name), self._name), self.paint.tone("dim")),
        ]
        for place, (text, tone) in enumerate(cells, start=self._first):
            is_chosen = place == self._chosen
            bar = formatting.sign("┃", "|") if is_chosen else " "
            style = (
                self.paint.tone(tone) + self.paint.strong() if is_chosen else self.paint.tone(tone)
            )
            if not line:
                text = self._head(place, text)
                style = self.paint.tone("busy") + REVERSE if is_chosen else style
            segments += [
                Segment(f" {bar}", self.paint.tone("busy")),
                Segment(fit(text, self._width), style),
            ]
        return self.paint.strip(segments, width, cursor=cursor)

    def _row(self, line: int) -> Row:
        if line < len(self._facts):
            return self._facts[line]
        path = self._paths[line - len(self._facts)]
        return comparison.file_row(path, self.visible_runs, self._compared)

    def _head(self, place: int, text: str) -> str:
        is_marked = self._runs[place].id == self.marked
        return f"{formatting.sign('◆', '+')} {text}" if is_marked else text
