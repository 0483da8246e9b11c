"""The executor of a node: each call of the port is a message, sent again after a lost answer.

While the node does not answer, there is nothing to read, and a stop is tried until it succeeds.
Once the node's lease has run out for sure, its attempts have ended: they are lost.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from engine.agents.base import CommandPlace
from engine.config.paths import AttemptFolder, Paths
from engine.domain.errors import UserError
from engine.domain.model import Run
from engine.execution.cluster.attempt import (
    SHORT_S,
    STOP_S,
    NodeAttempt,
    output_chunk,
    process_end,
    stopped,
)
from engine.execution.cluster.calls import NodeCalls
from engine.execution.cluster.messages import (
    CHUNK_BYTES,
    AllowStart,
    AppendRecords,
    EndLiving,
    FindAttempt,
    HasBegun,
    Hello,
    HelloAnswer,
    ListLiving,
    ListRecorded,
    Living,
    Message,
    ReadAttemptFile,
    ReadCommands,
    ReadRecorded,
    Ref,
    RemoveInbox,
    StartAgent,
    StartCommands,
    Started,
    StopAttempt,
    WriteInput,
)
from engine.execution.cluster.output_reader import NodeOutputReader
from engine.execution.executor import (
    NO_NEEDS,
    AttemptFile,
    AttemptHandle,
    AttemptPart,
    AttemptRef,
    CommandsState,
    FileSize,
    LivingAttempt,
    OutputChunk,
    OutputRequest,
    RecordedAttempt,
    StartNeeds,
)
from engine.execution.host_workspaces import HostWorkspaces

START_S = 30.0
"""Longest wait for a node to start something."""
SETTINGS = "config.yaml"
WHOLE_BYTES = 64 * 1024**2
"""The most of a file that is read as a whole."""

Answer = TypeVar("Answer")


class NodeExecutor:
    """Runs attempts on one node of the cluster; `workspaces` are those there."""

    def __init__(self, calls: NodeCalls, workspaces: HostWorkspaces) -> None:
        self._calls = calls
        self._workspaces = workspaces
        self._reader = NodeOutputReader(calls)
        self._hello: HelloAnswer | None = None

    @property
    def workspaces(self) -> HostWorkspaces:
        """The workspaces on the node."""
        return self._workspaces

    def close(self) -> None:
        """End the calls that are on their way."""
        self._reader.close()

    # Start and find

    async def start(
        self,
        ref: AttemptRef,
        argv: Sequence[str],
        env: Mapping[str, str],
        folder: str,
        base: Mapping[str, str] | None = None,
        needs: StartNeeds = NO_NEEDS,
    ) -> NodeAttempt:
        """Start the agent of an attempt."""
        # The words are those of the place that the command was made for.
        place = CommandPlace(self._paths) if self._hello else await self.command_place()
        message = StartAgent(
            ref=Ref.of(ref),
            argv=tuple(argv),
            env=dict(env),
            base=dict(base or {}),
            folder=folder,
            python=place.python,
            program=place.program,
            package=place.package,
            folders=needs.folders,
            account=needs.account,
        )
        return self._started(ref, await self._call(message, try_s=START_S))

    async def start_commands(
        self, ref: AttemptRef, commands: Sequence[str], folder: str, base: Mapping[str, str]
    ) -> NodeAttempt:
        """Start the commands of a set-up or a check."""
        temporary = base.get("TMPDIR")
        message = StartCommands(
            ref=Ref.of(ref),
            commands=tuple(commands),
            folder=folder,
            base=dict(base),
            folders=(temporary,) if temporary else (),
        )
        return self._started(ref, await self._call(message, try_s=START_S))

    async def find(self, ref: AttemptRef) -> NodeAttempt | None:
        """Find what was started there, by this engine or by one before it."""
        return self._new(ref) if await self._call(FindAttempt(ref=Ref.of(ref))) else None

    async def allow_start(self, ref: AttemptRef) -> None:
        """Allow a start after `find` returned None."""
        await self._call(AllowStart(ref=Ref.of(ref)))

    async def has_begun(self, ref: AttemptRef) -> bool:
        """Return whether a start of this set-up or check was begun."""
        return await self._call(HasBegun(ref=Ref.of(ref)))

    # Read

    async def read(
        self, requests: Sequence[OutputRequest], limit_lines: int
    ) -> Sequence[OutputChunk]:
        """Return output as soon as there is some; none while the node does not answer."""
        own = [(_own(request.handle), request) for request in requests]
        return await self._reader.read(own, limit_lines)

    async def commands_state(self, handle: AttemptHandle) -> CommandsState:
        """Return where started commands are, or where they last were; raises NODE_LOST."""
        attempt = _own(handle)
        message = ReadCommands(ref=Ref.of(attempt.ref))
        try:
            attempt.commands = await self._call(message, try_s=SHORT_S, patience_s=SHORT_S)
        except UserError as error:
            if not error.entry.waits_for_node:
                raise
        known = attempt.commands
        end = process_end(known.end)
        if end and end.is_lost:
            raise self._calls.lost()
        return CommandsState(end, known.place, known.running_s)

    async def observe(self, handles: Collection[AttemptHandle]) -> None:
        """Do nothing: the node remembers its processes itself."""

    # Read what a lost database does not have

    async def recorded_attempts(self, run: str) -> list[RecordedAttempt]:
        """Return the attempts of a run that left files on the node."""
        return [
            RecordedAttempt(
                one.number, one.prompt, one.began_at, one.ended_at, one.exit_code, one.is_alive
            )
            for one in await self._call(ListRecorded(run=run))
        ]

    async def recorded_output(self, ref: AttemptRef, offset: int) -> OutputChunk:
        """Return the next lines of an agent's output."""
        chunk = await self._call(ReadRecorded(ref=Ref.of(ref), offset=offset))
        return output_chunk(chunk, self._calls)

    async def append_records(
        self, ref: AttemptRef, records: Sequence[bytes], *, may_create: bool = True
    ) -> None:
        """Append records to the inbox of an interactive agent."""
        await self._call(
            AppendRecords(ref=Ref.of(ref), records=tuple(records), may_create=may_create)
        )

    async def remove_inbox(self, ref: AttemptRef) -> None:
        """Remove the inbox of an agent that has ended; a node that is lost keeps it."""
        await self._unless_lost(RemoveInbox(ref=Ref.of(ref)))

    # Stop

    async def kill(self, ref: AttemptRef, grace_s: float) -> None:
        """End all processes of a part; a node that does not answer is asked until it is lost."""
        await stopped(self._calls, StopAttempt(ref=Ref.of(ref), grace_s=grace_s, may_miss=True))

    async def leftovers(self, live: Callable[[], Awaitable[Iterable[Run]]]) -> list[LivingAttempt]:
        """Return the attempts with living processes that no live run is at."""
        alive = await self._call(ListLiving(), try_s=SHORT_S, patience_s=SHORT_S)
        busy = {(run.id, f"attempt-{run.attempt}") for run in await live()}
        found = [LivingAttempt(one.run, one.attempt, one.pids) for one in alive]
        return [one for one in found if (one.run, one.attempt.split("/")[0]) not in busy]

    async def end_leftover(self, leftover: LivingAttempt, grace_s: float) -> None:
        """End the processes of an attempt that `leftovers` returned."""
        living = Living(leftover.run, leftover.attempt, leftover.pids)
        await self._call(EndLiving(living=living, grace_s=grace_s), try_s=grace_s + STOP_S)

    # Files

    async def command_place(self) -> CommandPlace:
        """Return the paths on the node, and the words that it replaces."""
        self._hello = await self._calls.call(Hello())
        return CommandPlace(self._paths)

    def agent_folder(self, ref: AttemptRef) -> AttemptFolder:
        """Return the names of files on the node, which has answered before."""
        return self._paths.attempt(ref.run, ref.attempt)

    def reserved_variables(self, ref: AttemptRef) -> Mapping[str, str]:
        """Return the mark by which the node knows the processes of a part."""
        mark = self._known.mark
        return {mark: str(self._folder(ref).path)}

    async def write_prompt(self, ref: AttemptRef, prompt: bytes) -> None:
        """Store what the agent reads on stdin."""
        await self._write(ref, "prompt", prompt)

    async def write_schema(self, ref: AttemptRef, schema: bytes) -> None:
        """Store the JSON schema of the agent's last message."""
        await self._write(ref, "schema", schema)

    async def write_image(self, ref: AttemptRef, place: int, suffix: str, image: bytes) -> None:
        """Store an image of the run."""
        await self._write(ref, f"image-{place}{suffix}", image)

    async def read_file(
        self, ref: AttemptRef, file: AttemptFile, start: int = 0, limit_bytes: int = -1
    ) -> bytes | None:
        """Return a file's bytes, in several messages where there are many."""
        found = bytearray()
        while True:
            left = CHUNK_BYTES if limit_bytes < 0 else limit_bytes - len(found)
            message = ReadAttemptFile(
                ref=Ref.of(ref), file=file.value, start=start, limit_bytes=min(left, CHUNK_BYTES)
            )
            part = await self._call(message)
            if part.content is None:
                return bytes(found) if found else None
            content = part.content[: message.limit_bytes]
            found += content
            begun = start if start >= 0 else max(0, part.size_bytes + start)
            start = begun + len(content)
            is_enough = 0 <= limit_bytes <= len(found)
            if is_enough or not part.content or start >= part.size_bytes:
                return bytes(found)
            if len(found) > WHOLE_BYTES and limit_bytes < 0:
                raise self._calls.failed(f"its {file.value} has no end")

    async def file_size(self, ref: AttemptRef, file: AttemptFile) -> FileSize | None:
        """Return the name and size of a file that is there and not empty."""
        message = ReadAttemptFile(ref=Ref.of(ref), file=file.value, limit_bytes=0)
        found = await self._call(message)
        if found.content is None or not found.size_bytes:
            return None
        folder = self._folder(ref)
        paths = {AttemptFile.OUTPUT: folder.stdout, AttemptFile.STDERR: folder.stderr}
        path = paths.get(file, folder.last_message)
        return FileSize(str(path.relative_to(self._paths.run(ref.run))), found.size_bytes)

    # The messages

    async def _call(
        self, message: Message[Answer], *, try_s: float = 10.0, patience_s: float | None = None
    ) -> Answer:
        """Return the answer of the node, whose paths are known then."""
        if self._hello is None:
            self._hello = await self._calls.call(Hello(), patience_s=patience_s)
        return await self._calls.call(message, try_s=try_s, patience_s=patience_s)

    async def _unless_lost(self, message: Message[bool]) -> None:
        try:
            await self._call(message)
        except UserError as error:
            if error.code != "NODE_LOST":
                raise

    async def _write(self, ref: AttemptRef, name: str, content: bytes) -> None:
        await self._call(WriteInput(ref=Ref.of(ref), input=name, content=content), try_s=START_S)

    def _started(self, ref: AttemptRef, started: Started) -> NodeAttempt:
        if started.is_full:
            raise self._calls.full()
        if not started.is_started:
            raise OSError(f"the node {self._calls.node} refused the start")
        return self._new(ref)

    def _new(self, ref: AttemptRef) -> NodeAttempt:
        self._reader.joined()
        return NodeAttempt(ref, self._calls)

    def _folder(self, ref: AttemptRef) -> AttemptFolder:
        attempt = self._paths.attempt(ref.run, ref.attempt)
        stages: dict[AttemptPart, AttemptFolder] = {
            AttemptPart.SETUP: attempt.setup,
            AttemptPart.VERIFY: attempt.verify,
        }
        return stages.get(ref.part, attempt)

    @property
    def _known(self) -> HelloAnswer:
        if self._hello is None:
            raise self._calls.unreachable()
        return self._hello

    @property
    def _paths(self) -> Paths:
        home = Path(self._known.home)
        return Paths(home, home / SETTINGS)


def _own(handle: AttemptHandle) -> NodeAttempt:
    if not isinstance(handle, NodeAttempt):
        raise TypeError(f"not an attempt on a node: {handle!r}")
    return handle
