"""A second agent, for tests: its prompt is a shell script, and a line of output a message."""

# pyright: reportPrivateUsage=false, reportAttributeAccessIssue=false, reportUnknownLambdaType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from engine.agents import registry
from engine.agents.accounts import AccountPort, NoAccounts
from engine.agents.base import (
    EMPTY_STATE,
    AgentCommand,
    AttemptEnd,
    AttemptOutcome,
    CommandRequest,
    ExtraRequest,
    LiveReader,
    OutcomeKind,
    OutputReader,
    SessionFile,
    SessionFinder,
    SessionScope,
)
from engine.agents.profile import AgentProfile
from engine.config.paths import Paths
from engine.config.settings import Config
from engine.domain.answers import Values
from engine.domain.errors import CatalogueEntry, UserError, user_error
from engine.domain.events import Body, Progressed, Step
from engine.domain.finding import CheckHealth, Finding
from engine.domain.interaction import InputRequest
from engine.domain.model import Agent, LimitWindow, Run, RunSpec, Stage, Usage
from engine.domain.text import printable

SCRIPT = Agent.read("script")
ERRORS = {75: "API_OVERLOADED", 69: "RATE_LIMITED"}
"""The meaning of a script's exit codes, after those of sysexits.h; all others are fatal."""
NO_PERMISSION = 77
PROFILE = AgentProfile(
    name=SCRIPT.value,
    title="the shell",
    errors={"SCRIPT_REFUSED": CatalogueEntry("The script was refused.", "Ask for permission.")},
)
"""Its error is no login failure by the catalogue: the outcome of an attempt decides."""


class ScriptState(msgspec.Struct):
    """The number of lines that were read."""

    lines: int = 0


class ScriptReader:
    """A reader of lines."""

    moved = False

    def __init__(self, state: ScriptState) -> None:
        self._state = state

    @property
    def can_continue(self) -> bool:
        return False

    def read(self, lines: Sequence[bytes]) -> list[Body]:
        bodies: list[Body] = []
        for line in lines:
            if self._state.lines == 0:
                bodies.append(Progressed(Stage.EXECUTING, "working", 30))
            self._state.lines += 1
            text = printable(line.decode("utf-8", "replace"))
            bodies.append(Step("assistant", "message", "completed", text))
        return bodies

    def poll(self) -> list[Body]:
        return []

    def finish(self) -> list[Body]:
        return []

    def outcome(self, end: AttemptEnd) -> AttemptOutcome:
        if end.exit_code == 0:
            return AttemptOutcome.of(None)
        code = ERRORS.get(end.exit_code or 0, "AGENT_CRASHED")
        if end.exit_code == NO_PERMISSION:
            return AttemptOutcome(OutcomeKind.LOGIN, user_error("SCRIPT_REFUSED"))
        return AttemptOutcome.of(end.machine_error or user_error(code, end.stderr.strip()))

    def state(self) -> bytes:
        return msgspec.json.encode(self._state)

    def close(self) -> None:
        pass


class NoSessions:
    """A finder of nothing: a script keeps no session."""

    def find(self) -> Iterator[SessionFile]:
        return iter(())

    def one(self, path: Path) -> SessionFile | None:
        return None


class ScriptAgent:
    """The shell as an agent."""

    @property
    def name(self) -> str:
        return SCRIPT.value

    @property
    def profile(self) -> AgentProfile:
        return PROFILE

    @property
    def requests(self) -> frozenset[ExtraRequest]:
        return frozenset()

    @property
    def programs(self) -> tuple[Path, ...]:
        return ()

    @property
    def accounts(self) -> AccountPort:
        return NoAccounts()

    def check(self, spec: RunSpec) -> None:
        if spec.images:
            raise user_error("INPUT_INVALID", "A script sees no images.")

    def complete(self, spec: RunSpec, config: Config) -> RunSpec:
        return replace(spec, interactive=bool(spec.interactive))

    def thread_command(self, request: CommandRequest) -> AgentCommand:
        raise user_error("INPUT_INVALID", "A script has no program for a terminal.")

    def check_home(
        self, spec: RunSpec, paths: Paths, base: Mapping[str, str], run: Run | None = None
    ) -> None:
        pass

    def check_installed(self, spec: RunSpec, config: Config) -> None:
        pass

    def program(self, config: Config) -> str:
        return "/bin/sh"

    async def version(self, config: Config) -> str:
        return "1.0.0"

    async def login_error(
        self, spec: RunSpec, config: Config, base: Mapping[str, str], account: str = ""
    ) -> UserError | None:
        return None

    def is_own_affair(self, spec: RunSpec, error: UserError) -> bool:
        return False

    async def diagnose(self, named: str | None, config: Config) -> list[Finding]:
        return [Finding("script", CheckHealth.OK, f"the shell is {shutil.which('sh')}")]

    def can_continue(self, thread: str) -> bool:
        return False

    def notices(self, run: Run, paths: Paths, base: Mapping[str, str]) -> list[Body]:
        return []

    def command(self, request: CommandRequest) -> AgentCommand:
        return AgentCommand(("/bin/sh", "-s"), request.of_commands)

    def pending_records(self, run: Run) -> Sequence[tuple[str, bytes]]:
        return ()

    def secrets_record(self, name: str, request: InputRequest, answers: Values) -> bytes:
        return b""

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
        return EMPTY_STATE

    def reader(self, state: bytes, root: str, home: Path | None) -> OutputReader:
        return ScriptReader(msgspec.json.decode(state, type=ScriptState))

    def live_reader(self, run: Run) -> LiveReader | None:
        return None

    def home(self, run: Run, paths: Paths, base: Mapping[str, str]) -> Path | None:
        return None

    def resets_at(
        self, message: str, windows: Iterable[LimitWindow], hits: int, now: float
    ) -> float:
        return now + 1

    def sessions(self, scope: SessionScope) -> SessionFinder:
        return NoSessions()

    @property
    def session_source(self) -> str | None:
        return None

    def session_homes(self, config: Config, base: Mapping[str, str]) -> Mapping[str, Path]:
        return {}

    def kept_files(self, homes: Mapping[str, Path]) -> list[tuple[Path, str]]:
        return []


def register() -> None:
    """Make the agent known to this process, before the command line is imported."""
    registry.register(ScriptAgent())
    Agent._value2member_map_[SCRIPT.value] = SCRIPT
    Agent._member_map_[SCRIPT.name] = SCRIPT
    Agent._member_names_.append(SCRIPT.name)
    # Decoders made before, by other tests of this process, know the members of that time alone.
    Agent._missing_ = classmethod(lambda cls, value: SCRIPT if value == SCRIPT else missing(value))


missing = Agent._missing_


def unregister() -> None:
    """Undo `register`."""
    registry.unregister(SCRIPT.value)
    del Agent._value2member_map_[SCRIPT.value], Agent._member_map_[SCRIPT.name]
    Agent._member_names_.remove(SCRIPT.name)
    Agent._missing_ = missing


if __name__ == "__main__":  # the command line, in a process that knows the agent
    register()
    from tui.__main__ import main

    sys.exit(main())
