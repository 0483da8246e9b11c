"""Runs that are forgotten from the command line, also while other commands follow them."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from support import played, quick, spec, supervising
from typed import Detacher, Starter, Swarm

from engine.config.paths import Paths
from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.engine import Engine
from tui.cli import json as shapes


@pytest.fixture
def ended(paths: Paths) -> list[str]:
    """Ids of two runs that have ended, the oldest first."""

    async def make() -> list[str]:
        async with Engine.open(paths, quick()) as engine:
            runs = [await engine.start(spec(title=name)) for name in ("One", "Two")]
            return [run.id for run in await engine.cancel_all([run.id for run in runs])]

    return asyncio.run(make())


def test_a_forgotten_run_is_in_no_list(inside: Swarm, ended: list[str]) -> None:
    one, two = ended
    done = inside("forget", one)
    assert (done.code, "Cannot ask without a terminal" in done.err) == (3, True)
    assert "--yes" in done.err
    done = inside("forget", one, one, "--yes")
    assert (done.code, done.out) == (0, f"{one} forgotten\n")
    assert inside("ls", "-q").out.split() == [two]
    done = inside("show", one)
    assert (done.code, f"The run {one} was forgotten." in done.err) == (3, True)
    gone = inside("forget", two, "-y", "--json").json
    assert msgspec.convert(gone, shapes.ForgottenJson).forgotten == [two]
    assert inside("ls", "--json").json == []


def test_a_refused_run_keeps_all_that_are_named(
    inside: Swarm, ended: list[str], paths: Paths
) -> None:
    async def work() -> str:
        async with supervising(paths) as engine:
            kind = WorkspaceSpec(WorkspaceKind.EMPTY)
            return (await played(engine, "write a.txt work", workspace=kind)).id

    work_id = asyncio.run(work())
    done = inside("forget", ended[0], work_id, "--yes")
    assert (done.code, "1 changed file not applied" in done.err) == (3, True)
    assert "--force" in done.err
    assert len(inside("ls", "-q").out.split()) == 3
    assert inside("forget", ended[0], work_id, "--yes", "--force").code == 0
    assert inside("ls", "-q").out.split() == [ended[1]]
    back = inside("cleanup", "--undo", work_id)
    assert (back.code, f"{work_id} is back" in back.out) == (0, True)


def test_commands_that_follow_a_forgotten_run_end_calmly(
    swarm: Swarm, detached: Detacher, start: Starter
) -> None:
    gone = detached("sim: say one")
    assert swarm("wait", gone).code == 0
    live = detached("sim: say two\nsim: wait 600")
    followed = start("logs", gone, live, "--follow")
    followed.until(run=gone, type="status", status="succeeded")
    followed.until(run=live, type="step", text="two")
    assert swarm("forget", gone, "--yes").code == 0
    end = followed.until(run=gone, type="forgotten")
    assert end["seq"] == max(event["seq"] for event in followed.events if event["run"] == gone)
    swarm("cancel", live)
    assert followed.end() == 0
    assert swarm("forget", live, "--yes").code == 0
    assert swarm("ls", "-q").out == ""
