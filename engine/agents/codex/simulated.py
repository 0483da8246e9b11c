"""The simulated agent: a program of ours that speaks as Codex does, and needs no login."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from engine.agents.base import SessionFinder
from engine.agents.codex.agent import CodexAgent
from engine.agents.codex.command import SIMULATED
from engine.config.paths import Paths
from engine.config.settings import Config
from engine.domain.errors import UserError
from engine.domain.events import Body
from engine.domain.finding import Finding
from engine.domain.model import Agent, Run, RunSpec


class SimulatedAgent(CodexAgent):
    """Codex without a model: its prompt is a script."""

    @property
    def name(self) -> str:
        """The name that `RunSpec.agent` has for it."""
        return Agent.SIMULATED.value

    @property
    def programs(self) -> tuple[Path, ...]:
        """Programs of this package that it starts: the simulated agent itself."""
        return (SIMULATED,)

    def check_installed(self, spec: RunSpec, config: Config) -> None:
        """Do nothing: it is part of this package."""

    async def login_error(
        self, run: Run, config: Config, base: Mapping[str, str]
    ) -> UserError | None:
        """Return None: it needs no login."""
        return None

    async def diagnose(self, named: str | None, config: Config) -> list[Finding]:
        """Return no checks: there is nothing to install."""
        return []

    def notices(self, run: Run, paths: Paths, base: Mapping[str, str]) -> list[Body]:
        """Return no notices: it reads no settings."""
        return []

    def sessions(
        self, paths: Paths, runs: Iterable[Run], in_trash: Collection[str]
    ) -> SessionFinder:
        """Return a finder of the session files in its own home."""
        from engine.agents.codex.sessions import SessionFiles

        return SessionFiles(paths, runs, in_trash, paths.simulated_codex_home)

    def kept_files(self) -> list[tuple[Path, str]]:
        """Return nothing: it keeps no file in the user's home."""
        return []
