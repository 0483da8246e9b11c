"""The part of a log that is in memory: laid out in lines, constant in size."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, islice

from engine.domain.events import Event, FileChange, FilesChanged
from engine.domain.kinds import USUAL, EventKind
from engine.domain.record import record
from tui import formatting
from tui.models.log_events import (
    LOOK_AHEAD,
    REPORT_BEFORE_S,
    ReportedEdits,
    edited,
    is_bookkeeping,
    without_edited,
)
from tui.terminal.cells import cells
from tui.widgets.log.window_entry import (
    LogPosition,
    LogRow,
    WindowEntry,
    entry_of,
    lay_out,
)

MAX_EVENTS = 2_000
MAX_LINES = 40_000
"""Beyond either, the window drops the events farthest from the reader."""


@record
class LogContents:
    """The choice of events that a window shows, of all that it is filled with."""

    has_bookkeeping: bool = True
    folds_usage: bool = True
    """True if a token count is hidden as soon as there is a later one."""
    folds_edits: bool = True
    """True if an edit that the watcher saw, too, is shown once."""
    prompt_of: Callable[[str], str] | None = None
    """Returns the prompt of a run, which stands for its first event."""


def contents_of(
    kind: EventKind, *, has_bookkeeping: bool, prompt_of: Callable[[str], str] | None
) -> LogContents:
    """Return the contents of a log of these kinds of events."""
    is_usual = kind is USUAL
    return LogContents(
        has_bookkeeping=has_bookkeeping or not is_usual,
        folds_usage=is_usual,
        folds_edits=is_usual or bool(kind.sorts),
        prompt_of=prompt_of,
    )


class EventWindow:
    """Entries in order of their numbers, and the lines they take up.

    A message of the user, and an interrupt, have one line, which shows their latest phase.

    It covers all events from `first_seq` to `last_seq`, but has entries only for those it shows.
    Of a run's token counts, each a total, only the latest is shown. An edit that both the agent
    and the watcher reported is shown once, as the agent's.
    """

    def __init__(self, contents: LogContents | None = None) -> None:
        self.contents = contents or LogContents()
        self._usage: dict[str, WindowEntry] = {}
        self._said: dict[tuple[str, str], WindowEntry] = {}
        self._edits = ReportedEdits()
        self.revealed: set[int] = set()
        """Numbers of events that are shown although they are book-keeping."""
        self.entries: list[WindowEntry] = []
        self.first_seq = self.last_seq = 0
        """The numbers of the first and the last event; 0 when empty."""
        self.width = 80
        self.wraps = False
        self._starts: list[int] = [0]

    # Lines

    @property
    def line_count(self) -> int:
        """The number of display lines."""
        return self._starts[-1]

    @property
    def is_full(self) -> bool:
        """True if every new event drops another one."""
        return len(self.entries) >= MAX_EVENTS or self.line_count >= MAX_LINES

    def at(self, line: int) -> tuple[WindowEntry, LogRow, LogPosition]:
        """Return the entry and the row on a line, from 0, and its place."""
        index = bisect_right(self._starts, line) - 1
        entry, row = self.entries[index], line - self._starts[index]
        return entry, entry.rows[row], LogPosition(entry.seq, row)

    def place(self, line: int) -> LogPosition | None:
        """Return a line's place; None when there is no such line."""
        if not 0 <= line < self.line_count:
            return None
        index = bisect_right(self._starts, line) - 1
        return LogPosition(self.entries[index].seq, line - self._starts[index])

    def line_of(self, place: LogPosition | None) -> int | None:
        """Return the line of a place, or the nearest that is left; None when empty."""
        if place is None or not self.entries:
            return None
        index = max(0, min(place.seq - self.entries[0].seq, len(self.entries) - 1))
        if self.entries[index].seq != place.seq:
            index = self._index(place.seq)
        rows = len(self.entries[index].rows)
        return min(self._starts[index] + min(place.row, max(0, rows - 1)), self.line_count - 1)

    def _index(self, seq: int) -> int:
        later = bisect_right(self.entries, seq, key=lambda entry: entry.seq)
        return max(0, later - 1)

    # Events

    def is_shown(self, number: int, event: Event) -> bool:
        """Return whether an event gets an entry."""
        is_hidden = not self.contents.has_bookkeeping and is_bookkeeping(event)
        return not is_hidden or number in self.revealed

    def count_after(self, number: int) -> int:
        """Return how many entries come after the one numbered `number`."""
        return len(self.entries) - bisect_right(self.entries, number, key=lambda one: one.seq)

    def find(self, number: int) -> WindowEntry | None:
        """Return the entry numbered `number`; None where it is not in the window."""
        entry = self.entries[self._index(number)] if self.entries else None
        return entry if entry and entry.seq == number else None

    def replace(self, events: Iterable[tuple[int, Event]]) -> None:
        """Show these events and no others."""
        self.entries = []
        self.first_seq = self.last_seq = 0
        self._usage, self._said, self._edits = {}, {}, ReportedEdits()
        self.append(events)

    def append(self, events: Iterable[tuple[int, Event]]) -> None:
        """Add later events at the end."""
        for number, event in events:
            self.first_seq, self.last_seq = self.first_seq or number, number
            if not self.is_shown(number, event):
                continue
            prompt_of = self.contents.prompt_of if event.seq == 1 else None
            entry = entry_of(number, event, prompt_of(event.run) if prompt_of else "")
            if entry.answers:
                self._pair(entry.answers)
            if entry.is_usage and self.contents.folds_usage:
                _give_way(self._usage.get(entry.run))
                self._usage[entry.run] = entry
            if self.contents.folds_edits:
                self._fold_edits(entry, event)
            self._fold_said(entry)
            self._lay_out(entry)
            self.entries.append(entry)
        self._number()

    def prepend(self, events: Sequence[tuple[int, Event]]) -> None:
        """Add earlier events at the beginning."""
        later, self.entries = self.entries, []
        later_usage, self._usage = self._usage, {}
        later_said, self._said = self._said, {}
        later_edits, self._edits = self._edits, ReportedEdits()
        first, last = self.first_seq, self.last_seq
        self.first_seq = 0
        self.append(events)
        self.first_seq, self.last_seq = self.first_seq or first, last or self.last_seq
        for run in later_usage.keys() & self._usage.keys():
            _give_way(self._usage[run])
        self._usage |= later_usage
        for entry in later_said.values():
            self._fold_said(entry)
        for entry in islice(later, LOOK_AHEAD):
            if entry.answers and not entry.is_open:
                self._pair(entry.answers)
            if entry.report:
                self._set_report(
                    entry, self._edits.unreported(entry.run, entry.at, entry.report.changes)
                )
        self._edits = later_edits
        self.entries += later
        self._number()

    def _fold_edits(self, entry: WindowEntry, event: Event) -> None:
        """Leave out of the watcher's reports, here and just before, edits of the agent."""
        body = event.body
        self._edits.add(event)
        if edits := edited(event):
            for other in islice(reversed(self.entries), LOOK_AHEAD):
                if other.at < entry.at - REPORT_BEFORE_S:
                    break
                if other.report and other.run == entry.run:
                    self._set_report(other, without_edited(other.report.changes, edits))
        if isinstance(body, FilesChanged):
            entry.report = body
            self._set_report(entry, self._edits.unreported(entry.run, entry.at, body.changes))

    def _fold_said(self, entry: WindowEntry) -> None:
        """Show what became of a message, or an interrupt, in the line of its first event."""
        if entry.said_id is None:
            return
        first = self._said.get(entry.said_id)
        if first is None or self.find(first.seq) is not first:  # it was dropped
            self._said[entry.said_id] = entry
        else:
            first.follow_up(entry)
            self._lay_out(first)
            _give_way(entry)

    def _set_report(self, entry: WindowEntry, changes: Sequence[FileChange]) -> None:
        """Show only these files of a report; without any, the agent's edits are shown instead."""
        if not entry.report or len(changes) == len(entry.report.changes):
            return
        entry.report = FilesChanged(tuple(changes))
        entry.line = formatting.files_line(entry.report)
        entry.is_answered = not changes
        self._lay_out(entry)

    def trim_start(self) -> int:
        """Drop the earliest events where there are too many; return their number."""
        count = self._surplus(self.entries)
        self._forget(self.entries[:count])
        del self.entries[:count]
        if count:
            self.first_seq = self.entries[0].seq
        self._number()
        return count

    def trim_end(self) -> int:
        """Drop the latest events where there are too many; return their number."""
        count = self._surplus(reversed(self.entries))
        if count:
            self._forget(self.entries[-count:])
            del self.entries[-count:]
            self.last_seq = self.entries[-1].seq
        self._number()
        return count

    def _forget(self, dropped: Iterable[WindowEntry]) -> None:
        """Keep nothing of entries that are dropped: a log of all runs may be open for weeks."""
        for entry in dropped:
            if self._usage.get(entry.run) is entry:
                del self._usage[entry.run]
            if entry.said_id is not None and self._said.get(entry.said_id) is entry:
                del self._said[entry.said_id]

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
        for entry in islice(reversed(self.entries), LOOK_AHEAD):
            if entry.asks == step and not entry.is_answered:
                _give_way(entry)
                return

    # Layout

    def resize(self, width: int, *, wraps: bool) -> bool:
        """Fit all entries to this width; return whether anything changed."""
        width = max(8, width)
        if (width, wraps) == (self.width, self.wraps):
            return False
        self.width, self.wraps = width, wraps
        for entry in self.entries:
            self._lay_out(entry)
        self._number()
        return True

    def can_unfold(self, entry: WindowEntry) -> bool:
        """Return whether an event looks different unfolded."""
        line = entry.line
        more = bool(line.extra or line.detail or (entry.live and entry.live.line_count))
        return entry.is_open or more or cells(line.text) > self.width

    def toggle(self, entry: WindowEntry) -> None:
        """Unfold an event, or fold it."""
        entry.is_open = not entry.is_open
        self._lay_out(entry)
        self._number()

    def lay_out_again(self, entries: Iterable[WindowEntry]) -> None:
        """Place the rows of entries whose live output has changed."""
        for entry in entries:
            self._lay_out(entry)
        self._number()

    def _lay_out(self, entry: WindowEntry) -> None:
        lay_out(entry, self.width, wraps=self.wraps)

    def _number(self) -> None:
        self._starts = list(accumulate((len(entry.rows) for entry in self.entries), initial=0))


def _give_way(entry: WindowEntry | None) -> None:
    if entry:
        entry.is_answered = True
        entry.rows = []
