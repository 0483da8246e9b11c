"""Every task of the tree is made to fail, once and for ever: one fault ends one thing."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import faulty
import pytest
from faces import FACES, Face
from faulty import CURRENT, TEXT, Faulty, kind_of
from support import LIMIT_S, becomes, quick, settled, spec, until
from task_names import EVERYWHERE, OF_API, OF_CLUSTER, OF_FACE, OF_PROGRAM, in_code

from engine.config.paths import Paths
from engine.domain.model import Status
from engine.engine import ESSENTIAL, Engine
from engine.execution import fault_reporter, faults, scheduler, task_tree
from engine.execution.stages import checkpoint
from tui.app import SwarmApp
from tui.widgets.status import limit_forecast
from tui.widgets.status.top_bar import TopBar

PROGRAM = Path(faulty.__file__)
ALWAYS = float("inf")
EACH_S, ALL_S = LIMIT_S, 4 * LIMIT_S
"""How long it may take until a fault is shown, and until it is over; and all of them together."""
OF_RUNS = frozenset({"run", "checkpoint"})
"""Tasks that begin with each run."""
NEEDS = {"whole screen": ("screen", "whole screen")}
"""What has to fail so that something else is entered."""
ON_DEMAND = frozenset({"login check", "whole screen"})
"""Guards that are entered only where something else happens: `Face.stir` sees to it."""
BEGIN_WITH_SUPERVISION = frozenset({"imports", "unreadable runs", "nodes"})
"""Tasks that end by themselves."""
SHOWN = {"supervision": "supervis", "whole screen": "screen"}
"""What is shown where that is not the name: nobody supervises, or another part failed first."""
LOGGED_ONLY = frozenset({"faults", "lines"})
"""What shows the faults of the others."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_tree, "BACKOFF", faulty.QUICK)
    monkeypatch.setattr(faults, "inject", faulty.inject)
    monkeypatch.setattr(fault_reporter, "GAP_S", 0.05)
    monkeypatch.setattr(limit_forecast, "FORECAST_S", 1.0)
    monkeypatch.setattr(limit_forecast, "LIMITS_S", 0.1)
    monkeypatch.setattr(scheduler, "LOOK_S", 0.1)
    monkeypatch.setattr(checkpoint, "GAP_S", 0.0)
    monkeypatch.setattr(checkpoint, "COST_FACTOR", 0.0)


def home(tmp_path: Path, name: str) -> Paths:
    folder = tmp_path / name.replace(" ", "-")
    return Paths(folder, folder / "config.yaml")


async def alone(faulty: Faulty, work: Callable[[], Awaitable[object]]) -> None:
    """Do something in which these faults are met, and no others."""

    async def begin() -> None:
        CURRENT.set(faulty)
        await work()

    async with asyncio.timeout(ALL_S):
        await asyncio.create_task(begin())


async def found_in(face: str, paths: Paths) -> set[str]:
    """Every task and guard of a face that there is while runs are carried."""
    found = Faulty()
    await alone(found, lambda: _with(face, paths, _nothing))
    return {kind_of(name) for name in found.seen} | OF_RUNS | (ON_DEMAND & declared(face))


def declared(face: str) -> frozenset[str]:
    return EVERYWHERE | OF_FACE[face]


def test_every_task_and_guard_of_the_code_is_made_to_fail_by_a_test() -> None:
    assert in_code() == EVERYWHERE.union(OF_API, OF_CLUSTER, OF_PROGRAM, *OF_FACE.values())


async def _with(face: str, paths: Paths, work: Callable[[Face], Awaitable[None]]) -> None:
    async with FACES[face](paths) as opened:
        await _succeeds(opened)
        await work(opened)
        assert opened.engine.view.runs[opened.other.id].status is Status.RUNNING


async def _nothing(_: Face) -> None:
    """Let nothing fail."""


async def _succeeds(face: Face) -> None:
    """A new run is started, and carried to its end."""
    # It goes on for a moment after its change: a checkpoint is taken meanwhile.
    run = await face.engine.start(spec("write a.txt one", "wait 0.6"))
    await until(face.engine, lambda: face.engine.view.runs[run.id].finished_at)
    assert face.engine.view.runs[run.id].status is Status.SUCCEEDED


async def _until(face: Face, name: str, holds: Callable[[], object]) -> None:
    """Wait, while something happens now and then."""
    try:
        async with asyncio.timeout(EACH_S):
            while not holds():
                await face.stir(name)
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"{name}: failing {face.failing()}, shown {face.shows()}")


def _begin(face: Face, faulty: Faulty, name: str, times: float) -> None:
    """Let a task or guard fail from now on, whether or not it is at work."""
    faulty.seen.clear()
    faulty.names, faulty.times = NEEDS.get(name, (name,)), times
    if name in BEGIN_WITH_SUPERVISION:
        face.provoke("supervision")
    elif name not in OF_RUNS and face.provoke(name) and times == 1:
        faulty.times = 0  # that was the fault


@pytest.mark.parametrize("face", FACES)
async def test_each_task_may_fail_once(face: str, tmp_path: Path) -> None:
    names = await found_in(face, home(tmp_path, "names"))
    assert names == declared(face)
    faulty = Faulty()

    async def work(opened: Face) -> None:
        recorded = opened.record()
        for name in sorted(names):
            _begin(opened, faulty, name, 1)
            if name in OF_RUNS:
                await _succeeds(opened)
            await _until(opened, name, lambda n=name: n in recorded and not opened.failing())
        await _succeeds(opened)

    await alone(faulty, lambda: _with(face, home(tmp_path, "once"), work))


@pytest.mark.parametrize("face", FACES)
async def test_each_task_may_fail_for_ever(face: str, tmp_path: Path) -> None:
    names = await found_in(face, home(tmp_path, "names"))
    faulty = Faulty()

    async def work(opened: Face) -> None:
        for name in sorted(names - OF_RUNS):
            _begin(opened, faulty, name, ALWAYS)
            await _until(opened, name, lambda n=name: n in opened.failing())
            await _until(opened, name, lambda n=name: _is_shown(opened, n))
            if name not in ESSENTIAL:
                await opened.hears_of_other()
                assert name in opened.failing()
            faulty.times = 0
            await _until(opened, name, lambda: not opened.failing())
            await opened.hears_of_other()
        _begin(opened, faulty, "run", ALWAYS)
        await _of_one_run(opened, faulty)
        faulty.names, faulty.times = tuple(names - {*ESSENTIAL, "run"}), ALWAYS
        opened.provoke(*faulty.names)
        await _succeeds(opened)

    await alone(faulty, lambda: _with(face, home(tmp_path, "always"), work))


def _is_shown(face: Face, name: str) -> bool:
    return name in LOGGED_ONLY or SHOWN.get(name, name) in face.shows()


async def _of_one_run(face: Face, faulty: Faulty) -> None:
    """A run whose own task fails: it fails with INTERNAL and says why; the others go on."""
    engine = face.engine
    bad = await engine.start(spec("hang"))
    await until(engine, lambda: engine.view.runs[bad.id].finished_at)
    faulty.times = 0
    bad = engine.view.runs[bad.id]
    assert bad.error
    assert (bad.status, bad.error.code) == (Status.FAILED, "INTERNAL")
    assert TEXT in bad.error.message


# The three faces


async def queued(paths: Paths, count: int = 2, *lines: str) -> list[str]:
    async with Engine.open(paths, quick(), follow=False) as engine:
        return [(await engine.start(spec(*lines))).id for _ in range(count)]


async def stored(paths: Paths) -> list[Status]:
    async with Engine.open(paths, quick(), follow=False) as engine:
        return [run.status for run in await engine.runs()]


async def command(how: str, names: str, *words: str) -> tuple[int, str, str]:
    """Run the real command with faults in its tasks."""
    argv = [sys.executable, str(PROGRAM), how, names, *words]
    process = await asyncio.create_subprocess_exec(
        *argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ
    )
    async with asyncio.timeout(LIMIT_S):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_the_background_survives_a_fault_of_every_task(paths: Paths) -> None:
    await queued(paths)
    code, out, _ = await command("once", "*", "supervise", "-v")
    assert code == 0, out
    assert await stored(paths) == [Status.SUCCEEDED] * 2


async def test_the_background_goes_on_without_all_that_is_optional(paths: Paths) -> None:
    await queued(paths)
    optional = ",".join(sorted(EVERYWHERE - set(ESSENTIAL) - {"run"}))
    code, _, err = await command("always", optional, "supervise", "-v")
    assert (code, await stored(paths)) == (0, [Status.SUCCEEDED] * 2)
    assert TEXT in err


async def test_every_command_shows_what_fails_in_the_background(paths: Paths) -> None:
    (run,) = await queued(paths, 1, "hang")
    argv = [sys.executable, str(PROGRAM), "always", "search", "supervise"]
    supervisor = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: ASYNC220  the test needs a plain child process
    try:
        async with asyncio.timeout(LIMIT_S), Engine.open(paths, quick()) as engine:
            await until(engine, lambda: engine.faults)
            _, _, listed = await command("once", "nothing", "ls")
            _, found, _ = await command("once", "nothing", "doctor", "--json")
            await engine.cancel(run, kill=True)
            await settled(engine)
            await asyncio.to_thread(supervisor.wait)
    finally:
        supervisor.kill()
        supervisor.wait()
    assert "search failed" in listed
    assert TEXT in listed
    assert f"Injected: {TEXT}" in found
    async with Engine.open(paths, quick(), follow=False) as engine:
        assert engine.faults == ()  # it ended well, and nothing fails any more


async def test_the_foreground_survives_a_fault_of_every_task(paths: Paths) -> None:
    words = ("run", "--empty", "--agent", "simulated", "sim: say hello")
    code, out, err = await command("once", "*", *words)
    assert code == 0, err
    assert "hello" in out
    assert TEXT in err


@pytest.mark.parametrize("name", ["scheduler", "follower"])
async def test_the_foreground_ends_with_a_word_where_nothing_can_go_on(
    paths: Paths, name: str
) -> None:
    words = ("run", "--empty", "--agent", "simulated", "sim: say hello")
    code, _, err = await command("always", name, *words)
    assert code == 3
    assert f"{name} failed" in err
    await _until_ended(paths)  # in the background, where it works


async def test_who_waits_is_told_that_nothing_is_heard_any_more(paths: Paths) -> None:
    async with Engine.open(paths, quick(), supervise=True) as engine:
        run = await engine.start(spec("hang"))
        code, _, err = await command("always", "journal", "wait", run.id)
        await engine.cancel(run.id, kill=True)
        await settled(engine)
    assert (code, "journal failed" in err) == (3, True)


async def _until_ended(paths: Paths) -> None:
    async with asyncio.timeout(LIMIT_S):
        while set(await stored(paths)) != {Status.SUCCEEDED}:  # noqa: ASYNC110  nothing announces it
            await asyncio.sleep(0.05)


async def test_the_dashboard_shows_what_fails(tmp_path: Path) -> None:
    faulty = Faulty(("search", "screen", "alerts"), ALWAYS)

    async def work() -> None:
        async with Engine.open(home(tmp_path, "shown"), quick(), supervise=True) as engine:
            app = SwarmApp(engine)
            async with app.run_test(size=(120, 40)):
                await engine.start(spec())
                bar = app.screen.query_one(TopBar)
                await becomes(lambda: "FAULT" in str(bar.render()) and TEXT in str(bar.render()))
                await settled(engine)

    await alone(faulty, work)
