"""How often a workspace is looked at while its run is at work."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support import LIMIT_S

from engine.config.paths import Paths
from engine.domain.events import Body, Notice
from engine.domain.model import Run, RunSpec, Workspace, WorkspaceKind
from engine.execution.local.workspaces import LocalWorkspaces
from engine.execution.stages import checkpoint
from engine.execution.stages.checkpoint import Checkpointer
from engine.execution.task_tree import TaskTree


class Turn(asyncio.Semaphore):
    """Counts the looks."""

    looks = 0

    async def __aenter__(self) -> None:
        self.looks += 1
        await super().__aenter__()


async def _nothing(*_: Any) -> None:
    pass


async def test_after_a_look_in_vain_there_is_no_haste_until_a_file_is_seen_to_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(checkpoint, "time", SimpleNamespace(monotonic=lambda: clock.now))
    folder = tmp_path / "workspace"
    folder.mkdir()
    workspace = Workspace(str(folder), WorkspaceKind.EMPTY)
    run = Run("run-1", RunSpec("task", "task", "p"), 0.0, checkpoint=0, workspace=workspace)
    turn, paths = Turn(1), Paths(tmp_path, tmp_path / "config.yaml")
    ours = Checkpointer(LocalWorkspaces(paths), turn, _nothing, TaskTree())
    assert await ours.begin(run, lambda: False)
    run = replace(run, baseline=True)

    async def minute(seen: int) -> int:
        """Let the run do a step each second, and return how often it was looked at."""
        nonlocal run
        before = turn.looks
        for _ in range(60):
            clock.now += 1
            run = replace(run, tool_steps=run.tool_steps + 1)
            ours.start_if_due(run, seen)
            await asyncio.sleep(0)
            async with asyncio.timeout(LIMIT_S):
                await turn.acquire()
            turn.release()
            await asyncio.sleep(0)
        return turn.looks - before

    assert 1 <= await minute(seen=0) <= 2
    assert await minute(seen=0) <= 1
    clock.now += 5
    run, before = replace(run, tool_steps=run.tool_steps + 1), turn.looks
    ours.start_if_due(run, 1)
    await asyncio.sleep(0)
    assert turn.looks == before + 1, "a file was seen to change"
    await ours.close()


async def test_a_folder_that_can_be_made_again_is_reported_once(tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    folder.mkdir()
    workspace = Workspace(str(folder), WorkspaceKind.EMPTY)
    run = Run("run-1", RunSpec("task", "task", "p"), 0.0, checkpoint=0, workspace=workspace)
    paths, notices = Paths(tmp_path, tmp_path / "config.yaml"), list[str]()

    async def append(bodies: Sequence[Body]) -> None:
        notices.extend(body.text for body in bodies if isinstance(body, Notice))

    names = ("node_modules",)
    ours = Checkpointer(LocalWorkspaces(paths), asyncio.Semaphore(1), append, TaskTree(), names)
    assert await ours.begin(run, lambda: False)
    run = replace(run, baseline=True)
    (folder / "node_modules").mkdir()
    for name in ("x", "y"):
        (folder / "node_modules" / name).touch()
        await ours.finish(run, lambda: False)
    another = Checkpointer(LocalWorkspaces(paths), asyncio.Semaphore(1), append, TaskTree(), names)
    await another.finish(run, lambda: False)
    words = "(cleanup.rebuildable: it can be made again)"
    assert notices == [f"not part of the changes: node_modules {words}"]
