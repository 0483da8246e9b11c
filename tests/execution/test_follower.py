"""From spool files to stored events: each once, whatever fails in between."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest
from support import LIMIT_S, spec, texts

from engine.agents.base import EMPTY_STATE, OutputReader
from engine.agents.registry import agent_of
from engine.config.paths import AttemptFolder, Paths
from engine.domain.errors import user_error
from engine.execution import follower as module
from engine.execution.attempt_cursor import AttemptCursor, cursor_text
from engine.execution.executor import ProcessEnd
from engine.execution.follower import Commit, OutputFollower
from engine.execution.local import process
from engine.execution.local.executor import LocalExecutor
from engine.execution.local.process import AttemptProcess
from engine.store.appending import AppendRequest, LostOwnership
from engine.store.store import Store, open_store

NOWHERE = Path("/nowhere/codex")


def reader(state: bytes) -> OutputReader:
    return agent_of("codex").reader(state, "/w", NOWHERE)


SLOW_CAT = """
import sys, time
for line in sys.stdin:
    print(line, end="", flush=True)
    time.sleep(0.001)
"""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[Store]:
    async with open_store(tmp_path / "swarm.db") as opened:
        yield opened


@asynccontextmanager
async def following(commit: Commit) -> AsyncGenerator[OutputFollower]:
    follower = OutputFollower(LocalExecutor(Paths(NOWHERE, NOWHERE)), commit)
    task = asyncio.create_task(follower.run())
    try:
        yield follower
        assert not task.done()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def new_run(store: Store) -> tuple[str, str]:
    """A run and its stored cursor."""
    run = next(iter((await store.create(spec(), [])).runs))
    cursor = cursor_text(AttemptCursor(msgspec.Raw(EMPTY_STATE)))
    await store.append([AppendRequest(run, cursor=cursor)])
    return run, cursor


def message(text: str) -> bytes:
    item = {"id": "item_0", "type": "agent_message", "text": text}
    return json.dumps({"type": "item.completed", "item": item}).encode() + b"\n"


async def printing(folder: AttemptFolder, data: bytes, exit_code: int = 0) -> AttemptProcess:
    """A process that prints these bytes."""
    folder.path.mkdir(exist_ok=True)
    folder.prompt.write_bytes(data)
    text = f"cat; exit {exit_code}"
    return await process.start(folder, ["/bin/sh", "-c", text], {}, folder.path)


async def end(done: asyncio.Future[ProcessEnd]) -> ProcessEnd:
    async with asyncio.timeout(LIMIT_S):
        return await done


async def test_a_flood_arrives_whole_and_in_order(store: Store, attempt: AttemptFolder) -> None:
    run, cursor = await new_run(store)
    data = b"".join(message(f"n {n}") for n in range(20_000))
    async with following(store.append) as follower:
        it = follower.follow(run, await printing(attempt, data, 3), cursor, reader)
        assert await end(it.done) == ProcessEnd(3)
    events = await store.events(run)
    assert [event.seq for event in events] == list(range(1, 20_002))
    assert texts(events) == [f"n {n}" for n in range(20_000)]
    assert f'"offset":{len(data)}' in (await store.cursor(run, 1) or "")


async def test_a_line_of_ten_megabytes_and_one_without_an_end(
    store: Store, attempt: AttemptFolder
) -> None:
    run, cursor = await new_run(store)
    data = message("x" * 10_000_000) + message("after") + message("last")[:-1]
    async with following(store.append) as follower:
        it = follower.follow(run, await printing(attempt, data), cursor, reader)
        await end(it.done)
    long, *rest = texts(await store.events(run))
    assert long.startswith("xxx")
    assert rest == ["after", "last"]


async def test_a_failed_commit_loses_nothing_and_doubles_nothing(
    store: Store, attempt: AttemptFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0)
    monkeypatch.setattr(module, "LINES_A_TICK", 10)
    run, cursor = await new_run(store)
    tries = 0

    async def commit(entries: Sequence[AppendRequest]) -> object:
        nonlocal tries
        tries += 1
        if tries % 3:
            raise user_error("DATABASE_LOCKED")
        return await store.append(entries)

    data = b"".join(message(f"n {n} {'x' * 3000}") for n in range(1000)) + b"cut"
    async with following(commit) as follower:
        it = follower.follow(run, await printing(attempt, data), cursor, reader)
        await end(it.done)
    assert tries > 9
    events = await store.events(run)
    assert [int(text.split()[1]) for text in texts(events)] == list(range(1000))
    assert events[-1].body.data == "cut"


async def test_another_follower_goes_on_where_the_first_was_cut_off(
    store: Store, attempt: AttemptFolder
) -> None:
    run, _ = await new_run(store)
    attempt.prompt.write_bytes(b"".join(message(f"n {n}") for n in range(400)))
    it = await process.start(attempt, [sys.executable, "-c", SLOW_CAT], {}, attempt.path)
    rounds = 0
    while True:
        rounds += 1
        async with following(store.append) as follower:
            done = follower.follow(run, it, await store.cursor(run, 1), reader).done
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(done), 0.1)
                break
    assert rounds > 1
    assert texts(await store.events(run)) == [f"n {n}" for n in range(400)]


async def test_a_flood_does_not_starve_the_others(store: Store, tmp_path: Path) -> None:
    flood, quiet = await new_run(store), await new_run(store)
    data = b"".join(message(f"n {n}") for n in range(20_000))
    async with following(store.append) as follower:
        loud = await printing(AttemptFolder(tmp_path / "loud"), data)
        first = follower.follow(flood[0], loud, flood[1], reader)
        soft = await printing(AttemptFolder(tmp_path / "soft"), message("hello"))
        second = follower.follow(quiet[0], soft, quiet[1], reader)
        await end(second.done)
        assert not first.done.done()
        await end(first.done)
    assert texts(await store.events(quiet[0])) == ["hello"]
    assert len(texts(await store.events(flood[0]))) == 20_000


async def test_what_is_forgotten_is_followed_no_longer(
    store: Store, attempt: AttemptFolder
) -> None:
    run, cursor = await new_run(store)
    it = await process.start(attempt, ["sleep", "300"], {}, attempt.path)
    async with following(store.append) as follower:
        done = follower.follow(run, it, cursor, reader).done
        follower.forget(run)
        follower.forget(run)
        await it.stop(0)
        await asyncio.sleep(module.TICK_S * 3)
        assert not done.done()


async def test_who_lost_a_run_to_another_follower_still_serves_the_others(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0)
    lost, kept = await new_run(store), await new_run(store)
    async with following(store.append) as follower:
        folders = [AttemptFolder(tmp_path / name) for name in ("lost", "kept")]
        its = [await printing(folder, message("hello")) for folder in folders]
        await store.append([AppendRequest(lost[0], cursor="elsewhere", cursor_before=lost[1])])
        first = follower.follow(lost[0], its[0], lost[1], reader)
        second = follower.follow(kept[0], its[1], kept[1], reader)
        with pytest.raises(LostOwnership):
            await end(first.done)
        assert await end(second.done) == ProcessEnd(0)
    assert texts(await store.events(lost[0])) == []
    assert texts(await store.events(kept[0])) == ["hello"]


async def test_a_spool_file_that_cannot_be_read_stops_nobody_else(
    store: Store, tmp_path: Path
) -> None:
    bad, good = await new_run(store), await new_run(store)
    async with following(store.append) as follower:
        folders = [AttemptFolder(tmp_path / name) for name in ("bad", "good")]
        its = [await printing(folder, message("hello")) for folder in folders]
        folders[0].stdout.unlink()
        folders[0].stdout.symlink_to("/etc/passwd")
        first = follower.follow(bad[0], its[0], bad[1], reader)
        second = follower.follow(good[0], its[1], good[1], reader)
        with pytest.raises(OSError, match="symbolic links"):
            await end(first.done)
        await end(second.done)
    assert texts(await store.events(good[0])) == ["hello"]
