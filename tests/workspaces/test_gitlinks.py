"""Commits of submodules and of other nested repositories: changes like any other."""

from __future__ import annotations

from pathlib import Path

import pytest
import repos
from scenes import Scene, scene

from engine.workspaces.apply.restore import restore
from engine.workspaces.checkpoints.changes import ChangeKind
from engine.workspaces.checkpoints.checkpoints import Checkpoints

FILE = ("-c", "protocol.file.allow=always")
EVERY_KIND = pytest.mark.parametrize("kind", ["worktree", "copy", "in-place"])


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """The repository that the submodule is cloned from; it has gone on since."""
    return repos.repository(tmp_path / "library", {"code.c": "1\n"})


@pytest.fixture
def source(tmp_path: Path, library: Path) -> Path:
    """A repository with a submodule at `lib`, checked out."""
    path = repos.repository(tmp_path / "s", {"a.txt": "one\n"})
    repos.git(path, *FILE, "submodule", "add", "-q", str(library), "lib")
    repos.commit(path, "with a library")
    return path


def newer(library: Path) -> str:
    repos.write(library, {"code.c": "2\n"})
    return repos.commit(library, "second")


def initialise(root: Path) -> None:
    repos.git(root, *FILE, "submodule", "update", "--init", "-q")


def update(root: Path) -> None:
    repos.git(root, *FILE, "submodule", "update", "--init", "--remote", "-q")


async def seen(here: Scene) -> dict[str, tuple[ChangeKind, str | None, str | None]]:
    """Return the submodules that changed, with their commits before and after."""
    changes = (await here.run.changes()).files
    return {
        file.path: (file.kind, file.old_commit, file.commit)
        for file in changes
        if file.is_submodule
    }


@EVERY_KIND
async def test_update_of_a_submodule_is_a_change(
    source: Path, library: Path, home: Path, kind: str
) -> None:
    old = repos.git(library, "rev-parse", "HEAD")
    here = await scene(source, home, kind)
    assert await here.changed() == []
    initialise(here.root)
    assert await seen(here) == {}
    new = newer(library)
    update(here.root)
    assert await seen(here) == {"lib": (ChangeKind.MODIFIED, old, new)}
    repos.git(here.root, "add", "lib")
    assert await seen(here) == {"lib": (ChangeKind.MODIFIED, old, new)}
    repos.git(here.root, "commit", "-qm", "update")
    assert await seen(here) == {"lib": (ChangeKind.MODIFIED, old, new)}
    text = (await repos.written(here.run.write_diff)).decode()
    assert f"diff --git a/lib b/lib\nindex {old[:7]}" in text
    assert f"-Subproject commit {old}\n+Subproject commit {new}\n" in text
    assert "/.git" not in text
    (file,) = [one for one in (await here.run.changes()).files if one.is_submodule]
    assert b"Subproject" in await (await here.run.compare()).diff(file)
    assert here.workspace
    again = await Checkpoints.open(here.run.git.git_dir, here.workspace)
    assert (await again.changes()).files == (await here.run.changes()).files


@EVERY_KIND
async def test_submodules_added_removed_and_moved(
    source: Path, library: Path, home: Path, kind: str
) -> None:
    commit = repos.git(library, "rev-parse", "HEAD")
    here = await scene(source, home, kind)
    repos.git(here.root, *FILE, "submodule", "add", "-q", str(library), "deep/more")
    assert await seen(here) == {"deep/more": (ChangeKind.ADDED, None, commit)}
    repos.git(here.root, "rm", "-qf", "deep/more")
    assert await seen(here) == {}
    repos.git(here.root, "mv", "lib", "moved")
    assert await seen(here) == {"moved": (ChangeKind.RENAMED, commit, commit)}
    text = (await repos.written(here.run.write_diff)).decode()
    assert f"--- a/lib\n+++ /dev/null\n@@ -1 +0,0 @@\n-Subproject commit {commit}" in text
    assert f"+++ b/moved\n@@ -0,0 +1 @@\n+Subproject commit {commit}" in text
    repos.git(here.root, "rm", "-qf", "moved")
    assert await seen(here) == {"lib": (ChangeKind.DELETED, commit, None)}


@EVERY_KIND
async def test_commit_of_a_submodule_set_in_the_index_alone(
    source: Path, home: Path, kind: str
) -> None:
    repos.git(source, "submodule", "--quiet", "deinit", "-f", "lib")
    here = await scene(source, home, kind)
    repos.git(here.root, "update-index", "--cacheinfo", f"160000,{'1' * 40},lib")
    assert {path: one[2] for path, one in (await seen(here)).items()} == {"lib": "1" * 40}


@EVERY_KIND
async def test_nested_repository_of_the_agent_is_reported(
    source: Path, home: Path, kind: str
) -> None:
    here = await scene(source, home, kind)
    repos.repository(here.root / "own" / "deep", {"x": "x\n"})
    commit = repos.git(here.root / "own" / "deep", "rev-parse", "HEAD")
    assert await seen(here) == {"own/deep": (ChangeKind.ADDED, None, commit)}
    assert await here.changed() == ["own/deep", "own/deep/x"]
    repos.git(here.root / "own" / "deep", "pack-refs", "--all")
    assert await seen(here) == {"own/deep": (ChangeKind.ADDED, None, commit)}
    repos.git(here.root, "worktree", "add", "-q", "--detach", "tree")
    assert set(await seen(here)) == {"own/deep", "tree"}


async def test_file_that_became_a_submodule(source: Path, library: Path, home: Path) -> None:
    here = await scene(source, home, "copy")
    repos.git(here.root, "rm", "-q", "a.txt")
    repos.git(here.root, *FILE, "submodule", "add", "-q", str(library), "a.txt")
    assert await seen(here)
    pairs = {pair.path: pair for pair in await here.run.pairs()}
    old, new = pairs[b"a.txt"].old, pairs[b"a.txt"].new
    assert old and old[0] == 0o100644
    assert new and new[0] == 0o160000


async def test_git_file_that_points_elsewhere_is_not_read(
    source: Path, library: Path, tmp_path: Path, home: Path
) -> None:
    other = repos.repository(tmp_path / "secret")
    here = await scene(source, home, "copy")
    repos.write(here.root, {"out/.git": f"gitdir: {other}/.git\n", "out/x": "x\n"})
    (here.root / "link").mkdir()
    (here.root / "link" / ".git").symlink_to(other / ".git")
    assert await seen(here) == {}


async def test_restore_leaves_commits_of_submodules(
    source: Path, library: Path, home: Path
) -> None:
    here = await scene(source, home, "copy")
    new = newer(library)
    update(here.root)
    done = await restore(here.run, 0)
    assert (done.files, done.kept) == (("lib/code.c",), ("lib",))
    assert (here.root / "lib" / "code.c").read_text() == "1\n"
    assert repos.git(here.root / "lib", "rev-parse", "HEAD") == new


async def test_store_of_an_earlier_version_goes_on_without_commits(
    source: Path, library: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.workspaces.git.gitlinks.note_links", lambda _: None)
    here = await scene(source, home, "copy")
    newer(library)
    update(here.root)
    assert await here.changed() == ["lib/code.c"]
