"""The commit that a worktree starts from: named, pinned, held, and let go."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
import repos

from engine.domain.errors import UserError
from engine.domain.model import Run, RunSpec, WorkspaceKind, WorkspaceSpec
from engine.workspaces.create import base, create
from engine.workspaces.git import fetch
from engine.workspaces.git.repository import must_find


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with three commits, a branch and an annotated tag."""
    source = repos.repository(tmp_path / "s")
    repos.git(source, "tag", "-a", "-m", "one", "v1")
    repos.git(source, "branch", "old")
    for number in (2, 3):
        (source / "a.txt").write_text(f"{number}\n")
        repos.commit(source, f"commit {number}")
    return source


def wish(source: Path, name: str | None = None, **more: bool) -> WorkspaceSpec:
    return WorkspaceSpec(WorkspaceKind.WORKTREE, str(source), base=name, **more)


def rev(source: Path, name: str) -> str:
    return repos.git(source, "rev-parse", f"{name}^{{commit}}")


def make(spec: WorkspaceSpec, home: Path, run: str = "r1") -> create.CreatedWorkspace:
    target = home / "workspaces" / "p" / run
    return create.make(spec, target, home, lambda: False)


@pytest.mark.parametrize(
    "name",
    [None, "HEAD", "@", "main", "old", "v1", "HEAD~2", "main^", "refs/heads/old", "@~1", "v1^0"],
)
async def test_names_are_resolved_as_git_does(source: Path, home: Path, name: str | None) -> None:
    pinned = await base.pin(wish(source, name), home)
    assert pinned.base_commit == rev(source, name or "HEAD")
    assert pinned.base == name
    short = await base.pin(wish(source, pinned.base_commit[:10]), home)
    assert short.base_commit == pinned.base_commit
    assert await base.pin(pinned, home) == pinned


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "not the name"),
        ("-x", "not the name"),
        ("--all", "not the name"),
        ("@{-1}", "reflog"),
        ("HEAD@{1}", "reflog"),
        ("main@{upstream}", "reflog"),
        ("main:a.txt", "not the name"),
        (":/first", "not the name"),
        ("main^{/first}", "not the name"),
        ("old..main", "not the name"),
        ("^main", "not the name"),
        ("ma*n", "not the name"),
        ("a b", "not the name"),
        ("x\n", "not the name"),
        ("main\u202e", "not the name"),
        ("x" * 300, "not the name"),
        ("main^{tree}", "is a tree"),
        ("nowhere", "is not there"),
        ("main~99", "is not there"),
        ("HEAD^7", "is not there"),
        ("0" * 40, "is not there"),
        ("both", "could mean refs/heads/both, refs/tags/both"),
    ],
)
async def test_what_is_no_commit_is_refused(source: Path, home: Path, name: str, said: str) -> None:
    repos.git(source, "branch", "both")
    repos.git(source, "tag", "both", "old")
    with pytest.raises(UserError) as caught:
        await base.pin(wish(source, name), home)
    assert caught.value.code == "BASE_INVALID"
    assert said in caught.value.message
    assert not repos.git(source, "for-each-ref", "refs/swarm")


async def test_a_blob_is_no_base_and_one_commit_by_two_names_is(source: Path, home: Path) -> None:
    repos.git(source, "tag", "blob", "HEAD:a.txt")
    with pytest.raises(UserError, match="is a blob, not a commit"):
        await base.pin(wish(source, "blob"), home)
    repos.git(source, "tag", "same", "old")
    repos.git(source, "branch", "same", "old")
    assert (await base.pin(wish(source, "same"), home)).base_commit == rev(source, "old")


def test_a_workspace_starts_where_the_base_was(source: Path, home: Path) -> None:
    pinned = asyncio.run(base.pin(wish(source, "old"), home))
    old = rev(source, "old")
    repos.git(source, "branch", "-f", "old", "main")
    (source / "a.txt").write_text("not committed\n")
    made = make(pinned, home)
    assert rev(Path(made.workspace.path), "HEAD") == old
    assert (Path(made.workspace.path) / "a.txt").read_text() == "one\ntwo\nthree\n"
    assert made.notices == (
        "not in the workspace: "
        "1 uncommitted file of the source (--include-uncommitted brings them along)",
    )


def test_uncommitted_work_comes_to_the_commit_that_was_requested(source: Path, home: Path) -> None:
    with pytest.raises(UserError, match="Uncommitted changes can only"):
        asyncio.run(base.pin(wish(source, "old", include_uncommitted=True), home))
    (source / "new.txt").write_text("new\n")
    pinned = asyncio.run(base.pin(wish(source, include_uncommitted=True), home))
    repos.commit(source, "committed meanwhile")
    made = make(pinned, home)
    assert rev(Path(made.workspace.path), "HEAD") == pinned.base_commit
    assert (Path(made.workspace.path) / "new.txt").read_text() == "new\n"


async def test_only_a_worktree_has_a_base(source: Path, home: Path) -> None:
    for kind in (WorkspaceKind.COPY, WorkspaceKind.EMPTY, WorkspaceKind.IN_PLACE):
        spec = replace(wish(source, "old"), kind=kind)
        with pytest.raises(UserError, match="Only a worktree"):
            await asyncio.to_thread(create.check, spec, 1 << 30, home)


async def test_a_base_is_held_until_its_run_is_gone(source: Path, home: Path) -> None:
    repos.git(source, "checkout", "-q", "-b", "gone", "old")
    (source / "b").write_text("b")
    commit = repos.commit(source, "only here")
    repos.git(source, "checkout", "-q", "main")
    pinned = await base.pin(wish(source, "gone"), home)
    run = Run("r1", RunSpec("p", "t", "x", workspace=pinned), 0.0)
    await base.hold([run])
    repos.git(source, "branch", "-D", "gone")
    repos.git(source, "reflog", "expire", "--expire=now", "--all")
    repos.git(source, "gc", "-q", "--prune=now")
    assert await base.pin(pinned, home) == pinned
    assert "swarm" not in repos.git(source, "branch", "-a")
    await base.release(source, "r1")
    assert not repos.git(source, "for-each-ref", "refs/swarm")
    repos.git(source, "gc", "-q", "--prune=now")
    with pytest.raises(UserError, match=rf"The commit {commit[:12]} \(gone\) is no longer"):
        await base.pin(pinned, home)


# The network


@pytest.fixture
def remote(source: Path, tmp_path: Path) -> Path:
    """A bare repository that `source` was pushed to, with a pull request."""
    bare = tmp_path / "remote.git"
    repos.git(tmp_path, "clone", "-q", "--bare", str(source), str(bare))
    repos.git(source, "remote", "add", "origin", str(bare))
    repos.git(source, "fetch", "-q", "origin")
    repos.git(source, "branch", "-q", "-u", "origin/main", "main")
    other = tmp_path / "other"
    repos.git(tmp_path, "clone", "-q", str(bare), str(other))
    for name in ("more.txt", "most.txt"):
        (other / name).write_text("more\n")
        repos.commit(other, name)
    repos.git(other, "push", "-q", "origin", "HEAD:main", "HEAD:refs/heads/feature")
    repos.git(other, "checkout", "-q", "-b", "pull", "origin/old")
    (other / "pull.txt").write_text("pull\n")
    repos.commit(other, "from a stranger")
    repos.git(other, "push", "-q", "origin", "HEAD:refs/pull/123/head")
    return bare


@pytest.mark.parametrize(
    ("name", "there"),
    [
        (None, "main"),
        ("main", "main"),
        ("origin/main", "main"),
        ("origin/main~1", "main~1"),
        ("feature", "feature"),
        ("v1", "v1"),
    ],
)
async def test_fetch_brings_the_base_up_to_date(
    source: Path, remote: Path, home: Path, name: str | None, there: str
) -> None:
    own = rev(source, "main")
    pinned = await base.pin(wish(source, name, fetch=True), home)
    assert pinned.base_commit == rev(remote, there)
    assert not pinned.fetch
    assert rev(source, "main") == own
    assert not repos.git(source, "for-each-ref", "refs/swarm")
    assert [path.name for path in home.iterdir() if path.name.startswith(".git-")] == []


async def test_a_branch_with_own_commits_is_the_base_itself(
    source: Path, remote: Path, home: Path
) -> None:
    own = repos.commit(source, "mine")
    assert (await base.pin(wish(source, fetch=True), home)).base_commit == own
    assert rev(source, "origin/main") == rev(remote, "main")


async def test_a_pull_request_is_fetched_and_forgotten_with_its_run(
    source: Path, remote: Path, home: Path
) -> None:
    pinned = await base.pin(wish(source, "pr/123"), home)
    assert pinned.base_commit == rev(remote, "refs/pull/123/head")
    assert (await base.pin(wish(source, "origin/pr/123"), home)).base_commit == pinned.base_commit
    run = Run("r1", RunSpec("p", "t", "x", workspace=pinned), 0.0)
    await base.hold([run])
    made = await asyncio.to_thread(make, pinned, home)
    assert (Path(made.workspace.path) / "pull.txt").exists()
    assert "pull" not in repos.git(source, "branch", "-a")
    await base.release(source, "r1")
    assert not repos.git(source, "for-each-ref", "refs/swarm")


@pytest.mark.parametrize(
    ("url", "name", "said"),
    [
        (None, "pr/7", "refs/pull/7/head"),
        (None, "other/pr/7", "no remote other"),
        (None, "nowhere", "nowhere"),
        ("ext::touch{tmp}/evil", "origin/main", "not an address of a repository"),
        ("git://127.0.0.1/x", "origin/main", "not an address of https, ssh or file"),
        ("-uevil", "origin/main", "not an address of a repository"),
        ("{tmp}/gone", "origin/main", "refs/heads/main of"),
    ],
)
async def test_what_cannot_be_fetched_is_told(
    source: Path, remote: Path, home: Path, tmp_path: Path, url: str, name: str, said: str
) -> None:
    if url:
        repos.git(source, "config", "remote.origin.url", url.format(tmp=tmp_path))
    with pytest.raises(UserError) as caught:
        await base.pin(wish(source, name, fetch=True), home)
    assert caught.value.code == "FETCH_FAILED"
    assert said in caught.value.message
    assert not (tmp_path / "evil").exists()


async def test_settings_of_the_repository_run_nothing_while_fetching(
    source: Path, remote: Path, home: Path, tmp_path: Path
) -> None:
    evil = tmp_path / "evil.sh"
    evil.write_text(f'#!/bin/sh\ntouch {tmp_path}/ran\nexec git-upload-pack "$@"\n')
    evil.chmod(0o755)
    (source / ".git" / "hooks").mkdir(exist_ok=True)
    (source / ".git" / "hooks" / "reference-transaction").symlink_to(evil)
    for key in ("remote.origin.uploadpack", "core.sshCommand", "core.fsmonitor"):
        repos.git(source, "config", key, str(evil))
    repos.git(source, "config", "credential.helper", f"!{evil}")
    repos.git(source, "config", f"url.ext::{evil}.insteadOf", str(remote))
    (tmp_path / "ran").unlink(missing_ok=True)
    pinned = await base.pin(wish(source, "origin/main", fetch=True), home)
    assert pinned.base_commit == rev(remote, "main")
    assert not (tmp_path / "ran").exists()


async def test_without_fetch_nothing_is_asked_of_a_remote(
    source: Path, remote: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_fetch", None)
    assert (await base.pin(wish(source, "origin/main"), home)).base_commit == rev(source, "main")
    with pytest.raises(UserError, match="--fetch needs a branch or a tag"):
        await base.pin(wish(source, rev(source, "old")[:9], fetch=True), home)


async def test_a_slow_remote_is_told(
    source: Path, remote: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "LIMIT_S", 0.0)
    with pytest.raises(UserError, match="took over"):
        await base.pin(wish(source, fetch=True), home)


def test_a_base_behind_its_upstream_is_noticed(source: Path, remote: Path, home: Path) -> None:
    repos.git(source, "fetch", "-q", "origin")
    pinned = asyncio.run(base.pin(wish(source), home))
    assert make(pinned, home).notices == ("main is 2 commits behind origin/main",)
    pinned = asyncio.run(base.pin(wish(source, "origin/main"), home))
    assert make(pinned, home, "r2").notices == ()
    assert asyncio.run(base.behind(asyncio.run(must_find(source)), "old", rev(source, "old"))) == ""


def test_folder_of_a_base_is_found_while_head_is_unborn(source: Path, home: Path) -> None:
    repos.git(source, "checkout", "-q", "--orphan", "empty")
    spec = replace(wish(source, "main"), cwd="sub")
    pinned = create.check(spec, 1 << 30, home)
    assert pinned.base_commit == rev(source, "main")
    with pytest.raises(UserError, match="There is no folder none"):
        create.check(replace(spec, cwd="none"), 1 << 30, home)
