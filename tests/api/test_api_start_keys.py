"""`Idempotency-Key` over HTTP: a repeated request starts nothing more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from api_clients import client_of
from httpx import AsyncClient, Response

from engine.domain.api_token import Scope
from engine.domain.start_key import KEPT_S
from engine.engine import Engine
from tui.cli.api.access import protected
from tui.cli.api.application import application
from tui.cli.api.context import ApiContext

Clients = Callable[[Scope | None], Awaitable[AsyncClient]]
BODY: dict[str, Any] = {"empty": True, "prompt": "say hello", "agent": "simulated"}
BATCH: dict[str, Any] = {**BODY, "tasks": ["say one", "say two"], "prompt": ""}


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


async def start(client: AsyncClient, key: str, path: str = "/v1/runs", **body: Any) -> Response:
    return await client.post(path, json=body or BODY, headers=keyed(key))


async def test_repeated_start_answers_with_the_first_run(
    engine: Engine, client: AsyncClient
) -> None:
    first, second = await start(client, "a"), await start(client, "a")
    assert first.status_code == second.status_code == 201
    assert first.json()["id"] == second.json()["id"]
    assert second.headers["location"] == first.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert len(await engine.runs()) == 1


async def test_repeated_batch_answers_with_the_first_batch(
    engine: Engine, client: AsyncClient
) -> None:
    first = await start(client, "a", "/v1/batches", **BATCH)
    second = await start(client, "a", "/v1/batches", **BATCH)
    assert first.status_code == second.status_code == 201
    assert first.json()["id"] == second.json()["id"]
    assert len(await engine.runs()) == 2


@pytest.mark.parametrize(("path", "body"), [("/v1/runs", BODY), ("/v1/batches", BATCH)])
async def test_duplicates_at_once_start_once(
    engine: Engine, client: AsyncClient, path: str, body: dict[str, Any]
) -> None:
    answers = await asyncio.gather(*(start(client, "a", path, **body) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(await engine.runs()) == (1 if path == "/v1/runs" else 2)


async def test_key_of_another_request_is_refused(engine: Engine, client: AsyncClient) -> None:
    await start(client, "a")
    other = await start(client, "a", **{**BODY, "prompt": "say something else"})
    assert other.status_code == 422
    assert other.json()["code"] == "IDEMPOTENCY_KEY_REUSED"
    batch = await start(client, "a", "/v1/batches", **BATCH)
    assert batch.status_code == 422
    assert len(await engine.runs()) == 1


async def test_order_of_keys_in_the_body_is_no_difference(
    engine: Engine, client: AsyncClient
) -> None:
    first = await start(client, "a")
    second = await start(client, "a", **dict(reversed(list(BODY.items()))))
    assert first.json()["id"] == second.json()["id"]


async def test_clients_do_not_share_keys(engine: Engine, clients: Clients) -> None:
    one, other = await clients(Scope.RUN), await clients(Scope.RUN)
    ids = {(await start(each, "a")).json()["id"] for each in (one, other)}
    assert len(ids) == 2


async def test_refused_request_leaves_its_key_free(engine: Engine, client: AsyncClient) -> None:
    refused = await start(client, "a", prompt="say hello", agent="simulated")
    assert refused.status_code == 400
    assert (await start(client, "a")).status_code == 201


async def test_key_is_free_again_after_a_day(
    engine: Engine, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = (await start(client, "a")).json()["id"]
    monkeypatch.setattr("engine.store.start_keys.KEPT_S", -1.0)  # as if a day had passed
    assert KEPT_S == 24 * 3600
    assert (await start(client, "a")).json()["id"] != first


async def test_dry_run_uses_no_key(engine: Engine, client: AsyncClient) -> None:
    planned = await start(client, "a", "/v1/batches", **BATCH, dry_run=True)
    assert planned.status_code == 200
    assert (await start(client, "a", "/v1/batches", **BATCH)).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "with space"])
async def test_invalid_key_is_refused(engine: Engine, client: AsyncClient, key: str) -> None:
    answer = await start(client, key)
    assert (answer.status_code, answer.json()["code"]) == (400, "INPUT_INVALID")
    assert not await engine.runs()


async def test_key_survives_a_restart_of_the_server(engine: Engine, clients: Clients) -> None:
    client = await clients(Scope.RUN)
    first = (await start(client, "a")).json()["id"]
    async with Engine.open(engine.paths, engine.config) as another:
        context = ApiContext(another)
        async with client_of(protected(application(context), context)) as later:
            later.headers["Authorization"] = client.headers["Authorization"]
            assert (await start(later, "a")).json()["id"] == first
