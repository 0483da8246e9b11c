"""The executor's port: the same calls on this machine, and on a folder that pretends to be one.

`test_other_host.py` has complete runs on the latter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from fake_channel import FakeChannel
from folder_executor import FolderExecutor
from support import LIMIT_S

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.model import (
    ForkOrigin,
    Run,
    Workspace,
    WorkspaceKind,
    WorkspaceSetup,
    WorkspaceSpec,
)
from engine.execution.cluster.cluster import Cluster
from engine.execution.cluster.node.service import NodeService
from engine.execution.executor import (
    AttemptFile,
    AttemptHandle,
    AttemptPart,
    AttemptRef,
    Executor,
    OutputChunk,
    OutputRequest,
    ProcessEnd,
)
from engine.execution.host_workspaces import WorkspaceRequest
from engine.execution.local import executor as local
from engine.execution.local.executor import LocalExecutor

REF = AttemptRef("a1", 1)
SETUP = AttemptRef("a1", 1, AttemptPart.SETUP)
LIMIT_LINES = 100


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FolderExecutor]:
    """A folder that pretends to be another host; nothing runs there when the test ends."""
    made = FolderExecutor(tmp_path / "host")
    yield made
    made.end_all()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[NodeService]:
    """A node of a cluster in this process."""
    (tmp_path / "node").mkdir()
    made = NodeService(tmp_path / "node", "one", 4)
    yield made
    made.close()


@pytest.fixture(params=["this machine", "a folder", "a node"])
def executor(
    request: pytest.FixtureRequest,
    paths: Paths,
    host: FolderExecutor,
    node: NodeService,
    monkeypatch: pytest.MonkeyPatch,
) -> Executor:
    """Each implementation of the port."""
    monkeypatch.setattr(local, "LATE_START_S", 0.01)
    paths.prepare()
    known: dict[str, Callable[[], Executor]] = {
        "this machine": lambda: LocalExecutor(paths),
        "a folder": lambda: host,
        "a node": lambda: Cluster(paths, FakeChannel({"one": node})).executor("one"),
    }
    return known[request.param]()


async def begin(
    executor: Executor, folder: Path, text: str, ref: AttemptRef = REF, prompt: bytes = b""
) -> AttemptHandle:
    """Start a shell script as an agent."""
    await executor.write_prompt(ref, prompt)
    return await executor.start(ref, ["/bin/sh", "-c", text], {}, str(folder))


async def drained(executor: Executor, handle: AttemptHandle, offset: int = 0) -> list[OutputChunk]:
    """Read until the end comes."""
    chunks: list[OutputChunk] = []
    async with asyncio.timeout(LIMIT_S):
        while not (chunks and chunks[-1].end):
            (chunk,) = await executor.read([OutputRequest(handle, offset)], LIMIT_LINES)
            assert chunk.error is None
            chunks.append(chunk)
            offset = chunk.offset
            await asyncio.sleep(0.01)
    return chunks


async def ready(executor: Executor, handle: AttemptHandle) -> None:
    """Wait until an attempt wrote a line."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            (chunk,) = await executor.read([OutputRequest(handle, 0)], LIMIT_LINES)
            if chunk.lines:
                return
            await asyncio.sleep(0.01)


def lines_of(chunks: Sequence[OutputChunk]) -> list[bytes]:
    return [line for chunk in chunks for line in chunk.lines]


async def test_output_comes_whole_and_its_end_comes_last(
    executor: Executor, tmp_path: Path
) -> None:
    handle = await begin(executor, tmp_path, "cat; printf rest; exit 3", prompt=b"one\ntwo\n")
    chunks = await drained(executor, handle)
    assert lines_of(chunks) == [b"one", b"two"]
    assert (chunks[-1].rest, chunks[-1].end) == (b"rest", ProcessEnd(3))
    assert chunks[-1].offset == len(b"one\ntwo\nrest")
    handle.close_output()


async def test_reading_goes_on_from_any_offset_and_after_another_engine(
    executor: Executor, tmp_path: Path
) -> None:
    first = await begin(executor, tmp_path, "cat", prompt=b"one\ntwo\n")
    await drained(executor, first)
    first.close_output()
    first.release()
    found = await executor.find(REF)
    assert found is not None
    chunks = await drained(executor, found, offset=len(b"one\n"))
    assert lines_of(chunks) == [b"two"]
    assert chunks[-1].end == ProcessEnd(0)
    found.close_output()


async def test_one_call_reads_many_attempts_up_to_a_number_of_lines(
    executor: Executor, tmp_path: Path
) -> None:
    refs = [AttemptRef(name, 1) for name in ("a", "b")]
    handles = [await begin(executor, tmp_path, "cat", ref, b"x\ny\n") for ref in refs]
    for handle in handles:
        await drained(executor, handle)
    both = await executor.read([OutputRequest(handle, 0) for handle in handles], LIMIT_LINES)
    assert [chunk.lines for chunk in both] == [[b"x", b"y"]] * 2
    few = await executor.read([OutputRequest(handle, 0) for handle in handles], 1)
    assert [bool(chunk.lines) for chunk in few] == [True, False]
    assert few[1].end is None  # not before its output is read
    for handle in handles:
        handle.close_output()
        handle.release()


async def test_an_attempt_that_never_started_is_not_found_and_starts_once_allowed(
    executor: Executor, tmp_path: Path
) -> None:
    await executor.write_prompt(REF, b"")
    assert await executor.find(REF) is None
    await executor.allow_start(REF)
    handle = await begin(executor, tmp_path, "exit 0")
    assert (await drained(executor, handle))[-1].end == ProcessEnd(0)
    handle.close_output()


async def test_a_stopped_attempt_leaves_nothing_alive(executor: Executor, tmp_path: Path) -> None:
    async def none() -> list[Run]:
        return []

    handle = await begin(executor, tmp_path, "sleep 300 & echo ready; sleep 300")
    await ready(executor, handle)
    (left,) = await executor.leftovers(none)
    assert left.run == REF.run
    await handle.stop(0.05)
    assert not handle.survivors
    assert (await drained(executor, handle))[-1].end is not None
    assert await executor.leftovers(none) == []
    handle.close_output()
    handle.release()


async def test_processes_are_ended_without_a_handle(executor: Executor, tmp_path: Path) -> None:
    handle = await begin(executor, tmp_path, "echo ready; sleep 300")
    await ready(executor, handle)
    await executor.kill(REF, 0)
    assert (await drained(executor, handle))[-1].end is not None
    handle.close_output()
    handle.release()


async def test_records_reach_the_agent_before_and_while_it_runs(
    executor: Executor, tmp_path: Path
) -> None:
    await executor.write_prompt(REF, b"")
    await executor.append_records(REF, [b"one", b"two"])
    inbox = executor.agent_folder(REF).inbox
    script = f"grep . {inbox}; while ! grep three {inbox}; do sleep 0.01; done"
    attempt = await begin(executor, tmp_path, script)
    await executor.append_records(REF, [b"three"])
    lines = [line for chunk in await drained(executor, attempt) for line in chunk.lines]
    assert (lines[:2], lines[-1]) == ([b"one", b"two"], b"three")
    await executor.remove_inbox(REF)
    await executor.remove_inbox(REF)
    with pytest.raises(FileNotFoundError):
        await executor.append_records(REF, [b"late"], may_create=False)
    assert not inbox.exists()


async def test_files_are_bytes(executor: Executor, tmp_path: Path) -> None:
    assert await executor.read_file(REF, AttemptFile.STDERR) is None
    assert await executor.file_size(REF, AttemptFile.STDERR) is None
    handle = await begin(executor, tmp_path, r"printf '\377 the end' >&2")
    await drained(executor, handle)
    assert await executor.read_file(REF, AttemptFile.STDERR) == b"\xff the end"
    assert await executor.read_file(REF, AttemptFile.STDERR, start=-3) == b"end"
    assert await executor.read_file(REF, AttemptFile.STDERR, start=2, limit_bytes=3) == b"the"
    size = await executor.file_size(REF, AttemptFile.STDERR)
    assert size is not None
    assert size.size_bytes == len(b"\xff the end")
    assert await executor.read_file(REF, AttemptFile.LAST_MESSAGE) is None
    handle.close_output()


async def test_commands_stop_at_the_first_that_fails(executor: Executor, tmp_path: Path) -> None:
    assert not await executor.has_begun(SETUP)
    commands = ["echo one", "echo two; exit 4", "echo three"]
    handle = await executor.start_commands(SETUP, commands, str(tmp_path), {})
    assert await executor.has_begun(SETUP)
    async with asyncio.timeout(LIMIT_S):
        while (state := await executor.commands_state(handle)).end is None:  # noqa: ASYNC110  the port is polled
            await asyncio.sleep(0.01)
    assert (state.end, state.place) == (ProcessEnd(4), 2)
    log = await executor.read_file(SETUP, AttemptFile.OUTPUT) or b""
    assert b"two\n" in log and b"three" not in log
    handle.release()


# Workspaces


def request(folder: Path, name: str = "a1", **more: Any) -> WorkspaceRequest:
    """Request a copy of a folder."""
    wish = WorkspaceSpec(WorkspaceKind.COPY, str(folder), **more)
    return WorkspaceRequest(name, "demo", wish, WorkspaceSetup())


def never() -> bool:
    return False


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder to work from."""
    folder = tmp_path / "source"
    (folder / "docs").mkdir(parents=True)
    (folder / "docs" / "a.txt").write_text("one\n")
    return folder


async def prepared(executor: Executor, wanted: WorkspaceRequest) -> Workspace:
    made = await executor.workspaces.prepare(wanted, never)
    assert made is not None
    return made.workspace


async def test_a_workspace_is_made_and_programs_work_in_it(
    executor: Executor, source: Path
) -> None:
    workspace = await prepared(executor, request(source, cwd="docs"))
    assert (workspace.kind, workspace.cwd) == (WorkspaceKind.COPY, "docs")
    assert await executor.workspaces.exists(workspace)
    folder = Path(await executor.workspaces.working_folder(workspace))
    handle = await begin(executor, folder, "cat a.txt")
    assert lines_of(await drained(executor, handle)) == [b"one"]
    handle.close_output()


async def test_an_unfinished_workspace_is_made_again_or_discarded(
    executor: Executor, source: Path
) -> None:
    wanted = request(source)
    workspace = await prepared(executor, wanted)
    folder = Path(await executor.workspaces.working_folder(workspace))
    (folder / "half").touch()
    workspace = await prepared(executor, wanted)
    assert not (folder / "half").exists()
    await executor.workspaces.discard(wanted, keep=workspace)
    assert await executor.workspaces.exists(workspace)
    await executor.workspaces.discard(wanted, keep=None)
    assert not await executor.workspaces.exists(workspace)
    await executor.workspaces.discard(wanted, keep=None)  # nothing is there


async def test_a_workspace_is_not_made_after_a_cancel(executor: Executor, source: Path) -> None:
    assert await executor.workspaces.prepare(request(source), lambda: True) is None


async def test_a_workspace_that_is_gone_is_reported(executor: Executor, source: Path) -> None:
    wanted = request(source)
    workspace = await prepared(executor, wanted)
    await executor.workspaces.discard(wanted, keep=None)
    assert not await executor.workspaces.exists(workspace)
    with pytest.raises(UserError, match="workspace"):
        await executor.workspaces.working_folder(workspace)


async def test_changes_are_measured_where_the_workspace_is(
    executor: Executor, source: Path
) -> None:
    workspaces = executor.workspaces
    workspace = await prepared(executor, request(source))
    assert not await workspaces.has_baseline(REF.run, workspace)
    made = await workspaces.make_checkpoints(REF.run, workspace, ())
    await made.record("baseline")
    assert await workspaces.has_baseline(REF.run, workspace)
    (Path(await workspaces.working_folder(workspace)) / "docs" / "a.txt").write_text("two\n")
    opened = await workspaces.open_checkpoints(REF.run, workspace)
    assert [file.path for file in (await opened.changes()).files] == ["docs/a.txt"]
    copied = await workspaces.copy_checkpoints("fork", workspace, ForkOrigin(REF.run, workspace))
    assert [file.path for file in (await copied.changes()).files] == ["docs/a.txt"]


# A lost database


async def test_what_attempts_left_is_found_without_a_handle(
    executor: Executor, source: Path
) -> None:
    assert await executor.recorded_attempts(REF.run) == []
    handle = await begin(executor, source, "cat; printf rest; exit 3", prompt=b"one\ntwo\n")
    await drained(executor, handle)
    handle.close_output()
    handle.release()
    (found,) = await executor.recorded_attempts(REF.run)
    assert (found.number, found.prompt, found.exit_code) == (1, b"one\ntwo\n", 3)
    assert not found.is_alive
    assert 0 < found.began_at <= found.ended_at
    chunk = await executor.recorded_output(REF, 0)
    assert (chunk.lines, chunk.offset) == ([b"one", b"two"], len(b"one\ntwo\n"))
    last = await executor.recorded_output(REF, chunk.offset)
    assert (last.lines, last.rest, last.offset) == ([], b"rest", chunk.offset)


async def test_a_workspace_is_found_by_its_run(executor: Executor, source: Path) -> None:
    assert await executor.workspaces.find("a1") is None
    workspace = await prepared(executor, request(source))
    found = await executor.workspaces.find("a1")
    assert found is not None
    assert (found.path, found.host) == (workspace.path, workspace.host)
