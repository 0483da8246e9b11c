"""Other sessions are read in the background: only what is new, wherever reading stopped."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from usage.session_model import SOURCE, Ledger, Thread, compress

from engine.agents.codex.session_usage import RolloutCounter
from engine.config.paths import Paths
from engine.config.settings import Config, UsageSettings
from engine.domain.events import Progressed
from engine.domain.model import Agent, RunSpec, Stage
from engine.domain.numeric import MAX_COUNT
from engine.domain.usage import UsageGroup, UsageQuery
from engine.store.appending import AppendRequest
from engine.store.store import Store, open_store
from engine.system import child_files
from engine.usage import other_sessions, session_worker
from engine.usage.other_sessions import OtherSessions, ReadingPace
from engine.usage.session_homes import session_homes
from engine.usage.session_request import SessionHome

PACE = ReadingPace(silent_s=30.0, kill_s=10.0)


@dataclass
class Reading:
    """A home with a reader of other sessions."""

    store: Store
    others: OtherSessions
    sessions: Path

    async def tokens(self) -> int:
        """Return the input tokens of all other sessions."""
        sums = await self.store.usage.sums(UsageQuery(UsageGroup.MODEL))
        return sum(one.usage.input for one in sums if one.is_other)


@asynccontextmanager
async def reading(
    tmp_path: Path,
    pace: ReadingPace = PACE,
    homes: Callable[[], Sequence[SessionHome]] | None = None,
) -> AsyncGenerator[Reading]:
    """Open a database, and a reader of the folder `codex`, or of other `homes`."""
    paths, sessions = Paths(tmp_path / "home", tmp_path / "config.yaml"), tmp_path / "codex"
    paths.prepare()
    own = [SessionHome("default", os.fsencode(sessions), SOURCE)]
    async with open_store(paths.database, is_new=True) as store:
        others = OtherSessions(paths, store.sessions, homes or (lambda: own), pace)
        yield Reading(store, others, sessions)


def write(home: Path, thread: Thread, lines: int | None = None) -> Path:
    """Write the first lines of a thread, or all of them, to its file."""
    path = home / thread.day / thread.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(line + b"\n" for line in thread.lines[:lines]))
    return path


def thread_of(number: int, *tokens: int) -> Thread:
    """Return a thread with requests of so many input tokens."""
    thread = Thread(number)
    for each in tokens:
        thread.request((each, 0, 10, 0))
    return thread


async def test_sessions_are_read_by_a_process_and_only_what_is_new(tmp_path: Path) -> None:
    async with reading(tmp_path) as home:
        await home.others.read()
        assert (await home.others.progress()).read_until is not None
        first, second = thread_of(1, 100, 200), thread_of(2, 1000)
        write(home.sessions, first)
        await home.others.read()
        assert await home.tokens() == 300
        write(home.sessions, second)
        first.request((50, 0, 0, 0))
        write(home.sessions, first)
        await home.others.read()
        progress = await home.others.progress()
        assert (progress.found, progress.read, progress.unread) == (2, 2, 0)
        assert await home.tokens() == 1350
        await home.others.read()
        assert (await home.others.progress()).found == 0
        write(home.sessions, first).unlink()
        await home.others.read()
        assert await home.tokens() == 1350


async def test_thread_of_a_run_is_counted_with_the_run_only(tmp_path: Path) -> None:
    async with reading(tmp_path) as home:
        mine, agent, old = thread_of(1, 100), thread_of(2, 10), thread_of(3, 1)
        agent.lines[0] = agent.lines[0].replace(
            f'"session_id": "{agent.id}"'.encode(), f'"session_id": "{mine.id}"'.encode()
        )
        # A sub-agent of the sub-agent, as versions write it that name no first thread.
        spawned = {"subagent": {"thread_spawn": {"parent_thread_id": agent.id, "depth": 2}}}
        source = json.dumps(spawned)
        old.lines[0] = old.lines[0].replace(b'"cwd"', f'"source": {source}, "cwd"'.encode())
        for thread in (mine, agent, old):
            write(home.sessions, thread)
        await home.others.read()
        assert await home.tokens() == 111
        run = await _claimed(home.store, mine.id)
        assert await home.tokens() == 0
        for thread in (mine, agent, old):
            thread.request((7, 0, 0, 0))
            write(home.sessions, thread)
        await home.others.read()
        assert await home.tokens() == 0
        await home.store.forget([run], lambda *_: None, lambda: None)
        mine.request((7, 0, 0, 0))
        write(home.sessions, mine)
        await home.others.read()
        assert await home.tokens() == 0


async def _claimed(store: Store, thread: str) -> str:
    """Create a run that works on a thread, and return its id."""
    made = await store.create(RunSpec("task", "task", "shop", agent=Agent.SIMULATED), ())
    (run,) = made.runs
    body = Progressed(Stage.EXECUTING, "thinking", 30, {"thread_id": thread})
    await store.append([AppendRequest(run, [body])])
    return run


async def test_reading_goes_on_where_it_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_worker, "BATCH_FILES", 1)
    for number in range(6):
        write(tmp_path, thread_of(number, 100 + number))
    ledger = Ledger(tmp_path)
    try:
        for _ in range(4):
            ledger.read(upto=2)
        assert 0 < ledger.total() < 615
        ledger.read()
        assert ledger.total() == 615
    finally:
        ledger.close()


async def test_two_readers_at_once_count_once(tmp_path: Path) -> None:
    async with reading(tmp_path) as home:
        for number in range(20):
            write(home.sessions, thread_of(number, 100, 100))
        again = OtherSessions(
            Paths(tmp_path / "home", tmp_path / "config.yaml"),
            home.store.sessions,
            lambda: [SessionHome("default", os.fsencode(home.sessions), SOURCE)],
            PACE,
        )
        await asyncio.gather(home.others.read(), again.read())
        await home.others.read()
        assert await home.tokens() == 20 * 200


async def test_hostile_files_are_named_and_end_nothing(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write(outside, thread_of(8, 5000))
    async with reading(tmp_path) as home:
        good = write(home.sessions, thread_of(1, 100))
        os.mkfifo(good.with_name("rollout-pipe.jsonl"))
        good.with_name("rollout-link.jsonl").symlink_to(next(outside.rglob("rollout-*")))
        (home.sessions / "archived_sessions").symlink_to(outside / "sessions/2026/09/03")
        (home.sessions / "sessions/2027").symlink_to(outside / "sessions/2026")
        (good.parent / os.fsdecode(b"rollout-\xff\n.jsonl")).write_bytes(b"\xff\x00{}\n" * 10)
        (good.parent / "rollout-folder.jsonl").mkdir()
        good.with_name("rollout-empty.jsonl").touch()
        huge = Thread(7)
        for _ in range(20):
            huge.request((10**400, -5, 10**15, 10**30))
        os.utime(write(home.sessions, huge), (2**34 - 1, 2**34 - 1))
        (good.parent / os.fsdecode(b"rollout-\xfe.jsonl")).write_bytes(b"\n".join(huge.lines[1:]))
        good.with_name("rollout-bad.jsonl.zst").write_bytes(b"no such thing")
        good.with_name("rollout-long.jsonl").write_bytes(b"[" * 3_000_000)
        await home.others.read()
        assert 100 < await home.tokens() <= MAX_COUNT + 100
        progress = await home.others.progress()
        assert (progress.unread, Path(progress.unread_name).name) == (1, "rollout-bad.jsonl.zst")
        await home.others.read()
        assert (await home.others.progress()).found == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
async def test_unreadable_files_are_counted_and_named(tmp_path: Path) -> None:
    async with reading(tmp_path) as home:
        path = write(home.sessions, thread_of(1, 100))
        path.chmod(0)
        await home.others.read()
        assert path.name in (await home.others.progress()).problem
        path.chmod(0o600)
        await home.others.read()
        assert (await home.others.progress()).problem == ""
        assert await home.tokens() == 100


async def test_damaged_compressed_file_is_named_and_counts_once(tmp_path: Path) -> None:
    async with reading(tmp_path) as home:
        packed = compress(write(home.sessions, thread_of(1, 100, 200)))
        whole = packed.read_bytes()
        for content in (whole[:-20], b"\x28\xb5\x2f\xfd" + bytes(500)):
            packed.write_bytes(content)
            await home.others.read()
            assert packed.name in (await home.others.progress()).problem
        packed.write_bytes(whole)
        await home.others.read()
        assert (await home.others.progress()).problem == ""
        assert await home.tokens() == 300


async def test_file_that_cannot_be_read_is_named_and_read_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, offset: int) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    path = write(tmp_path, thread_of(1, 100))
    ledger = Ledger(tmp_path)
    try:
        with monkeypatch.context() as patch:
            patch.setattr("engine.agents.codex.session_files.open_lines", refuse)
            ledger.read()
        assert ledger.progress().problem == f"{path} could not be read: Permission denied."
        ledger.read(is_complete=False)
        assert ledger.progress().problem == ""
        assert ledger.total() == 100
    finally:
        ledger.close()


async def test_fault_in_one_file_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = thread_of(1, 100), thread_of(2, 200)
    for thread in (bad, good):
        write(tmp_path, thread)
    read = RolloutCounter.read

    def fail(self: RolloutCounter, lines: Sequence[bytes]) -> None:
        read(self, lines)
        if self.thread and self.thread.thread == bad.id:
            raise ValueError("a mistake")

    ledger = Ledger(tmp_path)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(RolloutCounter, "read", fail)
            ledger.read()
        assert ledger.progress().problem.endswith("could not be read: ValueError: a mistake.")
        assert ledger.total() == 300
        ledger.read(is_complete=False)
        assert (ledger.progress().problem, ledger.total()) == ("", 300)
    finally:
        ledger.close()


async def test_silent_program_is_ended_and_the_failure_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(other_sessions, "PROGRAM", "import time\ntime.sleep(600)\n")
    async with reading(tmp_path, ReadingPace(silent_s=0.2, kill_s=10.0)) as home:
        await home.others.read()
        problem = (await home.others.progress()).problem
        assert problem == "Other sessions could not be read: there was no answer for 0 s."
    monkeypatch.undo()
    async with reading(tmp_path) as home:
        write(home.sessions, thread_of(1, 100))
        await home.others.read()
        assert (await home.others.progress()).problem == ""
        assert await home.tokens() == 100


async def test_program_that_ends_in_the_middle_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(other_sessions, "PROGRAM", "raise SystemExit('no module named x')\n")
    async with reading(tmp_path) as home:
        await home.others.read()
        assert "no module named x" in (await home.others.progress()).problem


async def test_cancelled_reading_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = tmp_path / "pid"
    program = (
        f"import os, signal\nopen({str(noted)!r}, 'w').write(str(os.getpid()))\n"
        "os.write(1, bytes(4))\nsignal.pause()\n"
    )
    monkeypatch.setattr(other_sessions, "PROGRAM", program)
    alive = asyncio.Event()
    message = OtherSessions._message

    async def noting(self: OtherSessions, worker: asyncio.subprocess.Process) -> bytes:
        found = await message(self, worker)
        alive.set()
        return found

    monkeypatch.setattr(OtherSessions, "_message", noting)
    async with reading(tmp_path) as home:
        task = asyncio.create_task(home.others.read())
        await alive.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(ProcessLookupError):
            os.kill(int(noted.read_text()), signal.SIGKILL)


def test_settings_turn_it_off_and_accounts_have_homes_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "own"))
    text = f"accounts: [{{name: work, codex_home: {tmp_path}/work}}]"
    from engine.config.settings import parse

    found = {home.account: os.fsdecode(home.path) for home in session_homes(parse(text, "c"))}
    assert found == {"default": str(tmp_path / "own"), "work": str(tmp_path / "work")}
    monkeypatch.setenv("CODEX_HOME", "relative")
    monkeypatch.chdir(tmp_path)
    (home,) = session_homes(Config())
    assert os.fsdecode(home.path) == str(tmp_path / "relative")
    assert session_homes(Config(usage=UsageSettings(other_sessions=False))) == []


async def test_sessions_of_an_account_of_the_settings_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "own"))
    from engine.config.settings import parse

    config = parse(f"accounts: [{{name: work, codex_home: {tmp_path}/codex}}]", "c")
    async with reading(tmp_path, homes=lambda: session_homes(config)) as home:
        write(home.sessions, thread_of(1, 100))
        await home.others.read()
        assert (await home.others.progress()).failure == ""
        sums = await home.store.usage.sums(UsageQuery(UsageGroup.ACCOUNT))
        assert [(one.key, one.usage.input) for one in sums] == [("work", 100)]


def test_compressed_and_archived_copies_are_the_same_thread(tmp_path: Path) -> None:
    thread = thread_of(1, 100, 200)
    path, ledger = write(tmp_path, thread, lines=6), Ledger(tmp_path)
    try:
        ledger.read()
        archive = tmp_path / "archived_sessions"
        archive.mkdir()
        compress(path).rename(archive / f"{path.name}.zst")
        ledger.read(is_complete=False)
        write(tmp_path, thread)
        ledger.read(is_complete=False)
        assert ledger.total() == 300
    finally:
        ledger.close()


async def test_limits_are_kept_of_other_sessions_but_not_of_runs(tmp_path: Path) -> None:
    async with reading(tmp_path) as home:
        mine, other = thread_of(1, 100), thread_of(2, 100)
        await _claimed(home.store, mine.id)
        for thread, percent in ((mine, 11.0), (other, 22.0)):
            thread.at = time.time() - 60
            window = {"used_percent": percent, "window_minutes": 300, "resets_at": None}
            limits = {"primary": window, "secondary": {**window, "used_percent": float("1e300")}}
            thread.add("event_msg", {"type": "token_count", "info": None, "rate_limits": limits})
            write(home.sessions, thread)
        await home.others.read()
        samples = await home.store.usage.latest_samples(time.time())
        assert [(it.account, it.name, it.used_percent) for it in samples] == [
            ("default", "primary", 22.0),
            ("default", "secondary", 1000.0),
        ]


async def test_package_that_is_removed_takes_nothing_from_the_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package/engine"
    shutil.copytree(other_sessions.PACKAGE, package)
    monkeypatch.setattr(other_sessions, "PACKAGE", package)
    child_files.hold_package(package, other_sessions.PARTS)
    shutil.rmtree(package)
    async with reading(tmp_path) as home:
        write(home.sessions, thread_of(1, 100))
        await home.others.read()
        assert (await home.others.progress()).problem == ""
        assert await home.tokens() == 100
