"""The client of the server: its rights, and the runs that it may read and change."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from engine.domain.errors import UserError, user_error
from engine.domain.model import Run
from tui.cli.api.scopes import Scope

if TYPE_CHECKING:
    from engine.config.settings import McpSettings
    from engine.ports.engine import EnginePort
    from tui.cli.mcp.tool import McpTool


class Reporter(Protocol):
    """Sender of progress to the client, if it asked for that."""

    async def __call__(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Report progress; each number is larger than the one before."""
        ...


async def _no_report(
    progress: float, total: float | None = None, message: str | None = None
) -> None:
    """Report nothing."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A client of the server.

    With a `parent` it is the agent of that run: it may change only runs that it started.
    """

    engine: EnginePort
    scope: Scope = Scope.ADMIN
    parent: str | None = None
    folder: Path | None = None
    """The current folder of the client, which workspaces are made from; None: unknown."""
    report: Reporter = _no_report
    starting: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while runs are started: two requests at once do not share what is left of a budget."""

    @property
    def settings(self) -> McpSettings:
        """The settings of the server."""
        return self.engine.config.mcp

    def may_use(self, tool: McpTool[Any]) -> bool:
        """Return whether a tool is offered."""
        is_enabled = not tool.permission or tool.permission in self.settings.enable
        return is_enabled and self.scope.permits(tool.scope)

    def is_own(self, run: Run) -> bool:
        """Return whether a run is the caller's own, or one that it started, directly or not."""
        if self.parent is None:
            return True
        return run.id == self.parent or self.parent in run.spec.ancestors

    def may_read(self, run: Run) -> bool:
        """Return whether the caller may read a run."""
        return self.settings.others == "read" or self.is_own(run)

    async def find(self, name: str) -> Run:
        """Return a run to read; raises `UserError`."""
        run = await self._found(name)
        if not self.may_read(run):
            message = f"The run {run.id} was started by someone else, and `mcp.others` is none."
            raise user_error("RUN_NOT_YOURS", message)
        return run

    async def find_own(self, names: Sequence[str]) -> list[Run]:
        """Return runs to change, each once; raises `UserError` before any of them is changed."""
        found = [await self._found(name) for name in names]
        for run in found:
            if not self.is_own(run):
                raise user_error("RUN_NOT_YOURS", f"The run {run.id} was started by someone else.")
        return list({run.id: run for run in found}.values())

    async def _found(self, name: str) -> Run:
        """Return a run; an error names no runs that the caller may not read."""
        try:
            return await self.engine.find(name)
        except UserError as error:
            if self.parent is None or self.settings.others == "read":
                raise
            raise user_error(error.code, "No run, or more than one, has this name.") from error

    def readable(self, runs: Iterable[Run]) -> list[Run]:
        """Return those of the runs that the caller may read."""
        return [run for run in runs if self.may_read(run)]
