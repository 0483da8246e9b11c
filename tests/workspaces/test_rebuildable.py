"""Folders that can be made again are no part of a run's changes, unless the baseline has them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import repos

from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.workspaces.apply.apply import ApplyMode, ApplyRequest, apply
from engine.workspaces.apply.restore import restore
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create import create

NAMES = ("node_modules", "target", "*.odd", "a/b")


async def run_in(source: Path, home: Path, kind: str) -> tuple[Path, Checkpoints]:
    spec = WorkspaceSpec(WorkspaceKind(kind), str(source))
    target = home / "workspaces" / "p" / "r1"
    made = await asyncio.to_thread(create.make, spec, target, home, lambda: False)
    store = home / "runs" / "r1" / "checkpoints.git"
    run = await Checkpoints.make(store, made.workspace, NAMES)
    await run.record("baseline")
    return Path(made.workspace.path), await Checkpoints.open(store, made.workspace)


async def changed(run: Checkpoints) -> list[str]:
    return [file.path for file in (await run.changes()).files]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository that has committed one of its rebuildable folders."""
    return repos.repository(tmp_path / "s", {"a": "a\n", "kept/target/out": "1\n"})


@pytest.mark.parametrize("kind", ["worktree", "copy", "in-place"])
async def test_such_a_folder_is_no_part_of_the_changes(source: Path, home: Path, kind: str) -> None:
    root, run = await run_in(source, home, kind)
    repos.write(root, {"web/node_modules/x/node_modules/y": "x\n", "node_modules/z": "z\n"})
    repos.write(root, {"target": "a file\n", "kept/target/new": "n\n", "x.odd/f": "f\n"})
    repos.write(root, {"a": "A\n", "kept/target/target/deep": "d\n"})
    wanted = ["a", "kept/target/new", "target", "x.odd/f"]
    assert await changed(run) == wanted
    taken = await run.record("work")
    assert taken.rebuildable == ("kept/target/target", "node_modules", "web/node_modules")
    assert set(map(str, await run.counted())) & {"b'node_modules/z'"} == set()
    await restore(run, 0)
    assert await changed(run) == []
    assert (root / "node_modules" / "z").read_text() == "z\n"
    await restore(run, taken.n)
    assert await changed(run) == wanted


@pytest.mark.parametrize("how", [ApplyMode.EDITS, ApplyMode.COMMIT])
async def test_such_a_folder_is_not_applied(source: Path, home: Path, how: ApplyMode) -> None:
    root, run = await run_in(source, home, "worktree")
    repos.write(root, {"node_modules/z": "z\n", "kept/target/out": "2\n"})
    done = await apply(run, ApplyRequest(source, how, "swarm/r1", "m"), home)
    assert done.files == ("kept/target/out",)


async def test_what_set_up_made_before_the_baseline_counts(tmp_path: Path, home: Path) -> None:
    source = tmp_path / "plain"
    repos.write(source, {"node_modules/x": "1\n", "a": "a\n"})
    root, run = await run_in(source, home, "copy")
    repos.write(root, {"node_modules/x": "2\n", "node_modules/y": "y\n"})
    assert await changed(run) == ["node_modules/x", "node_modules/y"]
