"""Bare repositories with worktrees beside them, and how the branches of runs are called."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import repos
from scenes import scene

from engine.config.settings import parse
from engine.domain.errors import UserError
from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.workspaces.apply.apply import ApplyMode, apply
from engine.workspaces.create import base, create
from engine.workspaces.git import repository
from engine.workspaces.git.bare import is_bare


@pytest.fixture(params=[".bare", ".git"])
def hub(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A hub of two worktrees, in each of the layouts."""
    source = repos.repository(tmp_path / "s")
    hub = tmp_path / "hub"
    hub.mkdir()
    repos.git(tmp_path, "clone", "-q", "--bare", str(source), str(hub / request.param))
    if request.param == ".bare":
        (hub / ".git").write_text("gitdir: ./.bare\n")
    repos.git(hub, "worktree", "add", "-q", "main", "main")
    repos.git(hub, "worktree", "add", "-q", "-b", "other", "other")
    (hub / "notes.txt").write_text("in no repository\n")
    return hub


def made(source: Path, home: Path, run: str = "r1", **more: bool) -> create.CreatedWorkspace:
    spec = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source), **more)
    target = home / "workspaces" / "p" / run
    pinned = asyncio.run(base.pin(spec, home))
    return create.make(pinned, target, home, lambda: False)


@pytest.mark.parametrize("uncommitted", [False, True])
def test_a_hub_has_no_files_of_its_own(hub: Path, home: Path, uncommitted: bool) -> None:
    done = made(hub, home, include_uncommitted=uncommitted)
    assert done.notices == ()
    assert repos.files(Path(done.workspace.path)) == repos.files(hub / "main")


def test_a_worktree_of_a_hub_is_one_as_ever(hub: Path, home: Path) -> None:
    (hub / "main" / "new.txt").write_text("new\n")
    done = made(hub / "main", home, include_uncommitted=True)
    assert repos.files(Path(done.workspace.path)) == repos.files(hub / "main")


@pytest.mark.parametrize("how", [ApplyMode.EDITS, ApplyMode.MERGE])
async def test_applying_to_a_hub_names_its_worktrees(hub: Path, home: Path, how: ApplyMode) -> None:
    here = await scene(hub, home)
    (here.root / "a.txt").write_text("changed\n")
    with pytest.raises(UserError, match="bare repository") as caught:
        await apply(here.run, here.wish(how), home)
    assert f"--to ({hub}/main, {hub}/other)" in caught.value.recovery
    await apply(here.run, here.wish(how, hub / "main"), home)
    assert (hub / "main" / "a.txt").read_text() == "changed\n"


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("[core]\n\tbare = true\n", True),
        ("[core]\n\tBare\n", True),
        ("[Core] bare = yes # it is\n", True),
        ("[core]\nbare = false\n", False),
        ("[core]\nbare = true\n[core]\nbare = off\n", False),
        ('[remote "bare"]\nbare = true\n', False),
        ('[core "x"]\nbare = true\n', False),
        ("", False),
    ],
)
def test_settings_say_what_is_bare(tmp_path: Path, text: str, bare: bool) -> None:
    (tmp_path / "config").write_text(text)
    assert is_bare(tmp_path) is bare


def test_a_git_file_that_leads_out_of_its_folder_counts_for_nothing(tmp_path: Path) -> None:
    repos.git(tmp_path, "init", "-q", "--bare", "elsewhere")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / ".git").write_text("gitdir: ../elsewhere\n")
    assert repository.locate(tmp_path / "x") is None


# Names


@pytest.mark.parametrize(
    ("pattern", "taken", "name"),
    [
        ("swarm/{run}", "swarm", "swarm-r1"),
        ("a/b/{run}", "a", "a-b-r1"),
        ("swarm/{run}", "swarm/r1/x", "swarm/r1-2"),
        ("agent-{run}", "swarm", "agent-r1"),
    ],
)
def test_a_branch_in_the_way_does_not_block(
    tmp_path: Path, home: Path, pattern: str, taken: str, name: str
) -> None:
    source = repos.repository(tmp_path / "s")
    repos.git(source, "branch", taken)
    target = home / "workspaces" / "p" / "r1"
    spec = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    done = create.make(spec, target, home, lambda: False, branch=pattern)
    assert done.workspace.branch == name
    assert repos.git(target, "branch", "--show-current") == name
    create.discard(spec, target, home)
    left = repos.git(source, "branch", "--format=%(refname:short)").split()
    assert sorted(left) == sorted(["main", taken])


@pytest.mark.parametrize("name", ["agents/{run}", "me/{run}-x", "x.{run}"])
def test_the_settings_name_branches(name: str) -> None:
    assert parse(f"workspace: {{branch: '{name}'}}", "x").workspace.branch == name


@pytest.mark.parametrize(
    "name",
    ["swarm", "{run}{run}", "-{run}", "a//{run}", "{run}.lock", "a b{run}", "{run}/", "{x}{run}"],
)
def test_names_that_git_does_not_know_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="a branch with"):
        parse(f"workspace: {{branch: '{name}'}}", "x")
