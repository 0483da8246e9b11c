"""Set-up commands: a stage of their own, before the agent, that leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import LIMIT_S, becomes, of_type, settled, spec, statuses, supervising, texts, until

from engine.config.paths import Paths
from engine.config.settings import Config, ProjectSettings, WorkspaceSettings
from engine.config.values import Duration
from engine.domain.errors import UserError
from engine.domain.events import Event
from engine.domain.model import Run, Status, WorkspaceKind, WorkspaceSpec
from engine.engine import Engine
from engine.execution.local import orphans
from engine.execution.local.process_marks import mark, marked

SUPERVISE = """
import asyncio, sys
from pathlib import Path
from engine.engine import Engine
from engine.config.paths import Paths

async def main():
    paths = Paths(Path(sys.argv[1]), Path(sys.argv[2]))
    async with Engine.open(paths, supervise=True):
        await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "a.txt").write_text("a\n")
    return folder


@pytest.fixture(autouse=True)
def _nothing_left_of_set_ups(paths: Paths) -> Iterator[None]:
    yield
    for folder in paths.home.glob("runs/*/attempt-*/set-up"):
        for pid in marked(os.path.realpath(folder)):
            os.kill(pid, signal.SIGKILL)


def with_setup(*commands: str, **more: Any) -> dict[str, Any]:
    return {"workspace": WorkspaceSettings(setup=commands, **more)}


def copy_of(source: Path) -> dict[str, Any]:
    return {"workspace": WorkspaceSpec(WorkspaceKind.COPY, str(source))}


async def ran(engine: Engine, *lines: str, **more: Any) -> tuple[Run, list[Event]]:
    run = await engine.start(spec(*lines, **more))
    await settled(engine)
    return engine.view.runs[run.id], await engine.events(run.id)


def stages(events: list[Event]) -> list[str]:
    return [body.message for body in of_type(events, "progress")]


def setup_pids(paths: Paths, run: Run) -> list[int]:
    return marked(mark(paths.attempt(run.id, 1).setup))


async def test_commands_run_in_order_before_the_agent_and_count_for_nothing(
    paths: Paths, source: Path
) -> None:
    commands = (
        "echo one; echo 1 >made; echo $PWD >where",
        "while ! test -f go; do sleep 0.05; done",
    )
    async with supervising(paths, **with_setup(*commands)) as engine:
        run = await engine.start(spec("write agent.txt hello", **copy_of(source)))
        second = f"set-up (2 of 2): {commands[1]}"
        await until(engine, lambda: engine.view.runs[run.id].doing == second)
        (paths.workspace(run.spec.project, run.id) / "go").touch()
        await settled(engine)
        run, events = engine.view.runs[run.id], await engine.events(run.id)
        assert run.status is Status.SUCCEEDED
        folder = Path(run.workspace.path if run.workspace else "")
        assert (folder / "where").read_text() == f"{folder}\n"
        assert not (source / "made").exists()
        said = stages(events)
        assert said[1] == f"set-up (1 of 2): {commands[0]}"
        assert said[2:4] == [second, "workspace ready"]
        log = paths.attempt(run.id, 1).setup.stdout.read_text()
        assert log == f"$ {commands[0]}\none\n$ {commands[1]}\n"
        assert of_type(events, "artifact")[0].path == "attempt-1/set-up/output.log"
        assert run.changes.files == 1
        assert [file.path for file in (await engine.workspaces.changes(run.id)).files] == [
            "agent.txt"
        ]
        # Not again: neither in the same workspace, nor in one that is made from it.
        await engine.retry(run.id, prompt="sim: say again")
        await settled(engine)
        wish = WorkspaceSpec(WorkspaceKind.FROM_RUN, run.id)
        other, events = await ran(engine, workspace=wish)
        assert (other.status, other.error) == (Status.SUCCEEDED, None)
        assert not paths.attempt(run.id, 2).setup.path.exists()
        assert not paths.attempt(other.id, 1).setup.path.exists()
        again, _ = await ran(engine, workspace=wish, with_setup=True)
        assert paths.attempt(again.id, 1).setup.stdout.read_text() == log


async def test_a_failure_is_told_with_its_last_words_and_mended_in_the_same_folder(
    paths: Paths, source: Path
) -> None:
    commands = ("echo '\x1b[31mno key\x1b[0m' >&2; test -f key", "touch second")
    async with supervising(paths, **with_setup(*commands)) as engine:
        run, events = await ran(engine, **copy_of(source))
        assert (run.status, run.reason) == (Status.FAILED, "SETUP_FAILED")
        assert run.error and "\nno key" in run.error.message and "exit 1" in run.error.message
        assert "\x1b" not in run.error.message
        assert texts(events) == []
        folder = Path(run.workspace.path if run.workspace else "")
        assert not (folder / "second").exists()
        (folder / "key").write_text("found")
        await engine.retry(run.id)
        await settled(engine)
        run = engine.view.runs[run.id]
        assert (run.status, run.workspace and run.workspace.path) == (Status.SUCCEEDED, str(folder))
        assert (folder / "second").exists()


async def test_it_has_a_time_limit_of_its_own_and_leaves_nothing_behind(
    paths: Paths, source: Path
) -> None:
    limits = {"setup_limit": Duration(0.5)}
    async with supervising(paths, grace_s=0.2, **with_setup("sleep 600", **limits)) as engine:
        run, _ = await ran(engine, **copy_of(source))
        assert run.error and run.error.code == "SETUP_FAILED"
        assert "limit" in run.error.message
        assert setup_pids(paths, run) == []


async def test_what_it_leaves_running_is_ended(paths: Paths, source: Path) -> None:
    async with supervising(paths, **with_setup("setsid sleep 600 & echo begun")) as engine:
        run, events = await ran(engine, **copy_of(source))
        assert run.status is Status.SUCCEEDED
        assert setup_pids(paths, run) == []
        told = [body.text for body in of_type(events, "notice")]
        assert "ended 1 process the set-up left behind" in told


@pytest.mark.parametrize("kill", [False, True])
async def test_a_cancel_ends_it(paths: Paths, source: Path, kill: bool) -> None:
    stubborn = "trap '' TERM; echo up >up; setsid sleep 600 & sleep 600; sleep 600"
    async with supervising(paths, grace_s=600 if kill else 0.2, **with_setup(stubborn)) as engine:
        run = await engine.start(spec(**copy_of(source)))
        await becomes(lambda: [*paths.home.glob("workspaces/*/*/up")])
        await engine.cancel(run.id, kill=kill)
        await settled(engine)
        assert statuses(await engine.events(run.id))[-1] is Status.CANCELLED
        assert setup_pids(paths, run) == []


async def killed_in_the_middle(paths: Paths, source: Path) -> Run:
    """A run whose set-up is left alive by the engine that began it; it waits for a file `go`."""
    wait = "while ! test -f go; do sleep 0.05; done"
    paths.config.write_text(f"workspace: {{setup: ['echo x >>begun; {wait}', 'touch second']}}")
    async with Engine.open(paths) as engine:
        run = await engine.start(spec(**copy_of(source)))
    words = [sys.executable, "-c", SUPERVISE, str(paths.home), str(paths.config)]
    engine_process = await asyncio.create_subprocess_exec(*words)
    await becomes((paths.workspace(run.spec.project, run.id) / "begun").exists)
    engine_process.kill()
    await engine_process.wait()
    return run


async def test_nobody_takes_it_for_the_rest_of_a_run_that_has_ended(
    paths: Paths, source: Path
) -> None:
    run = await killed_in_the_middle(paths, source)
    found = await orphans.find(paths)
    assert [orphan.attempt for orphan in found] == ["attempt-1/set-up"]
    assert orphans.of_ended(found, paths, [run]) == []
    assert orphans.of_ended(found, paths, []) == found
    await orphans.end(paths, found[0], 0)
    assert setup_pids(paths, run) == []


@pytest.mark.parametrize("how", ["goes on", "is cancelled", "vanished"])
async def test_it_outlives_its_engine(paths: Paths, source: Path, how: str) -> None:
    """The engine is killed in the middle; the next one goes on, ends it, or does it again."""
    run = await killed_in_the_middle(paths, source)
    folder = paths.workspace(run.spec.project, run.id)
    assert setup_pids(paths, run)
    if how == "vanished":
        await orphans.end(paths, (await orphans.find(paths))[0], 0)
        paths.attempt(run.id, 1).setup.exit.unlink(missing_ok=True)
    if how != "is cancelled":
        (folder / "go").touch()
    async with supervising(paths, grace_s=0.2) as engine:
        if how == "is cancelled":
            await engine.cancel(run.id)
        await settled(engine)
        run = engine.view.runs[run.id]
        said = stages(await engine.events(run.id))
    ended = Status.CANCELLED if how == "is cancelled" else Status.SUCCEEDED
    assert (run.status, run.error) == (ended, None)
    assert setup_pids(paths, run) == []
    assert (folder / "second").exists() == (how != "is cancelled")
    assert (folder / "begun").read_text().count("x") == (2 if how == "vanished" else 1)
    assert said.count("preparing the workspace") == 1


async def test_a_fresh_start_is_set_up_anew(paths: Paths, source: Path) -> None:
    async with supervising(paths, **with_setup("touch made")) as engine:
        run, _ = await ran(engine, **copy_of(source))
        await engine.retry(run.id, fresh=True)
        await settled(engine)
        made = sorted(path.parent.name for path in paths.home.glob("workspaces/*/*/made"))
        assert made == [run.id, f"{run.id}-2"]


async def test_a_folder_of_the_users_own_is_set_up_only_when_asked(
    paths: Paths, source: Path
) -> None:
    async with supervising(paths, **with_setup("echo x >>made")) as engine:
        wish = {"workspace": WorkspaceSpec(WorkspaceKind.IN_PLACE, str(source))}
        await ran(engine, **wish)
        assert not (source / "made").exists()
        await ran(engine, **wish, with_setup=True)
        assert (source / "made").read_text() == "x\n"
        run, _ = await ran(engine)
        assert run.workspace and not list(Path(run.workspace.path).iterdir())
        run, _ = await ran(engine, **copy_of(source), with_setup=False)
        assert run.workspace and (Path(run.workspace.path) / "made").read_text() == "x\n"


async def test_the_settings_of_a_project_come_first(paths: Paths, source: Path) -> None:
    (source / ".secret").write_text("s")
    (source / "skip").write_text("s")
    own = ProjectSettings(setup=("touch own",), ignore=("skip", ".*"), copy_files=(".secret",))  # pyright: ignore[reportArgumentType]  values come by name
    more = {**with_setup("touch common"), "projects": {"shop": own}}
    async with supervising(paths, **more) as engine:
        run, events = await ran(engine, **copy_of(source), project="shop")
        names = {path.name for path in Path(run.workspace.path if run.workspace else "").iterdir()}
        assert names == {"a.txt", "own", ".secret"}
        told = [body.text for body in of_type(events, "notice")]
        assert told == [
            "brought along: .secret",
            "not in the workspace: what workspace.ignore names (skip)",
        ]


async def test_a_change_of_the_settings_changes_no_run_that_was_asked_for(
    paths: Paths, source: Path
) -> None:
    async with Engine.open(paths, Config(**with_setup("touch first"))) as engine:
        run = await engine.start(spec(**copy_of(source)))
    async with supervising(paths, **with_setup("touch later")) as engine:
        await until(engine, lambda: engine.view.runs[run.id].finished_at)
        folder = Path(paths.workspace(run.spec.project, run.id))
        assert (folder / "first").exists() and not (folder / "later").exists()


async def test_scripts_that_are_not_what_was_trusted_do_not_run(paths: Paths, source: Path) -> None:
    (source / ".swarm").mkdir()
    (source / ".swarm" / "config.yaml").write_text("workspace: {setup: [./prep]}")
    (source / "prep").write_text("#!/bin/sh\ntouch made\n")
    (source / "prep").chmod(0o755)
    async with Engine.open(paths) as engine:
        wanted = spec(**copy_of(source))
        consent = await engine.trust.asked(wanted)
        assert consent
        await engine.trust.grant(consent)
        run = await engine.start(wanted)
        with pytest.raises(UserError):
            (source / "prep").write_text("#!/bin/sh\ntouch evil\n")
            await engine.start(wanted)
    async with supervising(paths) as engine:
        await asyncio.wait_for(engine.settle(), LIMIT_S)
        run = engine.view.runs[run.id]
        assert run.error and run.error.code == "SETUP_NOT_TRUSTED"
        assert not [*paths.home.glob("workspaces/*/*/evil")]
