"""Faults and pauses that hold runs back while a command waits: a line for each, once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from engine.domain.fault import Fault, fault_words
from tui.cli.support import waiting

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort


class FaultNews:
    """New faults of an engine, each found once."""

    def __init__(self, engine: EnginePort) -> None:
        self._engine = engine
        self._told: set[tuple[str, str]] = set()
        self._open: dict[str, Fault] = {}
        self._pause = ""

    def lines(self) -> list[str]:
        """Return a line for each fault that is new, and for each shown one that is over."""
        current = {fault.task: fault for fault in self._engine.faults}
        ended = [name for name in self._open if name not in current]
        lines = [f"{name} works again" for name in ended]
        for name in ended:
            del self._open[name]
        for name, fault in current.items():
            if (name, fault.error) not in self._told:
                self._told.add((name, fault.error))
                self._open[name] = fault
                lines.append(fault_words(fault))
        return lines + self._queue_news()

    def _queue_news(self) -> list[str]:
        """Return a line when the queue was paused, and when it goes on."""
        now = time.time()
        pause = waiting.pause_note(self._engine, now)
        reason = self._engine.pause.reason if pause and self._engine.pause else ""
        if not pause and (held := waiting.hold_notes(self._engine, self._engine.view, now)):
            pause, reason = "; ".join(held), "held"
        told, self._pause = self._pause, reason
        if reason == told:
            return []
        return [pause or "the queue goes on"]
