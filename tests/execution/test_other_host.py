"""Complete runs on a folder that pretends to be another host, beside runs on this machine.

The paths of its workspaces are nowhere on this machine: no face and no stage can use them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click
import pytest
from folder_executor import HOST, FolderExecutor
from support import LIMIT_S, becomes, played, quick, spec, texts, until

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.events import Event, Progressed
from engine.domain.model import (
    LOCAL,
    Run,
    RunSpec,
    Stage,
    Status,
    Workspace,
    WorkspaceKind,
    WorkspaceSpec,
)
from engine.domain.placement import NO_CLUSTER
from engine.domain.projection import fold
from engine.engine import ApplyMode, CleanupFilter, Engine
from engine.execution.executors import Executors
from engine.execution.local.executor import LocalExecutor
from engine.lazy_services import LazyServices
from engine.store import codec
from engine.store.appending import AppendRequest
from tui.app import SwarmApp
from tui.cli.commands.changes import diff
from tui.cli.commands.logs import logs
from tui.cli.commands.show import show
from tui.cli.support.waiting import of_view

STAGE = Stage.WORKSPACE_CLONED


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FolderExecutor]:
    """A folder that pretends to be another host; nothing runs there when the test ends."""
    made = FolderExecutor(tmp_path / "host")
    yield made
    made.end_all()


@asynccontextmanager
async def supervised(paths: Paths, host: FolderExecutor) -> AsyncGenerator[Engine]:
    async with Engine.open(paths, quick(), supervise=True, executors={HOST: host}) as engine:
        yield engine


def there(*lines: str, **more: Any) -> RunSpec:
    """A run on the other host."""
    return spec(*lines, **{"workspace": WorkspaceSpec(host=HOST), **more})


async def ended(engine: Engine, wanted: RunSpec) -> str:
    """Start a run and wait for its end; return its id."""
    run = await engine.start(wanted)
    await until(engine, lambda: engine.view.runs[run.id].finished_at)
    return run.id


def shown(app: SwarmApp) -> str:
    """Return what the dashboard shows, as text."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())  # pyright: ignore[reportPrivateUsage]  what no port shows


async def test_a_run_on_another_host_leaves_no_files_of_its_processes_here(
    paths: Paths, host: FolderExecutor
) -> None:
    async with supervised(paths, host) as engine:
        run = await ended(engine, there("say one", "say two", verify="echo checked"))
        assert engine.view.runs[run].status is Status.SUCCEEDED
        workspace = engine.view.runs[run].workspace
        assert workspace and (workspace.host, workspace.path) == (HOST, f"/a project/{run}")
        assert texts(await engine.events(run)) == ["one", "two"]
        assert await engine.workspaces.message(run) == "a title\n\ntwo"
        hanging = await engine.start(there("say ready", "hang"))
        await until(engine, lambda: engine.view.runs[hanging.id].thread_id)
        await engine.cancel(hanging.id)
        await until(engine, lambda: engine.view.runs[hanging.id].finished_at)
        assert engine.view.runs[hanging.id].status is Status.CANCELLED
        assert await engine.doctor.orphans() == []
    assert not list(paths.home.glob("runs/*/attempt-*/*"))
    assert not list(paths.home.glob("workspaces/*/*"))


async def test_a_run_here_and_one_on_another_host_in_one_engine(
    paths: Paths, host: FolderExecutor
) -> None:
    async with supervised(paths, host) as engine:
        far = await engine.start(there("say far", "hang"))
        near = await engine.start(spec("say near", "hang"))
        await until(engine, lambda: len(engine.view.active()) == 2)
        await until(engine, lambda: all(engine.view.runs[run.id].thread_id for run in (far, near)))
        for run, wanted in ((far, HOST), (near, LOCAL)):
            workspace = engine.view.runs[run.id].workspace
            assert workspace and workspace.host == wanted
            await engine.cancel(run.id)
        await until(
            engine, lambda: all(engine.view.runs[run.id].finished_at for run in (far, near))
        )
        assert texts(await engine.events(far.id)) == ["far"]
        assert texts(await engine.events(near.id)) == ["near"]
    assert {ref.run for ref in host.started} == {far.id}
    assert list(paths.home.glob(f"runs/{near.id}/attempt-1/stdout.jsonl"))


async def test_changes_on_another_host_are_shown_continued_and_applied(
    paths: Paths, host: FolderExecutor, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.txt").write_text("one\n")
    wish = WorkspaceSpec(WorkspaceKind.COPY, str(source), host=HOST)
    async with supervised(paths, host) as engine:
        run = await ended(engine, there("write a.txt two", workspace=wish))
        assert [file.path for file in (await engine.workspaces.changes(run)).files] == ["a.txt"]
        # The files there are no files here, also where there is a folder of the same path.
        with pytest.raises(UserError, match="another machine") as caught:
            await engine.workspaces.folder(run)
        assert caught.value.code == "WORKSPACE_REMOTE"
        applied = await engine.workspaces.apply(run, ApplyMode.EDITS)
        assert applied.files == ("a.txt",)
        assert (source / "a.txt").read_text() == "two\n"
        after = WorkspaceSpec(WorkspaceKind.FROM_RUN, run)
        next_run = await ended(engine, spec("say on", workspace=after))
        workspace = engine.view.runs[next_run].workspace
        assert workspace and workspace.host == HOST
        await engine.retry(run)
        await until(engine, lambda: engine.view.runs[run].finished_at)
        assert engine.view.runs[run].attempt == 2
        assert engine.view.runs[run].workspace and await engine.workspaces.checkpoints(run)


async def test_a_run_for_an_unknown_host_is_refused_waits_or_fails(
    paths: Paths, host: FolderExecutor
) -> None:
    async with Engine.open(paths, quick()) as engine:
        with pytest.raises(UserError) as caught:
            await engine.start(there("say x"))
        assert caught.value.code == "CLUSTER_NOT_SET"
    async with supervised(paths, host) as engine:
        active = await engine.start(there("say x", "hang"))
        await until(engine, lambda: engine.view.runs[active.id].thread_id)
    async with Engine.open(paths, quick(), executors={HOST: host}) as engine:
        queued = await engine.start(there("say x"))
    async with Engine.open(paths, quick(), supervise=True) as engine:
        await until(engine, lambda: engine.view.runs[active.id].finished_at)
        error = engine.view.runs[active.id].error
        assert error and error.code == "HOST_UNKNOWN"
        near = await played(engine, "say near")  # the others are not concerned
        assert near.status is Status.SUCCEEDED
        waits = of_view(engine.view, engine, 0.0)[queued.id]
        assert waits.pause and waits.pause.reason == NO_CLUSTER


async def test_runs_of_a_host_are_read_with_one_call(paths: Paths, host: FolderExecutor) -> None:
    async with supervised(paths, host) as engine:
        runs = [await engine.start(there("say ready", "hang")) for _ in range(3)]
        await until(engine, lambda: all(engine.view.runs[run.id].thread_id for run in runs))
        host.reads.clear()
        await becomes(lambda: host.reads)
        assert set(host.reads) == {3}
        for run in runs:
            await engine.cancel(run.id)
        await until(engine, lambda: all(engine.view.runs[run.id].finished_at for run in runs))


async def test_the_dashboard_shows_a_run_of_another_host(
    paths: Paths, host: FolderExecutor
) -> None:
    async with supervised(paths, host) as engine:
        app = SwarmApp(engine)
        async with app.run_test(size=(120, 40)) as pilot:
            await engine.start(there("say from afar"))
            async with asyncio.timeout(LIMIT_S):
                while not all(text in shown(app) for text in ("✓ succeeded", "from afar")):
                    await pilot.pause(0.01)


def test_the_command_line_prints_files_of_another_host(
    paths: Paths,
    host: FolderExecutor,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    async def finished() -> str:
        async with supervised(paths, host) as engine:
            return await ended(
                engine, there("write a.txt two", "say from afar", verify="echo checked")
            )

    run = asyncio.run(finished())
    known = Executors({LOCAL: LocalExecutor(paths), HOST: host})
    monkeypatch.setattr(LazyServices, "executors", known)

    def printed(command: click.Command, *words: str) -> bytes:
        command.main([run, *words], standalone_mode=False)
        return capfdbinary.readouterr().out

    assert b'"from afar"' in printed(logs, "--raw")
    assert printed(logs, "--verify").endswith(b"checked\n")
    assert b'"from afar"' in printed(logs, "--raw", "--follow")
    assert b"from afar" in printed(logs)
    assert b"+++ b/a.txt" in printed(diff)
    assert json.loads(printed(show, "--json"))["workspace"]["host"] == HOST


async def test_a_folder_here_of_the_same_path_is_never_taken_for_the_workspace(
    paths: Paths, host: FolderExecutor
) -> None:
    async with supervised(paths, host) as engine:
        run = await ended(engine, there("say x"))
        workspace = engine.view.runs[run].workspace
        assert workspace
        # On the other host the workspace has the path of a folder of the user's here.
        mine = paths.home / "workspaces" / "mine"
        (mine / "docs").mkdir(parents=True)
        (host.workspaces.disk / str(mine)[1:]).parent.mkdir(parents=True)
        host.workspaces.here(workspace.path).rename(host.workspaces.disk / str(mine)[1:])
        moved = {"path": str(mine), "kind": "empty", "host": HOST}
        await engine._journal.append([AppendRequest(run, [Progressed(STAGE, "moved", 0, moved)])])  # pyright: ignore[reportPrivateUsage]  what no port shows
        plan = await engine.disk.plan(CleanupFilter(runs=frozenset({run}), including_unsaved=True))
        assert [item.host for item in (*plan.take, *plan.keep)] == [HOST]
        for call in (
            engine.workspaces.working_folder(run),
            engine.workspaces.place(run),
            engine.workspaces.files(run),
            engine.workspaces.read(run, "a.txt"),
            engine.workspaces.preview(run, "docs"),
        ):
            with pytest.raises(UserError) as caught:
                await call
            assert caught.value.code == "WORKSPACE_REMOTE"
        assert (mine / "docs").is_dir()


def test_a_workspace_stored_before_hosts_is_on_this_machine() -> None:
    known = Run("r1", spec("say x"), 0.0, workspace=Workspace("/w", WorkspaceKind.COPY))
    state = json.loads(codec.state_text(known))
    del state["workspace"]["host"]
    wanted = json.loads(codec.spec_text(known.spec))
    wanted.get("workspace", {}).pop("host", None)
    stored = codec.run_from(json.dumps(wanted), json.dumps(state))
    assert stored.workspace and stored.workspace.host == LOCAL
    assert stored.spec.workspace.host == LOCAL
    event = Progressed(STAGE, "ready", 0, {"path": "/w", "kind": "copy"})
    folded = fold(known, [Event(known.id, 1, 0.0, 1, event)])
    assert folded.workspace == known.workspace
