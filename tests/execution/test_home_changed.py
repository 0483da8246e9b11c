"""A home whose lock, name or database changes under a live supervisor ends no agent."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from support import becomes, quick, settled, spec, supervising, texts, until

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.model import Run, Status
from engine.engine import Engine
from engine.execution import journal, recovery, run_records
from engine.execution.local.process_marks import mark, marked
from engine.execution.supervisor_lock import SupervisorLock
from engine.store import presence


def alive(paths: Paths, run: Run) -> list[int]:
    return marked(mark(paths.attempt(run.id, run.attempt)))


async def working(engine: Engine) -> Run:
    run = await engine.start(spec("say ready", "numbered 100000 every=0.05"))
    await until(engine, lambda: engine.view.runs[run.id].status is Status.RUNNING)
    return run


def test_a_deleted_lock_file_is_made_again_and_nobody_else_gets_the_lock(tmp_path: Path) -> None:
    ours, theirs = SupervisorLock(tmp_path / "lock"), SupervisorLock(tmp_path / "lock")
    assert ours.acquire()
    (tmp_path / "lock").unlink()
    assert not theirs.acquire()
    ours.check()
    assert (tmp_path / "lock").read_text().split()[0] == str(os.getpid())
    assert theirs.holder == os.getpid()
    assert not theirs.acquire()
    with (tmp_path / "lock").open("rb") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as versions before this one do
    ours.release()
    assert theirs.acquire()
    theirs.release()


def test_a_lock_file_that_another_program_has_taken_is_reported(tmp_path: Path) -> None:
    ours = SupervisorLock(tmp_path / "lock")
    assert ours.acquire()
    (tmp_path / "lock").unlink()
    with (tmp_path / "lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(UserError) as caught:
            ours.check()
    assert "taken the lock" in caught.value.message
    ours.release()


async def test_a_deleted_lock_file_ends_no_run(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec("numbered 60 every=0.05"))
        await until(engine, lambda: engine.view.runs[run.id].status is Status.RUNNING)
        paths.lock.unlink()
        await becomes(paths.lock.exists)
        await settled(engine)
        assert engine.view.runs[run.id].status is Status.SUCCEEDED
        assert len(texts(await engine.events(run.id))) == 60


async def test_a_renamed_home_ends_no_agent_and_goes_on_when_it_is_back(paths: Paths) -> None:
    moved = paths.home.with_name("moved")
    async with supervising(paths) as engine:
        run = await working(engine)
        pids = alive(paths, run)
        paths.home.rename(moved)
        with pytest.raises(UserError) as caught:
            await settled(engine)
        assert caught.value.code == "HOME_MOVED"
    assert not paths.home.exists()  # else it could not be moved back
    moved.rename(paths.home)
    assert set(pids) <= set(alive(paths, run))
    async with supervising(paths) as engine:
        await engine.cancel(run.id, kill=True)
        await settled(engine)
        assert (await engine.find(run.id)).status is Status.CANCELLED


def delete(paths: Paths) -> None:
    for part in paths.home.glob("swarm.db*"):
        part.unlink()


def empty(paths: Paths) -> None:
    os.truncate(paths.database, 0)


def replace(paths: Paths) -> None:
    other = paths.home / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE other (a)")
    db.close()
    other.replace(paths.database)


def delete_log(paths: Paths) -> None:
    paths.database.with_name("swarm.db-wal").unlink()


@pytest.mark.parametrize("change", [delete, empty, replace, delete_log])
async def test_a_database_changed_under_a_supervisor_is_reported_and_ends_no_agent(
    paths: Paths, change: Callable[[Paths], None]
) -> None:
    async with supervising(paths) as engine:
        run = await working(engine)
        pids = alive(paths, run)
        change(paths)
        for ask in (engine.runs(), engine.start(spec()), engine.cancel(run.id)):
            with pytest.raises(UserError) as caught:
                await ask
            assert caught.value.code == "DATABASE_MISSING"
        with pytest.raises(UserError) as caught:
            await settled(engine)
        assert caught.value.code == "DATABASE_MISSING"
        assert "--recover" in caught.value.recovery
    assert set(pids) <= set(alive(paths, run))


@pytest.mark.parametrize("change", [delete, empty])
async def test_a_lost_database_is_no_new_home_for_the_next_command(
    paths: Paths, change: Callable[[Paths], None]
) -> None:
    async with supervising(paths) as engine:
        await engine.start(spec())
        await settled(engine)
    change(paths)
    for _ in range(2):
        with pytest.raises(UserError) as caught:
            async with Engine.open(paths, quick(), follow=False):
                pass
        assert caught.value.code == "DATABASE_MISSING"


async def test_who_has_the_home_open_reports_that_its_database_was_rebuilt(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "SURELY_S", 0.05)
    async with supervising(paths) as engine:
        await engine.start(spec())
        await settled(engine)
    async with Engine.open(paths, quick()) as viewer:
        delete(paths)
        assert (await recovery.recover(paths)).runs == 1
        await becomes(lambda: any("restart this program" in one.error for one in viewer.faults))


async def test_a_new_database_beside_the_folders_of_runs_is_no_new_home(paths: Paths) -> None:
    async with supervising(paths) as engine:
        await engine.start(spec())
        await settled(engine)
    fresh = Paths(paths.home.with_name("fresh"), paths.config)
    async with Engine.open(fresh, quick(), follow=False):
        pass
    delete(paths)
    shutil.copyfile(fresh.database, paths.database)
    with pytest.raises(UserError) as caught:
        async with Engine.open(paths, quick(), follow=False):
            pass
    assert caught.value.code == "DATABASE_MISSING"


async def other_database(paths: Paths) -> Path:
    """The database of another home, with a run of its own."""
    another = Paths(paths.home.with_name("another"), paths.config)
    async with supervising(another) as engine:
        await engine.start(spec())
        await settled(engine)
    return another.database


@pytest.mark.parametrize("in_log", [True, False])
async def test_another_database_copied_over_the_open_one_is_reported_and_ends_no_agent(
    paths: Paths, in_log: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "SURELY_S", 0.05)
    other = await other_database(paths)
    async with supervising(paths) as engine, Engine.open(paths, quick()) as viewer:
        run = await working(engine)
        pids = alive(paths, run)
        if not in_log:
            with closing(sqlite3.connect(paths.database)) as db:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copyfile(other, paths.database)  # as `cp` does: the same file, with its log
        with pytest.raises(UserError) as caught:
            await settled(engine)
        assert caught.value.entry.is_recoverable
        await becomes(lambda: any(fault.task == "database" for fault in viewer.faults))
    assert set(pids) <= set(alive(paths, run))
    if not in_log:  # otherwise SQLite's log held all of it, and was written back
        with pytest.raises(UserError) as caught:
            async with Engine.open(paths, quick(), follow=False):
                pass
        assert caught.value.entry.is_recoverable
        assert (await recovery.recover(paths)).runs == 1
    async with supervising(paths) as engine:
        assert engine.view.runs[run.id].status is Status.RUNNING
        await engine.cancel(run.id, kill=True)
        await settled(engine)


async def test_a_database_of_another_home_put_there_meanwhile_is_reported(paths: Paths) -> None:
    other = await other_database(paths)
    async with supervising(paths) as engine:
        await engine.start(spec())
        await settled(engine)
    delete(paths)
    shutil.copyfile(other, paths.database)
    with pytest.raises(UserError) as caught:
        async with Engine.open(paths, quick(), follow=False):
            pass
    assert (caught.value.code, "another one" in caught.value.message) == ("DATABASE_MISSING", True)
    assert (await recovery.recover(paths)).runs == 1


async def test_a_database_without_a_number_gets_that_of_its_home(paths: Paths) -> None:
    async with supervising(paths) as engine:
        await engine.start(spec())
        await settled(engine)
    with closing(sqlite3.connect(paths.database)) as db:
        number = db.execute("PRAGMA application_id").fetchone()[0]
        db.execute("PRAGMA application_id = 0")  # as written by a version before this one
        db.commit()
    async with Engine.open(paths, quick(), follow=False) as engine:
        assert len(await engine.runs()) == 1
    with closing(sqlite3.connect(paths.database)) as db:
        assert db.execute("PRAGMA application_id").fetchone()[0] == number != 0


@pytest.mark.parametrize("lost", ["run", "attempt", "end"])
async def test_a_database_rolled_back_to_an_older_copy_is_reported(
    paths: Paths, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "MADE_S", 0.0)
    monkeypatch.setattr(run_records, "SLACK_S", 0.0)
    copy = paths.home.with_name("copy.db")

    def keep(db: sqlite3.Connection) -> None:
        copy.unlink(missing_ok=True)
        db.execute("VACUUM INTO ?", (str(copy),))

    async with supervising(paths) as engine:
        early = await engine.start(spec("hang" if lost == "end" else "fail"))
        status = Status.RUNNING if lost == "end" else Status.FAILED
        await until(engine, lambda: engine.view.runs[early.id].status is status)
        with closing(sqlite3.connect(paths.database)) as db:
            keep(db)
        if lost == "run":
            await engine.start(spec())
        elif lost == "attempt":
            await engine.retry(early.id)
        else:
            await engine.cancel(early.id, kill=True)
        await settled(engine)
        before = {run.id: (run.status, run.attempt) for run in await engine.runs()}
    delete(paths)
    shutil.copyfile(copy, paths.database)
    with pytest.raises(UserError, match="is older than the folders of its runs") as caught:
        async with supervising(paths) as engine:
            await becomes(lambda: engine._supervising.is_done)
            engine.check_works()
    assert (caught.value.code, "--recover" in caught.value.recovery) == ("DATABASE_MISSING", True)
    assert (await recovery.recover(paths)).runs == len(before)
    async with Engine.open(paths, quick(), follow=False) as engine:
        assert {run.id: (run.status, run.attempt) for run in await engine.runs()} == before


def cut_off(paths: Paths) -> None:
    os.truncate(paths.database, 8192)


def overwrite(paths: Paths) -> None:
    with paths.database.open("r+b") as file:
        file.write(b"x" * 4096)


def put_a_folder_there(paths: Paths) -> None:
    delete(paths)
    paths.database.mkdir()


@pytest.mark.parametrize("change", [cut_off, overwrite, put_a_folder_there])
async def test_a_database_damaged_in_place_is_noticed_by_everybody_who_has_it_open(
    paths: Paths, change: Callable[[Paths], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "SURELY_S", 0.05)
    async with supervising(paths) as engine, Engine.open(paths, quick()) as viewer:
        run = await working(engine)
        pids = alive(paths, run)
        with closing(sqlite3.connect(paths.database)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        change(paths)
        with pytest.raises(UserError) as caught:
            await settled(engine)
        assert caught.value.entry.is_recoverable
        await becomes(lambda: any(fault.task == "database" for fault in viewer.faults))
    assert set(pids) <= set(alive(paths, run))
