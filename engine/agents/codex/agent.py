"""Codex behind the port: which of its parts answers what the engine asks."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.agents.accounts import AccountPort
from engine.agents.base import (
    AgentCommand,
    CommandRequest,
    ExtraRequest,
    LiveReader,
    OutputReader,
    SessionFinder,
    SessionScope,
)
from engine.agents.codex import command, elsewhere, exposed_secrets, limit_resets
from engine.agents.codex.accounts import CodexAccounts, has_key, of_account
from engine.agents.codex.home import user_home
from engine.agents.codex.interactive import inbox, safety, translation
from engine.agents.codex.interactive.command import BRIDGE, interactive_command
from engine.agents.codex.interactive.live_reader import InteractiveLiveReader
from engine.agents.codex.interactive.reader import InteractiveReader
from engine.agents.codex.profile import CODEX
from engine.agents.codex.project_config import unread_settings
from engine.agents.codex.reader import CodexReader
from engine.agents.codex.thread_counter import ThreadCounter
from engine.agents.codex.translation import CodexState, state_from, state_json
from engine.agents.profile import AgentProfile
from engine.domain.answers import Values
from engine.domain.errors import UserError, user_error
from engine.domain.events import Body, Notice
from engine.domain.finding import Finding
from engine.domain.hosts import local_path, path_here
from engine.domain.interaction import InputRequest
from engine.domain.model import LOCAL, LimitWindow, Run, RunSpec, Usage
from engine.domain.run_mode import with_mode
from engine.domain.text import printable
from engine.domain.usage import DEFAULT_ACCOUNT

if TYPE_CHECKING:
    from engine.config.paths import Paths
    from engine.config.settings import Config


class CodexAgent:
    """OpenAI's Codex, run as `codex exec --json`."""

    @property
    def name(self) -> str:
        """The name that `RunSpec.agent` has for it."""
        return CODEX.name

    @property
    def profile(self) -> AgentProfile:
        """Facts about Codex."""
        return CODEX

    @property
    def requests(self) -> frozenset[ExtraRequest]:
        """The extra requests that an interactive run understands; `codex exec` reads none."""
        return frozenset(ExtraRequest)

    @property
    def programs(self) -> tuple[Path, ...]:
        """Programs of this package that it starts: the bridge to the app-server."""
        return (BRIDGE,)

    @property
    def accounts(self) -> AccountPort:
        """The user's own login, and the accounts of the settings."""
        return CodexAccounts()

    def check(self, spec: RunSpec) -> None:
        """Raise `UserError` for settings that hold secrets: all can see them as arguments."""
        exposed_secrets.check(spec.codex_config)
        if spec.workspace.host != LOCAL:
            elsewhere.check(spec.codex_bin, spec.codex_config)
        if spec.interactive:
            safety.check_settings(spec.codex_config)

    def complete(self, spec: RunSpec, config: Config) -> RunSpec:
        """Return the spec of a new run with its mode, from the settings where it names none."""
        return with_mode(spec, config.codex.mode, config.codex.approvals)

    def check_home(
        self, spec: RunSpec, paths: Paths, base: Mapping[str, str], run: Run | None = None
    ) -> None:
        """Raise `UserError` where an interactive agent's commands can write to the home."""
        if spec.interactive:
            safety.check_home(spec, paths, base, user_home(base), run)

    def check_installed(self, spec: RunSpec, config: Config) -> None:
        """Raise `UserError` where the Codex CLI is missing. Blocking."""
        command.find_codex(spec.codex_bin, config.codex.bin)

    def program(self, config: Config) -> str:
        """Return the path of the Codex CLI."""
        return command.find_codex(None, config.codex.bin)

    async def version(self, config: Config) -> str:
        """Return the version of the Codex CLI."""
        import asyncio

        from engine.agents.codex.doctor import version

        return await version(await asyncio.to_thread(self.program, config))

    async def login_error(
        self, spec: RunSpec, config: Config, base: Mapping[str, str], account: str = ""
    ) -> UserError | None:
        """Return why Codex cannot be started with this environment; None if it can."""
        from engine.agents.codex.doctor import login
        from engine.system.environment import agent_environment

        codex = command.find_codex(spec.codex_bin, config.codex.bin, base)
        settings = command.provider_settings(spec, config.codex)
        error = await login(codex, settings, agent_environment(base=base))
        return of_account(error, account, config) if error else None

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
        if workspace is None or not path_here(run):
            return []
        path = local_path(workspace)
        source = Path(workspace.source or path)  # a run's id where it comes from one
        text = unread_settings(user_home(base), path, source if source.is_absolute() else path)
        return [Notice("info", printable(text))] if text else []

    def command(self, request: CommandRequest) -> AgentCommand:
        """Return the command of an attempt; raises `UserError`."""
        program = _program(request)
        home = user_home(request.base)
        if request.run.is_interactive:
            safety.check_settings(request.config.codex.config)
            safety.check_home(request.run.spec, request.paths, request.base, home, request.run)
            return interactive_command(request, [program], home)
        return command.command(request, [program], home)

    def thread_command(self, request: CommandRequest) -> AgentCommand:
        """Return the command of interactive Codex; raises `UserError`."""
        if has_key(request):  # it would go on with the login of the home
            message = (
                f"The run {request.run.id} uses an API key, which Codex reads in `exec` alone."
            )
            raise user_error("INPUT_INVALID", message, "Continue it with `swarm-tui resume`.")
        program = command.find_codex(
            request.run.spec.codex_bin, request.config.codex.bin, request.base
        )
        return command.thread_command(request, [program], user_home(request.base))

    def pending_records(self, run: Run) -> Sequence[tuple[str, bytes]]:
        """Return the records for the inbox of the bridge."""
        return inbox.pending(run) if run.is_interactive else ()

    def secrets_record(self, name: str, request: InputRequest, answers: Values) -> bytes:
        """Return the record with the secret values of an answer."""
        return inbox.secrets(name, request, answers)

    def first_state(
        self,
        thread: str | None,
        used: Usage,
        earlier: Iterable[bytes],
        *,
        interactive: bool = False,
        message: str = "",
        forks: bool = False,
    ) -> bytes:
        """Return the state with which an attempt begins.

        Codex counts tokens over the whole thread: a resumed one goes on from where it stood.
        """
        # The app-server reports by itself which messages were read.
        said = "" if interactive else message
        if forks:
            begun = self._forked(thread, used, earlier, said)
        else:
            begun = self._begun(thread, used, earlier, said)
        return translation.state_json(translation.state_from(begun)) if interactive else begun

    def _forked(
        self, thread: str | None, used: Usage, earlier: Iterable[bytes], message: str
    ) -> bytes:
        """Return the state of an attempt in a copy of `thread`, whose total has been counted."""
        # The running total of the copy begins with that of the thread.
        known = (
            before.counter for before in map(state_from, earlier) if before.thread_id == thread
        )
        totals = ((one.total, one.floor, one.told or Usage()) for one in known)
        total = max(next(totals, (Usage(),)), key=_tokens)
        counter = ThreadCounter(floor=total)
        return state_json(CodexState(message=message, usage_before=used, counter=counter))

    def _begun(
        self, thread: str | None, used: Usage, earlier: Iterable[bytes], message: str
    ) -> bytes:
        for before in map(state_from, earlier):
            if thread and thread == before.thread_id:
                resumed = CodexState(
                    message=message,
                    thread_id=thread,
                    usage_before=before.usage_before,
                    counter=before.counter,
                    rollout_offset=before.rollout_offset,
                    agents=before.agents,
                )
                return state_json(resumed)
        return state_json(CodexState(message=message, usage_before=used))

    def reader(self, state: bytes, root: str, home: Path | None) -> OutputReader:
        """Return a reader of stdout, and of the thread's rollout in `home`."""
        if translation.is_interactive(state):
            return InteractiveReader(translation.state_from(state), root, home)
        return CodexReader(state_from(state), root, home)

    def live_reader(self, run: Run) -> LiveReader | None:
        """Return a reader of the bridge's output; that of `codex exec` has nothing of this kind."""
        return InteractiveLiveReader(run.thread_id) if run.is_interactive else None

    def home(self, run: Run, paths: Paths, base: Mapping[str, str]) -> Path | None:
        """Return Codex's home for a run with this environment."""
        return user_home(base)

    def resets_at(
        self, message: str, windows: Iterable[LimitWindow], hits: int, now: float
    ) -> float:
        """Return when to try again, from the message of Codex or from its windows."""
        return limit_resets.resets_at(message, windows, hits, now)

    def sessions(self, scope: SessionScope) -> SessionFinder:
        """Return a finder of the session files in the user's Codex home."""
        from engine.agents.codex.sessions import SessionFiles

        return SessionFiles(scope, user_home(os.environ), scope.homes)

    @property
    def session_source(self) -> str:
        """The name of the module that reads usage from rollouts."""
        return "engine.agents.codex.session_files"

    def session_homes(self, config: Config, base: Mapping[str, str]) -> Mapping[str, Path]:
        """Return the user's Codex home, and those of the accounts that have one of their own."""
        return {DEFAULT_ACCOUNT: user_home(base), **self.accounts.homes(config)}

    def kept_files(self, homes: Mapping[str, Path]) -> list[tuple[Path, str]]:
        """List what lies in the Codex homes, the sessions by the year. Blocking."""
        found: list[tuple[Path, str]] = []
        for account, home in {"": user_home(os.environ), **homes}.items():
            of_account = f"{account}: " if account else ""
            for path in _entries(home):
                if path.name == "sessions":
                    years = _entries(path)
                    found += [(year, f"{of_account}sessions/{year.name}") for year in years]
                else:
                    found.append((path, f"{of_account}{path.name}"))
        return found


def _program(request: CommandRequest) -> str:
    spec, settings = request.run.spec, request.config.codex
    if request.elsewhere is None:
        return command.find_codex(spec.codex_bin, settings.bin, request.base)
    elsewhere.check(spec.codex_bin, command.provider_settings(spec, settings))
    return request.elsewhere.program


def _tokens(usage: Usage) -> int:
    return usage.input + usage.output


def _entries(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if not entry.is_symlink())
    except OSError:
        return []
