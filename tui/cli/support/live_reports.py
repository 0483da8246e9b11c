"""Live reports of followed runs: output of their commands while these run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from engine.domain.live import LiveReport
from engine.domain.model import Run, Status
from tui.models.output_tail import MAX_CHARACTERS

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort, LiveReportsPort

READ_S = 0.2

RunReport = tuple[Run, LiveReport]


class FollowedRuns(Protocol):
    """Runs that a command or a stream follows, as they are now."""

    @property
    def runs(self) -> dict[str, Run]:
        """The runs by id."""
        ...


class LiveReports:
    """Reader of the live reports of followed runs."""

    def __init__(self, engine: EnginePort, follower: FollowedRuns) -> None:
        self._engine, self._follower = engine, follower
        self._live: dict[tuple[str, int], LiveReportsPort | None] = {}

    async def read(self) -> list[RunReport]:
        """Return what is new of all runs; raises OSError."""
        found: list[RunReport] = []
        running = {
            (run.id, run.attempt): run
            for run in self._follower.runs.values()
            if run.status is Status.RUNNING and run.is_interactive
        }
        self._live = {key: live for key, live in self._live.items() if key in running}
        for key, run in running.items():
            if key not in self._live:
                self._live[key] = self._engine.live_output(run)
            if live := self._live[key]:
                found += [(run, report) for report in await live.read()]
        return found


class WholeLines:
    """Output of commands put together to whole lines."""

    def __init__(self) -> None:
        self._rest: dict[tuple[str, str], str] = {}

    def add(self, run: str, item: str, text: str) -> list[str]:
        """Return the lines that are whole now; of one that is too long, a part is a line."""
        *lines, rest = (self._rest.pop((run, item), "") + text).split("\n")
        if len(rest) > MAX_CHARACTERS:
            lines, rest = [*lines, rest], ""
        if rest:
            self._rest[run, item] = rest
        return lines

    def end(self, run: str, item: str) -> None:
        """Forget a line without an end: the event of the command's end has it."""
        self._rest.pop((run, item), None)
