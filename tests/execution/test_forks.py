"""Forks: runs on copies of an ended run's workspace and thread, which stays as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import repos
from support import played, quick, settled, spec, supervising, texts, until

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.model import Run, Status, WorkspaceKind, WorkspaceSpec
from engine.engine import ApplyMode, Engine
from engine.runs.forks import forked

pytestmark = pytest.mark.both_modes


async def forked_run(engine: Engine, run: str, *lines: str) -> Run:
    """Fork a run with a script, and wait for the end of the fork."""
    prompt = "\n".join(f"sim: {line}" for line in lines)
    made = await engine.forks.fork(run, prompt)
    await until(engine, lambda: engine.view.runs[made.id].finished_at)
    return engine.view.runs[made.id]


def place(run: Run) -> Path:
    assert run.workspace
    return Path(run.workspace.path)


async def test_a_fork_has_the_changes_and_the_thread_of_the_original(
    paths: Paths, tmp_path: Path
) -> None:
    source = repos.repository(tmp_path / "s", {"a.txt": "a", ".gitignore": "*.log"})
    wish = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    async with supervising(paths) as engine:
        first = await played(
            engine, "write b.txt one", "write c.log ignored", "numbered 3", workspace=wish
        )
        fork = await forked_run(engine, first.id, "numbered 2 from=last", "write d.txt two")
        assert fork.status is Status.SUCCEEDED
        assert texts(await engine.events(fork.id)) == ["n 4", "n 5"]
        assert fork.spec.fork
        assert fork.spec.fork.run == first.id
        assert fork.thread_id not in (None, first.thread_id)
        assert {one.name for one in place(fork).iterdir()} >= {"a.txt", "b.txt", "c.log", "d.txt"}
        assert fork.workspace
        assert first.workspace
        assert (fork.workspace.kind, fork.workspace.source) == (
            first.workspace.kind,
            first.workspace.source,
        )
        assert fork.workspace.branch == f"swarm/{fork.id}"
        assert len((await engine.workspaces.changes(fork.id)).files) == 2
        assert len((await engine.workspaces.changes(first.id)).files) == 1
        assert not (place(first) / "d.txt").exists()
        done = await engine.workspaces.apply(fork.id, ApplyMode.EDITS)
        assert len(done.files) == 2
        assert (source / "d.txt").read_text() == "two\n"


async def test_a_fork_and_its_original_go_on_by_themselves(paths: Paths) -> None:
    async with supervising(paths) as engine:
        first = await played(engine, "write a.txt a")
        fork = await forked_run(engine, first.id, "write b.txt b")
        await engine.resume(first.id, "sim: write c.txt c")
        await engine.resume(fork.id, "sim: say on")
        await settled(engine)
        now = engine.view.runs
        assert [now[one.id].status for one in (first, fork)] == [Status.SUCCEEDED] * 2
        threads = (now[first.id].thread_id, now[fork.id].thread_id)
        assert threads == (first.thread_id, fork.thread_id)
        assert not (place(fork) / "c.txt").exists()
        assert not (place(first) / "b.txt").exists()
        assert not engine.faults


async def test_a_fork_does_not_count_the_tokens_of_the_original(paths: Paths) -> None:
    async with supervising(paths) as engine:
        first = await played(engine, "usage input=1000 cached=100 output=10")
        fork = await forked_run(engine, first.id, "usage input=7 cached=3 output=2")
        assert (fork.usage.input, fork.usage.cached, fork.usage.output) == (7, 3, 2)
        again = await forked_run(engine, fork.id, "usage input=5 cached=1 output=1")
        assert (again.usage.input, again.usage.cached, again.usage.output) == (5, 1, 1)
        await engine.resume(fork.id, "sim: usage input=1 cached=1 output=1")
        await settled(engine)
        used = engine.view.runs[fork.id].usage
        assert (used.input, used.cached, used.output) == (8, 4, 3)
        assert engine.view.runs[first.id].usage == first.usage


async def test_a_run_without_a_thread_is_forked_with_a_new_one(paths: Paths) -> None:
    async with supervising(paths) as engine:
        first = await played(engine, "exit 3")
        assert first.workspace
        spec_of_fork = forked(first, first.spec, "sim: say new")
        assert (spec_of_fork.fork is not None) == (first.workspace is not None)
        fork = await forked_run(engine, first.id, "say new")
        assert (fork.status, fork.message) == (Status.SUCCEEDED, "new")


async def test_a_run_whose_workspace_is_not_there_cannot_be_forked(
    paths: Paths, tmp_path: Path
) -> None:
    async with Engine.open(paths, quick()) as engine:
        live = await engine.start(spec())
        with pytest.raises(UserError) as caught:
            await engine.forks.fork(live.id, "go on")
        assert caught.value.code == "RUN_NOT_ENDED"
        await engine.cancel(live.id)
        with pytest.raises(UserError) as caught:
            await engine.forks.fork(live.id, "go on")
        assert caught.value.code == "WORKSPACE_MISSING"
    folder = tmp_path / "in-place"
    folder.mkdir()
    async with supervising(paths) as engine:
        wish = WorkspaceSpec(WorkspaceKind.IN_PLACE, str(folder))
        in_place = await played(engine, "say one", workspace=wish)
        with pytest.raises(UserError, match="worked in place"):
            await engine.forks.fork(in_place.id, "go on")
        gone = await played(engine, "say one")
        await engine.disk.delete(gone.id)
        with pytest.raises(UserError, match="in the trash"):
            await engine.forks.fork(gone.id, "go on")


async def test_the_original_of_a_fork_that_has_not_begun_is_not_forgotten(paths: Paths) -> None:
    async with supervising(paths) as engine:
        first = await played(engine, "say one")
    async with Engine.open(paths, quick()) as engine:
        fork = await engine.forks.fork(first.id, "sim: say two")
        with pytest.raises(UserError) as caught:
            await engine.forgetting.forget([first.id])
        assert caught.value.code == "RUN_NEEDED"
    async with supervising(paths) as engine:
        await until(engine, lambda: engine.view.runs[fork.id].finished_at)
        await engine.forgetting.forget([first.id])
        assert (await engine.workspaces.changes(fork.id)).files == ()
        await engine.resume(fork.id, "sim: say three")
        await settled(engine)
        assert engine.view.runs[fork.id].message == "three"
