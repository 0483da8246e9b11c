"""Each cell of the table of repository shapes, with the real git."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
import repos
from repository_shapes import SHAPES, Applied, Shape
from scenes import Scene

from engine.domain.errors import UserError
from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.workspaces.apply.apply import ApplyMode, apply
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create import create
from engine.workspaces.git.repository import locate

PREFIX = "not in the workspace: "
EDIT = "sub/b.txt"


@pytest.fixture(params=SHAPES, ids=[shape.name for shape in SHAPES])
def shape(request: pytest.FixtureRequest) -> Shape:
    found = request.param
    assert isinstance(found, Shape)
    return found


async def started(shape: Shape, source: Path, home: Path) -> Scene:
    """Make the workspace as a run does: checked and pinned when it is requested."""
    if shape.is_refused:
        refused = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
        with pytest.raises(UserError) as raised:
            await asyncio.to_thread(create.check, refused, 1 << 30, home)
        assert raised.value.code == "INPUT_INVALID"
        assert "--copy" in raised.value.recovery
    wish = WorkspaceSpec(WorkspaceKind(shape.kind), str(source))
    pinned = await asyncio.to_thread(create.check, wish, 1 << 30, home)
    target = home / "workspaces" / "p" / "r1"
    made = await asyncio.to_thread(create.make, pinned, target, home, lambda: False)
    run = await Checkpoints.make(home / "runs" / "r1" / "checkpoints.git", made.workspace)
    await run.record("baseline")
    branch = made.workspace.branch or "swarm/r1"
    return Scene(source, target, run, home, branch, made.notices, made.workspace)


async def test_workspace_of_each_shape(shape: Shape, tmp_path: Path, home: Path) -> None:
    source = shape.build(tmp_path)
    here = await started(shape, source, home)
    assert tuple(sorted(repos.files(here.root))) == shape.files
    told = [one.removeprefix(PREFIX) for one in here.notices if one.startswith(PREFIX)]
    assert told == (["; ".join(shape.lacks)] if shape.lacks else [])
    assert here.workspace and here.workspace.cwd == shape.cwd
    if shape.kind == "worktree":
        assert repos.git(here.root, "status", "--porcelain") == ""
    assert await here.changed() == []
    name = changed_by_agent(here, shape)
    for how in (ApplyMode.PATCH, ApplyMode.COMMIT):  # neither changes a file of the source
        assert await observed(here, how, name, home) is shape.applied[how]


@pytest.mark.parametrize("how", [ApplyMode.EDITS, ApplyMode.MERGE])
async def test_applying_to_each_shape(
    shape: Shape, how: ApplyMode, tmp_path: Path, home: Path
) -> None:
    source = shape.build(tmp_path)
    here = await started(shape, source, home)
    name = changed_by_agent(here, shape)
    assert await observed(here, how, name, home) is shape.applied[how]


def changed_by_agent(here: Scene, shape: Shape) -> str:
    """Change a file of the workspace; return its path."""
    name = EDIT if EDIT in shape.files else "a.txt"
    repos.write(here.root, {name: "changed\n"})
    return name


async def observed(here: Scene, how: ApplyMode, name: str, home: Path) -> Applied:
    """Apply a changed file; return the effect, with all that comes with it checked."""
    found = locate(here.source)
    top = (found[2] if found else here.source) or here.source
    before = head(here.source)
    if how is ApplyMode.PATCH:
        wish = here.wish(how)
        patch = await repos.written(lambda file: apply(here.run, replace(wish, patch=file), home))
        repos.git(here.root, "apply", "--reverse", "--check", "-", stdin=patch)
        return Applied.PATCH
    try:
        await apply(here.run, here.wish(how), home)
    except UserError as error:
        assert error.code == "INPUT_INVALID"
        assert head(here.source) == before
        return Applied.NEEDS_TO if "bare repository" in error.message else Applied.NEEDS_COMMITS
    is_in_files = (top / name).exists() and (top / name).read_text() == "changed\n"
    if how is ApplyMode.COMMIT:
        assert not is_in_files
        assert head(here.source) == before
        assert repos.git(here.source, "show", f"swarm/r1:{name}") == "changed"
        return Applied.BRANCH
    assert is_in_files
    if head(here.source) == before:
        return Applied.FILES
    assert repos.git(here.source, "show", f"HEAD:{name}") == "changed"
    return Applied.MERGED


def head(source: Path) -> str:
    return repos.git(source, "rev-parse", "-q", "--verify", "HEAD", ok=False)
