"""What fails inside while a command waits: a line for each, on stderr, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.domain.fault import Fault, fault_words

if TYPE_CHECKING:
    from engine.engine import Engine


class FaultNews:
    """Finds what is new among the faults of an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._told: set[tuple[str, str]] = set()
        self._open: dict[str, Fault] = {}

    def lines(self) -> list[str]:
        """Return a line for each fault not told yet, and for each told one that is over."""
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
        return lines
