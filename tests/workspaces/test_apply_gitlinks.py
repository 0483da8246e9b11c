"""Commits of submodules applied: by commits and merges, never by edits, and none is lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import repos
from scenes import scene
from test_gitlinks import EVERY_KIND, FILE, initialise, library, newer, source, update

from engine.workspaces.apply.apply import ApplyMode, apply
from engine.workspaces.git.file_record import IN_MEMORY_BYTES

__all__ = ["library", "source"]
BY_COMMIT = pytest.mark.parametrize("how", [ApplyMode.COMMIT, ApplyMode.MERGE])


def link(source: Path, at: str, path: str = "lib") -> str:
    """Return the commit of a submodule in a commit of the source."""
    return repos.git(source, "rev-parse", "-q", "--verify", f"{at}:{path}", ok=False)


@BY_COMMIT
@pytest.mark.parametrize("kind", ["worktree", "copy"])
async def test_update_of_a_submodule_is_applied(
    source: Path, library: Path, home: Path, kind: str, how: ApplyMode
) -> None:
    here = await scene(source, home, kind)
    here.branch = here.branch or "swarm/r1"
    new = newer(library)
    update(here.root)
    repos.write(here.root, {"a.txt": "two\n"})
    done = await here.apply(how)
    assert done.files == ("a.txt", "lib")
    assert link(source, "swarm/r1") == new
    assert (link(source, "main") == new) == (how is ApplyMode.MERGE)
    status = repos.git(source, "status", "--porcelain")
    assert status == (" M lib" if how is ApplyMode.MERGE else "")  # as after a pull
    repos.git(source, *FILE, "submodule", "update", "-q")
    assert (source / "lib" / "code.c").read_text() == ("2\n" if how is ApplyMode.MERGE else "1\n")
    assert (await here.apply(how)).files == ()


async def test_update_in_the_folder_itself_is_merged(
    source: Path, library: Path, home: Path
) -> None:
    here = await scene(source, home, "in-place")
    new = newer(library)
    update(here.root)
    repos.git(here.root, "add", "lib")
    await here.apply(ApplyMode.MERGE)
    assert link(source, "main") == new
    assert repos.git(source, "status", "--porcelain") == ""


@BY_COMMIT
async def test_commit_made_in_a_submodule_comes_along(
    source: Path, home: Path, how: ApplyMode
) -> None:
    here = await scene(source, home)
    initialise(here.root)
    repos.write(here.root / "lib", {"code.c": "mine\n", "more.c": "more\n"})
    new = repos.commit(here.root / "lib", "mine")
    repos.git(here.root, "add", "lib")
    await here.apply(how)
    assert link(source, "swarm/r1") == new
    assert repos.git(source / "lib", "branch", "--contains", new) == f"  swarm/{new[:12]}"
    repos.git(source / "lib", "fsck", "--strict")
    assert (source / "lib" / "code.c").read_text() == "1\n"  # for the user to update


async def test_commit_that_only_the_workspace_holds_is_refused(
    source: Path, library: Path, home: Path
) -> None:
    here = await scene(source, home)
    repos.git(here.root, *FILE, "submodule", "add", "-q", str(library), "new")
    await here.apply(ApplyMode.COMMIT)
    repos.write(here.root / "new", {"x": "x\n"})
    repos.commit(here.root / "new", "only here")
    error = await here.refused(ApplyMode.MERGE)
    assert "new (has a commit that only the workspace holds" in error.message
    repos.git(here.root / "new", "push", "-q", "origin", "HEAD:refs/heads/pushed")
    await here.apply(ApplyMode.MERGE)
    assert link(source, "main", "new") == repos.git(library, "rev-parse", "pushed")
    repos.git(source, *FILE, "submodule", "update", "--init", "-q")
    assert (source / "new" / "x").read_text() == "x\n"


@BY_COMMIT
async def test_submodules_added_removed_and_moved_are_applied(
    source: Path, library: Path, home: Path, how: ApplyMode
) -> None:
    commit = repos.git(library, "rev-parse", "HEAD")
    here = await scene(source, home)
    repos.git(here.root, *FILE, "submodule", "add", "-q", str(library), "deep/more")
    repos.git(here.root, "mv", "lib", "moved")
    done = await here.apply(how)
    assert done.files == (".gitmodules", "deep/more", "lib", "moved")
    links = [link(source, "swarm/r1", path) for path in ("lib", "moved", "deep/more")]
    assert links == ["", commit, commit]
    assert (source / "lib" / "code.c").exists()
    if how is ApplyMode.MERGE:
        assert (source / "deep" / "more").is_dir()
        assert repos.git(source, "status", "--porcelain") == "?? lib/"
    repos.git(here.root, "rm", "-qf", "moved")
    await here.apply(how)
    assert link(source, "swarm/r1", "moved") == ""


@BY_COMMIT
async def test_uncommitted_edits_in_a_submodule_are_refused(
    source: Path, home: Path, how: ApplyMode
) -> None:
    here = await scene(source, home)
    initialise(here.root)
    assert (await here.apply(how)).files == ()
    repos.write(here.root, {"lib/code.c": "edited\n"})
    error = await here.refused(how)
    assert "lib/code.c (is not committed in the submodule" in error.message
    await here.apply(ApplyMode.EDITS)
    assert (source / "lib" / "code.c").read_text() == "edited\n"


async def test_edits_bring_files_and_name_the_commits_they_do_not_bring(
    source: Path, library: Path, home: Path
) -> None:
    here = await scene(source, home)
    newer(library)
    update(here.root)
    done = await here.apply(ApplyMode.EDITS)
    assert (done.files, done.links_left) == (("lib/code.c",), ("lib",))
    assert (source / "lib" / "code.c").read_text() == "2\n"
    assert repos.git(source / "lib", "log", "--format=%s") == "first"


async def test_edits_fill_no_submodule_that_is_not_checked_out(
    source: Path, library: Path, home: Path
) -> None:
    repos.git(source, "submodule", "--quiet", "deinit", "-f", "lib")
    here = await scene(source, home)
    update(here.root)
    assert (await here.apply(ApplyMode.EDITS)).files == ()
    newer(library)
    update(here.root)
    done = await here.apply(ApplyMode.EDITS)
    assert (done.files, done.links_left) == ((), ("lib",))
    repos.git(source, *FILE, "submodule", "update", "--init", "-q")


async def test_the_users_own_update_stands_against_it(
    source: Path, library: Path, home: Path
) -> None:
    here = await scene(source, home)
    newer(library)
    update(here.root)
    repos.write(source / "lib", {"other": "o\n"})
    own = repos.commit(source / "lib", "own")
    repos.git(source, "add", "lib")
    error = await here.refused(ApplyMode.MERGE)
    assert "lib (has uncommitted changes here)" in error.message
    repos.git(source, "commit", "-qm", "own")
    error = await here.refused(ApplyMode.MERGE)
    assert "lib (changed here and in the run)" in error.message
    assert link(source, "main") == own


@BY_COMMIT
async def test_folder_and_submodule_change_places(
    source: Path, library: Path, home: Path, how: ApplyMode
) -> None:
    repos.write(source, {"code/x": "x\n"})
    repos.commit(source, "a folder")
    here = await scene(source, home)
    initialise(here.root)
    repos.git(here.root, "rm", "-qr", "code")
    repos.git(here.root, *FILE, "submodule", "add", "-q", str(library), "code")
    repos.git(here.root, "rm", "-q", "--cached", "lib")
    (here.root / "lib" / ".git").unlink()
    await here.apply(how)
    assert repos.git(source, "ls-tree", "-r", "--name-only", "swarm/r1").split("\n") == [
        ".gitmodules",
        "a.txt",
        "code",
        "lib/code.c",
    ]


@EVERY_KIND
async def test_files_of_a_nested_repository_are_applied_as_files(
    source: Path, home: Path, kind: str
) -> None:
    here = await scene(source, home, kind)
    here.branch = here.branch or "swarm/r1"
    repos.repository(here.root / "own", {"x": "x\n"})
    done = await here.apply(ApplyMode.COMMIT)
    assert done.files == ("own/x",)
    assert "own/x" in repos.git(source, "ls-tree", "-r", "--name-only", "swarm/r1")


async def test_patch_of_an_update_is_one_that_git_applies(
    source: Path, library: Path, home: Path
) -> None:
    repos.git(source, "submodule", "--quiet", "deinit", "-f", "lib")
    here = await scene(source, home)
    new = newer(library)
    repos.git(here.root, "update-index", "--cacheinfo", f"160000,{new},lib")
    repos.write(here.root, {"large.bin": b"\0" * (IN_MEMORY_BYTES + 1)})
    wish = here.wish(ApplyMode.PATCH)
    patch = await repos.written(lambda file: apply(here.run, replace(wish, patch=file), home))
    repos.git(source, "apply", "--index", "-", stdin=patch)
    assert repos.git(source, "ls-files") == ".gitmodules\na.txt\nlarge.bin\nlib"
    assert repos.git(source, "ls-files", "-s", "lib").split()[1] == new


async def test_lost_index_removes_no_submodule(source: Path, home: Path) -> None:
    here = await scene(source, home, "copy")
    (here.root / ".git" / "index").unlink()
    assert await here.changed() == []
