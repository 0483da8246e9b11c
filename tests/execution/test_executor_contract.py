"""The executor's port: the same calls on this machine, and on a folder that pretends to be one.

Then complete runs on the latter: no face and no stage may look for their files in the home.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from folder_executor import FolderExecutor
from support import LIMIT_S, becomes, played, quick, spec, texts, until

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.model import Run, Status, Workspace, WorkspaceKind
from engine.engine import Engine
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
from engine.execution.local import executor as local
from engine.execution.local.executor import LocalExecutor
from engine.lazy_services import LazyServices
from tui.app import SwarmApp
from tui.cli.commands.logs import logs

REF = AttemptRef("a1", 1)
SETUP = AttemptRef("a1", 1, AttemptPart.SETUP)
LIMIT_LINES = 100


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FolderExecutor]:
    """A folder that pretends to be another host; nothing runs there when the test ends."""
    made = FolderExecutor(tmp_path / "host")
    yield made
    made.end_all()


@pytest.fixture(params=["this machine", "a folder"])
def executor(
    request: pytest.FixtureRequest,
    paths: Paths,
    host: FolderExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> Executor:
    """Each implementation of the port."""
    monkeypatch.setattr(local, "LATE_START_S", 0.01)
    return LocalExecutor(paths) if request.param == "this machine" else host


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


async def test_a_workspace_that_is_gone_is_reported(executor: Executor, tmp_path: Path) -> None:
    workspace = Workspace(str(tmp_path), WorkspaceKind.EMPTY)
    assert await executor.working_folder(workspace) == str(tmp_path)
    with pytest.raises(UserError, match="workspace"):
        await executor.working_folder(Workspace(str(tmp_path / "gone"), WorkspaceKind.EMPTY))


# Complete runs on the folder


def shown(app: SwarmApp) -> str:
    """Return what the dashboard shows, as text."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def test_a_run_on_another_host_leaves_no_files_of_its_processes_here(
    paths: Paths, host: FolderExecutor
) -> None:
    async with Engine.open(paths, quick(), supervise=True, executor=host) as engine:
        run = await played(engine, "say one", "say two", verify="echo checked")
        assert run.status is Status.SUCCEEDED
        assert texts(await engine.events(run.id)) == ["one", "two"]
        assert await engine.workspaces.message(run.id) == "a title\n\ntwo"
        hanging = await engine.start(spec("say ready", "hang"))
        await until(engine, lambda: engine.view.runs[hanging.id].thread_id)
        await engine.cancel(hanging.id)
        await until(engine, lambda: engine.view.runs[hanging.id].finished_at)
        assert engine.view.runs[hanging.id].status is Status.CANCELLED
        assert await engine.doctor.orphans() == []
    assert not list(paths.home.glob("runs/*/attempt-*/*"))


async def test_runs_of_a_host_are_read_with_one_call(paths: Paths, host: FolderExecutor) -> None:
    async with Engine.open(paths, quick(), supervise=True, executor=host) as engine:
        runs = [await engine.start(spec("say ready", "hang")) for _ in range(3)]
        await until(engine, lambda: all(engine.view.runs[run.id].thread_id for run in runs))
        host.reads.clear()
        await becomes(lambda: host.reads)
        assert set(host.reads) == {3}
        for run in runs:
            await engine.cancel(run.id)
        await until(engine, lambda: all(engine.view.runs[run.id].finished_at for run in runs))


async def test_the_dashboard_shows_a_run_of_another_host(
    paths: Paths, host: FolderExecutor
) -> None:
    async with Engine.open(paths, quick(), supervise=True, executor=host) as engine:
        app = SwarmApp(engine)
        async with app.run_test(size=(120, 40)) as pilot:
            await engine.start(spec("say from afar"))
            async with asyncio.timeout(LIMIT_S):
                while not all(text in shown(app) for text in ("✓ succeeded", "from afar")):
                    await pilot.pause(0.01)


def test_the_command_line_prints_files_of_another_host(
    paths: Paths,
    host: FolderExecutor,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    async def finished() -> str:
        async with Engine.open(paths, quick(), supervise=True, executor=host) as engine:
            return (await played(engine, "say from afar", verify="echo checked")).id

    run = asyncio.run(finished())
    monkeypatch.setattr(LazyServices, "executor", host)
    for words, wanted in (
        (["--raw"], b'"from afar"'),
        (["--verify"], b"checked\n"),
        (["--raw", "--follow"], b'"from afar"'),
        ([], b"from afar"),
    ):
        logs.main([run, *words], standalone_mode=False)
        assert wanted in capfdbinary.readouterr().out
