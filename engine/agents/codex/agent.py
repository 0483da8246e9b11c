"""Codex behind the port: which of its parts answers what the engine asks."""

from __future__ import annotations

import os
import uuid
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from engine.agents.base import (
    AgentCommand,
    CommandRequest,
    ExtraRequest,
    OutputReader,
    SessionFinder,
)
from engine.agents.codex import command, limit_resets
from engine.agents.codex.project_config import unread_settings
from engine.agents.codex.reader import CodexReader
from engine.agents.codex.translation import CodexState, state_from, state_json
from engine.config.paths import Paths
from engine.config.settings import Config
from engine.domain import codex_secrets
from engine.domain.errors import UserError
from engine.domain.events import Body, Notice
from engine.domain.finding import Finding
from engine.domain.model import Agent, LimitWindow, Run, RunSpec, Usage
from engine.domain.text import printable


class CodexAgent:
    """OpenAI's Codex, run as `codex exec --json`."""

    @property
    def name(self) -> str:
        """The name that `RunSpec.agent` has for it."""
        return Agent.CODEX.value

    @property
    def requests(self) -> frozenset[ExtraRequest]:
        """The extra requests that it understands: `codex exec` reads nothing after its prompt."""
        return frozenset()

    @property
    def programs(self) -> tuple[Path, ...]:
        """Programs of this package that it starts: none."""
        return ()

    def check(self, spec: RunSpec) -> None:
        """Raise `UserError` for settings that hold secrets: all can see them as arguments."""
        codex_secrets.check(spec.codex_config)

    def check_installed(self, spec: RunSpec, config: Config) -> None:
        """Raise `UserError` where the Codex CLI is missing. Blocking."""
        command.find_codex(spec.codex_bin, config.codex.bin)

    async def login_error(
        self, run: Run, config: Config, base: Mapping[str, str]
    ) -> UserError | None:
        """Return why Codex cannot be started with this environment; None if it can."""
        from engine.agents.codex.doctor import login
        from engine.system.environment import agent_environment

        codex = command.find_codex(run.spec.codex_bin, config.codex.bin, base)
        return await login(codex, agent_environment(base=base))

    def is_own_affair(self, spec: RunSpec, error: UserError) -> bool:
        """Return whether the program is missing that this spec names itself."""
        return error.code == "CODEX_CLI_MISSING" and bool(spec.codex_bin)

    async def diagnose(self, named: str | None, config: Config) -> list[Finding]:
        """Return the checks of version, login, network and sandbox."""
        from engine.agents.codex.findings import diagnose

        return await diagnose(named, config)

    def can_continue(self, thread: str) -> bool:
        """Return whether it is a UUID: another id is the name of a new thread (docs/codex.md)."""
        try:
            uuid.UUID(thread)
        except ValueError:
            return False
        return True

    def notices(self, run: Run, paths: Paths, base: Mapping[str, str]) -> list[Body]:
        """Return a notice of the project's settings that Codex will not read."""
        workspace = run.workspace
        if workspace is None:
            return []
        path = Path(workspace.path)
        source = Path(workspace.source or path)  # a run's id where it comes from one
        home = command.codex_home(run.spec, paths, base)
        text = unread_settings(home, path, source if source.is_absolute() else path)
        return [Notice("info", printable(text))] if text else []

    def command(self, request: CommandRequest) -> AgentCommand:
        """Return the command of an attempt; raises `UserError`."""
        return command.command(
            request.run.spec,
            request.config,
            request.paths,
            request.run.id,
            request.folder,
            request.thread,
            request.run.workspace,
            request.base,
            request.of_commands,
            request.reserved,
        )

    def first_state(self, thread: str | None, used: Usage, earlier: Iterable[bytes]) -> bytes:
        """Return the state with which an attempt begins.

        Codex counts tokens over the whole thread: a resumed one goes on from where it stood.
        """
        for before in map(state_from, earlier):
            if thread and thread == before.thread_id:
                resumed = CodexState(
                    thread_id=thread,
                    usage_before=before.usage_before,
                    thread_usage=before.thread_usage,
                    rollout_offset=before.rollout_offset,
                    agents=before.agents,
                )
                return state_json(resumed)
        return state_json(CodexState(usage_before=used))

    def reader(self, state: bytes, root: str, home: Path | None) -> OutputReader:
        """Return a reader of stdout, and of the thread's rollout in `home`."""
        return CodexReader(state_from(state), root, home)

    def home(self, run: Run, paths: Paths, base: Mapping[str, str]) -> Path | None:
        """Return Codex's home for a run with this environment."""
        return command.codex_home(run.spec, paths, base)

    def resets_at(
        self, message: str, windows: Iterable[LimitWindow], hits: int, now: float
    ) -> float:
        """Return when to try again, from the message of Codex or from its windows."""
        return limit_resets.resets_at(message, windows, hits, now)

    def sessions(
        self, paths: Paths, runs: Iterable[Run], in_trash: Collection[str]
    ) -> SessionFinder:
        """Return a finder of the session files in the user's Codex home."""
        from engine.agents.codex.sessions import SessionFiles

        return SessionFiles(paths, runs, in_trash, command.user_codex_home())

    def kept_files(self) -> list[tuple[Path, str]]:
        """List what lies in the user's Codex home, the sessions by the year. Blocking."""
        found: list[tuple[Path, str]] = []
        for path in _entries(command.user_codex_home()):
            if path.name == "sessions":
                found += [(year, f"sessions/{year.name}") for year in _entries(path)]
            else:
                found.append((path, path.name))
        return found


def _entries(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if not entry.is_symlink())
    except OSError:
        return []
