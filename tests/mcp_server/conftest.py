"""The MCP server on a real engine that supervises runs of the simulated agent."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import repos
from support import settled, spec, supervising, until

from engine.config.paths import Paths
from engine.config.settings import McpSettings
from engine.domain.model import Run, Status, WorkspaceKind, WorkspaceSpec
from engine.engine import Engine


@pytest.fixture
def settings() -> McpSettings:
    """The settings of the server; tests override it."""
    return McpSettings()


@pytest.fixture
async def engine(paths: Paths, settings: McpSettings) -> AsyncGenerator[Engine]:
    async with supervising(paths, mcp=settings) as engine:
        yield engine
        await engine.cancel_all(list(engine.view.live), kill=True)
        await settled(engine)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return repos.repository(tmp_path / "shop")


@pytest.fixture
async def parent(engine: Engine, repository: Path) -> Run:
    """A run at work in a worktree."""
    source = WorkspaceSpec(WorkspaceKind.WORKTREE, str(repository))
    run = await engine.start(spec("say hello", "hang", title="parent", workspace=source))
    await until(engine, lambda: engine.view.runs[run.id].status is Status.RUNNING)
    return engine.view.runs[run.id]
