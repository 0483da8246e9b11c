"""The simulated agent: a program of ours that speaks as another agent does, and needs no login."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.agents.accounts import AccountPort
from engine.agents.base import (
    AgentCommand,
    CommandRequest,
    ExtraRequest,
    SessionFinder,
    SessionScope,
)
from engine.agents.codex.agent import CodexAgent
from engine.agents.codex.command import command
from engine.agents.codex.home import VARIABLE
from engine.agents.codex.interactive.command import BRIDGE, interactive_command
from engine.agents.codex.sessions import SessionFiles
from engine.agents.profile import AgentProfile
from engine.agents.simulated.accounts import SimulatedAccounts, home_of, homes_in
from engine.agents.simulated.profile import SIMULATED
from engine.domain.errors import UserError, user_error
from engine.domain.events import Body
from engine.domain.finding import Finding
from engine.domain.model import Run, RunSpec

if TYPE_CHECKING:
    from engine.config.paths import Paths
    from engine.config.settings import Config

PROGRAM = Path(__file__).with_name("__main__.py")


class SimulatedAgent:
    """An agent without a model: its prompt is a script.

    Its program prints the lines of `spoken`, and writes session files like those. All that is about
    them is answered by `spoken`; it has a home of its own, below the home of the runs.
    """

    def __init__(self, spoken: CodexAgent) -> None:
        self.accounts: AccountPort = SimulatedAccounts()
        self.check = spoken.check
        self.complete = spoken.complete
        self.can_continue = spoken.can_continue
        self.first_state = spoken.first_state
        self.reader = spoken.reader
        self.live_reader = spoken.live_reader
        self.resets_at = spoken.resets_at
        self.pending_records = spoken.pending_records
        self.secrets_record = spoken.secrets_record

    @property
    def name(self) -> str:
        """The name that `RunSpec.agent` has for it."""
        return SIMULATED.name

    @property
    def profile(self) -> AgentProfile:
        """Facts about it."""
        return SIMULATED

    @property
    def requests(self) -> frozenset[ExtraRequest]:
        """The extra requests that an interactive run understands."""
        return frozenset(ExtraRequest)

    @property
    def programs(self) -> tuple[Path, ...]:
        """Programs of this package that it starts: the simulated agent itself, and the bridge."""
        return (PROGRAM, BRIDGE)

    def check_home(
        self, spec: RunSpec, paths: Paths, base: Mapping[str, str], run: Run | None = None
    ) -> None:
        """Do nothing: it reads no answers from the home."""

    def check_installed(self, spec: RunSpec, config: Config) -> None:
        """Do nothing: it is part of this package."""

    def program(self, config: Config) -> str:
        """Return this Python, which runs it."""
        return sys.executable

    async def version(self, config: Config) -> str:
        """Return nothing: it is a part of this program."""
        return ""

    async def login_error(
        self, spec: RunSpec, config: Config, base: Mapping[str, str], account: str = ""
    ) -> UserError | None:
        """Return None: it needs no login."""
        return None

    def is_own_affair(self, spec: RunSpec, error: UserError) -> bool:
        """Return False: there is nothing that a spec could name."""
        return False

    async def diagnose(self, named: str | None, config: Config) -> list[Finding]:
        """Return no checks: there is nothing to install."""
        return []

    def notices(self, run: Run, paths: Paths, base: Mapping[str, str]) -> list[Body]:
        """Return no notices: it reads no settings."""
        return []

    def command(self, request: CommandRequest) -> AgentCommand:
        """Return the command of an attempt, with this Python; raises `UserError`."""
        own = home_of(request.paths, request.run.account)
        program = [request.python, "-I", "-S", request.own_program(PROGRAM)]
        # Its commands are not run: a home in which they could write is as safe as another.
        build = interactive_command if request.run.is_interactive else command
        made = build(request, program, own)
        return replace(made, env={**made.env, VARIABLE: str(own)}, folders=(*made.folders, own))

    def thread_command(self, request: CommandRequest) -> AgentCommand:
        """Raise `UserError`: it has no program for a terminal."""
        message = f"The run {request.run.id} is simulated: there is no Codex to open."
        raise user_error("INPUT_INVALID", message, "Continue it with `swarm-tui resume`.")

    def home(self, run: Run, paths: Paths, base: Mapping[str, str]) -> Path | None:
        """Return its own home: the user's stays untouched."""
        return home_of(paths, run.account)

    def sessions(self, scope: SessionScope) -> SessionFinder:
        """Return a finder of the session files in its own home."""
        own = scope.paths.agent_home(self.name)
        return SessionFiles(scope, own, homes_in(scope.paths))

    @property
    def session_source(self) -> str | None:
        """Return no module: only runs start its threads."""
        return None

    def session_homes(self, config: Config, base: Mapping[str, str]) -> Mapping[str, Path]:
        """Return no folder: only runs start its threads."""
        del config, base
        return {}

    def kept_files(self, homes: Mapping[str, Path]) -> list[tuple[Path, str]]:
        """Return nothing: it keeps no file in the user's home."""
        return []
