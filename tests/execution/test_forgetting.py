"""Runs that are forgotten: all of a run goes or none, and nothing brings it back."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sqlite3
import sys
from pathlib import Path

import pytest
import repos
from earlier_databases import go_back, version_before
from support import LIMIT_S, of_type, played, quick, settled, spec, supervising, until

from engine.config import thread_lock
from engine.config.paths import Paths
from engine.disk.maintenance import Maintenance
from engine.domain.errors import UserError
from engine.domain.model import Run, WorkspaceKind, WorkspaceSpec
from engine.engine import BatchRequest, Engine, recover
from engine.runs import forgetting
from engine.search import HistorySearch
from engine.store.store import Store, open_store

TABLES = ("runs", "events", "attempts", "messages", "deliveries", "pattern_runs", "batches")

KILLED = """
import asyncio, os, signal, sys
from engine.config import thread_lock
from engine.config.paths import Paths
from engine.config.settings import Config
from engine.engine import Engine
from engine.runs import forgetting
from engine.store import store
from pathlib import Path

where, home, *runs = sys.argv[1:]

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

put_aside, finish = forgetting.RunForgetting._put_aside, forgetting.RunForgetting._finish
def moved(self, runs):
    put_aside(self, runs)
    die()
if where == "begun":
    forgetting.RunForgetting._put_aside = die
elif where == "moved":
    forgetting.RunForgetting._put_aside = moved
elif where == "committed":
    forgetting.RunForgetting._finish = die

async def main():
    async with Engine.open(Paths(Path(home), Path(home) / "config.yaml"), Config()) as engine:
        await engine.forgetting.forget(runs, including_unsaved=True)

asyncio.run(main())
"""


def rows(paths: Paths, *tables: str) -> list[int]:
    with sqlite3.connect(paths.database) as db:
        found = [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]
    db.close()
    return found


def worktree(source: Path) -> WorkspaceSpec:
    return WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))


async def indexed(store: Store) -> None:
    while await store.search_behind():
        await store.index()


async def hits(store: Store, text: str) -> int:
    return len((await HistorySearch(store).find(text)).hits)


async def test_all_of_a_run_goes_and_the_others_stay(paths: Paths, tmp_path: Path) -> None:
    source = repos.repository(tmp_path / "s", {"a.txt": "a"})
    async with supervising(paths) as engine:
        gone = await played(engine, "say raspberry", workspace=worktree(source), title="Gone")
        kept = await played(engine, "say strawberry", workspace=worktree(source), title="Kept")
        await indexed(engine._store)
        assert await hits(engine._store, "raspberry")
        assert f"refs/swarm/base/{gone.id}" in repos.git(source, "for-each-ref")
        stream = engine.batches(0)
        assert await engine.forgetting.forget([gone.id]) == [gone.id]
        batch = await anext(stream)
        assert (batch.runs, batch.events[-1].body.type) == ({gone.id}, "forgotten")
        assert list(engine.view.runs) == [kept.id]
        assert not await hits(engine._store, "raspberry")
        assert await hits(engine._store, "strawberry")
        assert [run.id for run in await engine.runs()] == [kept.id]
        with pytest.raises(UserError, match="was forgotten") as caught:
            await engine.find(gone.id)
        assert caught.value.code == "RUN_NOT_FOUND"
        (entry,) = await engine.disk.trash()
        assert entry.run == gone.id
        assert not entry.is_only_here
        await engine.disk.empty([entry])
    assert not paths.run(gone.id).exists()
    assert [path.name for path in paths.forgotten.iterdir()] == [forgetting.UNFINISHED]
    refs = repos.git(source, "for-each-ref")
    assert gone.id not in refs
    assert f"refs/swarm/base/{kept.id}" in refs
    assert kept.workspace
    assert Path(kept.workspace.path).is_dir()


async def test_without_a_workspace_the_base_goes_at_once(paths: Paths, tmp_path: Path) -> None:
    source = repos.repository(tmp_path / "s", {"a.txt": "a"})
    async with Engine.open(paths, quick()) as engine:
        run = await engine.start(spec(workspace=worktree(source)))
        await engine.cancel(run.id)
        assert run.id in repos.git(source, "for-each-ref")
        await engine.forgetting.forget([run.id])
    assert run.id not in repos.git(source, "for-each-ref")


async def test_unsaved_work_is_kept_unless_it_is_included(paths: Paths, tmp_path: Path) -> None:
    source = repos.repository(tmp_path / "s", {"a.txt": "a"})
    async with supervising(paths) as engine:
        clean = await played(engine, "say nothing", workspace=worktree(source))
        work = await played(engine, "write b.txt work", workspace=worktree(source))
        with pytest.raises(UserError, match="1 changed file not applied") as caught:
            await engine.forgetting.forget([clean.id, work.id])
        assert caught.value.code == "WORK_UNSAVED"
        assert len(await engine.runs()) == 2
        assert not await engine.disk.trash()
        await engine.forgetting.forget([clean.id, work.id], including_unsaved=True)
        assert not await engine.runs()
        only = {entry.run: entry.is_only_here for entry in await engine.disk.trash()}
        assert only == {clean.id: False, work.id: True}
        (entry,) = [one for one in await engine.disk.trash() if one.run == work.id]
        await engine.disk.restore(entry)
    assert (Path(entry.path) / "b.txt").read_text() == "work\n"


async def test_a_copy_of_unsaved_work_beside_a_run_is_unsaved_work(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await played(engine, "write b.txt work")
        await engine.disk.delete(run.id)
        with pytest.raises(UserError, match=r"unsaved.patch"):
            await engine.forgetting.forget([run.id])
        await engine.forgetting.forget([run.id], including_unsaved=True)
        assert not await engine.runs()


async def test_live_and_needed_runs_stay_and_so_do_those_named_with_them(paths: Paths) -> None:
    async with Engine.open(paths, quick()) as engine:
        ended = [await engine.start(spec(title=str(n))) for n in range(2)]
        await engine.cancel_all([run.id for run in ended])
        live = await engine.start(spec("wait 60", after=(ended[0].id,)))
        for named, code in (
            ([ended[1].id, live.id], "RUN_NOT_ENDED"),
            ([ended[1].id, ended[0].id], "RUN_NEEDED"),
            ([ended[1].id, "nothing"], "RUN_NOT_FOUND"),
        ):
            with pytest.raises(UserError) as caught:
                await engine.forgetting.forget(named)
            assert caught.value.code == code
        assert len(await engine.runs()) == 3
        await engine.cancel(live.id)
        await engine.forgetting.forget([ended[0].id, ended[1].id])
        (left,) = await engine.runs()
        assert left.id == live.id


async def test_a_run_whose_dependency_was_forgotten_can_be_retried(paths: Paths) -> None:
    async with supervising(paths) as engine:
        first = await played(engine, "say one")
        second = await played(engine, "say two", after=(first.id,))
        await engine.forgetting.forget([first.id])
        await engine.retry(second.id, fresh=True)
        await settled(engine)
        assert engine.view.runs[second.id].status == "succeeded"
        assert not engine.faults


async def test_a_new_run_is_searched_though_it_gets_the_key_of_a_forgotten_one(
    paths: Paths,
) -> None:
    async with Engine.open(paths, quick()) as engine:
        old = await engine.start(spec(title="raspberry"))
        await engine.cancel(old.id)
        await indexed(engine._store)
        await engine.forgetting.forget([old.id])
        new = await engine.start(spec(title="strawberry"))
        await indexed(engine._store)
        assert (
            await hits(engine._store, "raspberry"),
            await hits(engine._store, "strawberry"),
        ) == (
            0,
            1,
        )
        assert new.id > old.id


async def test_the_last_run_of_a_batch_takes_the_batch_along(paths: Paths) -> None:
    async with Engine.open(paths, quick()) as engine:
        plan = await engine.swarms.plan(BatchRequest(spec(), count=2, name="two"))
        await engine.swarms.start(plan)
        runs = [run.id for run in engine.view.batch("two")]
        await engine.cancel_all(runs)
        await engine.forgetting.forget(runs[:1])
        assert rows(paths, "batches") == [1]
        assert [run.id for run in engine.view.batch("two")] == runs[1:]
        await engine.forgetting.forget(runs[1:])
    assert rows(paths, *TABLES) == [0] * len(TABLES)


@pytest.mark.parametrize("where", ["begun", "moved", "committed"])
async def test_a_kill_leaves_a_run_whole_or_forgotten(
    paths: Paths, tmp_path: Path, where: str
) -> None:
    source = repos.repository(tmp_path / "s", {"a.txt": "a"})
    async with supervising(paths) as engine:
        runs = [
            await played(engine, f"write b.txt {n}", workspace=worktree(source)) for n in range(2)
        ]
    ids = [run.id for run in runs]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, where, str(paths.home), *ids
    )
    assert await asyncio.wait_for(process.wait(), LIMIT_S) == -signal.SIGKILL
    async with Engine.open(paths, quick()) as engine:
        left = [run.id for run in await engine.runs()]
        assert sorted(left) == ([] if where == "committed" else sorted(ids))
        assert all(paths.run(run).is_dir() for run in left)
        for run in left:
            assert of_type(await engine.events(run), "status")
            assert not (await engine.find(run)).in_trash
            assert (await engine.workspaces.changes(run)).files
        config = quick()
        await Maintenance(
            engine.disk,
            engine._store,
            config,
            lambda: True,
            None,
            engine._services.forgetting.finish,
        ).once()
        assert not [path for path in paths.forgotten.iterdir() if path.is_dir()]
    for part in paths.home.glob("swarm.db*"):
        part.unlink()
    assert (await recover(paths)).runs == len(left)


async def test_a_transaction_that_fails_leaves_all_as_it_was(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with supervising(paths) as engine:
        run = await played(engine, "say one")

        def fail(self: forgetting.RunForgetting, runs: list[str]) -> None:
            put_aside(self, runs)
            raise sqlite3.OperationalError("database or disk is full")

        put_aside = forgetting.RunForgetting._put_aside
        monkeypatch.setattr(forgetting.RunForgetting, "_put_aside", fail)
        with pytest.raises(UserError):
            await engine.forgetting.forget([run.id])
        monkeypatch.undo()
        assert (paths.run(run.id) / "run.json").is_file()
        assert run.workspace
        assert Path(run.workspace.path).is_dir()
        assert not await engine.disk.trash()
        await engine.resume(run.id, "sim: say two")
        await settled(engine)


async def test_other_processes_learn_of_it(paths: Paths) -> None:
    async with supervising(paths) as supervisor, Engine.open(paths, quick()) as other:
        run = await played(supervisor, "say one")
        await until(other, lambda: run.id in other.view.runs)
        held = other.view.runs
        stream = other.batches(0)
        await supervisor.forgetting.forget([run.id])
        await until(other, lambda: run.id not in other.view.runs)
        assert any(event.body.type == "forgotten" for event in (await anext(stream)).events)
        assert held[run.id].id == run.id  # a list that is being drawn still has the id
        assert run.id not in held
        last = await played(supervisor, "say two")
        await until(other, lambda: getattr(other.view.runs.get(last.id), "finished_at", None))
        assert other.view.runs[last.id].seq == supervisor.view.runs[last.id].seq
        assert not (supervisor.faults or other.faults)


async def test_a_record_that_is_written_late_brings_nothing_back(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await played(engine, "say one")
        copied = paths.home / "copied"
        shutil.copytree(paths.run(run.id), copied)
        await engine.forgetting.forget([run.id])
    copied.rename(paths.run(run.id))
    async with supervising(paths) as engine:
        last = await played(engine, "say two")
        assert last.id > run.id
        await engine._services.forgetting.finish()
        assert not engine.faults
    assert not paths.run(run.id).exists()
    assert (await recover(paths)).runs == 0


async def test_a_database_of_an_earlier_version_can_forget(paths: Paths) -> None:
    async with Engine.open(paths, quick()) as engine:
        run: Run = await engine.start(spec())
        await engine.cancel(run.id)
    with sqlite3.connect(paths.database) as db:
        go_back(db, version_before("forgotten_runs"))
    db.close()
    async with open_store(paths.database) as store:
        assert (await store.forgotten()).runs == ()
    async with Engine.open(paths, quick()) as engine:
        await engine.forgetting.forget([run.id])
        assert not await engine.runs()


async def test_a_run_whose_thread_is_open_keeps_its_record_and_its_workspace(
    paths: Paths, tmp_path: Path
) -> None:
    source = repos.repository(tmp_path / "s", {"a.txt": "a"})
    async with supervising(paths) as engine:
        run = await played(engine, "write b.txt b", workspace=worktree(source))
        async with thread_lock.holding(paths, run.id):
            for refused in (
                engine.forgetting.forget([run.id], including_unsaved=True),
                engine.disk.cleaning.delete(run.id),
            ):
                with pytest.raises(UserError) as caught:
                    await refused
                assert caught.value.code == "THREAD_IN_USE"
        assert not (await engine.find(run.id)).in_trash
        await engine.disk.cleaning.delete(run.id)
