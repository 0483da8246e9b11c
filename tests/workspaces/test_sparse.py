"""Sparse checkouts: a file outside the cone is no deletion, and stays where git has it."""

from __future__ import annotations

from pathlib import Path

import pytest
import repos
from scenes import scene

from engine.workspaces.apply.apply import ApplyMode
from engine.workspaces.apply.restore import restore

FILES: dict[str, str | bytes] = {
    "top": "t\n",
    "in/a": "a\n",
    "out/b": "b\n",
    "out/deep/c": "c\n",
    "other/d": "d\n",
}


@pytest.fixture
def layout() -> str:
    return "cone"


@pytest.fixture
def source(tmp_path: Path, layout: str) -> Path:
    """A sparse repository whose working tree has `top` and `in`."""
    path = repos.repository(tmp_path / "s", FILES)
    if layout == "worktree-config":
        repos.git(path, "config", "extensions.worktreeConfig", "true")
    how = {"no-cone": ["--no-cone"], "sparse-index": ["--cone", "--sparse-index"]}
    folders = ["/top", "/in/"] if layout == "no-cone" else ["in"]
    repos.git(path, "sparse-checkout", "set", *how.get(layout, ["--cone"]), *folders)
    assert set(repos.files(path)) == {"top", "in/a"}
    return path


def head(source: Path) -> set[str]:
    return set(repos.git(source, "ls-tree", "-r", "--name-only", "HEAD").splitlines())


@pytest.mark.parametrize("kind", ["worktree", "copy", "in-place"])
async def test_stash_and_cones_of_the_agent_delete_nothing(
    source: Path, home: Path, kind: str
) -> None:
    here = await scene(source, home, kind)
    assert set(repos.files(here.root)) == {"top", "in/a"}
    assert repos.git(here.root, "status", "--porcelain") == ""
    outside = "not in the workspace: 3 files outside the sparse checkout"
    assert [outside in one for one in here.notices] == ([True] if kind == "worktree" else [])
    assert await here.changed() == []
    repos.write(here.root, {"in/a": "A\n"})
    repos.git(here.root, "stash")
    assert await here.changed() == []
    repos.git(here.root, "stash", "pop")
    assert await here.changed() == ["in/a"]
    repos.git(here.root, "sparse-checkout", "disable")
    assert set(repos.files(here.root)) == set(FILES)
    assert await here.changed() == ["in/a"]
    repos.write(here.root, {"out/b": "B\n"})
    assert await here.changed() == ["in/a", "out/b"]
    point = await here.run.record("two files")
    repos.git(here.root, "add", "out/b")
    repos.git(here.root, "commit", "-qm", "b")
    repos.git(here.root, "sparse-checkout", "set", "--cone", "in")
    assert set(repos.files(here.root)) == {"top", "in/a"}
    assert await here.changed() == ["in/a", "out/b"]
    await restore(here.run, 0)
    assert await here.changed() == []
    await restore(here.run, point.n)
    assert await here.changed() == ["in/a", "out/b"]


@pytest.mark.parametrize(
    ("layout", "kind", "how"),
    [
        ("cone", "worktree", ApplyMode.EDITS),
        ("cone", "worktree", ApplyMode.COMMIT),
        ("cone", "worktree", ApplyMode.MERGE),
        ("cone", "copy", ApplyMode.MERGE),
        ("no-cone", "worktree", ApplyMode.MERGE),
        ("sparse-index", "worktree", ApplyMode.MERGE),
        ("worktree-config", "worktree", ApplyMode.MERGE),
    ],
)
async def test_apply_keeps_what_is_outside_the_cone(
    source: Path, home: Path, kind: str, how: ApplyMode
) -> None:
    here = await scene(source, home, kind)
    here.branch = here.branch or "swarm/r1"
    repos.write(here.root, {"in/a": "A\n", "in/new": "n\n"})
    repos.git(here.root, "stash", "-u")
    repos.git(here.root, "stash", "pop")
    assert (await here.apply(how)).files == ("in/a", "in/new")
    assert set(repos.files(source)) == {"top", "in/a"} | (
        set[str]() if how is ApplyMode.COMMIT else {"in/new"}
    )
    wanted = {ApplyMode.EDITS: FILES.keys(), ApplyMode.MERGE: FILES.keys() | {"in/new"}}
    assert head(source) == set(wanted.get(how, FILES.keys()))
    status = repos.git(source, "status", "--porcelain")
    assert ("out/" in status or " D" in status) is False
    if how is ApplyMode.COMMIT:
        tree = repos.git(source, "ls-tree", "-r", "--name-only", "swarm/r1").splitlines()
        assert set(tree) == FILES.keys() | {"in/new"}
    if kind == "worktree":
        assert await here.changed() == ["in/a", "in/new"]
        assert "out/" not in repos.git(here.root, "status", "--porcelain")


@pytest.mark.parametrize("how", [ApplyMode.EDITS, ApplyMode.MERGE])
async def test_a_file_outside_the_cone_that_the_agent_changed(
    source: Path, home: Path, how: ApplyMode
) -> None:
    here = await scene(source, home)
    repos.git(here.root, "sparse-checkout", "disable")
    repos.write(here.root, {"out/b": "B\n", "out/new": "n\n"})
    (here.root / "other" / "d").unlink()
    assert await here.changed() == ["other/d", "out/b", "out/new"]
    await here.apply(how)
    if how is ApplyMode.EDITS:
        assert (source / "out" / "b").read_text() == "B\n"
        assert (source / "out" / "new").read_text() == "n\n"
        return
    assert head(source) == (FILES.keys() - {"other/d"}) | {"out/new"}
    assert repos.git(source, "show", "HEAD:out/b") == "B"
    assert not (source / "out" / "b").exists()
    assert repos.git(source, "status", "--porcelain") == ""


async def test_uncommitted_work_outside_the_cone_is_seen(source: Path, home: Path) -> None:
    repos.write(source, {"other/d": "mine\n"})
    here = await scene(source, home, include_uncommitted=True)
    assert (here.root / "other" / "d").read_text() == "mine\n"
    repos.git(here.root, "sparse-checkout", "disable")
    repos.write(here.root, {"out/b": "agent\n"})
    repos.write(source, {"out/b": "mine\n"})
    error = await here.refused(ApplyMode.MERGE)
    assert "out/b (has uncommitted changes here)" in error.message
    assert (source / "out" / "b").read_text() == "mine\n"
