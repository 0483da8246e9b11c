"""The executor of this machine: attempts are processes here, and their files lie in the home."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

from engine.agents.base import CommandPlace
from engine.config.paths import AttemptFolder, Paths, StageFolder, private_folder
from engine.domain.model import Run
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
from engine.execution.local import orphans, process, process_marks, recorded, stage_script
from engine.execution.local.inbox_file import append_records, remove_inbox
from engine.execution.local.process import NOBODY, AttemptProcess, census
from engine.execution.local.spool import read_file, read_output
from engine.execution.local.workspaces import LocalWorkspaces
from engine.system.durable import write_synced

LATE_START_S = 0.5


class LocalExecutor:
    """Runs attempts here; processes with one of the words `spare` outlive their agent.

    `guard` returns the command that a part's own runs below, by the folder of its files.
    """

    def __init__(
        self,
        paths: Paths,
        spare: Sequence[str] = (),
        guard: Callable[[AttemptFolder], Sequence[str]] | None = None,
    ) -> None:
        self._paths = paths
        self._spare = spare
        self._guard = guard or _unguarded
        self._workspaces = LocalWorkspaces(paths)

    @property
    def workspaces(self) -> LocalWorkspaces:
        """The folders of this machine in which agents work."""
        return self._workspaces

    async def start(
        self,
        ref: AttemptRef,
        argv: Sequence[str],
        env: Mapping[str, str],
        folder: str,
        base: Mapping[str, str] | None = None,
        needs: StartNeeds = NO_NEEDS,
    ) -> AttemptProcess:
        """Start the agent of an attempt."""
        files = self._folder(ref)
        for needed in needs.folders:
            await asyncio.to_thread(private_folder, Path(needed))
        argv = [*self._guard(files), *argv]
        return self._spared(ref, await process.start(files, argv, env, Path(folder), base))

    async def start_commands(
        self, ref: AttemptRef, commands: Sequence[str], folder: str, base: Mapping[str, str]
    ) -> AttemptProcess:
        """Start the commands of a set-up or a check."""
        files = self._stage(ref)
        await asyncio.to_thread(stage_script.note_begin, files)
        argv = [*self._guard(files), *stage_script.command(ref.part, files, commands)]
        return await process.start(files, argv, {}, Path(folder), base)

    async def find(self, ref: AttemptRef) -> AttemptProcess | None:
        """Find what an earlier engine started."""
        found = await process.find(self._folder(ref))
        return self._spared(ref, found) if found else None

    async def known(self, ref: AttemptRef) -> AttemptProcess | None:
        """Return what was started, as `find` does; but where nothing was, it still can be."""
        found = await process.known(self._folder(ref))
        return self._spared(ref, found) if found else None

    async def is_refused(self, ref: AttemptRef) -> bool:
        """Return whether `find` returned None, and no start was allowed since."""
        claimed = await asyncio.to_thread(self._folder(ref).pid.exists)
        return claimed and await self.known(ref) is None

    async def is_claimed(self, ref: AttemptRef) -> bool:
        """Return whether the shell of a part has come so far that it is found again."""
        return await asyncio.to_thread(self._is_claimed, self._folder(ref))

    def _is_claimed(self, folder: AttemptFolder) -> bool:
        try:
            return folder.pid.stat().st_size > 0
        except FileNotFoundError:
            return False

    async def allow_start(self, ref: AttemptRef) -> None:
        """Remove the claim that `find` made."""
        # A start that another engine had begun has given up after this time.
        await asyncio.sleep(LATE_START_S)
        self._folder(ref).pid.unlink(missing_ok=True)

    async def has_begun(self, ref: AttemptRef) -> bool:
        """Return whether there is a folder of the set-up or check."""
        return await asyncio.to_thread(self._folder(ref).path.is_dir)

    # Here and not in a thread: with every tick, and it waits for nothing.
    async def read(
        self, requests: Sequence[OutputRequest], limit_lines: int
    ) -> Sequence[OutputChunk]:
        """Read the spool files of many attempts."""
        chunks: list[OutputChunk] = []
        for request in requests:
            chunk = read_output(_local(request.handle), request, may_read=limit_lines > 0)
            limit_lines -= len(chunk.lines)
            chunks.append(chunk)
        return chunks

    async def commands_state(self, handle: AttemptHandle) -> CommandsState:
        """Read the files of started commands."""
        return await asyncio.to_thread(stage_script.state, _local(handle))

    async def observe(self, handles: Collection[AttemptHandle]) -> None:
        """List all processes once for all attempts."""
        seen = await asyncio.to_thread(census.snapshot, time.monotonic())
        for handle in handles:
            _local(handle).record(seen)

    async def recorded_attempts(self, run: str) -> list[RecordedAttempt]:
        """Read the folders of a run's attempts."""
        return await asyncio.to_thread(recorded.attempts, self._paths, run)

    async def recorded_output(self, ref: AttemptRef, offset: int) -> OutputChunk:
        """Read an agent's spool file."""
        return await asyncio.to_thread(recorded.output, self._paths, ref.run, ref.attempt, offset)

    async def append_records(
        self, ref: AttemptRef, records: Sequence[bytes], *, may_create: bool = True
    ) -> None:
        """Append records to the inbox file of an attempt, and ring its bell."""
        inbox = self._folder(ref).inbox
        await asyncio.to_thread(append_records, inbox, records, may_create=may_create)

    async def remove_inbox(self, ref: AttemptRef) -> None:
        """Delete the inbox file of an attempt, and its bell."""
        await asyncio.to_thread(remove_inbox, self._folder(ref).inbox)

    async def kill(self, ref: AttemptRef, grace_s: float) -> None:
        """End all processes that carry the mark of a part."""
        await self.marked(ref).stop(grace_s)

    def marked(self, ref: AttemptRef) -> AttemptProcess:
        """Return the part as those processes that carry its mark."""
        return AttemptProcess(self._folder(ref), NOBODY, None)

    async def leftovers(self, live: Callable[[], Awaitable[Iterable[Run]]]) -> list[LivingAttempt]:
        """Find the attempts of this home with living processes that no live run is at."""
        found = await orphans.find(self._paths, self._spare)
        return orphans.of_ended(found, self._paths, await live())

    async def end_leftover(self, leftover: LivingAttempt, grace_s: float) -> None:
        """End the processes of an attempt, but for those that are spared."""
        await orphans.end(self._paths, leftover, grace_s, self._spare)

    async def command_place(self) -> CommandPlace | None:
        """Return None: commands are made here."""
        return None

    def agent_folder(self, ref: AttemptRef) -> AttemptFolder:
        """Return the folder of the attempt in the home."""
        return self._paths.attempt(ref.run, ref.attempt)

    def reserved_variables(self, ref: AttemptRef) -> Mapping[str, str]:
        """Return the mark by which the processes of a part are known."""
        return {process_marks.MARK: process_marks.mark(self._folder(ref))}

    async def write_prompt(self, ref: AttemptRef, prompt: bytes) -> None:
        """Write the file that the agent has as stdin."""
        await asyncio.to_thread(write_prompt, self._folder(ref), prompt)

    async def write_schema(self, ref: AttemptRef, schema: bytes) -> None:
        """Write the file that the agent's command names."""
        await asyncio.to_thread(write_synced, self._folder(ref).output_schema, schema)

    async def write_image(self, ref: AttemptRef, place: int, suffix: str, image: bytes) -> None:
        """Write an image into the run's folder."""
        path = self._paths.image(ref.run, place, suffix)
        private_folder(path.parent)
        await asyncio.to_thread(write_synced, path, image)

    async def read_file(
        self, ref: AttemptRef, file: AttemptFile, start: int = 0, limit_bytes: int = -1
    ) -> bytes | None:
        """Read a file of a part."""
        path = self._path(ref, file)
        return await asyncio.to_thread(read_file, path, start, limit_bytes)

    async def file_size(self, ref: AttemptRef, file: AttemptFile) -> FileSize | None:
        """Look at a file of a part."""
        return await asyncio.to_thread(self._file_size, self._path(ref, file), ref.run)

    def _file_size(self, path: Path, run: str) -> FileSize | None:
        if not path.is_file() or not (size_bytes := path.stat().st_size):
            return None
        return FileSize(str(path.relative_to(self._paths.run(run))), size_bytes)

    def _spared(self, ref: AttemptRef, found: AttemptProcess) -> AttemptProcess:
        if ref.part is AttemptPart.AGENT:
            found.spare = self._spare
        return found

    def _path(self, ref: AttemptRef, file: AttemptFile) -> Path:
        folder = self._folder(ref)
        paths = {AttemptFile.OUTPUT: folder.stdout, AttemptFile.STDERR: folder.stderr}
        return paths.get(file, folder.last_message)

    def _stage(self, ref: AttemptRef) -> StageFolder:
        folder = self._paths.attempt(ref.run, ref.attempt)
        return folder.setup if ref.part is AttemptPart.SETUP else folder.verify

    def _folder(self, ref: AttemptRef) -> AttemptFolder:
        if ref.part is AttemptPart.AGENT:
            return self._paths.attempt(ref.run, ref.attempt)
        return self._stage(ref)


def write_prompt(folder: AttemptFolder, prompt: bytes) -> None:
    """Write what the agent reads on stdin, through to the disk."""
    private_folder(folder.path)
    write_synced(folder.prompt, prompt)


def _unguarded(folder: AttemptFolder) -> Sequence[str]:
    return ()


def _local(handle: AttemptHandle) -> AttemptProcess:
    if not isinstance(handle, AttemptProcess):
        raise TypeError(f"not an attempt of this machine: {handle!r}")
    return handle
