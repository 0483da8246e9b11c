"""Output of running commands below their steps in a log, as it comes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from engine.domain.live import CommandEnded, CommandOutput, LiveReport
from engine.domain.record import mutable_record
from tui.models.output_tail import OutputTail
from tui.widgets.log.event_window import EventWindow
from tui.widgets.log.window_entry import WindowEntry

if TYPE_CHECKING:
    from tui.widgets.log.event_log import EventLog

MAX_TAILS = 20
"""Commands whose output is kept at a time: an agent runs few at once."""
LEFT = 10
"""So often an output is still placed after its end: until then the stored end is there."""


@mutable_record
class _Tail:
    """The output of one command, and the entry that it is shown below."""

    command: str
    output: OutputTail
    entry: WindowEntry | None = None
    is_new: bool = True
    """True if it has more than what is shown."""
    left: int = -1
    """Number of times it is still placed, once its command has ended; negative before."""


class LiveTails:
    """The live output in one log. It is kept until the end of its command is known."""

    def __init__(self) -> None:
        self._tails: dict[str, _Tail] = {}

    @property
    def size(self) -> int:
        """The number of characters that are kept."""
        return sum(tail.output.size for tail in self._tails.values())

    def show(self, log: EventLog, reports: Iterable[LiveReport]) -> None:
        """Show what is new below the steps of a log."""
        self.add(reports)
        if changed := self.place(log.window):
            with log.place.steady():
                log.window.lay_out_again(changed)

    def add(self, reports: Iterable[LiveReport]) -> None:
        """Add what the commands printed; drop the output of those that ended."""
        for report in reports:
            if isinstance(report, CommandOutput):
                self._tail(report).output.add(report.text)
            elif isinstance(report, CommandEnded):
                self._end(report.item)

    def _tail(self, report: CommandOutput) -> _Tail:
        tail = self._tails.get(report.item)
        if tail is None:
            if len(self._tails) >= MAX_TAILS:
                self._drop(next(iter(self._tails)))
            tail = self._tails[report.item] = _Tail(report.command, OutputTail())
        tail.is_new = True
        return tail

    def _end(self, item: str) -> None:
        tail = self._tails.get(item)
        if tail and tail.left < 0:
            tail.left = LEFT
            if tail.entry:
                tail.entry.is_ending = True

    def _drop(self, item: str) -> WindowEntry | None:
        """Drop an output; return its entry if that looks different without it."""
        entry = self._tails.pop(item).entry
        if entry is None or entry.live is None:
            return None
        entry.live, entry.is_ending = None, True
        return None if entry.is_answered else entry

    def place(self, window: EventWindow) -> list[WindowEntry]:
        """Put each output below its step; return the entries that look different now."""
        found = [self._place(item, tail, window) for item, tail in list(self._tails.items())]
        return [entry for entry in found if entry]

    def _place(self, item: str, tail: _Tail, window: EventWindow) -> WindowEntry | None:
        entry = tail.entry
        if tail.left == 0 or (entry and entry.is_answered):  # its end is stored
            return self._drop(item)
        tail.left -= tail.left > 0
        if entry is None or window.find(entry.seq) is not entry:
            entry = tail.entry = self._find(tail.command, window)
            tail.is_new = True
        if entry is None or not tail.is_new:
            return None
        entry.live, tail.is_new = tail.output, False
        return entry

    def _find(self, command: str, window: EventWindow) -> WindowEntry | None:
        """Return the step that runs a command and has no output yet; without one, any."""
        taken = [tail.entry for tail in self._tails.values() if tail.entry]
        for entry in reversed(window.entries):
            is_same = entry.asks and command in ("", entry.asks[1])
            if is_same and entry.is_running and not any(entry is one for one in taken):
                return entry
        return None
