"""git never runs where a stranger chose the settings, links and pointers."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
import repos

from engine.disk import unpushed_commits
from engine.domain.errors import UserError
from engine.domain.model import Workspace, WorkspaceKind, WorkspaceSpec
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create import create, worktree
from engine.workspaces.create.origin import OriginCache, origin
from engine.workspaces.git import repository
from engine.workspaces.git.foreign_repository import ForeignRepository


def everything(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


async def copied(spec: WorkspaceSpec, target: Path, home: Path) -> Workspace:
    made = await asyncio.to_thread(create.make, spec, target, home, lambda: False)
    return made.workspace


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A repository of the user's that no run has to do with."""
    return repos.repository(tmp_path / "private", {"secret.txt": "secret\n"})


def pretend(folder: Path, private: Path, how: str) -> None:
    """Let a folder claim to be of another repository, as an agent can."""
    git_dir = folder / ".git"
    if how == "file":
        git_dir.write_text(f"gitdir: {private}/.git\n")
    elif how == "link":
        git_dir.symlink_to(private / ".git")
    elif how == "commondir":
        git_dir.mkdir()
        (git_dir / "HEAD").write_text("ref: refs/heads/main\n")
        (git_dir / "commondir").write_text(f"{private}/.git\n")
        (git_dir / "gitdir").write_text(f"{folder}/.git\n")
    elif how == "worktree":
        fake = folder / "fake"
        (fake / "commondir").parent.mkdir()
        (fake / "HEAD").write_text("ref: refs/heads/main\n")
        (fake / "commondir").write_text(f"{private}/.git\n")
        (fake / "gitdir").write_text(f"{folder}/.git\n")
        git_dir.write_text("gitdir: fake\n")
    else:  # a repository of the agent's own, which has the folder registered
        own = repos.repository(folder.parent / f"{folder.name}-own")
        place = own / ".git" / "worktrees" / "x"
        place.mkdir(parents=True)
        (place / "HEAD").write_text("ref: refs/heads/main\n")
        (place / "commondir").write_text("../..\n")
        (place / "gitdir").write_text(f"{folder}/.git\n")
        (own / ".git" / "refs" / "heads" / "swarm").symlink_to(private)
        git_dir.write_text(f"gitdir: {place}\n")


@pytest.mark.parametrize("how", ["file", "link", "commondir", "worktree", "own"])
async def test_from_a_run_whose_folder_claims_to_be_another_repositorys(
    tmp_path: Path, home: Path, private: Path, how: str
) -> None:
    earlier = home / "workspaces" / "p" / "r1"
    earlier.mkdir(parents=True)
    pretend(earlier, private, how)
    before = everything(private)
    spec = WorkspaceSpec(WorkspaceKind.FROM_RUN, str(earlier))
    made = await copied(spec, home / "workspaces" / "p" / "r2", home)
    assert made.branch is None
    record = Workspace(str(earlier), WorkspaceKind.FROM_RUN, str(earlier), "swarm/r1")
    if how != "link":
        assert await origin(record) is None
    assert everything(private) == before


async def test_a_worktree_goes_on_from_another(tmp_path: Path, home: Path) -> None:
    source = repos.repository(tmp_path / "s")
    made = await worktree.create(source, home / "workspaces" / "p" / "r1", "swarm/r1", home)
    spec = WorkspaceSpec(WorkspaceKind.FROM_RUN, made.workspace.path)
    second = await copied(spec, home / "workspaces" / "p" / "r2", home)
    assert second.branch == "swarm/r2"
    found = await origin(second)
    assert found
    assert found.common_dir == source / ".git"


LINKS = (
    "HEAD", "refs", "refs/heads", "refs/heads/swarm", "logs", "logs/HEAD", "packed-refs", "index",
    "objects/info", "objects/ab", "worktrees", "info", "config", "commondir", "modules", "shallow",
)  # fmt: skip


@pytest.mark.parametrize("name", LINKS)
async def test_an_unpacked_archive_whose_git_holds_a_link(
    tmp_path: Path, home: Path, private: Path, name: str
) -> None:
    source = repos.repository(tmp_path / "s")
    place = source / ".git" / name
    aside = tmp_path / "aside"
    if os.path.lexists(place):
        place.rename(aside)
    else:
        aside.mkdir()
    place.symlink_to(aside)
    before = everything(private), everything(aside)
    spec = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    with pytest.raises(UserError) as raised:
        await asyncio.to_thread(create.make, spec, home / "w" / "p" / "r1", home, lambda: False)
    assert raised.value.code in ("WORKSPACE_UNSAFE", "INPUT_INVALID")
    assert (everything(private), everything(aside)) == before


async def test_a_copy_of_such_a_folder_works_without_its_repository(
    tmp_path: Path, home: Path
) -> None:
    source = repos.repository(tmp_path / "s", {"a": "a\n"})
    (source / ".git" / "logs" / "refs" / "x").symlink_to(tmp_path / "out")
    target = home / "workspaces" / "p" / "r1"
    workspace = await copied(WorkspaceSpec(WorkspaceKind.COPY, str(source)), target, home)
    run = await Checkpoints.make(home / "runs" / "r1" / "c.git", workspace)
    await run.record("baseline")
    assert run.repository is None
    repos.write(target, {"a": "b\n"})
    assert [file.path for file in (await run.changes()).files] == ["a"]


def test_a_tracked_folder_that_looks_like_a_bare_repository_is_none(tmp_path: Path) -> None:
    source = repos.repository(tmp_path / "s")
    bare = source / "fixtures" / "bare"
    repos.git(source, "init", "-q", "--bare", str(bare))
    for folder in (bare, bare / "objects"):
        assert repository.locate(folder) == (source / ".git", source / ".git", source)
    alone = tmp_path / "alone.git"
    repos.git(source, "init", "-q", "--bare", str(alone))
    assert repository.locate(alone) == (alone, alone, None)
    assert repository.locate(alone / "objects") is None


async def test_a_repository_of_another_user_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = repos.repository(tmp_path / "s")
    monkeypatch.setattr(os, "geteuid", lambda: source.stat().st_uid + 1)
    with pytest.raises(UserError, match="another user"):
        await repository.find(source)


async def test_a_repository_in_a_workspace_is_looked_at_without_running_git_in_it(
    tmp_path: Path, home: Path, private: Path
) -> None:
    root = home / "workspaces" / "p" / "r1"
    repos.repository(root, {"a": "a\n"})
    git_dir = root / ".git"
    (git_dir / "objects" / "info" / "alternates").write_text(f"{private}/.git/objects\n")
    secret = repos.git(private, "rev-parse", "HEAD")
    ran = tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {ran}\n")
    script.chmod(0o755)
    (git_dir / "refs" / "heads" / "link").symlink_to(private / ".git" / "refs" / "heads" / "main")
    (git_dir / "refs" / "heads" / "odd").write_text("ref: ../../x\n")
    (git_dir / "refs" / "remotes").symlink_to(private / ".git" / "refs")
    (git_dir / "objects" / "zz").symlink_to(private / ".git" / "objects")
    repos.git(root, "config", "core.fsmonitor", str(script))
    repos.git(root, "config", "include.path", str(private / ".git" / "config"))
    found = ForeignRepository(root, ".git")
    async with found.opened(home / "scratch") as git:
        assert [ref for _, ref in await repository.refs(git)] == ["refs/heads/main"]
        assert (await git.ask("cat-file", "-e", secret)).code
        assert not (git.git_dir / "objects" / "info" / "alternates").exists()
    workspace = Workspace(str(root), WorkspaceKind.EMPTY)
    holdings = await unpushed_commits.inside(
        workspace, [("", found)], OriginCache(), home / "scratch", is_taken=False
    )
    assert [one.count for one in holdings] == [1]
    await holdings[0].bundle(home / "scratch" / "x.bundle")
    heads = repos.git(home, "bundle", "list-heads", str(home / "scratch" / "x.bundle"))
    assert secret not in heads
    assert not ran.exists()
    assert list((home / "scratch").iterdir()) == [home / "scratch" / "x.bundle"]


async def test_a_git_directory_behind_a_link_is_not_looked_at(home: Path, private: Path) -> None:
    root = home / "workspaces" / "p" / "r1"
    root.mkdir(parents=True)
    (root / "sub").symlink_to(private)
    async with ForeignRepository(root, "sub/.git").opened(home / "scratch") as git:
        assert await repository.refs(git) == []
    (root / ".git").mkdir()
    (root / ".git" / "modules").symlink_to(private)
    assert unpushed_commits.modules(root / ".git" / "modules") == []


@pytest.mark.parametrize("how", ["file", "link", "commondir", "worktree"])
async def test_a_source_that_claims_to_be_another_repository_is_none(
    tmp_path: Path, home: Path, private: Path, how: str
) -> None:
    source = tmp_path / "s"
    source.mkdir()
    pretend(source, private, how)
    for name in ("objects", "refs"):
        if how == "commondir":
            (source / ".git" / name).mkdir()
    before = everything(private)
    assert repository.locate(source) is None
    spec = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    with pytest.raises(UserError) as raised:
        await copied(spec, home / "workspaces" / "p" / "r1", home)
    assert raised.value.code == "INPUT_INVALID"
    assert everything(private) == before


async def test_a_repository_that_is_swapped_for_a_pointer_after_the_check_is_not_followed(
    tmp_path: Path, home: Path, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = repos.repository(tmp_path / "s")
    found = await repository.find(source)
    assert found
    before = everything(private)
    for how in ("file", "link"):
        (source / ".git").rename(tmp_path / how)
        pretend(source, private, how)
        with pytest.raises(UserError) as raised:
            await found.git.run("update-ref", "refs/heads/x", found.head or "")
        assert raised.value.code == "WORKSPACE_UNSAFE"
        (source / ".git").unlink()
        (tmp_path / how).rename(source / ".git")
    assert everything(private) == before


@pytest.mark.parametrize("pointer", ["gitdir: loop", "gitdir: a\0b", "gitdir: d"])
def test_a_pointer_that_leads_nowhere_is_no_repository(tmp_path: Path, pointer: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for name in ("d/objects", "d/refs"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "d" / "HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / "d" / "commondir").write_bytes(b"x\0y")
    (tmp_path / ".git").write_text(pointer)
    assert repository.locate(tmp_path) is None
