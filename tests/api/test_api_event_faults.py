"""The task behind the streams is made to fail, once and for ever: no event is lost."""

from __future__ import annotations

import asyncio

import faulty
import pytest
from event_client import Sent, received, serving
from support import LIMIT_S, played
from task_names import OF_API

from engine.domain.api_token import Scope
from engine.engine import Engine
from engine.execution import faults, task_tree
from tui.cli.api import event_streams, streams
from tui.cli.api.context import ApiContext
from tui.cli.api.event_feed import TASK


def test_every_task_of_the_api_is_made_to_fail_here() -> None:
    assert {TASK, "streams"} == OF_API


@pytest.mark.parametrize("times", [1, 3])
async def test_stream_of_a_revoked_token_ends_also_after_faults(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    monkeypatch.setattr(task_tree, "BACKOFF", faulty.QUICK)
    monkeypatch.setattr(faults, "inject", faulty.Faulty(("streams",), times).meet)
    monkeypatch.setattr(streams, "CHECK_S", 0.01)
    made = await engine.api_tokens.create("client", Scope.READ)
    stream = asyncio.create_task(asyncio.Event().wait())
    opened = streams.OpenStreams(ApiContext(engine), 10, 10)
    opened.add(made.token, stream)
    await engine.api_tokens.revoke("client")
    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(asyncio.CancelledError):
            await stream
    assert opened.is_ended(stream)
    opened.remove(stream)


@pytest.mark.parametrize("times", [1, float("inf")])
async def test_events_arrive_where_the_feed_fails(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, times: float
) -> None:
    """A stream that gets nothing new says so, and what is stored arrives on the next one."""
    monkeypatch.setattr(task_tree, "BACKOFF", faulty.QUICK)
    monkeypatch.setattr(faults, "inject", faulty.Faulty((TASK,), times).meet)
    monkeypatch.setattr(event_streams, "HEARTBEAT_S", 0.1)
    first = await played(engine, "say one")
    found = list[Sent]()

    def last() -> int:
        return next((one.id for one in reversed(found) if one.id), 0)

    async def work() -> None:
        run = await played(engine, "say two")
        await engine.annotations.note(run.id, "the last event")

    def is_mark(one: Sent) -> bool:
        return one.data.get("type") == "annotation"

    async with serving(engine) as served, asyncio.timeout(LIMIT_S):
        working = asyncio.create_task(work())
        while not found or not is_mark(found[-1]):
            found += await received(served.address, "/v1/events/stream", last(), is_last=is_mark)
        await working
    stored = await engine.history(None).page(after=0, limit=1000)
    assert [one.id for one in found if one.id] == [number for number, _ in stored]
    assert stored[0][1].run == first.id != stored[-1][1].run
    problems = [one.data for one in found if one.name == "problem"]
    assert bool(problems) is (times > 1)
    for problem in problems:
        assert problem["code"] == "INTERNAL"
        assert faulty.TEXT in problem["detail"]
