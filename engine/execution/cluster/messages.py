"""Messages to a node and their answers: MessagePack, one shape for each call.

A message carries the id of its home: run ids are unique in a home, and a node may serve many. Every
message may arrive twice, because an answer can be lost; the second has no further effect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Generic, TypeVar

import msgspec
from msgspec import Struct

from engine.domain.errors import UserError, is_known, user_error
from engine.execution.executor import AttemptFile, AttemptPart, AttemptRef
from engine.system.decoding import msgpack_decoder

PROTOCOL = 1
"""Raised with every change that an older node or engine does not understand."""
CHUNK_BYTES = 4 * 1024**2
"""The most that one message carries of a file or of output."""

SMALL_BYTES, PIECE_BYTES, LIST_BYTES = 1024**2, 4 * CHUNK_BYTES, 32 * 1024**2
"""The most that an answer has: one of a few values, one with a piece of a file, and a list."""

Answer = TypeVar("Answer")


class Message(Struct, Generic[Answer], frozen=True, kw_only=True):
    """A message whose answer is an `Answer`, of `LIMIT_BYTES` at most."""

    ANSWER: ClassVar[type]
    LIMIT_BYTES: ClassVar[int] = SMALL_BYTES

    @classmethod
    def kind_name(cls) -> str:
        """Return the name under which a node knows the message."""
        return cls.__name__


class Envelope(Struct, frozen=True):
    """A message on its way: `body` is the message of the name `name`, `home` the sender's id."""

    protocol: int
    home: str
    name: str
    body: msgspec.Raw


class Failure(Struct, frozen=True):
    """An error for the user that a node answers with."""

    code: str
    message: str
    recovery: str = ""


class Reply(Struct, frozen=True):
    """A node's answer; with `failure` there is no `body`. `os_error` is an OSError's number."""

    body: msgspec.Raw = msgspec.Raw(b"\xc0")
    failure: Failure | None = None
    os_error: int = 0


def pack(home: str, message: Message[Answer]) -> bytes:
    """Return a message as it is sent."""
    body = msgspec.Raw(msgspec.msgpack.encode(message))
    return msgspec.msgpack.encode(Envelope(PROTOCOL, home, message.kind_name(), body))


def unpack(data: bytes, message: Message[Answer]) -> Answer:
    """Return what a node answered to a message; raises `UserError` and OSError, as the node did."""
    reply = msgpack_decoder(Reply)(data)
    if reply.failure:
        raise rebuilt(reply.failure)
    if reply.os_error:
        raise OSError(reply.os_error, "the node refused")
    decode: Callable[[bytes], Answer] = msgpack_decoder(message.ANSWER)
    return decode(bytes(reply.body))


def rebuilt(failure: Failure) -> UserError:
    """Return the error that a node answered with."""
    code = failure.code if is_known(failure.code) else "NODE_FAILED"
    return user_error(code, failure.message, failure.recovery)


# Attempts. `Ref` is an AttemptRef of the sender's home.


class Ref(Struct, frozen=True, array_like=True):
    """The name of one part of a run's attempt."""

    run: str
    attempt: int
    part: str

    @classmethod
    def of(cls, ref: AttemptRef) -> Ref:
        """Return the shape of a name."""
        return cls(ref.run, ref.attempt, ref.part.value)

    def value(self) -> AttemptRef:
        """Return the name itself; raises ValueError for an unknown part."""
        return AttemptRef(self.run, self.attempt, AttemptPart(self.part))


class Started(Struct, frozen=True):
    """The result of a start; `is_full`: the node has no free slot."""

    is_started: bool
    is_full: bool = False


class StartAgent(Message[Started], frozen=True, kw_only=True):
    """Start the agent of an attempt.

    `python` and `program` are the words of `argv` that stand for the interpreter of this program
    and for the agent's own; the node puts its own in their place. A word that begins with
    `package` and `/` is a file of this program, by its path below the folder of the packages: the
    node puts its own folder in the place of `package`. `base` and `env` come over the node's own
    environment. `folders` lie below the node's home for the sender; they are made, private, before
    the start. `account` is an account of the node's own settings; empty: its own login.
    """

    ANSWER = Started
    ref: Ref
    argv: tuple[str, ...]
    env: dict[str, str]
    base: dict[str, str]
    folder: str
    python: str
    program: str
    package: str = ""
    folders: tuple[str, ...] = ()
    account: str = ""


class StartCommands(Message[Started], frozen=True, kw_only=True):
    """Start a set-up or a check; `base` and `folders` are those of `StartAgent`."""

    ANSWER = Started
    ref: Ref
    commands: tuple[str, ...]
    folder: str
    base: dict[str, str]
    folders: tuple[str, ...] = ()


class FindAttempt(Message[bool], frozen=True, kw_only=True):
    """Return whether a part was started; if not, it can no longer be."""

    ANSWER = bool
    ref: Ref


class AllowStart(Message[bool], frozen=True, kw_only=True):
    """Allow a start after `FindAttempt` answered no."""

    ANSWER = bool
    ref: Ref


class HasBegun(Message[bool], frozen=True, kw_only=True):
    """Return whether a start of a set-up or check was begun."""

    ANSWER = bool
    ref: Ref


class ReadRequest(Struct, frozen=True, array_like=True):
    """A part whose output is read, as `OutputRequest`."""

    ref: Ref
    offset: int
    wants_lines: bool
    wants_end: bool


class End(Struct, frozen=True, array_like=True):
    """The end of a process, as `ProcessEnd`; `is_fenced`: the node ended it without a lease."""

    exit_code: int | None
    disk_full: bool = False
    is_fenced: bool = False


class ReadChunk(Struct, frozen=True, array_like=True):
    """Output, as `OutputChunk`; `error` is an error's text."""

    offset: int
    lines: tuple[bytes, ...] = ()
    rest: bytes = b""
    cut_bytes: int = 0
    end: End | None = None
    error: str = ""


class ReadOutput(Message[Sequence[ReadChunk]], frozen=True, kw_only=True):
    """Return the output of many parts, in their order, at once if there is any.

    Without any, the answer waits up to `wait_s` seconds for some. The answer carries about
    `CHUNK_BYTES` at most.
    """

    ANSWER = tuple[ReadChunk, ...]
    LIMIT_BYTES = PIECE_BYTES
    requests: tuple[ReadRequest, ...]
    limit_lines: int
    wait_s: float = 0.0


class Commands(Struct, frozen=True):
    """Progress of a set-up or check, as `CommandsState`."""

    end: End | None
    place: int
    running_s: float


class ReadCommands(Message[Commands], frozen=True, kw_only=True):
    """Return where started commands are."""

    ANSWER = Commands
    ref: Ref


class Survivors(Struct, frozen=True):
    """Processes of a part: those that were killed, and those that could not be, by number."""

    killed: dict[int, str]
    alive: dict[int, str]


class StopAttempt(Message[Survivors], frozen=True, kw_only=True):
    """End a part and all it started: at once, or after `grace_s` seconds to end by itself.

    `may_miss`: also where no start is known.
    """

    ANSWER = Survivors
    ref: Ref
    grace_s: float
    may_miss: bool = False


class KillRemaining(Message[Survivors], frozen=True, kw_only=True):
    """Kill what of a part is still alive."""

    ANSWER = Survivors
    ref: Ref


class UsedCpu(Message[float], frozen=True, kw_only=True):
    """Return the processor time of a part's living processes, in seconds."""

    ANSWER = float
    ref: Ref


class SyncFiles(Message[bool], frozen=True, kw_only=True):
    """Write a part's files through to the disk."""

    ANSWER = bool
    ref: Ref


class AppendRecords(Message[bool], frozen=True, kw_only=True):
    """Append records to the inbox of an interactive agent; it reads each id once."""

    ANSWER = bool
    ref: Ref
    records: tuple[bytes, ...]
    may_create: bool


class RemoveInbox(Message[bool], frozen=True, kw_only=True):
    """Remove the inbox of an agent that has ended."""

    ANSWER = bool
    ref: Ref


class WriteInput(Message[bool], frozen=True, kw_only=True):
    """Store what the agent reads: `input` is `prompt`, `schema`, or `image-1.png` and the like.

    An image is stored in the run's folder, as `Paths.image` names it.
    """

    ANSWER = bool
    ref: Ref
    input: str
    content: bytes


class FileContent(Struct, frozen=True):
    """A part of a file; None: it is missing. `size_bytes` is that of the whole file."""

    content: bytes | None
    size_bytes: int = 0


class ReadAttemptFile(Message[FileContent], frozen=True, kw_only=True):
    """Return a file's bytes, as `Executor.read_file`; at most `CHUNK_BYTES` of them."""

    ANSWER = FileContent
    LIMIT_BYTES = PIECE_BYTES
    ref: Ref
    file: str
    start: int = 0
    limit_bytes: int = CHUNK_BYTES

    def kind(self) -> AttemptFile:
        """Return which file it is; raises ValueError."""
        return AttemptFile(self.file)


class Recorded(Struct, frozen=True):
    """An attempt as its files show it, as `RecordedAttempt`."""

    number: int
    prompt: bytes
    began_at: float
    ended_at: float
    exit_code: int | None
    is_alive: bool


class ListRecorded(Message[Sequence[Recorded]], frozen=True, kw_only=True):
    """Return the attempts of a run that left files."""

    ANSWER = tuple[Recorded, ...]
    LIMIT_BYTES = LIST_BYTES
    run: str


class ReadRecorded(Message[ReadChunk], frozen=True, kw_only=True):
    """Return the next lines of an agent's output, whether or not it ended."""

    ANSWER = ReadChunk
    LIMIT_BYTES = PIECE_BYTES
    ref: Ref
    offset: int


class Living(Struct, frozen=True):
    """An attempt with living processes, as `LivingAttempt`."""

    run: str
    attempt: str
    pids: tuple[int, ...]


class ListLiving(Message[Sequence[Living]], frozen=True, kw_only=True):
    """Return all attempts of the home with living processes."""

    ANSWER = tuple[Living, ...]
    LIMIT_BYTES = LIST_BYTES


class EndLiving(Message[bool], frozen=True, kw_only=True):
    """End the processes of an attempt that `ListLiving` returned."""

    ANSWER = bool
    living: Living
    grace_s: float


class ForgetRun(Message[bool], frozen=True, kw_only=True):
    """End and remove all that the node has of runs: attempts, secrets, workspaces."""

    ANSWER = bool
    runs: tuple[str, ...]


class ListRuns(Message[Sequence[str]], frozen=True, kw_only=True):
    """Return the runs of the home that the node has files of, those at work included."""

    ANSWER = tuple[str, ...]
    LIMIT_BYTES = LIST_BYTES


# Nodes


class NodeRun(Struct, frozen=True):
    """A run at work on a node: its home, its id."""

    home: str
    run: str


class NodeFacts(Struct, frozen=True):
    """A node as it is now."""

    name: str
    protocol: int
    version: str
    """The version of swarm-tui there."""
    root: str
    """The folder of its homes."""
    slots: int
    runs: tuple[NodeRun, ...]
    load: float
    """The load average of the last minute."""
    processors: int
    memory_bytes: int
    """Memory that is free."""
    disk_bytes: int
    """Room that is free where workspaces are."""
    agent_version: str
    """The version of the default agent there; empty where there is none."""
    login: str
    """Reason why that agent is not ready there, or `ok`."""
    accounts: tuple[str, ...] = ()
    """The accounts of its own settings."""


class InspectNode(Message[NodeFacts], frozen=True, kw_only=True):
    """Return the node as it is; its agent is asked once a minute at most."""

    ANSWER = NodeFacts


class HelloAnswer(Struct, frozen=True):
    """A node's home for the sender's: where the files of attempts are."""

    home: str
    slots: int
    free_slots: int
    mark: str
    """The variable that marks the processes of attempts there."""
    runs: tuple[str, ...] = ()
    """The runs of the sender's home at work there."""


class Hello(Message[HelloAnswer], frozen=True, kw_only=True):
    """Return the node's home for the sender's, made where it is missing."""

    ANSWER = HelloAnswer
