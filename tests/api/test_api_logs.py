"""Logs, search, usage and webhooks over HTTP: the same as the commands print."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient
from support import played

from engine.engine import Engine
from tui.cli.json import FoundJson, UsageJson

Client = AsyncTestClient[Litestar]


async def test_log_is_the_text_of_the_command(engine: Engine, client: Client) -> None:
    run = await played(engine, "say hello there", "stderr oops", "write a.txt x", "say the end")
    path = f"/v1/runs/{run.id}/log"
    answer = await client.get(path)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    lines = answer.text.splitlines()
    assert any("hello there" in line for line in lines)
    assert (await client.get(f"{path}?tail=2")).text.splitlines() == lines[-2:]
    assert (await client.get(f"{path}?start=7")).text == answer.text[7:]
    assert len((await client.get(f"{path}?bookkeeping=true")).text) > len(answer.text)


async def test_output_of_an_attempt_is_sent_byte_for_byte(engine: Engine, client: Client) -> None:
    run = await played(
        engine, "say hello there", "stderr oops\\u202e", r"raw \xff\x1b[31m", "say z"
    )
    path = f"/v1/runs/{run.id}/log"
    raw = (await client.get(f"{path}?part=raw")).content
    assert b"\xff" in raw
    assert (await client.get(f"{path}?part=raw&start=10")).content == raw[10:]
    assert (await client.get(f"{path}?part=raw&tail=1")).content == raw.splitlines(True)[-1]
    assert "oops\u202e" in (await client.get(f"{path}?part=stderr")).text
    assert (await client.get(f"{path}?part=message")).text.strip() == "z"
    for part in ("setup", "verify"):
        answer = await client.get(f"{path}?part={part}")
        assert (answer.status_code, answer.json()["code"]) == (404, "RUN_NOT_FOUND")


@pytest.mark.parametrize("query", ["part=x", "tail=0", "start=-1", "tail=x", f"start={10**40}"])
async def test_invalid_requests_for_a_log_are_problems(
    engine: Engine, client: Client, query: str
) -> None:
    run = await played(engine, "say hello")
    answer = await client.get(f"/v1/runs/{run.id}/log?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "INPUT_INVALID")


async def test_words_are_found(engine: Engine, client: Client) -> None:
    run = await played(engine, "say the quick brown fox", project="one")
    await played(engine, "say the brown bear", project="two")

    async def found(query: str) -> list[tuple[str, str]]:
        answer = await client.get(f"/v1/search?{query}")
        hits = msgspec.json.decode(answer.content, type=FoundJson).hits
        return [(hit.run, hit.what) for hit in hits]

    assert {run for run, _ in await found("q=brown&q=fox")} == {run.id}
    assert {run for run, _ in await found("q=quick%20brown")} == {run.id}
    assert await found("q=quick%20fox") == []
    assert {run for run, _ in await found("q=brown&project=one")} == {run.id}
    assert await found("q=brown&status=failed") == []
    assert len(await found("q=brown&limit=1")) == 1
    for query in ("", "q=", "q=%20", "q=x&limit=0", "q=x&status=nothing"):
        answer = await client.get(f"/v1/search?{query}")
        assert answer.status_code == 400, (query, answer.text)


async def test_usage_is_that_of_the_command(engine: Engine, client: Client) -> None:
    run = await played(engine, "usage input=1000 output=50", "say done", project="one")
    await played(engine, "usage input=10 output=5", "say done", project="two")

    async def usage(query: str = "") -> UsageJson:
        answer = await client.get(f"/v1/usage?runs_only=true&{query}")
        assert answer.status_code == 200, answer.text
        return msgspec.json.decode(answer.content, type=UsageJson)

    assert (await usage()).total.tokens.input == 1010
    found = await usage("by=run&filter=project:one")
    assert [(row.key, row.title) for row in found.rows] == [(run.id, run.spec.title)]
    assert len((await usage("by=project&limit=1")).rows) == 1
    assert (await usage("until=2020-01-01")).rows == []
    csv = await client.get("/v1/usage?by=project&format=csv")
    assert csv.headers["content-type"].startswith("text/csv")
    assert csv.text.splitlines()[0].startswith("by,")
    by_header = await client.get("/v1/usage?by=project", headers={"Accept": "text/csv"})
    assert by_header.text == csv.text


@pytest.mark.parametrize(
    "query",
    ["by=x", "since=x", "since=3d&until=5d", "limit=0", "format=x", "filter=status:nothing",
     "since=%00"],
)  # fmt: skip
async def test_invalid_requests_for_usage_are_problems(client: Client, query: str) -> None:
    answer = await client.get(f"/v1/usage?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "INPUT_INVALID"), answer.text


async def test_webhooks_without_receivers(client: Client) -> None:
    async def answers(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = await client.request(method, f"/v1/webhooks{path}", json=body)
        return answer.status_code, answer.json()

    assert await answers("GET", "") == (200, [])
    assert await answers("GET", "/deliveries?state=parked") == (200, [])
    assert await answers("POST", "/retry", {"all": True}) == (200, {"again": 0})
    for path, body in (
        ("/nothing/test", None),
        ("/retry", {"names": ["nothing"]}),
        ("/retry", {"names": ["msg_nothing"]}),
    ):
        status, problem = await answers("POST", path, body)
        assert (status, problem["code"]) == (404, "WEBHOOK_NOT_FOUND")
    invalid: tuple[Any, ...] = ({}, {"names": ["a"], "all": True}, {"names": 5}, [], {"other": 1})
    for body in invalid:
        status, problem = await answers("POST", "/retry", body)
        assert (status, problem["code"]) == (400, "INPUT_INVALID"), body
