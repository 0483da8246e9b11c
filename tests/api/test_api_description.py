"""The OpenAPI document: served, complete, and the same as docs/openapi.json."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from engine.domain.model import Run
from engine.engine import Engine
from tui.cli.api import application
from tui.cli.api.description import operations
from tui.cli.api.problems import status_of


@pytest.fixture
async def document(client: AsyncTestClient[Litestar]) -> dict[str, Any]:
    answer = await client.get("/openapi.json")
    assert answer.status_code == 200
    return answer.json()


async def test_every_operation_is_described(document: dict[str, Any]) -> None:
    found = list(operations(document))
    names = [each["operationId"] for each in found]
    assert len(set(names)) == len(names)
    tags = {tag["name"] for tag in document["tags"]}
    for each in found:
        assert each["summary"], each["operationId"]
        assert each["description"], each["operationId"]
        assert set(each["tags"]) <= tags, each["operationId"]
        for parameter in each.get("parameters", []):
            assert parameter["description"], (each["operationId"], parameter["name"])


async def test_names_are_those_of_the_json_page(document: dict[str, Any]) -> None:
    names = document["components"]["schemas"]
    assert "ListedRun" in names
    assert not [name for name in names if name.endswith("Json")]
    assert names["ListedRun"]["description"]


async def test_unknown_path_and_method_are_problems(client: AsyncTestClient[Litestar]) -> None:
    for answer in (await client.get("/v1/nothing"), await client.delete("/v1/runs/a")):
        assert answer.status_code in (404, 405)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("RUN_NOT_FOUND", 404),
        ("INPUT_INVALID", 400),
        ("RUN_NOT_RETRYABLE", 409),
        ("SETUP_NOT_TRUSTED", 403),
        ("DATABASE_LOCKED", 503),
        ("DISK_FULL", 507),
        ("FILE_NOT_PERMITTED", 403),
        ("INTERNAL", 500),
    ],
)
def test_status_of_an_error(code: str, status: int) -> None:
    assert status_of(code) == status


@pytest.mark.parametrize(
    ("number", "status", "code"),
    [(errno.ENOSPC, 507, "DISK_FULL"), (errno.EACCES, 403, "FILE_NOT_PERMITTED")],
)
async def test_failed_system_call_is_a_problem_with_its_code(
    engine: Engine,
    client: AsyncTestClient[Litestar],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    status: int,
    code: str,
) -> None:
    async def refuse(name: str) -> Run:
        raise OSError(number, os.strerror(number), name)

    monkeypatch.setattr(engine, "find", refuse)
    answer = await client.get("/v1/runs/a")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_document_is_the_same_each_time() -> None:
    assert application.document() == application.document()


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/v1/runs", {"worktre": "/x"}, "body: `worktre` is unknown."),
        ("/v1/cleanup", {"digest": "abc"}, "Ask for the plan first."),
    ],
)
async def test_refused_body_is_named_as_the_client_knows_it(
    client: AsyncTestClient[Litestar], path: str, body: object, words: str
) -> None:
    answer = await client.post(path, json=body)
    assert answer.status_code == 400
    assert words in answer.json()["detail"]
