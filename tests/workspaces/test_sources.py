"""What the form asks of the folder to work from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import repos

from engine.config.paths import Paths
from engine.domain.errors import user_error
from engine.domain.model import Run, WorkspaceKind, WorkspaceSpec
from engine.workspaces.sources import SourceInfo, SourceInspector


async def nobody(name: str) -> Run:
    raise user_error("RUN_NOT_FOUND")


@pytest.fixture
def sources(home: Path) -> SourceInspector:
    return SourceInspector(Paths(home, home / "config.yaml"), nobody)


def spec(folder: Path, kind: WorkspaceKind = WorkspaceKind.WORKTREE) -> WorkspaceSpec:
    return WorkspaceSpec(kind, str(folder))


async def test_a_repository_is_looked_at_and_left_alone(
    tmp_path: Path, sources: SourceInspector
) -> None:
    source = repos.repository(tmp_path / "s")
    clean = await sources.inspect(spec(source))
    assert clean is not None
    assert (clean.uncommitted, clean.some) == (0, ())
    for name in ("new.txt", "z1", "z2", "z\x1b[31m\n3"):
        (source / name).write_text("x")
    before = repos.files(source)
    found = await sources.inspect(spec(source))
    assert found == SourceInfo(clean.branch, 4, ("new.txt", "z\\x1b[31m\\n3", "z1"))
    assert repos.files(source) == before


async def test_what_is_no_repository_has_nothing_to_say(
    tmp_path: Path, sources: SourceInspector
) -> None:
    assert await sources.inspect(spec(tmp_path)) is None
    assert await sources.inspect(spec(tmp_path / "gone")) is None
    assert await sources.inspect(WorkspaceSpec()) is None
    assert await sources.inspect(WorkspaceSpec(WorkspaceKind.FROM_RUN, "nothing")) is None
    assert await sources.files(WorkspaceSpec(WorkspaceKind.FROM_RUN, "nothing")) == []
    assert await sources.files(spec(tmp_path / "gone")) == []


async def test_files_are_those_an_agent_would_find(
    tmp_path: Path, sources: SourceInspector
) -> None:
    source = repos.repository(tmp_path / "s")
    for name in ("src/deep/x.py", "src/\x1b]0;title\x07", "loose.txt"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("x")
    Path(os.fsdecode(os.fsencode(source) + b"/src/bad\xff")).write_text("x")
    repos.commit(source, "more")
    (source / "untracked").write_text("x")
    known = await sources.files(spec(source))
    assert {"src/deep/x.py", "loose.txt"} <= set(known)
    assert "untracked" not in known
    assert all(name.isprintable() for name in known)
    assert await sources.files(spec(source / "src", WorkspaceKind.COPY)) == ["deep/x.py"]
    assert "src/deep/x.py" in await sources.files(spec(source / "src"))


async def test_without_git_files_are_looked_for(tmp_path: Path, sources: SourceInspector) -> None:
    folder = tmp_path / "plain"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "deep.txt").write_text("x")
    (folder / "top.txt").write_text("x")
    (folder / ".hidden").write_text("x")
    (folder / "out").symlink_to("/etc")
    found = await sources.files(spec(folder, WorkspaceKind.COPY))
    assert [name for name in found if name != "out"] == ["top.txt", "a/deep.txt"]
