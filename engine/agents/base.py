"""The port to an agent: everything that the engine asks of one.

An agent turns a run into a command, the command's output into events, and its end into an outcome.
The engine keeps how far the output was read, and why it ended an attempt itself. All else that is
needed to go on reading is the agent's own state: JSON, which the engine stores and never reads.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from engine.agents.accounts import AccountPort
from engine.agents.profile import AgentProfile
from engine.domain.answers import Values
from engine.domain.errors import UserError, reported, user_error
from engine.domain.events import Body
from engine.domain.finding import Finding
from engine.domain.folder_size import FolderSize
from engine.domain.interaction import InputRequest
from engine.domain.live import LiveReport
from engine.domain.model import LimitWindow, Run, RunSpec, Usage

if TYPE_CHECKING:  # the settings import the sections of the agents
    from engine.config.paths import AttemptFolder, Paths
    from engine.config.settings import Config
    from engine.domain.session_owner import SessionOwner

EMPTY_STATE = b"{}"
PACKAGES = Path(__file__).parents[2]
"""The folder of the packages of this program."""


class OutcomeKind(StrEnum):
    """The ways in which an attempt ends, as far as they decide what follows."""

    SUCCESS = "success"
    LIMIT = "limit"
    """A limit that all runs share was reached: the queue waits for its reset."""
    PASSING = "passing"
    """The failure passes by itself: automatic retries are for this kind."""
    LOGIN = "login"
    """The agent's login or settings do not work: every queued run would fail alike."""
    INTERRUPTED = "interrupted"
    """The user ended the turn of the agent: no failure, and it goes on when it is asked to."""
    FATAL = "fatal"


@dataclass(frozen=True, slots=True)
class AttemptOutcome:
    """The end of an attempt, with the error of one that failed."""

    kind: OutcomeKind
    error: UserError | None = None

    @classmethod
    def of(cls, error: UserError | None) -> AttemptOutcome:
        """Return the outcome of an attempt that failed with `error`; None: it succeeded."""
        if error is None:
            return cls(OutcomeKind.SUCCESS)
        entry = error.entry
        if entry.is_limit:
            return cls(OutcomeKind.LIMIT, error)
        if entry.is_retried:
            return cls(OutcomeKind.PASSING, error)
        return cls(OutcomeKind.LOGIN if entry.is_login else OutcomeKind.FATAL, error)


class ExtraRequest(StrEnum):
    """Requests to an agent that is at work, which not every agent understands."""

    STEER = "steer"
    ANSWER = "answer"
    INTERRUPT = "interrupt"


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """The end of an attempt's process; the exit code is None where it vanished."""

    exit_code: int | None
    stderr: str = ""
    """The end of what it wrote there."""
    is_disk_full: bool = False

    @property
    def machine_error(self) -> UserError | None:
        """The failure of the machine that ended it; an agent's own report comes before it."""
        if self.is_disk_full or "No space left on device" in self.stderr:
            return reported("DISK_FULL")
        return user_error("RUN_INTERRUPTED") if self.exit_code is None else None


@dataclass(frozen=True, slots=True)
class CommandPlace:
    """The machine of a command that does not start here: its paths, and words for its programs.

    The machine puts its own in their place: `python` for the interpreter of this program,
    `program` for that of the agent, and `package` for the folder that has the packages of both.
    """

    paths: Paths
    python: str = "{python}"
    program: str = "{program}"
    package: str = "{package}"


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """An attempt to start: `thread` is the one that it continues, `base` its environment.

    `paths` are those of the home where it starts.
    """

    run: Run
    config: Config
    paths: Paths
    folder: AttemptFolder
    thread: str | None
    base: Mapping[str, str]
    of_commands: Mapping[str, str]
    """Variables for the agent's commands, not for the agent itself."""
    reserved: Mapping[str, str]
    """Our variables, which no setting takes away from those commands."""
    message: str = ""
    """The id of the message of the user that the prompt is, if it is one."""
    forks: bool = False
    """True if the thread is copied first: it stays as it is, and the copy is continued."""
    elsewhere: CommandPlace | None = None
    """The machine on which it starts; None: this one."""

    @property
    def python(self) -> str:
        """The interpreter of our own programs."""
        return self.elsewhere.python if self.elsewhere else sys.executable

    def own_program(self, program: Path) -> str:
        """Return the file of a program of this package, where the command starts."""
        if self.elsewhere is None:
            from engine.system.child_files import path_of  # not before the first paint

            return str(path_of(program))
        return f"{self.elsewhere.package}/{program.relative_to(PACKAGES).as_posix()}"


@dataclass(frozen=True, slots=True)
class AgentCommand:
    """A command to start: arguments, variables beside the attempt's own, private folders."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    folders: tuple[Path, ...] = ()
    """Folders that it needs, made before it starts; only their owner may enter them."""


@dataclass(frozen=True, slots=True)
class SessionFile:
    """A session file; `run` is None where the run that it was of is not known any more."""

    path: Path
    run: SessionOwner | None
    figures: FolderSize
    state: str
    """Reason why it stays or may go, in words."""
    may_go: bool


@dataclass(frozen=True, slots=True)
class SessionScope:
    """The runs of one home, whose session files are looked for."""

    paths: Paths
    runs: Sequence[SessionOwner]
    roots: Collection[Path]
    """The folders in which workspaces are or were created."""
    in_trash: Collection[str]
    """Workspaces that can come back."""
    needed: Collection[str] = ()
    """Threads that the threads of forks are made of."""
    homes: Mapping[str, Path] = field(default_factory=dict[str, Path])
    """The homes of accounts beside the user's own, by their names."""


class SessionFinder(Protocol):
    """The agent's session files of the runs of one home. All methods block."""

    def find(self) -> Iterator[SessionFile]:
        """Return the session files of these runs; follows no link."""
        ...

    def one(self, path: Path) -> SessionFile | None:
        """Return the session file at a path; None where it belongs to none of these runs."""
        ...


class OutputReader(Protocol):
    """A reader that turns the output of one attempt into events."""

    moved: bool
    """True if the state has changed since `state` was called, other than by `read`."""

    @property
    def can_continue(self) -> bool:
        """True if another attempt can go on in the thread, which has heard the task."""
        ...

    def read(self, lines: Sequence[bytes]) -> list[Body]:
        """Return the events of further lines, each without its newline."""
        ...

    def poll(self) -> list[Body]:
        """Return the events of what the agent writes elsewhere; called every few seconds."""
        ...

    def finish(self) -> list[Body]:
        """Return the last events: the process has ended, and all its output was read."""
        ...

    def outcome(self, end: AttemptEnd) -> AttemptOutcome:
        """Return how the attempt ended; called after `finish`."""
        ...

    def state(self) -> bytes:
        """Return the state as a JSON object, from which another reader can go on."""
        ...

    def close(self) -> None:
        """Close all files."""
        ...


class LiveReader(Protocol):
    """A reader of what an attempt's output has only for those who watch, from any place on."""

    def read(self, lines: Sequence[bytes]) -> list[LiveReport]:
        """Return the reports of further lines, each without its newline."""
        ...

    def skip(self, head: bytes) -> list[LiveReport]:
        """Return the reports of a line that is too long to be read, from its beginning."""
        ...

    def forget(self) -> list[LiveReport]:
        """Return the ends of all that is open: a part of the output is not read."""
        ...


class AgentPort(Protocol):
    """One kind of agent."""

    @property
    def name(self) -> str:
        """The name that `RunSpec.agent` has for it."""
        ...

    @property
    def profile(self) -> AgentProfile:
        """Facts about it that are known without loading it."""
        ...

    @property
    def requests(self) -> frozenset[ExtraRequest]:
        """The extra requests that its interactive runs understand while they are at work.

        Empty for an agent that reads nothing after its prompt: its runs cannot be interactive.
        """
        ...

    @property
    def programs(self) -> tuple[Path, ...]:
        """Programs of this package that it starts.

        They are held by a supervisor, so that they survive an upgrade under it.
        """
        ...

    @property
    def accounts(self) -> AccountPort:
        """The accounts of the agent: logins, limits and homes beside the user's own."""
        ...

    def check(self, spec: RunSpec) -> None:
        """Raise `UserError` for a spec that it refuses; looks at no disk."""
        ...

    def complete(self, spec: RunSpec, config: Config) -> RunSpec:
        """Return the spec of a new run with its mode, from the settings where it names none."""
        ...

    def check_home(
        self, spec: RunSpec, paths: Paths, base: Mapping[str, str], run: Run | None = None
    ) -> None:
        """Raise `UserError` where the home of the runs is not safe from the agent of such a run.

        `base` is its environment, `run` the run, once there is one. Blocking.
        """
        ...

    def check_installed(self, spec: RunSpec, config: Config) -> None:
        """Raise `UserError` where its program is missing. Blocking."""
        ...

    def program(self, config: Config) -> str:
        """Return the path of its program on this machine; raises `UserError`. Blocking."""
        ...

    async def version(self, config: Config) -> str:
        """Return the version of its program on this machine; raises `UserError`."""
        ...

    async def login_error(
        self, spec: RunSpec, config: Config, base: Mapping[str, str], account: str = ""
    ) -> UserError | None:
        """Return why it cannot work for such a run in this environment; None if it can.

        `base` is the environment under the account, which is named in the error.
        """
        ...

    def is_own_affair(self, spec: RunSpec, error: UserError) -> bool:
        """Return whether a login error concerns this spec alone, not all runs of the agent."""
        ...

    async def diagnose(self, named: str | None, config: Config) -> list[Finding]:
        """Return the checks of its installation; `named` is a program to check instead."""
        ...

    def can_continue(self, thread: str) -> bool:
        """Return whether this is the id of a thread that it could continue."""
        ...

    def notices(self, run: Run, paths: Paths, base: Mapping[str, str]) -> list[Body]:
        """Return what the user should know before an attempt starts. Blocking.

        `base` is its environment under its account.
        """
        ...

    def command(self, request: CommandRequest) -> AgentCommand:
        """Return the command of an attempt; raises `UserError`. The prompt is its stdin."""
        ...

    def thread_command(self, request: CommandRequest) -> AgentCommand:
        """Return the command that opens a thread on the user's terminal; raises `UserError`.

        `request` has the run's last attempt. Blocking.
        """
        ...

    def pending_records(self, run: Run) -> Sequence[tuple[str, bytes]]:
        """Return the decisions for the run that its agent does not have yet, in order.

        Each is a record for the attempt's inbox, with its id: an agent carries out an id once.
        Empty for an agent that reads nothing after its prompt.
        """
        ...

    def secrets_record(self, name: str, request: InputRequest, answers: Values) -> bytes:
        """Return the inbox record `name` with the secret values of an answer, for this agent.

        They count once `pending_records` has the answer that names the record.
        """
        ...

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
        """Return the state with which an attempt begins; `message` is the id of its prompt.

        `earlier` are the states of the attempts before it, latest first; `used` is what the run
        has used by now. With `forks` they are those of the run whose thread is copied: what that
        has used is not counted again.
        """
        ...

    def reader(self, state: bytes, root: str, home: Path | None) -> OutputReader:
        """Return a reader that goes on from a state; `root` is the workspace's path.

        `home` is where the agent keeps its sessions; None: read nothing there.
        """
        ...

    def live_reader(self, run: Run) -> LiveReader | None:
        """Return a reader of the live reports of a run; None where its output has none."""
        ...

    def home(self, run: Run, paths: Paths, base: Mapping[str, str]) -> Path | None:
        """Return where it keeps the sessions of a run; `base` is that under its account."""
        ...

    def resets_at(
        self, message: str, windows: Iterable[LimitWindow], hits: int, now: float
    ) -> float:
        """Return when to try again after a limit, in seconds since 1970.

        `hits` is how often the run met a limit before.
        """
        ...

    def sessions(self, scope: SessionScope) -> SessionFinder:
        """Return a finder of its session files."""
        ...

    @property
    def session_source(self) -> str | None:
        """The name of the module that reads usage from its session files: a `SessionSource`.

        None: only runs start its threads.
        """
        ...

    def session_homes(self, config: Config, base: Mapping[str, str]) -> Mapping[str, Path]:
        """Return the folders in which it keeps the sessions of the user's accounts, by account."""
        ...

    def kept_files(self, homes: Mapping[str, Path]) -> list[tuple[Path, str]]:
        """List the files that it keeps in the user's own home, each with its name. Blocking.

        `homes` are those of accounts, by their names.
        """
        ...
