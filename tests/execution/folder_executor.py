"""A second executor: a folder that pretends to be another host, with files and names of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from engine.config.paths import AttemptFolder
from engine.domain.errors import user_error
from engine.domain.model import LOCAL, ForkOrigin, Run, Workspace, WorkspaceKind, WorkspaceSpec
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
    ProcessEnd,
    RecordedAttempt,
    StartNeeds,
)
from engine.execution.host_workspaces import ChangeWatcher, Commit, WorkspaceRequest
from engine.workspaces.checkpoints.checkpoint_refs import has_baseline
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create.worktree import CreatedWorkspace

HOST = "folder"
AGENT = 'exit=$1; shift; "$@"; echo $? >"$exit"'
COMMANDS = """exit=$1 step=$2 n=0; shift 2
for each; do n=$((n + 1)); echo $n >"$step"; sh -c "$each" || { echo $? >"$exit"; exit; }; done
echo 0 >"$exit" """


class FolderAttempt:
    """A started part of an attempt: a session of processes, and a folder of files."""

    def __init__(self, ref: AttemptRef, folder: Path, child: subprocess.Popen[bytes]) -> None:
        self.ref = ref
        self.folder = folder
        self.child = child
        self.began_s = time.monotonic()
        self.survivors: Mapping[int, str] = {}

    def end(self) -> ProcessEnd | None:
        is_over = self.child.poll() is not None
        text = _bytes(self.folder / "exit")
        if text.endswith(b"\n"):
            return ProcessEnd(int(text))
        return ProcessEnd(None) if is_over else None

    async def stop(self, grace_s: float) -> None:
        self.send(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(self.child.wait, grace_s)
        self.send(signal.SIGKILL)
        await asyncio.to_thread(self.child.wait)

    async def kill_remaining(self) -> dict[int, str]:
        self.send(signal.SIGKILL)
        await asyncio.to_thread(self.child.wait)
        return {}

    async def used_cpu_s(self) -> float:
        return 0.0

    async def sync_files(self) -> None:
        pass

    def close_output(self) -> None:
        pass

    def release(self) -> None:
        pass

    def send(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.child.pid, number)
        except ProcessLookupError:
            return


class FolderWorkspaces:
    """Copies of sources in a folder; paths are told as on a machine where that folder is `/`."""

    def __init__(self, disk: Path, host: str = HOST) -> None:
        self.disk = disk
        self.host = host

    async def prepare(
        self, request: WorkspaceRequest, stop: Callable[[], bool]
    ) -> CreatedWorkspace | None:
        if stop():
            return None
        spec = request.spec
        path = f"/{request.project}/{request.name}"
        folder = self.disk / path[1:]
        shutil.rmtree(folder, ignore_errors=True)
        if spec.kind is WorkspaceKind.FROM_RUN:
            shutil.copytree(self.here(spec.source or ""), folder)
        elif spec.source:
            shutil.copytree(spec.source, folder)  # as it is brought from the user's machine
        else:
            folder.mkdir(parents=True)
        return CreatedWorkspace(
            Workspace(path, spec.kind, spec.source, cwd=spec.cwd or "", host=self.host)
        )

    async def discard(self, request: WorkspaceRequest, keep: Workspace | None) -> None:
        folder = self.disk / request.project / request.name
        if keep is None or self.here(keep.path) != folder:
            shutil.rmtree(folder, ignore_errors=True)

    async def exists(self, workspace: Workspace) -> bool:
        return self.here(workspace.path).is_dir()

    async def find(self, run: str) -> Workspace | None:
        for folder in self.disk.glob(f"*/{run}*"):
            path = f"/{folder.relative_to(self.disk)}"
            return Workspace(path, WorkspaceKind.COPY, host=self.host)
        return None

    async def working_folder(self, workspace: Workspace) -> str:
        folder = self.here(workspace.path) / workspace.cwd
        if not folder.is_dir():
            raise user_error("WORKSPACE_MISSING")
        return str(folder)

    async def program_files(
        self, workspace: Workspace, spec: WorkspaceSpec, commands: Sequence[str]
    ) -> Mapping[str, str]:
        return {}

    def watcher(self, commit: Commit) -> ChangeWatcher:
        return NoWatcher()

    async def make_checkpoints(
        self, run: str, workspace: Workspace, rebuildable: Collection[str]
    ) -> Checkpoints:
        return await Checkpoints.make(*self._store(run, workspace), rebuildable)

    async def copy_checkpoints(
        self, run: str, workspace: Workspace, origin: ForkOrigin
    ) -> Checkpoints:
        source, _ = self._store(origin.run, origin.workspace)
        return await Checkpoints.copied(source, *self._store(run, workspace))

    async def open_checkpoints(self, run: str, workspace: Workspace) -> Checkpoints:
        return await Checkpoints.open(*self._store(run, workspace))

    async def has_baseline(self, run: str, workspace: Workspace) -> bool:
        return has_baseline(self._store(run, workspace)[0])

    def here(self, path: str) -> Path:
        """Return the folder that the machine knows by this path."""
        return self.disk / path[1:]

    def _store(self, run: str, workspace: Workspace) -> tuple[Path, Workspace]:
        folder = self.here(workspace.path)
        name = f"{run}-{folder.name}.git"
        return self.disk / "checkpoints" / name, replace(workspace, path=str(folder), host=LOCAL)


class NoWatcher:
    """Watcher of a machine that cannot tell what changes."""

    def seen(self, run: str) -> int:
        return 0

    def watch(self, run: str, root: str) -> None:
        pass

    def forget(self, run: str) -> None:
        pass

    async def run(self) -> None:
        await asyncio.Event().wait()


class FolderExecutor:
    """Runs attempts in a folder; the host outlives the engines that use it."""

    def __init__(self, root: Path, host: str = HOST) -> None:
        self.root = root
        self.workspaces = FolderWorkspaces(root / "disk", host)
        self.started: dict[AttemptRef, FolderAttempt] = {}
        self.refused: set[AttemptRef] = set()
        self.reads: list[int] = []
        """Number of attempts for each call of `read`."""

    async def start(
        self,
        ref: AttemptRef,
        argv: Sequence[str],
        env: Mapping[str, str],
        folder: str,
        base: Mapping[str, str] | None = None,
        needs: StartNeeds = NO_NEEDS,
    ) -> FolderAttempt:
        for needed in needs.folders:
            Path(needed).mkdir(parents=True, exist_ok=True)
        return self._start(ref, [AGENT, "agent", str(self._at(ref) / "exit"), *argv], env, folder)

    async def start_commands(
        self, ref: AttemptRef, commands: Sequence[str], folder: str, base: Mapping[str, str]
    ) -> FolderAttempt:
        own = self._at(ref)
        words = [COMMANDS, "commands", str(own / "exit"), str(own / "step"), *commands]
        return self._start(ref, words, {}, folder)

    async def find(self, ref: AttemptRef) -> FolderAttempt | None:
        if ref not in self.started:
            self.refused.add(ref)
        return self.started.get(ref)

    async def allow_start(self, ref: AttemptRef) -> None:
        self.refused.discard(ref)

    async def has_begun(self, ref: AttemptRef) -> bool:
        return ref in self.started

    async def read(
        self, requests: Sequence[OutputRequest], limit_lines: int
    ) -> Sequence[OutputChunk]:
        self.reads.append(len(requests))
        await asyncio.sleep(0)  # as over a network: others go on meanwhile
        chunks: list[OutputChunk] = []
        for request in requests:
            chunks.append(_chunk(_own(request.handle), request, may_read=limit_lines > 0))
            limit_lines -= len(chunks[-1].lines)
        return chunks

    async def commands_state(self, handle: AttemptHandle) -> CommandsState:
        own = _own(handle)
        end = own.end()
        place = int(_bytes(own.folder / "step") or b"0")
        return CommandsState(end, place, time.monotonic() - own.began_s)

    async def observe(self, handles: Collection[AttemptHandle]) -> None:
        pass

    async def recorded_attempts(self, run: str) -> list[RecordedAttempt]:
        return [
            RecordedAttempt(
                ref.attempt,
                _bytes(one.folder / "in"),
                one.folder.stat().st_mtime,
                (one.folder / "exit").stat().st_mtime if one.end() else 0.0,
                (one.end() or ProcessEnd(None)).exit_code,
                is_alive=one.end() is None,
            )
            for ref, one in self.started.items()
            if ref.run == run and ref.part is AttemptPart.AGENT
        ]

    async def recorded_output(self, ref: AttemptRef, offset: int) -> OutputChunk:
        data = _bytes(self._at(ref) / "out")[offset:]
        whole, newline, rest = data.rpartition(b"\n")
        lines = whole.split(b"\n") if newline else []
        return OutputChunk(offset + len(whole + newline), lines, rest=b"" if lines else rest)

    async def append_records(
        self, ref: AttemptRef, records: Sequence[bytes], *, may_create: bool = True
    ) -> None:
        with self.agent_folder(ref).inbox.open("ab" if may_create else "r+b") as inbox:
            inbox.seek(0, 2)
            inbox.write(b"".join(b"\n%b\n" % record for record in records))

    async def remove_inbox(self, ref: AttemptRef) -> None:
        self.agent_folder(ref).inbox.unlink(missing_ok=True)

    async def kill(self, ref: AttemptRef, grace_s: float) -> None:
        if found := self.started.get(ref):
            await found.stop(grace_s)

    async def leftovers(self, live: Callable[[], Awaitable[Iterable[Run]]]) -> list[LivingAttempt]:
        alive = [one for one in self.started.values() if one.end() is None]
        busy = {(run.id, run.attempt) for run in await live()}
        return [
            LivingAttempt(one.ref.run, str(one.ref.attempt), (one.child.pid,))
            for one in alive
            if (one.ref.run, one.ref.attempt) not in busy
        ]

    async def end_leftover(self, leftover: LivingAttempt, grace_s: float) -> None:
        for part in AttemptPart:
            await self.kill(AttemptRef(leftover.run, int(leftover.attempt), part), grace_s)

    async def command_place(self) -> None:
        return None

    def agent_folder(self, ref: AttemptRef) -> AttemptFolder:
        return AttemptFolder(self._at(ref))

    def reserved_variables(self, ref: AttemptRef) -> Mapping[str, str]:
        return {}

    async def write_prompt(self, ref: AttemptRef, prompt: bytes) -> None:
        (self._at(ref) / "in").write_bytes(prompt)

    async def write_schema(self, ref: AttemptRef, schema: bytes) -> None:
        self.agent_folder(ref).output_schema.write_bytes(schema)

    async def write_image(self, ref: AttemptRef, place: int, suffix: str, image: bytes) -> None:
        (self.root / ref.run / f"image-{place}{suffix}").write_bytes(image)

    async def read_file(
        self, ref: AttemptRef, file: AttemptFile, start: int = 0, limit_bytes: int = -1
    ) -> bytes | None:
        path = self._file(ref, file)
        if not path.exists():
            return None
        data = path.read_bytes()[start:]
        return data if limit_bytes < 0 else data[:limit_bytes]

    async def file_size(self, ref: AttemptRef, file: AttemptFile) -> FileSize | None:
        size_bytes = len(await self.read_file(ref, file) or b"")
        return FileSize(f"{ref.attempt}/{ref.part}/{file}", size_bytes) if size_bytes else None

    def end_all(self) -> None:
        """End what a test left."""
        for one in self.started.values():
            one.send(signal.SIGKILL)
            one.child.wait()

    def _start(
        self, ref: AttemptRef, words: Sequence[str], env: Mapping[str, str], folder: str
    ) -> FolderAttempt:
        if ref in self.refused or ref in self.started:
            raise OSError(f"{ref} may not be started")
        own = self._at(ref)
        (own / "in").touch()
        with (
            (own / "in").open("rb") as stdin,
            (own / "out").open("wb") as out,
            (own / "err").open("wb") as err,
        ):
            child = subprocess.Popen(
                ["sh", "-c", *words],
                stdin=stdin,
                stdout=out,
                stderr=err if ref.part is AttemptPart.AGENT else out,
                cwd=folder,
                env={**os.environ, **env},
                start_new_session=True,
            )
        self.started[ref] = FolderAttempt(ref, own, child)
        return self.started[ref]

    def _at(self, ref: AttemptRef) -> Path:
        folder = self.root / ref.run / str(ref.attempt) / ref.part
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _file(self, ref: AttemptRef, file: AttemptFile) -> Path:
        if file is AttemptFile.LAST_MESSAGE:
            return self.agent_folder(ref).last_message
        is_out = file is AttemptFile.OUTPUT or ref.part is not AttemptPart.AGENT
        return self._at(ref) / ("out" if is_out else "err")


def _chunk(attempt: FolderAttempt, request: OutputRequest, *, may_read: bool) -> OutputChunk:
    end = attempt.end()  # before the output: nothing is written after it
    data = _bytes(attempt.folder / "out")[request.offset :]
    whole = data.rpartition(b"\n")[0]
    if whole and not (may_read and request.wants_lines):
        return OutputChunk(request.offset)
    lines = whole.split(b"\n") if whole else []
    taken = len(whole) + bool(whole)
    if end is None:
        return OutputChunk(request.offset + taken, lines)
    return OutputChunk(request.offset + len(data), lines, rest=data[taken:], end=end)


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _own(handle: AttemptHandle) -> FolderAttempt:
    assert isinstance(handle, FolderAttempt)
    return handle
