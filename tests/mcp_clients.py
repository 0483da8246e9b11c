"""The official MCP client on our server, in this process or in one of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mcp import StdioServerParameters
from mcp.client.client import Client
from support import LIMIT_S

from engine.engine import Engine
from tui.cli.api.scopes import Scope
from tui.cli.mcp.caller import Caller
from tui.cli.mcp.server import build_server

PROGRAM = str(Path(__file__).parents[1] / "swarm_tui.py")


class ToolFailed(Exception):
    """An error of a tool, with its code."""

    def __init__(self, error: dict[str, str]) -> None:
        self.code, self.recovery = error["code"], error["recovery"]
        super().__init__(f"{error['code']}: {error['message']}")


class Tools:
    """The tools of a server, called by name."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """Return the structured answer of a tool; raises `ToolFailed`."""
        return await self.call_with(name, arguments)

    async def call_with(
        self,
        name: str,
        arguments: dict[str, Any],
        progress: Callable[[float, float | None, str | None], Any] | None = None,
    ) -> dict[str, Any]:
        async with asyncio.timeout(LIMIT_S):
            done = await self.client.call_tool(name, arguments, progress_callback=progress)
        if done.is_error:
            raise ToolFailed(done.structured_content["error"])
        return done.structured_content

    async def names(self) -> set[str]:
        return {tool.name for tool in (await self.client.list_tools()).tools}


@asynccontextmanager
async def tools_of(
    engine: Engine,
    parent: str | None = None,
    scope: Scope = Scope.ADMIN,
    folder: Path | None = None,
    mode: str = "auto",
) -> AsyncGenerator[Tools]:
    """The tools of a client in this process."""
    caller = Caller(engine, scope, parent, folder)
    async with Client(build_server(lambda _: caller), mode=mode) as client:
        yield Tools(client)


@asynccontextmanager
async def tools_over_stdio(
    *words: str, cwd: Path | None = None, mode: str = "auto", **env: str
) -> AsyncGenerator[Tools]:
    """The tools of a server in a process of its own."""
    from mcp.client.stdio import stdio_client

    parameters = StdioServerParameters(
        command=sys.executable,
        args=[PROGRAM, "mcp", *words],
        cwd=cwd,
        env={**os.environ, **env},
    )
    async with Client(stdio_client(parameters), mode=mode) as client:
        yield Tools(client)
