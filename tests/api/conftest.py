"""The API on a real engine that supervises runs of the simulated agent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from api_clients import application_on, client_of
from api_commands import Printed
from httpx import AsyncClient
from support import supervising

from engine.config.paths import Paths
from engine.config.settings import ApiSettings
from engine.domain.api_token import Scope
from engine.engine import Engine
from tui.cli.api.access import protected
from tui.cli.api.context import ApiContext
from tui.cli.main import run as run_command

ADDRESS = "http://127.0.0.1"
Clients = Callable[[Scope | None], Awaitable[AsyncClient]]


@pytest.fixture
async def engine(paths: Paths) -> AsyncGenerator[Engine]:
    async with supervising(paths, api=ApiSettings(failures_per_minute=10_000)) as engine:
        yield engine


@pytest.fixture
async def clients(engine: Engine) -> AsyncGenerator[Clients]:
    """Make clients of one server, each with a token of its own; None: without one."""
    context = ApiContext(engine)
    app = protected(application_on(context), context)
    async with AsyncExitStack() as stack:

        async def make(scope: Scope | None) -> AsyncClient:
            client = await stack.enter_async_context(client_of(app, ADDRESS))
            if scope is not None:
                name = f"{scope.value}-{len(await engine.api_tokens.all())}"
                made = await engine.api_tokens.create(name, scope)
                client.headers["Authorization"] = f"Bearer {made.secret}"
            return client

        yield make


@pytest.fixture
async def client(clients: Clients) -> AsyncClient:
    """A client that may do everything."""
    return await clients(Scope.ADMIN)


@pytest.fixture
def printed(engine: Engine, capsys: pytest.CaptureFixture[str]) -> Printed:
    """Execute a command on the same home, in a thread of this process."""

    async def call(*words: str) -> list[Any]:
        capsys.readouterr()
        await asyncio.to_thread(run_command, [*words, "--json"])
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return call
