"""The server over HTTP: the tokens of the API, through the official client."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_clients import Tools
from support import LIMIT_S, played

from engine.domain.api_token import Scope
from engine.engine import Engine
from tui.cli.api.listeners import Listener
from tui.cli.api.server import serve
from tui.cli.mcp import http


@asynccontextmanager
async def address(engine: Engine) -> AsyncGenerator[str]:
    """Serve the API with the MCP server on a free port."""
    door = socket.socket()
    door.bind(("127.0.0.1", 0))
    door.listen()
    where = f"http://127.0.0.1:{door.getsockname()[1]}"
    serving = asyncio.create_task(serve(engine, [Listener(door, where)], mounts=[http.mount]))
    try:
        yield f"{where}/mcp"
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        door.close()


@asynccontextmanager
async def tools_with(
    engine: Engine, where: str, scope: Scope, mode: str = "legacy"
) -> AsyncGenerator[Tools]:
    """The tools of a client with a token of this scope."""
    created = await engine.api_tokens.create(scope.value, scope)
    headers = {"Authorization": f"Bearer {created.secret}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=LIMIT_S) as plain,
        Client(streamable_http_client(where, http_client=plain), mode=mode) as it,
    ):
        yield Tools(it)


async def test_scope_of_the_token_decides_about_the_tools(engine: Engine):
    run = await played(engine, "say finished")
    async with address(engine) as where:
        async with tools_with(engine, where, Scope.READ) as tools:
            assert "start_run" not in await tools.names()
            heard: list[object] = []

            async def progress(*words: object) -> None:
                heard.append(words)

            await tools.call_with("wait_for_runs", {"runs": [run.id]}, progress)
            result = await tools.call("read_result", run=run.id)
            assert result["message"]["text"] == "finished"
        async with tools_with(engine, where, Scope.RUN, "auto") as tools:
            assert (await tools.call("retry_run", run=run.id))["run"]["attempt"] == 2


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer swt_wrong"}, 401),
        ({"Host": "evil.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
    ],
)
async def test_checks_of_the_api_come_first(engine: Engine, headers: dict[str, str], status: int):
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    async with address(engine) as where, httpx2.AsyncClient() as client:
        done = await client.post(where, json=body, headers=headers)
    assert done.status_code == status
