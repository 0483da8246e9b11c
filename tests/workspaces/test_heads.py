"""What the source has checked out, and is in the middle of, also where refs are in reftables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import repos
from scenes import scene

from engine.workspaces.apply.apply import ApplyMode
from engine.workspaces.git import heads
from engine.workspaces.git.foreign_repository import ForeignRepository
from engine.workspaces.git.repository import must_find, refs


@pytest.fixture(params=["files", "reftable"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "files":
        return repos.repository(tmp_path / "s")
    if "--ref-format" not in repos.git(tmp_path, "init", "-h", ok=False):
        pytest.skip("this git knows no reftables")
    return repos.repository(tmp_path / "s", None, "--ref-format=reftable")


@pytest.mark.parametrize("how", [ApplyMode.COMMIT, ApplyMode.MERGE])
async def test_the_index_of_the_workspace_follows_its_branch(
    source: Path, home: Path, how: ApplyMode
) -> None:
    here = await scene(source, home)
    repos.write(here.root, {"new": "n\n"})
    await here.apply(how)
    assert repos.git(here.root, "status", "--porcelain") == ""


async def test_a_branch_that_is_checked_out_elsewhere_is_not_moved(
    source: Path, home: Path, tmp_path: Path
) -> None:
    here = await scene(source, home)
    assert here.branch
    repos.write(here.root, {"new": "n\n"})
    repos.git(here.root, "switch", "-q", "--detach")
    repos.git(source, "worktree", "add", "-q", str(tmp_path / "w"), here.branch)
    error = await here.refused(ApplyMode.COMMIT)
    assert str(tmp_path / "w") in error.message
    assert repos.git(tmp_path / "w", "status", "--porcelain") == ""


async def test_commits_that_are_checked_out_without_a_branch_are_found(
    source: Path, tmp_path: Path
) -> None:
    repos.git(source, "worktree", "add", "-q", "--detach", str(tmp_path / "w"))
    sha = repos.commit(tmp_path / "w", "more")
    found = await must_find(source)
    assert await heads.detached(found, []) == {sha}
    assert await heads.detached(found, [tmp_path / "w"]) == set()
    assert await heads.checked_out(found.git_dir) == "refs/heads/main"


def picked(source: Path) -> str:
    repos.git(source, "cherry-pick", "other", ok=False)
    return "CHERRY_PICK_HEAD"


def reverted(source: Path) -> str:
    repos.git(source, "revert", "--no-edit", "HEAD~1", ok=False)
    return "REVERT_HEAD"


def bisected(source: Path) -> str:
    repos.git(source, "bisect", "start", "HEAD", "HEAD~1")
    return "BISECT_LOG"


def reset_between_picks(source: Path) -> str:
    """Leave out one of several commits, without going on with the others."""
    repos.git(source, "cherry-pick", "main..other", ok=False)
    repos.git(source, "reset", "-q", "--hard")
    return "sequencer"


@pytest.mark.parametrize("begin", [picked, reverted, bisected, reset_between_picks])
async def test_nothing_is_merged_in_the_middle_of_something(
    source: Path, home: Path, begin: Callable[[Path], str]
) -> None:
    repos.git(source, "switch", "-qc", "other")
    for text in ("theirs", "more"):
        repos.write(source, {"a.txt": text})
        repos.commit(source, text)
    repos.git(source, "switch", "-q", "main")
    for text in ("mine", "more of mine"):
        repos.write(source, {"a.txt": text})
        repos.commit(source, text)
    here = await scene(source, home)
    repos.write(here.root, {"new": "n\n"})
    name = begin(source)
    head = repos.git(source, "rev-parse", "HEAD")
    error = await here.refused(ApplyMode.MERGE)
    assert f"in the middle of something ({name})" in error.message
    assert repos.git(source, "rev-parse", "HEAD") == head


async def test_refs_of_a_repository_that_an_agent_can_write_are_read(
    source: Path, home: Path
) -> None:
    repos.write(source, {"a.txt": "stashed\n"})
    repos.git(source, "stash")
    repos.git(source, "branch", "other")
    async with ForeignRepository(source, ".git").opened(home) as git:
        names = {ref for _, ref in await refs(git)}
        assert await heads.checked_out(git.git_dir) == "refs/heads/main"
    assert names == {"refs/heads/main", "refs/heads/other", "refs/stash"}
