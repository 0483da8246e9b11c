"""Screens of a run whose node does not answer, and what they show by themselves once it does."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import repos
from support import becomes
from test_node_changes import ended, supervised, there
from textual.widget import Widget
from workspace_node import Node

from engine.config.paths import Paths
from tui.app import SwarmApp
from tui.screens import file, node_return
from tui.screens.changes import ChangesScreen
from tui.screens.file import FileScreen
from tui.screens.live import CodeRequested
from tui.widgets.code.code_view import CodeView


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_return, "AGAIN_S", 0.05)
    monkeypatch.setattr("engine.execution.cluster.calls.AWAY_S", 0.05)
    monkeypatch.setattr("engine.execution.cluster.calls.READ_PATIENCE_S", 0.1)


@asynccontextmanager
async def dashboard(paths: Paths, node: Node, folder: Path) -> AsyncGenerator[tuple[SwarmApp, str]]:
    """Yield a dashboard with a run that has ended, and the id of the run."""
    source = repos.repository(folder / "s", {"a.txt": "one\n", ".gitignore": "*.log\n"})
    async with supervised(paths, node) as engine:
        run = await ended(engine, there(source, "write a.txt two", "write b.log kept out"))
        app = SwarmApp(engine)
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.pause()
            yield app, run


def title(widget: Widget) -> str:
    return str(widget.border_title)


async def file_of(app: SwarmApp, node: Node, run: str, path: str) -> CodeView:
    """Open a file of the run while the node does not answer."""
    node.is_silent = True
    app.screen.post_message(CodeRequested("file", run, path))
    await becomes(lambda: isinstance(app.screen, FileScreen))
    return app.screen.query_one(CodeView)


async def test_changes_are_read_again_once_the_node_answers(paths: Paths, tmp_path: Path) -> None:
    node = Node(tmp_path)
    async with dashboard(paths, node, tmp_path) as (app, run):
        node.is_silent = True
        app.screen.post_message(CodeRequested("changes", run))
        await becomes(lambda: isinstance(app.screen, ChangesScreen))
        screen = app.screen
        assert isinstance(screen, ChangesScreen)
        await becomes(lambda: "checkpoint 1 · one does not answer" in title(screen.files))
        assert "could not be read" not in title(screen.files)
        node.is_silent = False
        await becomes(lambda: "answer" not in title(screen.files))
        assert title(screen.files).startswith("1 file ")


async def test_whole_file_shows_what_it_is_of_and_is_read_again(
    paths: Paths, tmp_path: Path
) -> None:
    node = Node(tmp_path)
    async with dashboard(paths, node, tmp_path) as (app, run):
        code = await file_of(app, node, run, "a.txt")
        await becomes(lambda: "checkpoint 1 · one does not answer" in title(code))
        workspace = app.engine.view.runs[run].workspace
        assert workspace
        (Path(workspace.path) / "a.txt").write_text("of now\n")
        node.is_silent = False
        await becomes(lambda: "7 B" in title(code))
        assert "answer" not in title(code)


async def test_file_that_no_checkpoint_has_is_waited_for_with_the_reason(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "SLOW_S", 0.01)
    monkeypatch.setattr("engine.execution.cluster.calls.READ_PATIENCE_S", 1.0)
    node = Node(tmp_path)
    async with dashboard(paths, node, tmp_path) as (app, run):
        code = await file_of(app, node, run, "b.log")
        await becomes(lambda: code.empty_text == "Waiting for the node one …")
        await becomes(lambda: "b.log is not in checkpoint 1" in code.empty_text)
        assert code.empty_text.startswith("The node one does not answer")
        node.is_silent = False
        await becomes(lambda: code.document.lines)
        assert title(code) == "b.log · 1 line · 9 B"
