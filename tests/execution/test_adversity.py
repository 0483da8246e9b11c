"""What goes wrong around a run: disks, clocks, files and databases. Nothing of it is lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from full_disk import Disk, read_only, small_disk
from support import (
    LIMIT_S,
    Mode,
    becomes,
    of_type,
    played,
    quick,
    settled,
    spec,
    statuses,
    supervising,
    texts,
    until,
)

from engine.config.paths import Paths
from engine.config.settings import WatchdogSettings
from engine.domain.errors import UserError
from engine.domain.model import Run, Status
from engine.engine import Engine
from engine.execution import follower, scheduler, supervisor
from engine.execution.local.process_marks import mark, marked
from engine.store import connect
from engine.store.whole_check import check_whole

pytestmark = pytest.mark.both_modes


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "BUSY_TIMEOUT_MS", 100)
    monkeypatch.setattr(supervisor, "RETRY_S", 0.1)
    monkeypatch.setattr(follower, "RETRY_S", 0.1)


def numbers(last: int) -> list[str]:
    return [f"n {n}" for n in range(1, last + 1)]


async def said(engine: Engine, run: Run, count: int) -> None:
    """Wait until the agent has said so much."""
    batches = engine.batches(0)
    async with asyncio.timeout(LIMIT_S):
        while len(texts(await engine.events(run.id))) < count:
            await anext(batches)


def alive(paths: Paths, run: Run) -> list[int]:
    return marked(mark(paths.attempt(run.id, run.attempt)))


async def whole(engine: Engine, run: Run, last: int) -> Run:
    """Look that all numbers came once and in order, and the events without a gap."""
    events = await engine.events(run.id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [text for text in texts(events) if text.startswith("n ")] == numbers(last)
    return engine.view.runs[run.id]


# The database


async def test_a_database_locked_for_seconds_loses_nothing(paths: Paths) -> None:
    async with supervising(paths) as engine:
        runs = [await engine.start(spec("numbered 40 every=0.02", *end))
                for end in ((), ("fail quota",), ("hang",))]  # fmt: skip
        for run in runs:
            await said(engine, run, 3)
        with closing(sqlite3.connect(paths.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            # All three print their last, and two end, while nothing can be stored.
            for run in runs:
                spool = paths.attempt(run.id, 1).stdout
                await becomes(lambda spool=spool: b'"n 40"' in spool.read_bytes())
            for run in runs[:2]:
                await becomes(lambda run=run: paths.attempt(run.id, 1).exit.exists())
            await asyncio.sleep(1)  # a few tries more
            for ask in (engine.cancel(runs[2].id), engine.start(spec())):
                with pytest.raises(UserError) as caught:
                    await ask
                assert caught.value.code == "DATABASE_LOCKED"
            other.execute("COMMIT")
        await engine.cancel(runs[2].id)
        await settled(engine)
        good, bad, stopped = [await whole(engine, run, 40) for run in runs]
        assert len(await engine.runs()) == 3  # the refused one left no row
    assert (good.status, good.exit_code) == (Status.SUCCEEDED, 0)
    assert (bad.status, bad.error.code) == (Status.FAILED, "QUOTA_EXCEEDED")
    assert stopped.status is Status.CANCELLED


@pytest.mark.one_mode
async def test_a_home_opened_by_many_at_once_for_the_first_time(paths: Paths) -> None:
    program = """
import asyncio, sys
from pathlib import Path
from engine.config.settings import Config
from engine.domain.model import Agent, RunSpec
from engine.engine import Engine
from engine.config.paths import Paths

async def main():
    paths = Paths(Path(sys.argv[1]), Path(sys.argv[2]))
    sys.stdin.readline()
    async with Engine.open(paths, Config(), follow=False) as engine:
        await engine.start(RunSpec("say hello", "a title", "a project", agent=Agent.SIMULATED))

asyncio.run(main())
"""
    arguments = [sys.executable, "-c", program, str(paths.home), str(paths.config)]
    many = [subprocess.Popen(arguments, stdin=subprocess.PIPE) for _ in range(8)]  # noqa: ASYNC220  the test needs a plain child process
    for one in many:
        one.stdin.write(b"go\n")
        one.stdin.flush()
    for one in many:
        await asyncio.to_thread(one.communicate)
    assert [one.returncode for one in many] == [0] * 8
    async with Engine.open(paths, quick(), follow=False) as engine:
        runs = await engine.runs()
    assert len({run.id for run in runs}) == 8


@pytest.mark.one_mode
async def test_a_damaged_database_is_reported_and_stays_as_it_is(paths: Paths) -> None:
    async with supervising(paths) as engine:
        await played(engine)
    for part in paths.home.glob("swarm.db*"):
        part.write_bytes(os.urandom(8192))
    damaged = paths.database.read_bytes()
    with pytest.raises(UserError) as caught:
        async with Engine.open(paths, quick()):
            pass
    assert caught.value.code == "DATABASE_CORRUPT"
    assert "--recover" in caught.value.recovery
    assert paths.database.read_bytes() == damaged


@pytest.mark.one_mode
async def test_damage_in_the_middle_is_told_and_nothing_is_written_over(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await played(engine, "numbered 3000")
    with closing(sqlite3.connect(paths.database)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with paths.database.open("r+b") as file:
        file.seek(4096 * 12)
        file.write(os.urandom(4096 * 20))
    damaged = paths.database.read_bytes()
    with pytest.raises(UserError) as caught:
        async with Engine.open(paths, quick()) as engine:
            await check_whole(engine.doctor._store)
            await engine.events(run.id)
    assert caught.value.code == "DATABASE_CORRUPT"
    found = [path.read_bytes() for path in paths.home.glob("swarm.db*")]
    assert damaged in found


# The disk


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.one_mode
async def test_a_read_only_home_is_told(open_folder: Path) -> None:
    paths = Paths(open_folder / "home", open_folder / "config.yaml")
    async with supervising(paths) as engine:
        await played(engine)
    with read_only(paths.home):
        for more in ({}, {"follow": False}, {"supervise": True}):
            with pytest.raises(UserError) as caught:
                async with Engine.open(paths, quick(), **more) as engine:
                    await engine.start(spec())
            assert caught.value.code == "DATABASE_UNUSABLE"
            assert str(paths.database) in caught.value.message
    async with supervising(paths) as engine:
        assert len(await engine.runs()) == 1


@pytest.mark.one_mode
async def test_a_home_that_cannot_be_made_is_told(open_folder: Path) -> None:
    paths = Paths(open_folder / "inner" / "home", open_folder / "config.yaml")
    (open_folder / "inner").mkdir()
    with read_only(open_folder / "inner"), pytest.raises(UserError) as caught:
        async with Engine.open(paths, quick()):
            pass
    assert str(paths.home) in caught.value.message
    assert caught.value.recovery


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk") as found:
        yield found


@pytest.mark.one_mode
async def test_a_full_disk_takes_no_run_and_costs_no_row(disk: Disk) -> None:
    paths = Paths(disk.path / "home", disk.path / "config.yaml")
    async with supervising(paths) as engine:
        disk.fill()
        for _ in range(2):
            with pytest.raises(UserError) as caught:
                await engine.start(spec("say hello", title="x" * 500_000))
            assert caught.value.code == disk.code
        disk.free()
        assert (await played(engine)).status is Status.SUCCEEDED
        assert len(await engine.runs()) == 1


@pytest.mark.one_mode
async def test_a_full_disk_is_named_where_the_store_cannot_even_be_opened(disk: Disk) -> None:
    file = disk.path / "swarm.db"
    async with connect.connect(file):
        pass
    disk.fill()
    with pytest.raises(UserError) as caught:
        async with connect.connect(file):
            pass
    assert caught.value.code == disk.code


async def test_a_disk_that_fills_while_a_run_works_loses_nothing(disk: Disk, mode: Mode) -> None:
    paths = Paths(disk.path / "home", disk.path / "config.yaml")
    async with supervising(paths) as engine:
        # Where the disk stops the agent, it must not end before that.
        count = 100_000 if disk.mounted else 100
        run = await engine.start(
            spec("attempt 1", f"numbered {count} every=0.02", "end",
                 "attempt 2+", "numbered 100 from=last", "end")
        )  # fmt: skip
        await said(engine, run, 20)
        disk.fill()
        exit_file = paths.attempt(run.id, 1).exit
        await becomes(lambda: exit_file.exists() or not alive(paths, run))
        await becomes(lambda: not alive(paths, run))
        await asyncio.sleep(0.5)  # it tries to store the end, and cannot
        disk.free()
        await settled(engine)
        first = engine.view.runs[run.id]
        if disk.mounted:  # where the agent could not write either
            assert (first.status, first.error.code) == (Status.FAILED, "DISK_FULL")
            assert "swarm-tui cleanup" in first.error.recovery
            told = len(texts(await engine.events(run.id)))
            assert texts(await engine.events(run.id)) == numbers(told)
            await engine.retry(run.id)
            await settled(engine)
        events = await engine.events(run.id)
        assert engine.view.runs[run.id].status is Status.SUCCEEDED
        # Of what the second attempt says the first may have said a bit: it could not note it down.
        later = [int(text.split()[1]) for text in texts(e for e in events if e.attempt == 2)]
        if disk.mounted:
            assert later == list(range(later[0], later[0] + 100))
            # The bridge may have held a line that it could not write.
            assert later[0] <= told + 1 or mode is Mode.INTERACTIVE
    with closing(sqlite3.connect(paths.database)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


# The clock


async def test_a_clock_that_is_put_back_loses_nothing(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.execution.outcome.BACKOFF_S", 0.1)
    real = time.time
    back_s = 0.0
    monkeypatch.setattr(time, "time", lambda: real() - back_s)
    async with supervising(paths, slots=2) as engine:
        run = await engine.start(spec("attempt 1", "numbered 30 every=0.02", "fail overloaded",
                                      "end", "attempt 2", "say on", "end", retries=1))  # fmt: skip
        await said(engine, run, 5)
        back_s = 86400.0
        later = await engine.start(spec("say later"))
        await settled(engine)
        done, after = engine.view.runs[run.id], engine.view.runs[later.id]
        events = await engine.events(run.id)
        newest = (await engine.runs(limit=1))[0]
    assert (done.status, after.status) == (Status.SUCCEEDED, Status.SUCCEEDED)
    assert texts(events) == [*numbers(30), "on"]
    (moved,) = (n for n, event in enumerate(events) if getattr(event.body, "skipped_s", None))
    for part in (events[:moved], events[moved:]):
        assert [event.at for event in part] == sorted(event.at for event in part)
    assert newest.id == later.id > run.id
    assert not done.stalled
    assert of_type(events, "progress")[-1].elapsed_s >= 0


# The files of an attempt


async def test_a_spool_file_that_is_deleted_while_it_is_followed(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec("numbered 60 every=0.01", "say end"))
        await said(engine, run, 5)
        paths.attempt(run.id, 1).stdout.unlink()
        await settled(engine)
        assert (await whole(engine, run, 60)).status is Status.SUCCEEDED


async def test_a_spool_file_that_is_cut_off_is_told_and_doubles_nothing(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec("numbered 80 every=0.01", "say end"))
        await said(engine, run, 10)
        os.truncate(paths.attempt(run.id, 1).stdout, 0)
        await settled(engine)
        events = await engine.events(run.id)
        done = engine.view.runs[run.id]
    seen = texts(events)
    assert done.status is Status.SUCCEEDED
    assert seen[:10] == numbers(10)
    assert seen[-2:] == ["n 80", "end"]
    assert len(seen) == len(set(seen))
    (told,) = of_type(events, "notice")
    assert "bytes of the agent's output" in told.text


async def test_a_spool_file_cut_off_between_two_engines(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec("numbered 20", "hang"))
        await said(engine, run, 20)
    os.truncate(paths.attempt(run.id, 1).stdout, 300)
    async with supervising(paths) as engine:
        await until(engine, lambda: "bytes of" in engine.view.runs[run.id].notice)
        await engine.cancel(run.id)
        await settled(engine)
        await whole(engine, run, 20)


async def test_a_link_in_the_place_of_a_spool_file_fails_the_run_and_leaves_nobody(
    paths: Paths, tmp_path: Path
) -> None:
    async with supervising(paths, grace_s=0.3) as engine:
        run = await engine.start(spec("say ready", "hang"))
        other = await engine.start(spec("numbered 50 every=0.02"))
        await said(engine, run, 1)
    spool = paths.attempt(run.id, 1).stdout
    spool.rename(tmp_path / "elsewhere")
    spool.symlink_to(tmp_path / "elsewhere")
    async with supervising(paths, grace_s=0.3) as engine:
        await settled(engine)
        failed = engine.view.runs[run.id]
        assert failed.status is Status.FAILED
        assert failed.error.recovery
        assert alive(paths, run) == []
        assert (await whole(engine, other, 50)).status is Status.SUCCEEDED


BEGINNING = {Mode.EXEC: "thread.started", Mode.INTERACTIVE: '"bridge": "started"'}


@pytest.mark.parametrize("damage", ["empty", "words", "gone", "all but output gone"])
async def test_a_damaged_pid_file_starts_nothing_twice(
    paths: Paths, damage: str, mode: Mode
) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec("numbered 60 every=0.02"))
        await said(engine, run, 5)
    folder = paths.attempt(run.id, 1)
    if damage in ("empty", "words"):
        folder.pid.write_text({"empty": "", "words": "no number\n"}[damage])
    else:
        folder.pid.unlink()
    if damage == "all but output gone":
        folder.prompt.unlink()
    async with supervising(paths) as engine:
        await settled(engine)
        assert (await whole(engine, run, 60)).status is Status.SUCCEEDED
    assert folder.stdout.read_text().count(BEGINNING[mode]) == 1


async def test_without_a_pid_file_it_can_still_be_cancelled(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec("child new-session", "say ready", "hang"))
        await said(engine, run, 1)
    paths.attempt(run.id, 1).pid.write_text("")
    async with supervising(paths, grace_s=LIMIT_S * 2) as engine:
        await engine.cancel(run.id)
        await settled(engine)  # long before the grace time: all of it hears SIGTERM
        assert engine.view.runs[run.id].status is Status.CANCELLED
    assert alive(paths, run) == []


@pytest.mark.parametrize("text", ["", "1", "-", "0 1\n"])
async def test_a_half_written_exit_file_is_an_interrupted_run(paths: Paths, text: str) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec("numbered 5", "hang"))
        await said(engine, run, 5)
    for pid in sorted(alive(paths, run)):
        os.kill(pid, signal.SIGKILL)
    await becomes(lambda: not alive(paths, run))
    paths.attempt(run.id, 1).exit.write_text(text)
    async with supervising(paths) as engine:
        await settled(engine)
        ended = await whole(engine, run, 5)
        assert (ended.status, ended.error.code) == (Status.INTERRUPTED, "RUN_INTERRUPTED")
        assert statuses(await engine.events(run.id))[-1] is Status.INTERRUPTED


async def test_the_next_engine_may_come_by_another_name_of_the_home(
    paths: Paths, tmp_path: Path
) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec("numbered 40 every=0.02"))
        await said(engine, run, 5)
    (tmp_path / "link").symlink_to(paths.home)
    async with supervising(Paths(tmp_path / "link", paths.config)) as engine:
        assert await engine.doctor.orphans() == []
        await settled(engine)
        assert (await whole(engine, run, 40)).status is Status.SUCCEEDED


async def test_a_home_that_is_removed_ends_its_runs(paths: Paths, mode: Mode) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec("child new-session", "say ready", "hang"))
        await said(engine, run, 1)
        assert len(alive(paths, run)) == mode.processes + 1
        shutil.rmtree(paths.home)
        with pytest.raises(UserError) as caught:
            await settled(engine)
        assert caught.value.code == "HOME_REMOVED"
        assert "removed" in caught.value.message
        await becomes(lambda: not alive(paths, run))


# Stopped, not ended


async def test_an_agent_that_was_stopped_is_pointed_out_and_can_be_cancelled(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "LOOK_S", 0.05)
    watchdog = WatchdogSettings(silent_s=0.3)
    async with supervising(paths, watchdog=watchdog, grace_s=0.3) as engine:
        run = await engine.start(spec("numbered 100000 every=0.01"))
        await said(engine, run, 5)
        for pid in alive(paths, run):
            os.kill(pid, signal.SIGSTOP)
        await until(engine, lambda: engine.view.runs[run.id].stalled)
        assert engine.view.runs[run.id].stalled.endswith("using no processor time")
        await engine.cancel(run.id)
        await settled(engine)
        assert engine.view.runs[run.id].status is Status.CANCELLED
    assert alive(paths, run) == []


async def test_an_agent_that_was_stopped_for_a_while_goes_on(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec("numbered 40 every=0.02"))
        await said(engine, run, 5)
        stopped = alive(paths, run)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(0.5)
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        await settled(engine)
        assert (await whole(engine, run, 40)).status is Status.SUCCEEDED
