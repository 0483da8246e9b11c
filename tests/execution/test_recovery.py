"""A lost database is rebuilt from the folders of the runs, and live runs go on."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import repos
from support import settled, spec, supervising, texts, until

from engine.config.paths import Paths
from engine.config.settings import WorkspaceSettings
from engine.domain.errors import UserError
from engine.domain.model import Run, Status, WorkspaceKind, WorkspaceSpec
from engine.engine import CheckHealth, Engine, recover


def delete(paths: Paths) -> None:
    for part in paths.home.glob("swarm.db*"):
        part.unlink()


def empty(paths: Paths) -> None:
    os.truncate(paths.database, 0)


def damage(paths: Paths) -> None:
    delete(paths)
    paths.database.write_bytes(os.urandom(20_000))


def facts(run: Run) -> tuple[object, ...]:
    """What a run has come to, as its record has it."""
    of_time = (run.created_at, run.started_at, run.finished_at)
    of_work = (run.workspace, run.baseline, run.usage, run.exit_code, run.error, run.attempt)
    return (run.id, run.spec, run.status, run.reason, *of_time, *of_work)


@pytest.mark.parametrize("lose", [delete, empty, damage])
async def test_runs_and_their_events_come_back(paths: Paths, lose: Callable[[Paths], None]) -> None:
    async with supervising(paths) as engine:
        good = await engine.start(spec("write a.txt one", "numbered 20", "say end"))
        bad = await engine.start(spec("say no", "fail quota"))
        await settled(engine)
        retried = await engine.retry(bad.id)
        await settled(engine)
        before = {run.id: facts(run) for run in await engine.runs()}
        said = texts(await engine.events(good.id))
    lose(paths)
    done = await recover(paths)
    assert (done.runs, done.unreadable) == (2, ())
    assert (done.aside is None) == (lose is delete)
    async with Engine.open(paths, follow=False) as engine:
        assert {run.id: facts(run) for run in await engine.runs()} == before
        with closing(sqlite3.connect(paths.database)) as db:
            ledger = db.execute("SELECT run, sum(input), sum(requests) FROM usage_slots GROUP BY 1")
            used = {run: counts for run, *counts in ledger}
        assert used == {it.id: [it.usage.input, it.usage.requests] for it in await engine.runs()}
        for run in await engine.runs():
            events = await engine.events(run.id)
            assert [event.seq for event in events] == list(range(1, len(events) + 1))
            assert run.seq == len(events)
        assert texts(await engine.events(good.id)) == said
        assert retried.attempt == 2
        writing = partial(engine.workspaces.write_diff, good.id)
        assert b"a.txt" in await repos.written(writing)
    again = await recover(paths)
    assert (again.runs, again.aside) == (0, None)


async def test_an_accepted_run_starts_and_a_live_one_goes_on(paths: Paths) -> None:
    async with supervising(paths, slots=1) as engine:
        live = await engine.start(spec("numbered 80 every=0.05"))
        queued = await engine.start(spec("say later"))
        await until(engine, lambda: engine.view.runs[live.id].status is Status.RUNNING)
        delete(paths)
    await recover(paths)
    async with supervising(paths, slots=1) as engine:
        await settled(engine)
        runs = engine.view.runs
        assert [runs[run.id].status for run in (live, queued)] == [Status.SUCCEEDED] * 2
        said = [text for text in texts(await engine.events(live.id)) if text.startswith("n ")]
        assert said == [f"n {n}" for n in range(1, 81)]


async def test_an_older_database_starts_nothing_again(paths: Paths) -> None:
    async with supervising(paths) as engine:
        live = await engine.start(spec("write a.txt one", "hang"))
        await until(engine, lambda: engine.view.runs[live.id].status is Status.QUEUED)
        with sqlite3.connect(paths.database) as db:
            db.execute("VACUUM INTO ?", (str(paths.home / "old.db"),))
        await until(engine, lambda: engine.view.runs[live.id].thread_id)
    delete(paths)
    (paths.home / "old.db").rename(paths.database)
    async with supervising(paths) as engine:
        with pytest.raises(UserError, match="older than the folders of its runs"):
            await settled(engine)
        found = {one.name: one for one in await engine.doctor.examine("/nowhere")}
        assert found["database"].health is CheckHealth.FAIL
    assert (paths.workspace("a project", live.id) / "a.txt").read_text() == "one\n"
    assert (await recover(paths)).runs == 1
    async with supervising(paths, grace_s=0.2) as engine:
        assert engine.view.runs[live.id].status is Status.RUNNING
        await engine.cancel(live.id, kill=True)
        await settled(engine)
        writing = partial(engine.workspaces.write_diff, live.id)
        assert b"a.txt" in await repos.written(writing)


async def test_folders_of_an_older_version_give_what_they_hold(paths: Paths) -> None:
    async with supervising(paths) as engine:
        good = await engine.start(spec("write a.txt one", "say end"))
        bad = await engine.start(spec("fail quota"))
        await settled(engine)
        said = texts(await engine.events(good.id))
    for record in paths.home.glob("runs/*/run.json"):
        record.unlink()
    (paths.home / "runs" / "nothing").mkdir()
    delete(paths)
    done = await recover(paths)
    assert (done.runs, done.unreadable) == (2, ("nothing",))
    async with Engine.open(paths, follow=False) as engine:
        found = {run.id: run for run in await engine.runs()}
        assert found[good.id].status is Status.SUCCEEDED
        assert found[bad.id].status is Status.FAILED
        assert found[good.id].spec.prompt == good.spec.prompt
        assert texts(await engine.events(good.id)) == said


async def test_branch_of_a_worktree_without_a_record_is_the_one_it_is_on(
    paths: Paths, tmp_path: Path
) -> None:
    source = repos.repository(tmp_path / "s")
    wish = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    pattern = WorkspaceSettings(branch="agents/{run}-x")
    async with supervising(paths, workspace=pattern) as engine:
        run = await engine.start(spec("say x", workspace=wish))
        await settled(engine)
    (paths.run(run.id) / "run.json").unlink()
    delete(paths)
    await recover(paths)
    async with Engine.open(paths, follow=False) as engine:
        found = (await engine.find(run.id)).workspace
    assert found and found.branch == f"agents/{run.id}-x"


@pytest.mark.parametrize("garbage", [b"", b"{}", b'{"spec": 1, "state": []}', bytes(range(256))])
async def test_a_damaged_record_does_not_keep_the_others_from_coming_back(
    paths: Paths, garbage: bytes
) -> None:
    async with supervising(paths) as engine:
        one, other = [await engine.start(spec()) for _ in range(2)]
        await settled(engine)
    (paths.run(one.id) / "run.json").write_bytes(garbage)
    delete(paths)
    assert (await recover(paths)).runs == 2
    async with Engine.open(paths, follow=False) as engine:
        assert (await engine.find(other.id)).spec == other.spec
        assert (await engine.find(one.id)).status is Status.SUCCEEDED


async def test_a_home_that_is_supervised_is_left_alone(paths: Paths) -> None:
    async with supervising(paths) as engine:
        await engine.start(spec())
        await settled(engine)
        with pytest.raises(UserError) as caught:
            await recover(paths, wait_s=0)
        assert str(os.getpid()) in caught.value.message
    assert not [*paths.home.glob("*damaged*")]


def test_nothing_of_a_record_is_for_other_users(paths: Paths, tmp_path: Path) -> None:
    from engine.system.durable import write_synced

    write_synced(tmp_path / "run.json", b"{}")
    assert (tmp_path / "run.json").stat().st_mode & 0o777 == 0o600
