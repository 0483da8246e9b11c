"""The stretch of a run's log that is in memory: laid out in lines, constant in size."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, islice, zip_longest
from typing import NamedTuple

from engine.domain.events import Event, Step, UsageCounted
from tui import formatting
from tui.terminal.cells import cells, wrap

MAX_EVENTS = 2_000
MAX_LINES = 40_000
"""Beyond either, the window lets go of what is farthest from the reader."""

FOLDED_PROSE = 6
"""Lines of what an agent says that stay when folded."""


class LogPosition(NamedTuple):
    """A line of the log that stays the same whatever comes or goes around it."""

    seq: int
    row: int


class LogRow(NamedTuple):
    """One display line of an event: its text, its tone, and whether it hangs below the first."""

    text: str
    tone: str
    hangs: bool
    path: str = ""
    """The file this line is about, as the event says it."""


@dataclass(slots=True)
class WindowEntry:
    """An event of the window, laid out for the width at hand; `seq` is its number there."""

    seq: int
    run: str
    at: float
    line: formatting.EventLine
    answers: tuple[str, str] | None = None
    """For a step that ended: what it began as, so that the two are shown as one."""
    asks: tuple[str, str] | None = None
    is_open: bool = False
    is_answered: bool = False
    """Whether a later event stands for this one too."""
    is_usage: bool = False
    rows: list[LogRow] = field(default_factory=list)


def entry_of(number: int, event: Event) -> WindowEntry:
    """Make the entry of an event."""
    entry = WindowEntry(number, event.run, event.at, formatting.event_line(event))
    body = event.body
    entry.is_usage = isinstance(body, UsageCounted)
    if isinstance(body, Step) and body.role == "tool":
        same = (f"{event.run} {body.kind}", body.command or body.text or repr(body.changes))
        if body.phase == "started":
            entry.asks = same
        else:
            entry.answers = same
    return entry


class EventWindow:
    """Entries in order of their numbers, and the lines they take up.

    Of a run's token counts, each a total, only the latest is shown unless it `shows_all`.
    """

    def __init__(self, *, shows_all: bool = False) -> None:
        self._shows_all = shows_all
        self._usage: dict[str, WindowEntry] = {}
        self.entries: list[WindowEntry] = []
        self.width = 80
        self.wraps = False
        self._starts: list[int] = [0]

    # What is in it

    @property
    def first_seq(self) -> int:
        """The seq of the first event; 0 when empty."""
        return self.entries[0].seq if self.entries else 0

    @property
    def last_seq(self) -> int:
        """The seq of the last event; 0 when empty."""
        return self.entries[-1].seq if self.entries else 0

    @property
    def line_count(self) -> int:
        """How many display lines there are."""
        return self._starts[-1]

    @property
    def is_full(self) -> bool:
        """Whether nothing can come in without something going out."""
        return len(self.entries) >= MAX_EVENTS or self.line_count >= MAX_LINES

    def at(self, line: int) -> tuple[WindowEntry, LogRow, LogPosition]:
        """Give what stands on a line, from 0, and its place."""
        index = bisect_right(self._starts, line) - 1
        entry, row = self.entries[index], line - self._starts[index]
        return entry, entry.rows[row], LogPosition(entry.seq, row)

    def place(self, line: int) -> LogPosition | None:
        """Give a line's place; None when there is no such line."""
        if not 0 <= line < self.line_count:
            return None
        index = bisect_right(self._starts, line) - 1
        return LogPosition(self.entries[index].seq, line - self._starts[index])

    def line_of(self, place: LogPosition | None) -> int | None:
        """Give the line a place is on now, or the nearest that is left; None when empty."""
        if place is None or not self.entries:
            return None
        index = max(0, min(place.seq - self.first_seq, len(self.entries) - 1))
        if self.entries[index].seq != place.seq:
            index = self._index(place.seq)
        rows = len(self.entries[index].rows)
        return min(self._starts[index] + min(place.row, max(0, rows - 1)), self.line_count - 1)

    def _index(self, seq: int) -> int:
        later = bisect_right(self.entries, seq, key=lambda entry: entry.seq)
        return max(0, later - 1)

    # What comes and goes

    def count_after(self, number: int) -> int:
        """Give how many entries come after the one numbered `number`."""
        return len(self.entries) - bisect_right(self.entries, number, key=lambda one: one.seq)

    def find(self, number: int) -> WindowEntry | None:
        """Give the entry numbered `number`; None where it is not in the window."""
        entry = self.entries[self._index(number)] if self.entries else None
        return entry if entry and entry.seq == number else None

    def replace(self, events: Iterable[tuple[int, Event]]) -> None:
        """Show these events and no others."""
        self.entries = []
        self._usage = {}
        self.append(events)

    def append(self, events: Iterable[tuple[int, Event]]) -> None:
        """Add later events at the end."""
        for number, event in events:
            entry = entry_of(number, event)
            if entry.answers:
                self._pair(entry.answers)
            if entry.is_usage and not self._shows_all:
                _give_way(self._usage.get(entry.run))
                self._usage[entry.run] = entry
            self._lay_out(entry)
            self.entries.append(entry)
        self._number()

    def prepend(self, events: Sequence[tuple[int, Event]]) -> None:
        """Add earlier events at the beginning."""
        later, self.entries = self.entries, []
        later_usage, self._usage = self._usage, {}
        self.append(events)
        for run in later_usage.keys() & self._usage.keys():
            _give_way(self._usage[run])
        self._usage |= later_usage
        for entry in islice(later, 32):
            if entry.answers and not entry.is_open:
                self._pair(entry.answers)
        self.entries += later
        self._number()

    def trim_start(self) -> int:
        """Let the earliest events go where there are too many, and say how many went."""
        count = self._surplus(self.entries)
        del self.entries[:count]
        self._number()
        return count

    def trim_end(self) -> int:
        """Let the latest events go where there are too many, and say how many went."""
        count = self._surplus(reversed(self.entries))
        if count:
            del self.entries[-count:]
        self._number()
        return count

    def _surplus(self, entries: Iterable[WindowEntry]) -> int:
        events, lines = len(self.entries) - MAX_EVENTS, self.line_count - MAX_LINES
        count = 0
        for entry in entries:
            if events <= 0 and lines <= 0:
                break
            events, lines, count = events - 1, lines - len(entry.rows), count + 1
        return count

    def _pair(self, step: tuple[str, str]) -> None:
        """Hide the beginning of a step whose end is shown right after it."""
        for entry in islice(reversed(self.entries), 32):
            if entry.asks == step and not entry.is_answered:
                _give_way(entry)
                return

    # How it is laid out

    def resize(self, width: int, *, wraps: bool) -> bool:
        """Lay everything out for this width, and say whether anything changed."""
        width = max(8, width)
        if (width, wraps) == (self.width, self.wraps):
            return False
        self.width, self.wraps = width, wraps
        for entry in self.entries:
            self._lay_out(entry)
        self._number()
        return True

    def can_unfold(self, entry: WindowEntry) -> bool:
        """Whether folding or unfolding changes what is seen of an event."""
        line = entry.line
        more = bool(line.extra or line.detail)
        return entry.is_open or more or cells(line.text) > self.width

    def toggle(self, entry: WindowEntry) -> None:
        """Unfold an event, or fold it."""
        entry.is_open = not entry.is_open
        self._lay_out(entry)
        self._number()

    def _number(self) -> None:
        self._starts = list(accumulate((len(entry.rows) for entry in self.entries), initial=0))

    def _lay_out(self, entry: WindowEntry) -> None:
        if entry.is_answered:
            entry.rows = []
            return
        line = entry.line
        if entry.is_open:
            entry.rows = [*self._first(line, wraps=True), *self._rest(line)]
        elif line.prose:
            entry.rows = self._folded_prose(line)
        else:
            entry.rows = [*self._first(line, wraps=self.wraps), *self._folded_output(line)]

    def _first(self, line: formatting.EventLine, *, wraps: bool) -> Iterator[LogRow]:
        texts = wrap(line.text, self.width) if wraps and line.text else [line.text]
        path = line.paths[0] if len(line.paths) == 1 else ""
        for index, text in enumerate(texts):
            yield LogRow(text, line.tone, index > 0, path)

    def _rest(self, line: formatting.EventLine) -> Iterator[LogRow]:
        tone = line.tone if line.prose else "dim"
        paths = line.paths if len(line.paths) == len(line.extra) else ()
        for text, path in zip_longest((*line.detail, *line.extra), paths, fillvalue=""):
            for part in wrap(text, self.width) if text else [""]:
                yield LogRow(part, tone, True, path)

    def _folded_prose(self, line: formatting.EventLine) -> list[LogRow]:
        whole = (*self._first(line, wraps=True), *self._rest(line))
        if len(whole) <= FOLDED_PROSE + 1:
            return list(whole)
        left_out = len(whole) - FOLDED_PROSE
        return [*whole[:FOLDED_PROSE], LogRow(_more(left_out), "dim", True)]

    def _folded_output(self, line: formatting.EventLine) -> Iterator[LogRow]:
        if not line.fold:
            return
        left_out = len(line.extra) - line.fold
        if left_out > 1:
            yield LogRow(_more(left_out), "dim", True)
        for text in line.extra[-line.fold if left_out > 1 else 0 :]:
            for part in wrap(text, self.width) if self.wraps and text else [text]:
                yield LogRow(part, "dim", True)


def _give_way(entry: WindowEntry | None) -> None:
    if entry:
        entry.is_answered = True
        entry.rows = []


def _more(count: int) -> str:
    return f"{formatting.sign('…', '...')} {count} more line{'' if count == 1 else 's'} (enter)"
