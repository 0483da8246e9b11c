"""Operations on runs over HTTP."""

from __future__ import annotations

import msgspec
from litestar import Litestar
from litestar.testing import AsyncTestClient
from support import played

from engine.engine import Engine
from tui.cli.json import ShownRunJson


async def test_run_is_shown(engine: Engine, client: AsyncTestClient[Litestar]) -> None:
    run = await played(engine, "say hello")
    answer = await client.get(f"/v1/runs/{run.id}")
    assert answer.status_code == 200
    assert msgspec.json.decode(answer.content, type=ShownRunJson).id == run.id


async def test_unknown_run_is_a_problem(client: AsyncTestClient[Litestar]) -> None:
    answer = await client.get("/v1/runs/nothing")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "RUN_NOT_FOUND"
    assert answer.json()["recovery"]
