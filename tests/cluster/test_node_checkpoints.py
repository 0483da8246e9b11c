"""Checkpoints of a node's workspace: taken there, mirrored here, read without the node."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import repos
from workspace_node import NODE, Node, workspaces_of

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.model import ForkOrigin, Workspace, WorkspaceKind, WorkspaceSetup, WorkspaceSpec
from engine.execution.cluster.workspaces import NodeWorkspaces
from engine.execution.host_workspaces import WorkspaceRequest
from engine.workspaces.apply.apply import ApplyMode, ApplyRequest, apply
from engine.workspaces.checkpoints.checkpoints import Checkpoints

RUN = "r1"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.fixture
def spaces(paths: Paths, node: Node) -> NodeWorkspaces:
    paths.prepare()
    return workspaces_of(paths, node)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with one commit, of a file that is large."""
    return repos.repository(
        tmp_path / "s", {"a.txt": "one\n", "docs/b.txt": "b\n", "large": os.urandom(300_000)}
    )


async def made(
    spaces: NodeWorkspaces, source: Path, run: str = RUN, kind: WorkspaceKind | None = None
) -> Workspace:
    spec = WorkspaceSpec(kind or WorkspaceKind.WORKTREE, str(source), host=NODE)
    request = WorkspaceRequest(run, "demo", spec, WorkspaceSetup())
    found = await spaces.prepare(request, lambda: False)
    assert found is not None
    return found.workspace


async def begun(
    spaces: NodeWorkspaces, source: Path, kind: WorkspaceKind | None = None
) -> tuple[Workspace, Checkpoints]:
    workspace = await made(spaces, source, kind=kind)
    store = await spaces.make_checkpoints(RUN, workspace, ())
    taken = await store.record("workspace_prep")
    assert taken.n == 0
    return workspace, store


async def test_checkpoints_are_taken_there_and_read_here(
    spaces: NodeWorkspaces, paths: Paths, source: Path
) -> None:
    workspace, store = await begun(spaces, source)
    assert await spaces.has_baseline(RUN, workspace)
    folder = Path(workspace.path)
    (folder / "a.txt").write_text("two\n")
    (folder / "new.txt").write_text("n\n")
    taken = await store.record("agent")
    assert (taken.n, taken.message) == (1, "agent")
    opened = await spaces.open_checkpoints(RUN, workspace)
    assert [file.path for file in (await opened.changes()).files] == ["a.txt", "new.txt"]
    assert [one.n for one in await opened.list()] == [0, 1]
    there = paths.checkpoints(RUN, workspace.path)
    assert repos.git(there, "fsck", "--full") == ""
    shas = repos.git(there, "for-each-ref", "--format=%(objectname)", "refs/swarm/checkpoints")
    assert taken.sha in shas.split()
    file = io.BytesIO()
    await opened.write_diff(file, 0, 1)
    assert b"+two" in file.getvalue()
    assert (await store.record("agent")).n == 1  # nothing has changed


async def test_only_what_is_new_comes_back(
    spaces: NodeWorkspaces, node: Node, source: Path
) -> None:
    workspace, store = await begun(spaces, source)
    assert node.answered_bytes("FetchObjects") < 2000  # the source here has all of it
    node.answers.clear()
    (Path(workspace.path) / "docs" / "b.txt").write_text("changed\n")
    await store.record("agent")
    assert node.answered_bytes("FetchObjects") < 2000


async def test_a_workspace_as_it_is_is_compared_without_a_checkpoint(
    spaces: NodeWorkspaces, source: Path
) -> None:
    workspace, store = await begun(spaces, source)
    (Path(workspace.path) / "a.txt").write_text("two\n")
    assert [file.path for file in (await store.changes()).files] == ["a.txt"]
    assert await store.content("a.txt") == b"two\n"
    await store.pack()
    assert [file.path for file in (await store.changes()).files] == ["a.txt"]


@pytest.mark.parametrize("kind", [WorkspaceKind.WORKTREE, WorkspaceKind.COPY])
async def test_all_is_read_and_applied_after_the_node_is_gone(
    spaces: NodeWorkspaces, node: Node, paths: Paths, source: Path, kind: WorkspaceKind
) -> None:
    workspace, store = await begun(spaces, source, kind)
    (Path(workspace.path) / "a.txt").write_text("two\n")
    await store.record("agent")
    (Path(workspace.path) / "a.txt").write_text("three\n")
    node.is_lost = True
    shutil.rmtree(node.paths.home)
    opened = await spaces.open_checkpoints(RUN, workspace)
    changes = await opened.changes()
    assert [file.path for file in changes.files] == ["a.txt"]
    old, _, left_out = await opened.trees()
    assert left_out == ("all since checkpoint 1: the node one does not answer",)
    assert old
    with pytest.raises(UserError) as caught:
        await opened.record("agent")
    assert caught.value.code == "NODE_LOST"
    taken = await opened.record_or_last("applied")
    assert (taken.n, taken.left_out) == (1, left_out)
    wish = ApplyRequest(source, ApplyMode.EDITS, until=taken.n)
    done = await apply(opened, wish, paths.home)
    assert done.files == ("a.txt",)
    assert (source / "a.txt").read_text() == "two\n"


@pytest.mark.parametrize("how", [ApplyMode.COMMIT, ApplyMode.MERGE, ApplyMode.PATCH])
async def test_changes_are_applied_in_each_way(
    spaces: NodeWorkspaces, paths: Paths, source: Path, how: ApplyMode
) -> None:
    workspace, store = await begun(spaces, source)
    folder = Path(workspace.path)
    (folder / "a.txt").write_text("two\n")
    (folder / "docs" / "b.txt").unlink()
    repos.git(folder, "config", "user.name", "Agent")
    repos.git(folder, "config", "user.email", "agent@example.com")
    repos.commit(folder, "of the agent")
    (folder / "c.txt").write_text("c\n")
    taken = await store.record("agent")
    patch = io.BytesIO()
    wish = ApplyRequest(source, how, workspace.branch, "words", until=taken.n, patch=patch)
    done = await apply(store, wish, paths.home)
    assert done.files == ("a.txt", "c.txt", "docs/b.txt")
    if how is ApplyMode.MERGE:
        assert repos.files(source) == repos.files(folder)
    elif how is ApplyMode.COMMIT:
        assert repos.git(source, "show", f"{workspace.branch}:a.txt") == "two"
    else:
        repos.git(source, "apply", stdin=patch.getvalue())
        assert repos.files(source) == repos.files(folder)


async def test_an_engine_that_died_in_between_gets_the_rest(
    spaces: NodeWorkspaces, node: Node, paths: Paths, source: Path
) -> None:
    workspace, store = await begun(spaces, source)
    (Path(workspace.path) / "a.txt").write_text("two\n")
    node.lose = ["FetchObjects"] * 50
    with pytest.raises(UserError):
        await store.record("agent")
    node.lose = []
    opened = await spaces.open_checkpoints(RUN, workspace)
    assert [one.n for one in await opened.list()] == [0, 1]
    shutil.rmtree(paths.checkpoints(RUN, workspace.path))  # a mirror is made again, too
    opened = await spaces.open_checkpoints(RUN, workspace)
    assert [one.n for one in await opened.list()] == [0, 1]
    assert [file.path for file in (await opened.changes()).files] == ["a.txt"]


async def test_a_node_that_restarts_before_the_baseline_makes_its_store_again(
    spaces: NodeWorkspaces, node: Node, source: Path
) -> None:
    workspace = await made(spaces, source)
    store = await spaces.make_checkpoints(RUN, workspace, ())
    node.restart()
    assert (await store.record("workspace_prep")).n == 0
    node.restart()
    (Path(workspace.path) / "a.txt").write_text("two\n")
    assert (await store.record("agent")).n == 1


async def test_lost_answers_take_no_checkpoint_twice(
    spaces: NodeWorkspaces, node: Node, source: Path
) -> None:
    workspace, store = await begun(spaces, source)
    (Path(workspace.path) / "a.txt").write_text("two\n")
    node.lose = ["TakeCheckpoint", "FetchObjects", "DropDownload", "ListPoints"]
    assert (await store.record("agent")).n == 1
    assert [one.n for one in await store.list()] == [0, 1]


async def test_a_large_pack_comes_in_pieces(
    spaces: NodeWorkspaces, node: Node, paths: Paths, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.execution.cluster.node.transfers.CHUNK_BYTES", 100_000)
    workspace, store = await begun(spaces, source)
    content = os.urandom(1_000_000)
    (Path(workspace.path) / "big").write_bytes(content)
    node.lose = ["ReadDownload"]
    taken = await store.record("agent")
    assert node.calls.count("ReadDownload") > 9
    assert await store.content("big", taken.n) == content
    assert not list(paths.checkpoints(RUN, workspace.path).glob("incoming*"))
    assert not list((node.paths.home / "transfers").glob("*"))


async def test_a_fork_has_the_checkpoints_of_its_origin(
    spaces: NodeWorkspaces, node: Node, source: Path
) -> None:
    workspace, store = await begun(spaces, source)
    (Path(workspace.path) / "a.txt").write_text("two\n")
    await store.record("agent")
    spec = WorkspaceSpec(WorkspaceKind.FROM_RUN, workspace.path, host=NODE)
    found = await spaces.prepare(
        WorkspaceRequest("f1", "demo", spec, WorkspaceSetup()), lambda: False
    )
    assert found
    mine = replace(found.workspace, kind=workspace.kind, source=workspace.source)
    fork = await spaces.copy_checkpoints("f1", mine, ForkOrigin(RUN, workspace))
    assert [one.n for one in await fork.list()] == [0, 1]
    (Path(mine.path) / "docs" / "b.txt").write_text("fork\n")
    await fork.record("agent")
    assert [file.path for file in (await fork.changes()).files] == ["a.txt", "docs/b.txt"]
    assert [one.n for one in await store.list()] == [0, 1]
    elsewhere = replace(workspace, host="two")
    with pytest.raises(UserError) as caught:
        await spaces.copy_checkpoints("f2", mine, ForkOrigin(RUN, elsewhere))
    assert caught.value.code == "NODE_CANNOT"


async def test_a_workspace_that_is_gone_is_named(spaces: NodeWorkspaces, source: Path) -> None:
    workspace, store = await begun(spaces, source)
    shutil.rmtree(workspace.path)
    with pytest.raises(UserError) as caught:
        await store.record("agent")
    assert caught.value.code == "WORKSPACE_MISSING"
    assert [one.n for one in await store.list()] == [0]


async def test_without_a_baseline_changes_are_unknown(spaces: NodeWorkspaces, source: Path) -> None:
    workspace = await made(spaces, source)
    assert not await spaces.has_baseline(RUN, workspace)
    with pytest.raises(UserError) as caught:
        await spaces.open_checkpoints(RUN, workspace)
    assert caught.value.code == "CHANGES_UNKNOWN"


async def test_checkpoints_and_readers_at_the_same_time(
    spaces: NodeWorkspaces, source: Path
) -> None:
    workspace, store = await begun(spaces, source)

    async def write() -> None:
        for n in range(5):
            (Path(workspace.path) / "a.txt").write_text(f"{n} again\n")
            await store.record("agent")

    async def read() -> None:
        other = await spaces.open_checkpoints(RUN, workspace)
        for _ in range(5):
            await other.changes()

    await asyncio.gather(write(), read(), read())
    assert (await store.list())[-1].n == 5
