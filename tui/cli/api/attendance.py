"""Supervision of the home while clients of the API wait for runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from engine.domain.errors import UserError
from tui.cli.support.attendant import Attendant

if TYPE_CHECKING:
    from engine.execution.task_tree import SupervisedTask
    from engine.ports.engine import EnginePort


class SharedAttendant:
    """Starter of a supervisor where none is alive: one for all clients that wait."""

    def __init__(self, engine: EnginePort) -> None:
        self._engine = engine
        self._task: SupervisedTask | None = None
        self._clients = 0

    @asynccontextmanager
    async def during(self) -> AsyncGenerator[None]:
        """Keep the home supervised as long as a client waits."""
        self._clients += 1
        if self._task is None or self._task.is_done:
            work = Attendant(self._engine).run
            self._task = self._engine.tasks.start("attendant", work, ends_on=UserError)
        try:
            yield
        finally:
            self._clients -= 1
            if not self._clients and self._task:
                self._task.cancel()
                self._task = None
