"""The calls by which a face follows and commands runs, as a protocol.

`Engine` implements it, and so does the engine of the dashboard's tests: one contract test runs the
same calls against both (`tests/tui/test_engine_port.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from engine.domain.events import Event
from engine.domain.model import Pause, Run, RunSpec
from engine.domain.projection import View
from engine.execution.bus import EventStream


class EnginePort(Protocol):
    """Runs as they are, and what can be requested of them; requests raise `UserError`."""

    view: View

    @property
    def slots(self) -> int:
        """The number of runs that may be active at a time."""
        ...

    @property
    def pause(self) -> Pause | None:
        """The reason why the queue starts nothing, and its end; None while it runs."""
        ...

    def batches(self, interval_s: float = 0.05) -> EventStream:
        """Return the events from now on, at most one batch every `interval_s` seconds."""
        ...

    async def events(
        self,
        run: str,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int = -1,
        kinds: Sequence[str] = (),
    ) -> list[Event]:
        """Return a run's events in order: after `after`, or the last ones before `before`."""
        ...

    def position(self, run: str) -> int | None:
        """Return a queued run's place in the queue, from 1."""
        ...

    async def check(self, spec: RunSpec) -> RunSpec:
        """Check a request for a run, and return it complete."""
        ...

    async def start(self, spec: RunSpec) -> Run:
        """Check a request, then queue a run."""
        ...

    async def cancel(self, run: str, *, kill: bool = False) -> Run:
        """Request the end of a run; raises RUN_NOT_CANCELLABLE where it has ended."""
        ...

    async def retry(self, run: str, *, prompt: str | None = None, fresh: bool = False) -> Run:
        """Queue a finished run's next attempt; raises RUN_NOT_RETRYABLE before its end."""
        ...

    async def resume(self, run: str, message: str) -> Run:
        """Continue a finished run's thread with a message."""
        ...

    async def set_slots(self, slots: int) -> None:
        """Allow `slots` runs at a time."""
        ...

    async def set_pause(self, pause: Pause | None) -> None:
        """Stop starting runs, or with None, continue."""
        ...

    async def settle(self) -> None:
        """Wait until no run is queued or active."""
        ...
