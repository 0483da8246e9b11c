"""git's own files in bare repositories and other git directories: never written by a run."""

from __future__ import annotations

from pathlib import Path

import pytest
import repos
from test_planted_state import made, snapshot

from engine.domain.errors import UserError
from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.workspaces.apply.apply import ApplyMode, ApplyRequest, apply
from engine.workspaces.apply.restore import restore
from engine.workspaces.create import create
from engine.workspaces.files.control_files import ControlFiles, git_directory_around
from tui.models.run_defaults import default_workspace, workspace_from

LIMIT = 1 << 30


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    source = repos.repository(tmp_path / "s", {"a.txt": "a\n"})
    folder = tmp_path / "x.git"
    repos.git(tmp_path, "clone", "-q", "--bare", str(source), str(folder))
    return folder


@pytest.mark.parametrize("inside", ["", "hooks", "refs/heads"])
def test_a_run_in_a_bare_repository_gets_a_worktree(bare: Path, inside: str, home: Path) -> None:
    wanted = WorkspaceSpec(WorkspaceKind.WORKTREE, str(bare))
    assert default_workspace(bare / inside) == workspace_from(bare / inside) == wanted
    target = home / "workspaces/p/r1"
    made = create.create(wanted, target, home, lambda: False)
    assert (Path(made.path) / "a.txt").read_text() == "a\n"


def test_a_run_in_a_git_folder_gets_a_worktree_of_its_repository(bare: Path) -> None:
    source = bare.parent / "s"
    repos.git(source, "worktree", "add", "-q", "../linked")
    wanted = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    for inside in (".git", ".git/hooks", ".git/worktrees/linked"):
        assert default_workspace(source / inside) == wanted


def test_a_worktree_in_a_bare_repository_is_no_git_directory(bare: Path) -> None:
    repos.git(bare, "worktree", "add", "-q", "main", "main")
    assert git_directory_around(bare / "main") is None
    found = WorkspaceSpec(WorkspaceKind.WORKTREE, str(bare / "main"))
    assert default_workspace(bare / "main") == found


@pytest.mark.parametrize("kind", [WorkspaceKind.COPY, WorkspaceKind.IN_PLACE])
@pytest.mark.parametrize("place", ["x.git", "x.git/hooks", "s/.git", "s/.git/hooks"])
def test_a_git_directory_is_neither_copied_nor_worked_in(
    bare: Path, home: Path, kind: WorkspaceKind, place: str
) -> None:
    wish = WorkspaceSpec(kind, str(bare.parent / place))
    with pytest.raises(UserError, match="git's own") as caught:
        create.check(wish, LIMIT, home)
    assert caught.value.code == "WORKSPACE_UNSAFE"
    with pytest.raises(UserError, match="git's own"):
        create.create(wish, home / "workspaces/p/r1", home, lambda: False)


@pytest.mark.parametrize("name", ["config", "hooks/post-checkout", "refs/heads/evil"])
@pytest.mark.parametrize("where", ["x.git", "."])
async def test_edits_never_reach_a_bare_repository(
    bare: Path, home: Path, name: str, where: str
) -> None:
    """The repository lies below the source of a copy, or is the folder named with `--to`."""
    source = bare.parent / "files"
    repos.write(source, {"x.git/config": "", "a": "a\n", "config": "[core]\n"})
    (source / "x.git/config").unlink()
    (source / "x.git").rmdir()
    bare.rename(source / "x.git")
    root, run = await made(source, home)
    repos.write(root, {f"{where}/{name}": "evil\n"})
    before = snapshot(source)
    to = source if where == "x.git" else source / "x.git"
    with pytest.raises(UserError, match=r"git directory|has changed here"):
        await apply(run, ApplyRequest(to), home)
    assert snapshot(source) == before
    patched = await apply(run, ApplyRequest(source, ApplyMode.PATCH), home)
    assert patched.files == (str(Path(where) / name),)


async def test_no_bare_repository_is_brought(bare: Path, home: Path) -> None:
    source = bare.parent / "s"
    root, run = await made(source, home, WorkspaceKind.WORKTREE)
    planted: dict[str, str | bytes] = {
        "v/HEAD": "ref: refs/heads/main\n",
        "v/objects/x": "",
        "v/refs/x": "",
        "v/config": "",
    }
    repos.write(root, planted)
    for how in (ApplyMode.EDITS, ApplyMode.MERGE):
        with pytest.raises(UserError, match="git directory"):
            await apply(run, ApplyRequest(source, how, "swarm/r1"), home)
    assert not (source / "v").exists()


async def test_restoring_leaves_a_bare_repository_below_as_it_is(bare: Path, home: Path) -> None:
    source = bare.parent / "files"
    repos.write(source, {"a": "a\n"})
    bare.rename(source / "x.git")
    root, run = await made(source, home, WorkspaceKind.IN_PLACE)
    repos.write(root, {"a": "changed\n", "x.git/config": "[core]\nbare = true\n"})
    done = await restore(run, 0)
    assert (done.files, done.kept) == (("a",), ("x.git/config",))
    assert (source / "x.git/config").read_text() == "[core]\nbare = true\n"


def test_folders_that_only_resemble_a_git_directory_are_ordinary(tmp_path: Path) -> None:
    repos.write(tmp_path, {"a/HEAD": "x", "b/objects/x": "x", "b/refs/x": "x", "c.git/config": "x"})
    paths = {b"a/HEAD", b"b/objects/x", b"b/new", b"c.git/config", b"objects/x", b"refs/x"}
    assert ControlFiles(tmp_path, paths).among(paths) == set()
    assert ControlFiles(tmp_path, {*paths, b"b/head"}).among([b"b/x", b"a/y"]) == {b"b/x"}
