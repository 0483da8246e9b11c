"""Live reports in the output of an interactive attempt: output of commands, diff of the turn."""

from __future__ import annotations

from collections.abc import Sequence

from engine.agents.codex.interactive.wire import BridgeLine, WireLine, WireParams, read_line
from engine.agents.codex.translation import TEXT_LIMIT
from engine.domain.live import CommandEnded, CommandOutput, LiveReport, TurnDiff
from engine.domain.text import printable

_METHODS = (
    b'"bridge"',
    b'"result"',
    b'"item/started"',
    b'"item/completed"',
    b'"turn/diff/updated"',
    b'"turn/started"',
    b'"turn/completed"',
)
_DIFF = b'"turn/diff/updated"'
_HEAD = 100
"""Bytes of a line in which its method stands."""
_COMMAND = "commandExecution"
MAX_ITEMS = 100
"""Commands whose names are remembered: a hostile server may begin any number, and end none."""


class InteractiveLiveReader:
    """Reader of the lines of one attempt, from any place in its output on.

    Only the thread of the run itself is reported: the commands of sub-agents are not in its log.
    """

    def __init__(self, thread: str | None) -> None:
        self._thread = thread
        self._commands: dict[str, str] = {}
        """The commands that run, by item."""
        self._ignored: dict[str, str] = {}
        """Commands of sub-agents, and those that outlive their turn."""

    def read(self, lines: Sequence[bytes]) -> list[LiveReport]:
        """Return the reports of further lines, each without its newline."""
        return [report for line in lines for report in self._read(line)]

    def skip(self, head: bytes) -> list[LiveReport]:
        """Return the reports of a line that is too long to be read, from its beginning."""
        return [TurnDiff("", is_cut=True)] if _DIFF in head[:_HEAD] else []

    def forget(self) -> list[LiveReport]:
        """Return the ends of all that is open: a part of the output is not read."""
        ended: list[LiveReport] = [CommandEnded(item) for item in self._commands]
        for item in self._commands:
            _add(self._ignored, item, "")
        self._commands.clear()
        return ended

    def _read(self, raw: bytes) -> Sequence[LiveReport]:
        if not any(method in raw[:_HEAD] for method in _METHODS):
            return ()
        line = read_line(raw)
        if isinstance(line, BridgeLine):
            return self._output(line) if line.bridge == "output" else ()
        if line and line.result and line.result.thread and line.result.thread.id:
            self._thread = line.result.thread.id
        return self._notified(line) if line else ()

    def _output(self, line: BridgeLine) -> Sequence[LiveReport]:
        if not line.text or line.item in self._ignored:
            return ()
        text = f"\n{line.text}" if line.skipped else line.text
        return [CommandOutput(line.item, text, self._commands.get(line.item, ""))]

    def _notified(self, line: WireLine) -> Sequence[LiveReport]:
        params = line.params
        is_own = self._thread in (None, params.thread_id)
        if params.item and params.item.type == _COMMAND:
            return self._item(line.method, params, is_own=is_own)
        if not is_own:
            return ()
        if line.method == "turn/diff/updated":
            return [TurnDiff(params.diff)]
        if line.method in ("turn/started", "turn/completed"):
            return [*self.forget(), TurnDiff("")]
        return ()

    def _item(self, method: str, params: WireParams, *, is_own: bool) -> Sequence[LiveReport]:
        item = params.item
        if item is None:
            return ()
        if method == "item/completed":
            self._commands.pop(item.id, None)
            is_ignored = self._ignored.pop(item.id, None) is not None
            return () if is_ignored else [CommandEnded(item.id)]
        known = self._commands if is_own else self._ignored
        _add(known, item.id, printable(item.command or "", TEXT_LIMIT))
        return ()


def _add(known: dict[str, str], item: str, command: str) -> None:
    if len(known) >= MAX_ITEMS:
        known.pop(next(iter(known)))
    known[item] = command
