"""Streams of events while runs work: each event once, in order, from any point on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest
from event_client import Sent, received, serving, stream
from support import LIMIT_S, becomes, played, settled, spec, until

from engine.domain.model import Run, Status
from engine.engine import Engine
from tui.cli.api import event_feed, event_sources, event_streams
from tui.cli.api.context import ApiContext
from tui.cli.api.event_sources import HomeEvents, StoredPage
from tui.cli.api.event_streams import EventStreamer

SMALL_PIECES = 600
"""Bytes of events that a stream gets at a time, where a test is about many pieces."""


def keys(found: list[Sent]) -> list[tuple[str, int]]:
    """Return the run and the seq of the events of a stream."""
    return [(one.data["run"], one.data["seq"]) for one in found if one.name == "message"]


async def stored(engine: Engine, run: str | None = None) -> list[tuple[str, int]]:
    """Return the run and the seq of the stored events."""
    found = [event for _, event in await engine.history(None).page(after=0, limit=100_000)]
    return [(event.run, event.seq) for event in found if run in (None, event.run)]


async def in_pieces(
    address: str, path: str, is_last: Callable[[Sent], bool], seed: int
) -> list[Sent]:
    """Read a stream with many connections, each of which ends at a random event."""
    chance, found = random.Random(seed), list[Sent]()
    while not found or not is_last(found[-1]):
        last = next((one.id for one in reversed(found) if one.id is not None), 0)
        found += await received(address, path, last, most=chance.randint(0, 7), is_last=is_last)
    return found


@pytest.mark.parametrize("seed", range(3))
async def test_each_event_arrives_once_over_reconnects(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Also where a stream falls behind what is kept for all, and pages are small."""
    monkeypatch.setattr(event_feed, "KEPT_EVENTS", (1, 7, 5000)[seed])
    monkeypatch.setattr(event_sources, "PAGE", (2, 3, 100)[seed])
    monkeypatch.setattr(event_feed, "PIECE_BYTES", SMALL_PIECES)
    prompt = [f"say line {number}" for number in range(12)]
    runs = [await engine.start(spec(*prompt, title=str(number))) for number in range(3)]

    async def mark_end() -> None:
        await settled(engine)
        await engine.annotations.note(runs[0].id, "the last event")

    def is_mark(one: Sent) -> bool:
        return one.data["type"] == "annotation"

    async with serving(engine) as served, asyncio.timeout(LIMIT_S):
        marking = asyncio.create_task(mark_end())
        of_home, *of_runs = await asyncio.gather(
            in_pieces(served.address, "/v1/events/stream", is_mark, seed),
            *(
                in_pieces(
                    served.address,
                    f"/v1/runs/{run.id}/events/stream",
                    lambda one: one.name == "end",
                    seed,
                )
                for run in runs
            ),
        )
        await marking
    assert keys(of_home) == await stored(engine)
    for run, found in zip(runs, of_runs, strict=True):
        whole = await stored(engine, run.id)
        assert keys(found) == whole[: len(found) - 1]
        assert len(whole) - len(keys(found)) <= 1  # the mark, after the end of the run
        assert [one.id for one in found[:-1]] == [seq for _, seq in keys(found)]


async def test_stream_goes_on_from_the_past_without_a_gap(engine: Engine) -> None:
    """The run ends while the stream is open, and is retried before it is opened again."""
    run = await engine.start(spec("say one", "hang"))
    await until(engine, lambda: _works(engine, run))
    async with serving(engine) as served:
        path = f"/v1/runs/{run.id}/events/stream"
        reading = asyncio.create_task(received(served.address, path))
        await engine.cancel(run.id)
        *first, end = await reading
        assert end.data["status"] == "cancelled"
        await engine.retry(run.id)
        await until(engine, lambda: engine.view.runs[run.id].attempt == 2)
        reading = asyncio.create_task(received(served.address, path, first[-1].id))
        await engine.cancel(run.id)
        *second, end = await reading
        assert end.name == "end"
    assert keys(first + second) == await stored(engine, run.id)


def _works(engine: Engine, run: Run) -> bool:
    return engine.view.runs[run.id].status is Status.RUNNING


async def test_streams_of_all_runs_have_the_end_of_a_forgotten_run(engine: Engine) -> None:
    run = await played(engine, "say one")
    other = await played(engine, "say other")
    async with serving(engine) as served:
        async with stream(served.address, "/v1/events/stream?new=true") as sent:
            begin = await anext(sent)
            await engine.forgetting.forget([run.id])
            async for one in sent:
                if one.data and one.data["type"] == "forgotten":
                    assert (one.id, one.data["run"]) == (None, run.id)
                    break
        assert begin.id == (await engine.history(None).last())
        assert keys(await received(served.address, "/v1/events/stream", begin.id, most=0)) == []
        found = await received(served.address, f"/v1/runs/{other.id}/events/stream")
        assert keys(found) == await stored(engine)


async def test_silent_streams_have_heartbeats_and_end_with_the_server(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_streams, "HEARTBEAT_S", 0.02)
    path = "/v1/events/stream"
    async with serving(engine) as served, stream(served.address, path, after=2**50) as sent:
        for _ in range(3):
            assert (await anext(sent)).data == "heartbeat"
        served.context.stopping.set()
        assert [one async for one in sent if one.name != "comment"] == []


async def test_streams_of_a_project_and_a_batch(engine: Engine) -> None:
    await played(engine, "say zero", project="one")
    async with serving(engine) as served:
        path = "/v1/events/stream?project=one&type=status"
        async with stream(served.address, path) as sent:
            runs = [await played(engine, "say more", project=name) for name in ("two", "one")]
            found = list[Sent]()
            async for one in sent:
                found.append(one)
                if one.data["run"] == runs[1].id and one.data["status"] == "succeeded":
                    break
    assert {one.data["type"] for one in found} == {"status"}
    assert runs[0].id not in {one.data["run"] for one in found}
    assert len({one.data["run"] for one in found}) == 2


async def test_output_of_running_commands_is_live(engine: Engine) -> None:
    run = await engine.start(spec("stream 5 every=0.05", "say done", "hang", interactive=True))
    async with serving(engine) as served:
        for path in (f"/v1/runs/{run.id}/events/stream?live=true", "/v1/events/stream?live=true"):
            async with stream(served.address, path) as sent:
                outputs = (one async for one in sent if one.data and one.data["type"] == "output")
                one = await anext(outputs)
            assert one.id is None
            assert one.data["run"] == run.id
            assert one.data["text"]
    await engine.cancel(run.id, kill=True)
    await settled(engine)


async def test_slow_reader_delays_no_other_and_loses_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One client reads nothing while thousands of events happen; another one has them all."""
    monkeypatch.setattr(event_feed, "KEPT_EVENTS", 100)
    async with serving(engine) as served, stream(served.address, "/v1/events/stream") as slow:
        run = await played(engine, "flood 3000 size=2000")
        path = f"/v1/runs/{run.id}/events/stream"
        quick = await received(served.address, path)
        assert keys(quick) == await stored(engine)
        assert len(served.context.feed) <= 100
        found = [await anext(slow) for _ in range(len(quick) - 1)]
        assert keys(found) == keys(quick)


async def test_client_that_leaves_ends_its_stream(engine: Engine) -> None:
    async with serving(engine) as served:
        async with stream(served.address, "/v1/events/stream?new=true") as sent:
            await anext(sent)
            assert served.open_streams() == 1
        await becomes(lambda: served.open_streams() == 0)


async def test_new_events_are_read_once_for_all_streams(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reads of the store do not grow with the number of streams."""
    feed = ApiContext(engine).feed
    await feed.open()
    begin = await engine.history(None).last()
    reads = 0
    page = HomeEvents.page

    async def counted(source: HomeEvents, after: int) -> StoredPage:
        nonlocal reads
        reads += 1
        return await page(source, after)

    monkeypatch.setattr(HomeEvents, "page", counted)
    counts = [0] * 50

    async def follow(number: int) -> None:
        streamer = EventStreamer(engine, feed, HomeEvents(engine, feed.labels), begin)
        async for piece in streamer.pieces():
            counts[number] += piece.count(b"id: ")

    following = [asyncio.create_task(follow(number)) for number in range(len(counts))]
    await becomes(lambda: reads == len(counts))
    await played(engine, "flood 300")
    total = await engine.history(None).last() - begin
    assert total > 300
    await becomes(lambda: counts == [total] * len(counts))
    assert reads == len(counts), "each stream has read the past once, and nothing of the rest"
    feed.stopping.set()
    async with asyncio.timeout(LIMIT_S):
        await asyncio.gather(*following)
