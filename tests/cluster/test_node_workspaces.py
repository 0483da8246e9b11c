"""Workspaces on a node: as on this machine, from what is sent."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import repos
from workspace_node import NODE, Node, workspaces_of

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.model import Workspace, WorkspaceKind, WorkspaceSetup, WorkspaceSpec
from engine.execution.cluster import uploads
from engine.execution.cluster.node import transfers
from engine.execution.cluster.workspaces import NodeWorkspaces
from engine.execution.host_workspaces import WorkspaceRequest


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.fixture
def spaces(paths: Paths, node: Node) -> NodeWorkspaces:
    paths.prepare()
    return workspaces_of(paths, node)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with two commits."""
    folder = repos.repository(tmp_path / "s", {"a.txt": "one\n", "docs/b.txt": "b\n"})
    (folder / "a.txt").write_text("two\n")
    repos.commit(folder, "second")
    return folder


def request(spec: WorkspaceSpec, name: str = "r1", **setup: Any) -> WorkspaceRequest:
    return WorkspaceRequest(name, "demo", spec, WorkspaceSetup(**setup))


def worktree(source: Path, **more: Any) -> WorkspaceSpec:
    return WorkspaceSpec(WorkspaceKind.WORKTREE, str(source), host=NODE, **more)


def never() -> bool:
    return False


async def made(
    spaces: NodeWorkspaces, wanted: WorkspaceRequest
) -> tuple[Workspace, tuple[str, ...]]:
    found = await spaces.prepare(wanted, never)
    assert found is not None
    return found.workspace, found.notices


async def test_a_worktree_on_a_node_is_as_one_here(spaces: NodeWorkspaces, source: Path) -> None:
    workspace, notices = await made(spaces, request(worktree(source)))
    folder = Path(workspace.path)
    assert notices == ()
    assert (workspace.kind, workspace.source) == (WorkspaceKind.WORKTREE, str(source))
    assert (workspace.branch, workspace.host) == ("swarm/r1", NODE)
    assert repos.files(folder) == repos.files(source)
    assert repos.git(folder, "log", "--format=%H") == repos.git(source, "log", "--format=%H")
    assert repos.git(folder, "status", "--porcelain", "--branch") == "## swarm/r1"
    assert repos.git(source, "branch", "--list", "swarm/*") == ""  # nothing of it is here
    assert len(repos.git(source, "worktree", "list").splitlines()) == 1


async def test_exactly_the_requested_base_is_sent(spaces: NodeWorkspaces, source: Path) -> None:
    first = repos.git(source, "rev-parse", "HEAD~1")
    (source / "secret").write_text("later\n")
    repos.commit(source, "third")
    workspace, _ = await made(spaces, request(worktree(source, base_commit=first)))
    folder = Path(workspace.path)
    assert (folder / "a.txt").read_text() == "one\n"
    later = repos.git(source, "rev-parse", "HEAD")
    assert repos.git(folder, "cat-file", "-t", later, ok=False) == ""


async def test_a_second_run_sends_only_what_is_new(
    spaces: NodeWorkspaces, node: Node, source: Path
) -> None:
    (source / "large").write_bytes(os.urandom(500_000))
    repos.commit(source, "large")
    await made(spaces, request(worktree(source)))
    node.sent.clear()
    await made(spaces, request(worktree(source), "r2"))
    assert "PutChunk" not in {type(one).__name__ for one in node.sent}
    (source / "a.txt").write_text("three\n")
    repos.commit(source, "third")
    node.sent.clear()
    workspace, _ = await made(spaces, request(worktree(source), "r3"))
    chunks = [one for one in node.sent if type(one).__name__ == "PutChunk"]
    assert sum(len(one.content) for one in chunks) < 5000
    assert repos.files(Path(workspace.path)) == repos.files(source)


async def test_uncommitted_files_come_along_with_modes_links_and_odd_names(
    spaces: NodeWorkspaces, source: Path
) -> None:
    odd = os.fsencode(source) + b"/new \xff\n.txt"
    Path(os.fsdecode(odd)).write_bytes(b"odd")
    (source / "a.txt").unlink()
    (source / "docs" / "b.txt").write_text("changed\n")
    (source / "run.sh").write_text("#!/bin/sh\n")
    (source / "run.sh").chmod(0o755)
    (source / "link").symlink_to("docs/b.txt")
    workspace, notices = await made(spaces, request(worktree(source, include_uncommitted=True)))
    folder = Path(workspace.path)
    assert notices == ("5 uncommitted files of the source brought along",)
    assert repos.files(folder) == repos.files(source)
    assert not (folder / "a.txt").exists()
    assert stat.S_IMODE((folder / "run.sh").stat().st_mode) == 0o755
    assert os.readlink(folder / "link") == "docs/b.txt"


async def test_listed_files_come_along_and_replace_nothing(
    spaces: NodeWorkspaces, source: Path
) -> None:
    (source / ".gitignore").write_text(".env\n")
    repos.commit(source, "ignore")
    (source / ".env").write_text("KEY=1\n")
    (source / ".env").chmod(0o600)
    (source / "a.txt").write_text("not committed\n")
    wanted = request(worktree(source), copy_files=(".env", "a.txt"))
    workspace, notices = await made(spaces, wanted)
    folder = Path(workspace.path)
    assert (folder / ".env").read_text() == "KEY=1\n"
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    assert (folder / "a.txt").read_text() == "two\n"
    assert "brought along: .env" in notices[0]
    assert any("1 uncommitted file of the source" in one for one in notices)


async def test_a_worktree_works_in_the_folder_it_was_asked_for_in(
    spaces: NodeWorkspaces, source: Path
) -> None:
    workspace, _ = await made(spaces, request(worktree(source / "docs")))
    assert workspace.cwd == "docs"
    assert await spaces.working_folder(workspace) == f"{workspace.path}/docs"
    with pytest.raises(UserError, match="no folder missing"):
        await spaces.prepare(request(worktree(source, cwd="missing"), "r2"), never)


async def test_a_copy_is_what_a_copy_here_would_be(
    spaces: NodeWorkspaces, paths: Paths, source: Path, node: Node
) -> None:
    (source / "node_modules").mkdir()
    (source / "node_modules" / "x").touch()
    (source / "read").mkdir()
    (source / "read" / "only").write_text("x")
    (source / "read").chmod(0o555)
    (source / "out").symlink_to("/etc/hostname")
    spec = WorkspaceSpec(WorkspaceKind.COPY, str(source), host=NODE)
    workspace, notices = await made(spaces, request(spec, ignore=("node_modules",)))
    folder = Path(workspace.path)
    assert not (folder / "node_modules").exists()
    assert (folder / "read" / "only").read_text() == "x"
    assert stat.S_IMODE((folder / "read").stat().st_mode) == 0o555
    assert (folder / "out").is_symlink()
    assert repos.git(folder, "rev-parse", "HEAD") == repos.git(source, "rev-parse", "HEAD")
    assert any("node_modules" in one for one in notices)
    assert workspace.source == str(source)
    (source / "read").chmod(0o755)
    (folder / "read").chmod(0o755)
    _nothing_is_on_its_way(paths, node)


async def test_a_copy_that_is_too_large_is_refused(spaces: NodeWorkspaces, source: Path) -> None:
    (source / "large").write_bytes(b"x" * 2000)
    spec = WorkspaceSpec(WorkspaceKind.COPY, str(source), host=NODE)
    with pytest.raises(UserError) as caught:
        await spaces.prepare(request(spec, copy_limit=1000), never)
    assert caught.value.code == "WORKSPACE_TOO_LARGE"


async def test_an_empty_workspace_and_one_from_a_run(spaces: NodeWorkspaces, source: Path) -> None:
    empty, _ = await made(spaces, request(WorkspaceSpec(host=NODE)))
    assert (empty.kind, empty.source, os.listdir(empty.path)) == (WorkspaceKind.EMPTY, None, [])
    earlier, _ = await made(spaces, request(worktree(source), "r2"))
    (Path(earlier.path) / "work.txt").write_text("w")
    spec = WorkspaceSpec(WorkspaceKind.FROM_RUN, earlier.path, host=NODE)
    later, _ = await made(spaces, request(spec, "r3"))
    assert repos.files(Path(later.path)) == repos.files(Path(earlier.path))
    assert (later.kind, later.branch) == (WorkspaceKind.FROM_RUN, "swarm/r3")
    assert later.source == earlier.path
    stranger = WorkspaceSpec(WorkspaceKind.FROM_RUN, str(source), host=NODE)
    with pytest.raises(UserError) as caught:  # only workspaces of the node are read
        await spaces.prepare(request(stranger, "r4"), never)
    assert caught.value.code == "WORKSPACE_MISSING"


async def test_work_in_place_is_refused(spaces: NodeWorkspaces, source: Path) -> None:
    spec = WorkspaceSpec(WorkspaceKind.IN_PLACE, str(source), host=NODE)
    with pytest.raises(UserError) as caught:
        await spaces.prepare(request(spec), never)
    assert caught.value.code == "NODE_CANNOT"


async def test_shallow_sources_and_those_with_sha256_work(
    spaces: NodeWorkspaces, source: Path, tmp_path: Path
) -> None:
    shallow = tmp_path / "shallow"
    repos.git(tmp_path, "clone", "-q", "--depth=1", f"file://{source}", str(shallow))
    workspace, notices = await made(spaces, request(worktree(shallow)))
    assert repos.files(Path(workspace.path)) == repos.files(source)
    assert any("shallow" in one for one in notices)
    assert len(repos.git(Path(workspace.path), "log", "--format=%H").splitlines()) == 1
    repos.git(shallow, "fetch", "-q", "--unshallow")
    (shallow / "a.txt").write_text("one\n")
    repos.commit(shallow, "back to the first")
    workspace, _ = await made(spaces, request(worktree(shallow), "r2"))
    assert (Path(workspace.path) / "a.txt").read_text() == "one\n"
    modern = tmp_path / "modern"
    repos.git(tmp_path, "init", "-q", "--object-format=sha256", str(modern))
    (modern / "a").write_text("a")
    repos.commit(modern, "first")
    workspace, _ = await made(spaces, request(worktree(modern), "r3"))
    assert len(repos.git(Path(workspace.path), "rev-parse", "HEAD")) == 64


async def test_a_partial_clone_without_its_objects_is_refused(
    spaces: NodeWorkspaces, source: Path, tmp_path: Path
) -> None:
    partial = tmp_path / "partial"
    repos.git(source, "config", "uploadpack.allowFilter", "true")
    repos.git(tmp_path, "clone", "-q", "--filter=blob:none", f"file://{source}", str(partial))
    with pytest.raises(UserError, match="partial clone") as caught:
        await spaces.prepare(request(worktree(partial)), never)
    assert caught.value.code == "NODE_CANNOT"


async def test_lost_answers_change_nothing(
    spaces: NodeWorkspaces, paths: Paths, node: Node, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "CHUNK_BYTES", 100)
    monkeypatch.setattr(uploads, "PAUSE_S", 0.01)
    (source / "new").write_bytes(os.urandom(1000))
    node.lose = ["PutChunk", "PutChunk", "AskSource", "FillSource", "MakeWorkspace"]
    workspace, _ = await made(spaces, request(worktree(source, include_uncommitted=True)))
    assert repos.files(Path(workspace.path)) == repos.files(source)
    assert not node.lose
    _nothing_is_on_its_way(paths, node)


async def test_a_node_that_restarts_in_between_goes_on(
    spaces: NodeWorkspaces, node: Node, source: Path
) -> None:
    answer = node.call

    async def restarting(name: str, message: bytes, limit_s: float, limit_bytes: int) -> bytes:
        found = await answer(name, message, limit_s, limit_bytes)
        node.restart()
        return found

    node.call = restarting  # pyright: ignore[reportAttributeAccessIssue]  in place of the network
    workspace, _ = await made(spaces, request(worktree(source)))
    assert repos.files(Path(workspace.path)) == repos.files(source)
    assert await spaces.exists(workspace)


async def test_a_cancel_leaves_nothing(
    spaces: NodeWorkspaces, paths: Paths, node: Node, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "CHUNK_BYTES", 100)
    is_cancelled = False
    answer = node.call

    async def cancelling(name: str, message: bytes, limit_s: float, limit_bytes: int) -> bytes:
        nonlocal is_cancelled
        found = await answer(name, message, limit_s, limit_bytes)
        is_cancelled = is_cancelled or node.calls.count("PutChunk") == 2
        return found

    node.call = cancelling  # pyright: ignore[reportAttributeAccessIssue]  in place of the network
    assert await spaces.prepare(request(worktree(source)), lambda: is_cancelled) is None
    _nothing_is_on_its_way(paths, node)
    assert not list(node.paths.workspaces.glob("*/*"))
    making = asyncio.create_task(spaces.prepare(request(worktree(source), "r2"), never))
    await asyncio.sleep(0)
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    _nothing_is_on_its_way(paths, node)


async def test_a_full_disk_of_the_node_is_named(
    spaces: NodeWorkspaces, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def _usage(_folder: Path) -> SimpleNamespace:
        return SimpleNamespace(free=10)

    monkeypatch.setattr(transfers.shutil, "disk_usage", _usage)
    with pytest.raises(UserError, match="free on the node") as caught:
        await spaces.prepare(request(worktree(source)), never)
    assert caught.value.code == "NODE_FAILED"


async def test_a_node_that_is_silent_is_waited_for(
    paths: Paths, node: Node, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "PAUSE_S", 0.01)
    spaces = workspaces_of(paths, node, patience_s=0.1)
    node.is_silent = True
    making = asyncio.create_task(spaces.prepare(request(worktree(source)), never))
    while node.tries < 5:  # noqa: ASYNC110  the node is asked again and again
        await asyncio.sleep(0.01)
    assert not making.done()
    node.is_silent = False
    assert await making is not None


async def test_a_workspace_is_found_and_discarded(
    spaces: NodeWorkspaces, node: Node, source: Path
) -> None:
    wanted = request(worktree(source / "docs"))
    workspace, _ = await made(spaces, wanted)
    assert await spaces.find("r1") == workspace
    assert await spaces.find("r2") is None
    await spaces.discard(wanted, keep=workspace)
    assert await spaces.exists(workspace)
    await spaces.discard(wanted, keep=None)
    assert not await spaces.exists(workspace)
    bare = next((node.paths.home / "sources").glob("*.git"))
    assert repos.git(bare, "branch", "--list") == ""
    elsewhere = Workspace("/etc", WorkspaceKind.COPY, host=NODE)
    assert not await spaces.exists(elsewhere)
    with pytest.raises(UserError):
        await spaces.working_folder(elsewhere)


async def test_programs_that_commands_name_are_read_on_the_node(
    spaces: NodeWorkspaces, source: Path
) -> None:
    (source / "check.sh").write_text("exit 0\n")
    repos.commit(source, "check")
    workspace, _ = await made(spaces, request(worktree(source)))
    found = await spaces.program_files(workspace, worktree(source), ["./check.sh"])
    assert list(found) == ["check.sh"]


def _nothing_is_on_its_way(paths: Paths, node: Node) -> None:
    outgoing = paths.home / "outgoing"
    transfers = node.paths.home / "transfers"
    assert not list(outgoing.glob("*"))
    assert not list(transfers.glob("*"))
