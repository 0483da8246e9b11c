"""Answers to the messages about attempts, each by the executor of this machine.

A part of an attempt starts once: its claim, a file, outlives this process and lost answers.
"""

from __future__ import annotations

import re

from engine.domain.errors import user_error
from engine.domain.text import printable_name
from engine.execution.cluster.messages import (
    CHUNK_BYTES,
    AllowStart,
    AppendRecords,
    Commands,
    End,
    EndLiving,
    FileContent,
    FindAttempt,
    HasBegun,
    KillRemaining,
    ListLiving,
    ListRecorded,
    Living,
    ReadAttemptFile,
    ReadChunk,
    ReadCommands,
    ReadOutput,
    ReadRecorded,
    Recorded,
    RemoveInbox,
    StopAttempt,
    Survivors,
    SyncFiles,
    UsedCpu,
    WriteInput,
)
from engine.execution.cluster.node import starting
from engine.execution.cluster.node.home import Handlers, NodeHome
from engine.execution.cluster.node.output import as_end, chunk_of, read_output
from engine.execution.executor import AttemptFile, AttemptRef, LivingAttempt
from engine.execution.local import orphans
from engine.execution.local.process import AttemptProcess

_ATTEMPT = re.compile(r"attempt-\d{1,7}(/set-up|/verify)?")
_IMAGE = re.compile(r"image-([1-9]\d{0,3})(|\.[^/\0]{1,100})")
"""The name of an image: its place and the suffix of its file."""
VANISHED = End(None)


async def find_attempt(home: NodeHome, message: FindAttempt) -> bool:
    """Return whether a part was started; if not, it can no longer be."""
    ref = home.ref(message.ref)
    async with home.locked(ref):
        if await home.known(ref):
            return True
        return home.remember(ref, await home.executor.find(ref)) is not None


async def allow_start(home: NodeHome, message: AllowStart) -> bool:
    """Remove the claim of a search that found nothing, and no other claim."""
    ref = home.ref(message.ref)
    async with home.locked(ref):
        # This message may be late: the part may have been started since.
        if await home.executor.is_refused(ref):
            await home.executor.allow_start(ref)
    return True


async def has_begun(home: NodeHome, message: HasBegun) -> bool:
    """Return whether there is a folder of the set-up or check."""
    return await home.executor.has_begun(home.ref(message.ref))


async def read_commands(home: NodeHome, message: ReadCommands) -> Commands:
    """Return where started commands are."""
    found = await home.known(home.ref(message.ref))
    if found is None:
        return Commands(VANISHED, 0, 0.0)
    state = await home.executor.commands_state(found)
    end = as_end(found, state.end) if state.end else None
    return Commands(end, state.place, state.running_s)


async def stop_attempt(home: NodeHome, message: StopAttempt) -> Survivors:
    """End a part and all it started."""
    found = await _family(home, home.ref(message.ref))
    await found.stop(max(0.0, message.grace_s))
    return Survivors({}, _named(found.survivors))


async def kill_remaining(home: NodeHome, message: KillRemaining) -> Survivors:
    """Kill what of a part is still alive."""
    found = await _family(home, home.ref(message.ref))
    killed = await found.kill_remaining()
    return Survivors(_named(killed), _named(found.survivors))


async def used_cpu(home: NodeHome, message: UsedCpu) -> float:
    """Return the processor time of a part's living processes."""
    found = await home.known(home.ref(message.ref))
    return await found.used_cpu_s() if found else 0.0


async def sync_files(home: NodeHome, message: SyncFiles) -> bool:
    """Write a part's files through to the disk."""
    if found := await home.known(home.ref(message.ref)):
        await found.sync_files()
    return True


async def append_records(home: NodeHome, message: AppendRecords) -> bool:
    """Append records to an inbox."""
    ref = home.ref(message.ref)
    await home.executor.append_records(ref, message.records, may_create=message.may_create)
    return True


async def remove_inbox(home: NodeHome, message: RemoveInbox) -> bool:
    """Remove an inbox."""
    await home.executor.remove_inbox(home.ref(message.ref))
    return True


async def write_input(home: NodeHome, message: WriteInput) -> bool:
    """Write the prompt, the schema or an image of an agent."""
    ref = home.ref(message.ref)
    writes = {"prompt": home.executor.write_prompt, "schema": home.executor.write_schema}
    if write := writes.get(message.input):
        await write(ref, message.content)
        return True
    if image := _IMAGE.fullmatch(message.input):
        await home.executor.write_image(ref, int(image[1]), image[2], message.content)
        return True
    raise user_error("NODE_INCOMPATIBLE", "The node does not know this input of an agent.")


async def read_attempt_file(home: NodeHome, message: ReadAttemptFile) -> FileContent:
    """Return a piece of a file."""
    ref = home.ref(message.ref)
    if message.file not in {file.value for file in AttemptFile}:
        raise user_error("NODE_INCOMPATIBLE", "The node does not know this file of an attempt.")
    kind, limit = message.kind(), message.limit_bytes
    limit = min(limit, CHUNK_BYTES) if limit >= 0 else CHUNK_BYTES
    content = await home.executor.read_file(ref, kind, message.start, limit)
    size = await home.executor.file_size(ref, kind)
    return FileContent(content, size.size_bytes if size else 0)


async def list_recorded(home: NodeHome, message: ListRecorded) -> list[Recorded]:
    """Return the attempts of a run that left files."""
    found = await home.executor.recorded_attempts(home.run(message.run))
    return [
        Recorded(one.number, one.prompt, one.began_at, one.ended_at, one.exit_code, one.is_alive)
        for one in found
    ]


async def read_recorded(home: NodeHome, message: ReadRecorded) -> ReadChunk:
    """Return the next lines of an agent's output, whether or not it ended."""
    ref = home.ref(message.ref)
    return chunk_of(await home.executor.recorded_output(ref, message.offset), None)


async def list_living(home: NodeHome, message: ListLiving) -> list[Living]:
    """Return the attempts of the home with living processes."""
    found = await orphans.find(home.paths, home.service.spare)
    return [Living(one.run, one.attempt, one.pids) for one in found]


async def end_living(home: NodeHome, message: EndLiving) -> bool:
    """End the processes of an attempt."""
    living = message.living
    if not _ATTEMPT.fullmatch(living.attempt):
        raise user_error("INPUT_INVALID", f"The run {home.run(living.run)} has no such attempt.")
    one = LivingAttempt(home.run(living.run), living.attempt, living.pids)
    await home.executor.end_leftover(one, max(0.0, message.grace_s))
    return True


async def _family(home: NodeHome, ref: AttemptRef) -> AttemptProcess:
    """Return a part, or those processes that carry its mark where no start of it is known."""
    return await home.known(ref) or home.executor.marked(ref)


def _named(processes: dict[int, str]) -> dict[int, str]:
    return {pid: printable_name(name) for pid, name in processes.items()}


HANDLERS: Handlers = {
    **starting.HANDLERS,
    FindAttempt: find_attempt,
    AllowStart: allow_start,
    HasBegun: has_begun,
    ReadOutput: read_output,
    ReadCommands: read_commands,
    StopAttempt: stop_attempt,
    KillRemaining: kill_remaining,
    UsedCpu: used_cpu,
    SyncFiles: sync_files,
    AppendRecords: append_records,
    RemoveInbox: remove_inbox,
    WriteInput: write_input,
    ReadAttemptFile: read_attempt_file,
    ListRecorded: list_recorded,
    ReadRecorded: read_recorded,
    ListLiving: list_living,
    EndLiving: end_living,
}
