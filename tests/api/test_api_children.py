"""Runs that are started for another run, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient, Response
from support import script, settled, spec, until

from engine.domain.budget import Budget
from engine.domain.model import Run, Sandbox, Status, WorkspaceKind, WorkspaceSpec
from engine.engine import Engine


@pytest.fixture
async def parent(engine: Engine, tmp_path: Path) -> AsyncGenerator[Run]:
    """A run that works on a copy of a folder."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.txt").write_text("a")
    wish = WorkspaceSpec(WorkspaceKind.COPY, str(source.resolve()))
    asked = spec("hang", workspace=wish, budget=Budget(1000), sandbox=Sandbox.READ_ONLY)
    run = await engine.start(asked)
    await until(engine, lambda: engine.view.runs[run.id].status is Status.RUNNING)
    yield engine.view.runs[run.id]
    await engine.cancel_all(list(engine.view.live), kill=True)
    await settled(engine)


async def start(client: AsyncClient, parent: Run, **body: Any) -> Response:
    return await client.post(
        "/v1/runs", json={"parent": parent.id, "prompt": script("hang"), **body}
    )


async def test_child_is_below_its_parent_with_its_source_and_rights(
    client: AsyncClient, parent: Run
) -> None:
    answer = await start(client, parent, budget="100")
    assert answer.status_code == 201, answer.text
    child = answer.json()
    assert child["parent"] == parent.id
    assert child["sandbox"] == "read-only"
    assert parent.workspace
    found = (await client.get("/v1/runs", params={"filter": f"parent:{parent.id}"})).json()
    assert [run["id"] for run in found] == [child["id"]]


@pytest.mark.parametrize(
    "more",
    [
        {"sandbox": "workspace-write"},
        {"budget": "2000"},
        {"env": {"A": "b"}},
        {"verify": "true"},
        {"add_dirs": ["/tmp"]},
        {"trust": True},
        {"ignore_pace": True},
        {"in_place": "/tmp"},
        {"copy": "/usr/share"},
    ],
    ids=lambda more: next(iter(more)),
)
@pytest.mark.parametrize("path", ["/v1/runs", "/v1/batches"])
async def test_child_has_no_more_rights_than_its_parent(
    engine: Engine, client: AsyncClient, parent: Run, more: dict[str, Any], path: str
) -> None:
    batch = {"tasks": ["say one"]} if path == "/v1/batches" else {"prompt": script("hang")}
    answer = await client.post(path, json={"parent": parent.id, **batch, **more})
    assert (answer.status_code, answer.json()["code"]) == (403, "RIGHTS_EXCEEDED"), answer.text
    assert len(await engine.runs()) == 1


async def test_row_of_a_batch_has_no_more_rights_than_the_parent(
    engine: Engine, client: AsyncClient, parent: Run
) -> None:
    rows = [{"prompt": "say one"}, {"prompt": "say two", "add_dirs": "/tmp"}]
    answer = await client.post("/v1/batches", json={"parent": parent.id, "rows": rows})
    assert (answer.status_code, answer.json()["code"]) == (403, "RIGHTS_EXCEEDED"), answer.text
    assert len(await engine.runs()) == 1


async def test_batch_is_below_its_parent(engine: Engine, client: AsyncClient, parent: Run) -> None:
    body = {"parent": parent.id, "tasks": [script("hang"), script("hang")]}
    assert (await client.post("/v1/batches", json=body)).status_code == 201
    runs = [run for run in await engine.runs() if run.id != parent.id]
    assert [run.spec.parent for run in runs] == [parent.id] * 2
    assert {run.spec.budget for run in runs} == {Budget(500)}


async def test_starts_at_once_do_not_share_what_is_left_of_a_budget(
    client: AsyncClient, parent: Run
) -> None:
    answers = await asyncio.gather(*(start(client, parent, budget="800") for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [201, 403]


async def test_ended_or_unknown_run_is_no_parent(
    engine: Engine, client: AsyncClient, parent: Run
) -> None:
    unknown = await client.post("/v1/runs", json={"parent": "zzz", "prompt": "x"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "RUN_NOT_FOUND")
    await engine.cancel(parent.id, kill=True)
    ended = await start(client, parent)
    assert (ended.status_code, ended.json()["code"]) == (409, "PARENT_ENDED")
