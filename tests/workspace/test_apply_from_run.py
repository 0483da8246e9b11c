"""A run that began in the workspace of another one is applied to the source of that one."""

from __future__ import annotations

from pathlib import Path

import pytest
import repos
from support import settled, spec, supervising

from engine.domain.errors import UserError
from engine.domain.model import Run, WorkspaceKind, WorkspaceSpec
from engine.engine import As, Engine
from engine.paths import Paths


async def _played(engine: Engine, workspace: WorkspaceSpec, line: str) -> Run:
    run = await engine.start(spec(line, workspace=workspace))
    await settled(engine)
    found = await engine.find(run.id)
    assert found.error is None and found.workspace
    return found


@pytest.mark.parametrize("kind", [WorkspaceKind.WORKTREE, WorkspaceKind.COPY])
async def test_it_goes_to_the_source_of_the_run_before(
    paths: Paths, tmp_path: Path, kind: WorkspaceKind
) -> None:
    source = repos.repository(tmp_path / "source")
    async with supervising(paths) as engine:
        before = await _played(engine, WorkspaceSpec(kind, str(source)), "write one.txt 1")
        for text in ("2", "3"):  # also of one that came from another
            wish = WorkspaceSpec(WorkspaceKind.FROM_RUN, before.id)
            before = await _played(engine, wish, f"write two.txt {text}")
            await engine.workspaces.take_home(before.id, As.EDITS)
            assert (source / "two.txt").read_text().strip() == text
    assert not (source / "one.txt").exists()  # that is the work of the first


async def test_a_run_from_an_empty_workspace_names_no_source(paths: Paths) -> None:
    async with supervising(paths) as engine:
        before = await _played(engine, WorkspaceSpec(WorkspaceKind.EMPTY), "write a.txt 1")
        wish = WorkspaceSpec(WorkspaceKind.FROM_RUN, before.id)
        run = await _played(engine, wish, "write b.txt 2")
        with pytest.raises(UserError, match="no source"):
            await engine.workspaces.take_home(run.id, As.EDITS)
