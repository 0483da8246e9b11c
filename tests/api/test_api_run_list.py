"""The list of runs over HTTP: filters, order and pages."""

from __future__ import annotations

import re
from typing import Any

import pytest
from httpx import AsyncClient
from support import played, settled, spec

from engine.domain.model import Status
from engine.engine import Engine
from tui.cli.api.run_filters import StatusFilter
from tui.cli.support.run_selection import NEEDS_YOU


async def listed(client: AsyncClient, query: str) -> list[str]:
    answer = await client.get(f"/v1/runs?{query}")
    assert answer.status_code == 200, answer.text
    return [run["title"] for run in answer.json()]


async def pages(client: AsyncClient, query: str) -> list[list[str]]:
    """Follow the links to the end, and return the titles of each page."""
    found, path = list[list[str]](), f"/v1/runs?{query}"
    while path:
        answer = await client.get(path)
        assert answer.status_code == 200, answer.text
        found.append([run["title"] for run in answer.json()])
        link = re.fullmatch(r'<(/v1/runs\?.*)>; rel="next"', answer.headers.get("Link", ""))
        path = link[1] if link else ""
    return found


@pytest.fixture
async def runs(engine: Engine) -> None:
    for number in range(5):
        lines = ["fail"] if number == 3 else ["say hello"]
        await played(engine, *lines, title=f"t{number}", project="shop" if number < 2 else "garden")
    await settled(engine)


@pytest.mark.usefixtures("runs")
async def test_filters_are_those_of_the_command(engine: Engine, client: AsyncClient) -> None:
    names = [run.id for run in await engine.runs()]
    await engine.annotations.tag([names[0]], ["release"])
    await engine.annotations.archive([names[4]])
    assert await listed(client, "") == ["t4", "t3", "t2", "t1"]
    assert await listed(client, "status=failed") == ["t3"]
    assert await listed(client, "status=failed&status=succeeded") == ["t4", "t3", "t2", "t1"]
    assert await listed(client, "status=needs-you") == ["t3"]
    assert await listed(client, "project=shop") == ["t1"]
    assert await listed(client, "archived=true") == ["t0"]
    assert await listed(client, "filter=tag:release") == ["t4"]
    assert await listed(client, "filter=!status:failed+t1") == ["t1"]
    assert await listed(client, "since=2h&sort=oldest") == ["t1", "t2", "t3", "t4"]
    assert await listed(client, "since=2999-01-01") == []
    assert await listed(client, "sort=title&limit=2") == ["t1", "t2"]


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("limit=2", [["t4", "t3"], ["t2", "t1"], ["t0"]]),
        ("limit=5", [["t4", "t3", "t2", "t1", "t0"]]),
        ("limit=1&status=succeeded&project=garden", [["t4"], ["t2"]]),
        ("limit=1&filter=project:shop", [["t1"], ["t0"]]),
        ("limit=2&sort=oldest", [["t0", "t1"], ["t2", "t3"], ["t4"]]),
        ("limit=3&sort=title", [["t0", "t1", "t2"], ["t3", "t4"]]),
    ],
)
async def test_pages(query: str, titles: list[list[str]], client: AsyncClient) -> None:
    assert await pages(client, query) == titles


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("sort", ["newest", "oldest"])
async def test_pages_stand_still_while_runs_are_added(
    sort: str, engine: Engine, client: AsyncClient
) -> None:
    first = await client.get(f"/v1/runs?limit=2&sort={sort}")
    following = first.links["next"]["url"]
    await engine.start(spec(title="late"))
    second = await client.get(following)
    assert [run["title"] for run in second.json()] == ["t2", "t1" if sort == "newest" else "t3"]
    third = await client.get(second.links["next"]["url"])
    assert [run["title"] for run in third.json()] == ["t0" if sort == "newest" else "t4"]
    assert "next" not in third.links
    await settled(engine)


@pytest.mark.usefixtures("runs")
async def test_filtered_pages_read_few_runs(
    engine: Engine, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of the newest runs does not read the whole history."""
    read: list[int] = []
    runs = engine.runs

    async def counted(**wanted: Any) -> Any:
        found = await runs(**wanted)
        read.append(len(found))
        return found

    monkeypatch.setattr(engine, "runs", counted)
    await client.get("/v1/runs?limit=1")
    assert read[0] == 2


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=99999999999999999999999",
        "limit=x",
        "sort=colour",
        "status=fine",
        "since=whenever",
        "cursor=%00",
        "cursor=x",
        "cursor=bm90IGpzb24",
        "cursor=WyJhIiwtMV0",
        "cursor=%ed%a0%80",
        "cursor=" + "a" * 501,
        "filter=is:nothing",
        "filter=" + "a" * 10_001,
        "archived=perhaps",
    ],
    ids=lambda query: query[:30],
)
async def test_invalid_query_is_a_problem(query: str, client: AsyncClient) -> None:
    answer = await client.get(f"/v1/runs?{query}")
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] == "INPUT_INVALID"


@pytest.mark.parametrize("query", ["filter=%00", "project=%ed%a0%80", "unknown=1", "filter=%22"])
async def test_odd_query_lists_nothing(query: str, client: AsyncClient) -> None:
    assert await listed(client, query) == []


async def test_unknown_batch_is_not_found(client: AsyncClient) -> None:
    assert (await client.get("/v1/runs?batch=nothing")).status_code == 404


def test_every_status_can_be_chosen() -> None:
    assert set(map(str, StatusFilter)) == {*map(str, Status), NEEDS_YOU}
