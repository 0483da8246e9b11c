"""Runs on a node in an engine: shown, compared, applied and forgotten, also without the node."""

from __future__ import annotations

import io
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import repos
from support import quick, spec, until
from workspace_node import NODE, Node, workspaces_of

from engine.config.paths import Paths
from engine.disk.cleanup_plan import CleanupFilter
from engine.disk.locations import LocationKind
from engine.disk.node_workspaces import AWAY
from engine.disk.service import DiskUsage
from engine.domain.apply_outcome import ApplyOutcome
from engine.domain.errors import UserError
from engine.domain.model import RunSpec, Status, WorkspaceKind, WorkspaceSpec
from engine.engine import ApplyMode, Engine, RunApplied
from engine.execution.cluster.workspaces import NodeWorkspaces
from engine.execution.local.executor import LocalExecutor
from tui.cli.commands import apply


class NodeExecutor(LocalExecutor):
    """Attempts here, in workspaces that are made by messages."""

    def __init__(self, node: Node, spaces: NodeWorkspaces) -> None:
        super().__init__(node.paths)
        self.spaces = spaces

    @property
    def workspaces(self) -> Any:
        """The workspaces on the node."""
        return self.spaces


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with one commit."""
    return repos.repository(tmp_path / "s", {"a.txt": "one\n", "docs/b.txt": "b\n"})


@asynccontextmanager
async def supervised(paths: Paths, node: Node) -> AsyncGenerator[Engine]:
    paths.prepare()
    executor = NodeExecutor(node, workspaces_of(paths, node))
    async with Engine.open(paths, quick(), supervise=True, executors={NODE: executor}) as engine:
        yield engine


def there(source: Path, *lines: str, **more: Any) -> RunSpec:
    """A run on the node, in a worktree."""
    wish = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source), host=NODE)
    return spec(*lines, **{"workspace": wish, **more})


async def ended(engine: Engine, wanted: RunSpec) -> str:
    run = await engine.start(wanted)
    await until(engine, lambda: engine.view.runs[run.id].finished_at)
    return run.id


async def test_a_run_on_a_node_is_shown_and_applied_as_one_here(
    paths: Paths, node: Node, source: Path
) -> None:
    async with supervised(paths, node) as engine:
        run = await ended(engine, there(source, "write a.txt two", "write new.txt n"))
        known = engine.view.runs[run]
        assert known.workspace
        assert (known.workspace.host, known.workspace.source) == (NODE, str(source))
        assert (known.changes.files, known.checkpoint) == (2, 1)
        spaces = engine.workspaces
        assert [one.n for one in await spaces.checkpoints(run)] == [0, 1]
        assert [file.path for file in (await spaces.changes(run)).files] == ["a.txt", "new.txt"]
        assert [one.path for one in await spaces.folder(run)] == [
            "docs",
            ".git",
            "a.txt",
            "new.txt",
        ]
        assert [one.path for one in await spaces.folder(run, "docs")] == ["docs/b.txt"]
        assert {one.path for one in await spaces.files(run)} == {"a.txt", "docs/b.txt", "new.txt"}
        assert await spaces.sizes(run, ["a.txt", "missing"]) == {"a.txt": 4}
        assert (await spaces.read(run, "a.txt")).strip() == b"two"
        assert (await spaces.preview(run, "a.txt", 2)).data == b"tw"
        file = await spaces.open(run, "a.txt")
        assert file.read(1, 2) == b"wo"
        file.close()
        for path in ("missing", "../s/a.txt", "/etc/hostname", "docs"):
            with pytest.raises(UserError):
                await spaces.read(run, path)
        applied = await spaces.apply(run, ApplyMode.EDITS)
        assert applied.files == ("a.txt", "new.txt")
        assert (source / "a.txt").read_text().strip() == "two"
        assert engine.view.runs[run].is_applied


async def test_a_run_of_a_silent_node_is_applied_from_its_last_checkpoint_without_a_wait(
    paths: Paths, node: Node, source: Path
) -> None:
    async with supervised(paths, node) as engine:
        run = await ended(engine, there(source, "write a.txt two"))
        node.is_silent = True
        spaces = engine.workspaces
        out = io.BytesIO()
        await spaces.write_diff(run, out)  # the first question waits a moment
        before = node.tries
        for _ in range(3):
            assert (await spaces.changes(run)).files
            assert await spaces.files(run)
            assert (await spaces.read(run, "a.txt")).strip() == b"two"
        assert node.tries == before, "the node was asked, and waited for, again"
        applied = await spaces.apply(run, ApplyMode.EDITS)
        assert applied.files == ("a.txt",) and "does not answer" in applied.left_out[0]
        assert (source / "a.txt").read_text().strip() == "two"


async def test_all_is_there_after_the_node_is_gone(paths: Paths, node: Node, source: Path) -> None:
    async with supervised(paths, node) as engine:
        run = await ended(engine, there(source, "write a.txt two", "write new.txt n"))
        node.is_lost = True
        shutil.rmtree(node.paths.workspaces)
        spaces = engine.workspaces
        assert [one.path for one in await spaces.folder(run)] == ["docs", "a.txt", "new.txt"]
        assert [one.path for one in await spaces.folder(run, "docs")] == ["docs/b.txt"]
        assert {one.path for one in await spaces.files(run)} == {"a.txt", "docs/b.txt", "new.txt"}
        assert set(await spaces.sizes(run, ["a.txt", "missing"])) == {"a.txt"}
        assert (await spaces.read(run, "a.txt")).strip() == b"two"
        file = await spaces.open(run, "a.txt")
        assert file.read(0, 3) == b"two"
        file.close()
        for path in ("missing", "../s/a.txt", "docs"):
            with pytest.raises(UserError):
                await spaces.read(run, path)
        out = io.BytesIO()
        left_out = await spaces.write_diff(run, out)
        assert b"+two" in out.getvalue()
        assert "does not answer" in left_out[0]
        assert (await spaces.save_patch(run)).stat().st_size
        assert (await spaces.apply(run, ApplyMode.MERGE, check=True)).files
        applied = await spaces.apply(run, ApplyMode.COMMIT)
        workspace = engine.view.runs[run].workspace
        assert applied.branch and workspace and applied.branch == workspace.branch
        assert repos.git(source, "show", f"{applied.branch}:a.txt").strip() == "two"
        assert "does not answer" in applied.left_out[0]


async def test_what_needs_a_folder_of_this_machine_is_refused_clearly(
    paths: Paths, node: Node, source: Path
) -> None:
    async with supervised(paths, node) as engine:
        run = await ended(engine, there(source, "write a.txt two"))
        for call in (
            engine.workspaces.restore(run, 0),
            engine.workspaces.place(run),
            engine.workspaces.working_folder(run),
            engine.workspaces.shell_guard(run),
        ):
            with pytest.raises(UserError, match="another machine, one"):
                await call
        with pytest.raises(UserError, match="no trash"):
            await engine.disk.cleaning.delete(run)
        assert await engine.disk.cleaning.standing_of([engine.view.runs[run]]) == []


async def test_a_run_from_a_run_works_on_its_node(paths: Paths, node: Node, source: Path) -> None:
    async with supervised(paths, node) as engine:
        first = await ended(engine, there(source, "write a.txt two"))
        after = WorkspaceSpec(WorkspaceKind.FROM_RUN, first, host=NODE)
        second = await ended(engine, spec("write c.txt c", workspace=after))
        workspace = engine.view.runs[second].workspace
        assert workspace and workspace.host == NODE
        assert [file.path for file in (await engine.workspaces.changes(second)).files] == ["c.txt"]
        assert await engine.workspaces.home_of(engine.view.runs[second]) == str(source)
        assert (await engine.workspaces.apply(second, ApplyMode.EDITS)).files == ("c.txt",)


async def test_a_forgotten_run_is_removed_from_its_node_at_once_or_later(
    paths: Paths, node: Node, source: Path
) -> None:
    async with supervised(paths, node) as engine:
        runs = [await ended(engine, there(source, f"write a.txt {n}")) for n in range(2)]
        with pytest.raises(UserError) as caught:
            await engine.forgetting.forget([runs[0]])
        assert caught.value.code == "WORK_UNSAVED"
        assert await engine.forgetting.forget([runs[0]], including_unsaved=True) == [runs[0]]
        assert _there(node) == {runs[1]}
        node.is_silent = True
        await engine.forgetting.forget([runs[1]], including_unsaved=True)
        assert not paths.run(runs[1]).exists()
        node.is_silent = False
        await ended(engine, there(source, "say on"))
        assert runs[1] not in _there(node)


def _there(node: Node) -> set[str]:
    """Return the names of the workspaces on a node."""
    return {path.name for path in node.paths.workspaces.glob("*/*")}


async def test_a_workspace_on_a_node_is_measured_and_removed_once_its_work_is_applied(
    paths: Paths, node: Node, source: Path
) -> None:
    async with supervised(paths, node) as engine:
        run = await ended(engine, there(source, "write a.txt two"))
        workspace = engine.view.runs[run].workspace
        assert workspace
        places: list[DiskUsage] = []
        await engine.disk.measure(places.append, [LocationKind.NODE])
        assert [(one.place.run, one.error) for one in places] == [(run, None)]
        assert places[0].figures.disk > 4
        wish = CleanupFilter(runs=frozenset({run}))
        plan = await engine.disk.plan(wish)
        assert not plan.take and plan.keep[0].unapplied == 1
        assert not (await engine.disk.plan(replace(wish, here_only=True))).keep
        await engine.workspaces.apply(run, ApplyMode.EDITS)
        plan = await engine.disk.plan(wish)
        assert plan.is_for_good and plan.take[0].host == NODE and plan.take[0].size > 4
        report = await engine.disk.clean(plan, wish)
        assert [one.failure for one in report.cleaned] == [None]
        assert not Path(workspace.path).exists()
        assert engine.view.runs[run].in_trash
        assert not (await engine.disk.plan(wish)).take
        with pytest.raises(UserError, match="removed on its node"):
            await engine.workspaces.changes(run)
        assert (await engine.workspaces.changes(run, until=1)).files
        await engine.retry(run, fresh=True)
        await until(engine, lambda: engine.view.runs[run].attempt == 2)
        await until(engine, lambda: engine.view.runs[run].finished_at)
        assert engine.view.runs[run].status is Status.SUCCEEDED


async def test_apply_of_a_silent_node_names_what_it_could_not_read(
    paths: Paths, node: Node, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with supervised(paths, node) as engine:
        run = await ended(engine, there(source, "say done"))
        node.is_silent = True
        result = await engine.workspaces.apply(run, ApplyMode.EDITS)
    done = RunApplied(run, ApplyOutcome.APPLIED, result)
    apply._say_applied(done, ApplyMode.EDITS, 1)  # pyright: ignore[reportPrivateUsage]
    printed = capsys.readouterr().out
    assert "nothing to apply" in printed
    assert "not read: all since checkpoint 0: the node one does not answer" in printed


async def test_a_workspace_on_a_silent_node_is_removed_once_the_node_answers(
    paths: Paths, node: Node, source: Path
) -> None:
    async with supervised(paths, node) as engine:
        run = await ended(engine, there(source, "write a.txt two"))
        workspace = engine.view.runs[run].workspace
        assert workspace
        node.is_silent = True
        wish = CleanupFilter(runs=frozenset({run}), including_unsaved=True)
        places: list[DiskUsage] = []
        await engine.disk.measure(places.append, [LocationKind.NODE])
        assert [one.error for one in places] == [AWAY]
        plan = await engine.disk.plan(wish)
        assert "its size is unknown" in plan.take[0].why
        report = await engine.disk.clean(plan, wish)
        assert [one.failure for one in report.cleaned] == [None]
        assert Path(workspace.path).exists()
        there_again = workspaces_of(paths, node)
        with pytest.raises(UserError):
            await there_again.settle()
        node.is_silent = False
        await there_again.settle()
        assert not Path(workspace.path).exists()
        before = node.tries
        await there_again.settle()
        assert node.tries == before
