"""Sessions of the MCP server over HTTP: bounded for each token, and hostile requests for them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from support import LIMIT_S
from test_mcp_http import address

from engine.domain.api_token import Scope
from engine.engine import Engine
from tui.cli.mcp import http

ACCEPT = {"Accept": "application/json, text/event-stream"}
OPENING: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
LIST: dict[str, Any] = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}


@asynccontextmanager
async def client_with(engine: Engine, name: str) -> AsyncGenerator[httpx2.AsyncClient]:
    created = await engine.api_tokens.create(name, Scope.READ)
    headers = {"Authorization": f"Bearer {created.secret}", **ACCEPT}
    async with httpx2.AsyncClient(headers=headers, timeout=LIMIT_S) as client:
        yield client


async def opened(client: httpx2.AsyncClient, where: str) -> httpx2.Response:
    return await client.post(where, json=OPENING)


async def test_one_token_does_not_take_the_sessions_of_others(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "SESSIONS_PER_TOKEN", 3)
    async with (
        address(engine) as where,
        client_with(engine, "greedy") as greedy,
        client_with(engine, "other") as other,
    ):
        answers = [await opened(greedy, where) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 503]
        assert (await opened(other, where)).status_code == 200
        session = {"mcp-session-id": answers[0].headers["mcp-session-id"]}
        assert (await greedy.delete(where, headers=session)).status_code == 200
        assert (await opened(greedy, where)).status_code == 200


async def test_session_of_another_token_is_unknown(engine: Engine) -> None:
    async with (
        address(engine) as where,
        client_with(engine, "one") as one,
        client_with(engine, "other") as other,
    ):
        session = {"mcp-session-id": (await opened(one, where)).headers["mcp-session-id"]}
        for method in ("POST", "GET", "DELETE"):
            body = json.dumps(LIST) if method == "POST" else None
            kind = {"Content-Type": "application/json"}
            refused = await other.request(method, where, content=body, headers={**session, **kind})
            assert refused.status_code == 404, method
        assert (await one.post(where, json=LIST, headers=session)).status_code == 200


HOSTILE = (
    b"",
    b"{",
    b"null",
    b"[]",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"\xff\xfe",
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_runs","arguments":[]}}',
    b'{"jsonrpc":"2.0","id":{"a":1},"method":"initialize"}',
    b'{"jsonrpc":"2.0","id":1e999,"method":"\\ud800"}',
)
SESSIONS = (b"nothing", b"\xe9", b"x" * 5000, b"")


async def test_hostile_requests_are_refused_and_the_server_goes_on(engine: Engine) -> None:
    async with address(engine) as where, client_with(engine, "one") as client:
        plain = [(b"content-type", b"application/json")]
        for content in HOSTILE:
            answer = await client.post(where, content=content, headers=plain)
            assert 400 <= answer.status_code < 500, content[:60]
            assert "Traceback" not in answer.text
        for session in SESSIONS:
            headers = [*plain, (b"mcp-session-id", session)]
            answer = await client.post(where, content=json.dumps(LIST), headers=headers)
            assert 400 <= answer.status_code < 500, session
        for _ in range(http.SESSIONS_PER_TOKEN + 1):  # a refused request keeps no session open
            await client.post(where, content=b"{", headers=plain)
        assert (await opened(client, where)).status_code == 200


async def test_slow_clients_do_not_hold_up_others(engine: Engine) -> None:
    async with address(engine) as where, client_with(engine, "one") as client:
        secret = client.headers["Authorization"]
        host, port = where.removeprefix("http://").removesuffix("/mcp").split(":")
        writers: list[asyncio.StreamWriter] = []
        try:
            for _ in range(http.SESSIONS_PER_TOKEN * 2):
                _, writer = await asyncio.open_connection(host, int(port))
                head = f"POST /mcp HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: {secret}\r\n"
                more = "Accept: application/json, text/event-stream\r\nContent-Length: 1000\r\n"
                writer.write(f"{head}{more}Content-Type: application/json\r\n\r\n{{".encode())
                await writer.drain()
                writers.append(writer)
            async with client_with(engine, "other") as other, asyncio.timeout(LIMIT_S):
                assert (await opened(other, where)).status_code == 200
        finally:
            for writer in writers:
                writer.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "`run` is missing."),
        ({"run": 3}, "`run` has to be a text, not a whole number."),
        ({"run": ""}, "`run` has to have at least 1 characters."),
        ({"run": "a", "colour": 1}, "`colour` is unknown."),
    ],
)
async def test_invalid_arguments_are_explained_in_plain_words(
    engine: Engine, arguments: dict[str, Any], words: str
) -> None:
    async with address(engine) as where, client_with(engine, "one") as client:
        session = {"mcp-session-id": (await opened(client, where)).headers["mcp-session-id"]}
        params = {"name": "show_run", "arguments": arguments}
        call = {**LIST, "method": "tools/call", "params": params}
        answer = await client.post(where, json=call, headers=session)
        assert words in answer.text
        assert "Expected" not in answer.text
