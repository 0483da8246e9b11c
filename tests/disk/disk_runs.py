"""Runs of the simulated agent whose workspaces are cleaned up."""

from __future__ import annotations

from pathlib import Path

from support import settled, spec

from engine.domain.model import Run, WorkspaceKind, WorkspaceSpec
from engine.engine import Engine


async def done(engine: Engine, *lines: str, source: Path | None = None, **more: object) -> Run:
    """Execute a run of the simulated agent, in a worktree of `source` or an empty folder."""
    kind = WorkspaceKind.WORKTREE if source else WorkspaceKind.EMPTY
    workspace = WorkspaceSpec(kind, str(source) if source else None)
    run = await engine.start(spec(*lines, **{"workspace": workspace, **more}))
    await settled(engine)
    return engine.view.runs[run.id]


def folder(run: Run) -> Path:
    assert run.workspace
    return Path(run.workspace.path)
