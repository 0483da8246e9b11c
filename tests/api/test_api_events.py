"""Pages of events over HTTP, and streams of runs that have ended."""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
import pytest
from event_client import received, serving
from litestar import Litestar
from litestar.testing import AsyncTestClient
from support import played

from engine.domain.events import event_json
from engine.engine import Engine
from tui.cli.json import RunJson

Client = AsyncTestClient[Litestar]


async def pages(client: Client, path: str) -> list[dict[str, Any]]:
    """Read all pages, one after another."""
    found: list[dict[str, Any]] = []
    while True:
        answer = await client.get(path)
        assert answer.status_code == 200, answer.text
        found += answer.json()
        if "next" not in answer.links:
            return found
        path = answer.links["next"]["url"]


async def logged(engine: Engine, run: str) -> list[dict[str, Any]]:
    """Return the lines of `logs --json`."""
    return [json.loads(json.dumps(event_json(event))) for event in await engine.events(run)]


async def test_pages_are_the_log_of_the_command(engine: Engine, client: Client) -> None:
    run = await played(engine, "write a.txt hello", "say done", "write b.txt", "say more")
    log = await logged(engine, run.id)
    assert len(log) > 8
    for limit in (1, 3, len(log), 1000):
        assert await pages(client, f"/v1/runs/{run.id}/events?limit={limit}") == log
        back = await pages(client, f"/v1/runs/{run.id}/events?before=100000&limit={limit}")
        assert sorted(back, key=lambda event: event["seq"]) == log
    found = await pages(client, f"/v1/runs/{run.id}/events?type=step&type=files&limit=2")
    assert found == [event for event in log if event["type"] in ("step", "files")]
    assert found


async def test_pages_of_all_runs_are_in_the_order_of_the_store(
    engine: Engine, client: Client
) -> None:
    runs = [await played(engine, "say one"), await played(engine, "say two")]
    stored = await engine.history(None).page(after=0, limit=10_000)
    wanted = [(event.run, event.seq) for _, event in stored]
    assert {run for run, _ in wanted} == {run.id for run in runs}
    for limit in (2, 1000):
        found = await pages(client, f"/v1/events?limit={limit}")
        assert [(event["run"], event["seq"]) for event in found] == wanted
    answer = await client.get("/v1/events?limit=3")
    assert answer.headers["last-event-id"] == str(stored[2][0])
    only = await pages(client, "/v1/events?type=status&limit=2")
    assert [event["seq"] for event in only] == [e.seq for _, e in stored if e.body.type == "status"]


@pytest.mark.parametrize(
    "query",
    [
        "after=-1",
        "after=x",
        "after=1.5",
        f"after={10**30}",
        "limit=0",
        "limit=100000",
        "type=nothing",
        "type=%00%ff",
        "before=-1",
        "before=5&after=5",
    ],
)
async def test_invalid_pages_are_problems(engine: Engine, client: Client, query: str) -> None:
    run = await played(engine, "say one")
    for path in ("/v1/events", f"/v1/runs/{run.id}/events"):
        answer = await client.get(f"{path}?{query}")
        assert answer.status_code == 400, (path, answer.text)
        assert answer.json()["code"] == "INPUT_INVALID"


async def test_stream_of_an_ended_run_is_its_log_and_its_end(
    engine: Engine, client: Client
) -> None:
    run = await played(engine, "write a.txt hello", "say one\\u2028two\\r\\nthree", "say done")
    log = await logged(engine, run.id)
    async with serving(engine) as served:
        path = f"/v1/runs/{run.id}/events/stream"
        *events, end = await received(served.address, path)
        assert [one.data for one in events] == log
        assert [one.id for one in events] == [event["seq"] for event in log]
        assert (end.name, end.id) == ("end", None)
        assert msgspec.convert(end.data, RunJson).id == run.id
        assert end.data["status"] == "succeeded"
        for after in random.Random(1).sample(range(len(log) + 3), 5):
            *events, end = await received(served.address, path, after)
            assert [one.data for one in events] == log[after:]
            *events, end = await received(served.address, f"{path}?after={after}")
            assert [one.data for one in events] == log[after:]
        *events, end = await received(served.address, f"{path}?type=step&after=3")
        assert [one.data for one in events] == [e for e in log[3:] if e["type"] == "step"]


@pytest.mark.parametrize("id", ["x", "-1", "1.5", "٣", "1 2", "9" * 40, "0x1"])
async def test_garbage_as_last_event_id_is_a_problem(
    engine: Engine, client: Client, id: str
) -> None:
    run = await played(engine, "say one")
    headers = {"Last-Event-ID": id.encode()}
    for path in ("/v1/events/stream", f"/v1/runs/{run.id}/events/stream"):
        answer = await client.get(path, headers=headers)  # pyright: ignore[reportArgumentType]  bytes are what a hostile client sends
        assert answer.status_code == 400, answer.text
        assert answer.json()["code"] == "INPUT_INVALID"


async def test_streams_of_what_is_not_there_are_problems(client: Client) -> None:
    for path in ("/v1/runs/nothing/events", "/v1/runs/nothing/events/stream"):
        assert (await client.get(path)).json()["code"] == "RUN_NOT_FOUND"
    answer = await client.get("/v1/events/stream?batch=nothing")
    assert answer.json()["code"] == "BATCH_NOT_FOUND"


async def test_each_line_of_a_stream_is_ascii(engine: Engine) -> None:
    """Line separators of Unicode would end a line for some clients."""
    run = await played(engine, "say a\u2028b\u0085c")
    async with serving(engine) as served:
        found = await received(served.address, f"/v1/runs/{run.id}/events/stream")
    texts = [one.data.get("text") for one in found if one.data.get("role") == "assistant"]
    assert texts
    assert json.dumps(texts).isascii()
