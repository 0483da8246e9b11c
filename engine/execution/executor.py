"""The port to the machine that runs attempts: what the engine asks of it, and nothing local.

`engine/execution/local/` implements it for this machine. Another implementation may reach its
processes and files in any way, as long as both outlive the engine that started them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from engine.agents.base import CommandPlace
from engine.config.paths import AttemptFolder
from engine.domain.model import Run
from engine.execution.host_workspaces import HostWorkspaces


class AttemptPart(StrEnum):
    """Processes of an attempt: each has an output, an end and files of its own."""

    AGENT = "agent"
    SETUP = "set-up"
    VERIFY = "verify"


class AttemptFile(StrEnum):
    """Files that a part of an attempt leaves."""

    OUTPUT = "output"
    """The agent's lines on stdout; for set-up and check, all that they wrote."""
    STDERR = "stderr"
    LAST_MESSAGE = "last-message"


@dataclass(frozen=True, slots=True)
class AttemptRef:
    """The name of one part of a run's attempt; no path and no process."""

    run: str
    attempt: int
    part: AttemptPart = AttemptPart.AGENT


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """The end of an attempt's process; no exit code where it vanished without leaving one."""

    exit_code: int | None
    disk_full: bool = False
    """The disk was full: an agent cannot report then why it ends."""
    is_lost: bool = False
    """True if its node was cut off and ended it, or is gone for good."""


@dataclass(frozen=True, slots=True)
class StartNeeds:
    """Needs of a command where it starts, beside its arguments and variables."""

    folders: tuple[str, ...] = ()
    """Folders that are made before; only their owner may enter them."""
    account: str = ""
    """The account of the machine's own settings; only for other machines."""


NO_NEEDS = StartNeeds()


@dataclass(frozen=True, slots=True)
class FileSize:
    """A file that an attempt left: its path relative to the run's files, and its size."""

    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class CommandsState:
    """Progress of the commands of a set-up or a check; `place` is the current one's, from 1."""

    end: ProcessEnd | None
    place: int
    running_s: float
    """Time since they were started; 0 where that is unknown."""


@dataclass(frozen=True, slots=True)
class LivingAttempt:
    """An attempt, or its set-up or check, with the processes that are still alive."""

    run: str
    attempt: str
    """The folder of its files, relative to the run's."""
    pids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RecordedAttempt:
    """An attempt as its files show it; 0 for a time that is not known."""

    number: int
    prompt: bytes
    began_at: float
    ended_at: float
    exit_code: int | None
    is_alive: bool


class AttemptHandle(Protocol):
    """A started part of an attempt, started by this engine or by one before it."""

    @property
    def survivors(self) -> Mapping[int, str]:
        """Processes that could not be ended, as their names by number."""
        ...

    async def stop(self, grace_s: float) -> None:
        """End it and all it started: at once, or after `grace_s` seconds to end by itself."""
        ...

    async def kill_remaining(self) -> dict[int, str]:
        """Kill what of it is still alive; return what was killed, as names by number."""
        ...

    async def used_cpu_s(self) -> float:
        """Return the processor time, in seconds, that its living processes have used."""
        ...

    async def sync_files(self) -> None:
        """Write its files through to the disk; raises OSError where that fails."""
        ...

    def close_output(self) -> None:
        """Read its output no longer."""
        ...

    def release(self) -> None:
        """Release it, alive: another engine finds it."""
        ...


@dataclass(slots=True)
class OutputRequest:
    """A part of an attempt whose output is read from `offset` on."""

    handle: AttemptHandle
    offset: int
    wants_lines: bool = True
    wants_end: bool = False
    """True if its end is looked for although there is output: otherwise only without any."""


@dataclass(slots=True)
class OutputChunk:
    """Output of a part of an attempt since `offset` of the request, and its end."""

    offset: int
    """Just behind what is returned here: where the next request begins."""
    lines: list[bytes] = field(default_factory=list[bytes])
    """Whole lines, without their newlines."""
    rest: bytes = b""
    """A last line without a newline; only with an end."""
    cut_bytes: int = 0
    """Number of bytes of the output that were removed from its file after they were read."""
    end: ProcessEnd | None = None
    """The end of the process, once all output is read."""
    error: Exception | None = None
    """Error that kept this one from being read: the others are not concerned."""


class Executor(Protocol):
    """A machine on which attempts run."""

    @property
    def workspaces(self) -> HostWorkspaces:
        """The workspaces on this machine."""
        ...

    # Start and find

    async def start(
        self,
        ref: AttemptRef,
        argv: Sequence[str],
        env: Mapping[str, str],
        folder: str,
        base: Mapping[str, str] | None = None,
        needs: StartNeeds = NO_NEEDS,
    ) -> AttemptHandle:
        """Start the agent of an attempt in `folder`; raises OSError.

        Its environment is `env` beside `base`. It reads what `write_prompt` wrote.
        """
        ...

    async def start_commands(
        self, ref: AttemptRef, commands: Sequence[str], folder: str, base: Mapping[str, str]
    ) -> AttemptHandle:
        """Start a set-up or a check: its commands in order, up to the first that fails."""
        ...

    async def find(self, ref: AttemptRef) -> AttemptHandle | None:
        """Return what was started before; None if nothing was, and nothing can be from now on."""
        ...

    async def allow_start(self, ref: AttemptRef) -> None:
        """Allow a start after `find` returned None."""
        ...

    async def has_begun(self, ref: AttemptRef) -> bool:
        """Return whether a start of this set-up or check was begun, by any engine."""
        ...

    # Read

    async def read(
        self, requests: Sequence[OutputRequest], limit_lines: int
    ) -> Sequence[OutputChunk]:
        """Return the new output of many attempts, in their order: one call per tick.

        Once `limit_lines` are read, the requests after it get none. One that ended gets its end
        when all of its output is read.
        """
        ...

    async def commands_state(self, handle: AttemptHandle) -> CommandsState:
        """Return where started commands are."""
        ...

    async def observe(self, handles: Collection[AttemptHandle]) -> None:
        """Remember the processes there are, so that those that lose their parent stay known."""
        ...

    # Read what a lost database does not have

    async def recorded_attempts(self, run: str) -> Sequence[RecordedAttempt]:
        """Return the attempts of a run that left files, in their order."""
        ...

    async def recorded_output(self, ref: AttemptRef, offset: int) -> OutputChunk:
        """Return the next lines of an agent's output from `offset` on, whether or not it ended.

        Without any, `rest` is what follows the last newline; the offset stays before it.
        """
        ...

    async def append_records(
        self, ref: AttemptRef, records: Sequence[bytes], *, may_create: bool = True
    ) -> None:
        """Append records to the inbox of an interactive agent, and wake it; raises OSError.

        It reads a record that was appended before it was started, and each id once. Without
        `may_create`, an inbox that does not exist is a FileNotFoundError.
        """
        ...

    async def remove_inbox(self, ref: AttemptRef) -> None:
        """Remove the inbox of an agent that has ended: answers in it may be secret."""
        ...

    # Stop

    async def kill(self, ref: AttemptRef, grace_s: float) -> None:
        """End all processes of a part, whether or not it can be found."""
        ...

    async def leftovers(
        self, live: Callable[[], Awaitable[Iterable[Run]]]
    ) -> Sequence[LivingAttempt]:
        """Return the attempts with living processes that no live run is at.

        `live` is called after the processes were listed: a run is stored before it is started.
        """
        ...

    async def end_leftover(self, leftover: LivingAttempt, grace_s: float) -> None:
        """End the processes of an attempt that `leftovers` returned."""
        ...

    # Files

    async def command_place(self) -> CommandPlace | None:
        """Return the paths and words of commands there; None: those of this machine."""
        ...

    def agent_folder(self, ref: AttemptRef) -> AttemptFolder:
        """Return the names of the files that an agent's command reads and writes there."""
        ...

    def reserved_variables(self, ref: AttemptRef) -> Mapping[str, str]:
        """Return the variables that every process of a part must carry."""
        ...

    async def write_prompt(self, ref: AttemptRef, prompt: bytes) -> None:
        """Store what the agent reads on stdin; raises OSError."""
        ...

    async def write_schema(self, ref: AttemptRef, schema: bytes) -> None:
        """Store the JSON schema of the agent's last message; raises OSError."""
        ...

    async def write_image(self, ref: AttemptRef, place: int, suffix: str, image: bytes) -> None:
        """Store the image of the run at a `place`, from 1; raises OSError."""
        ...

    async def read_file(
        self, ref: AttemptRef, file: AttemptFile, start: int = 0, limit_bytes: int = -1
    ) -> bytes | None:
        """Return a file's bytes from `start` on, counted from its end if negative; None if missing.

        Raises OSError for anything but a regular file.
        """
        ...

    async def file_size(self, ref: AttemptRef, file: AttemptFile) -> FileSize | None:
        """Return the name and size of a file that is there and not empty."""
        ...
