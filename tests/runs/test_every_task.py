"""Every task of the tree is made to fail, once and for ever: one fault ends one thing."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import faulty
import pytest
from faulty import CURRENT, TEXT, Faulty, kind_of
from support import LIMIT_S, becomes, quick, settled, spec, until

from engine.address import Url
from engine.config import Config, Webhook
from engine.domain.errors import UserError
from engine.domain.model import Run, Status
from engine.engine import ESSENTIAL, Engine
from engine.paths import Paths
from engine.runs import faults, remembering, scheduler, tree
from tui.app import SwarmApp
from tui.widgets.top_bar import TopBar

PROGRAM = Path(faulty.__file__)
ALWAYS = float("inf")
KNOWN = {
    "journal", "supervision", "scheduler", "follower", "watcher", "look-after", "maintenance",
    "search", "notifications", "receiver", "faults", "run", "checkpoint",
    "settings", "search news", "notification news", "scheduler news", "queue", "budgets", "radar",
}  # fmt: skip
"""Tasks and guards that there have to be; those that are added later are found by themselves."""
WORK = ("write a.txt one", "wait 0.3", "write b.txt two", "wait 0.3")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "BACKOFF", faulty.QUICK)
    monkeypatch.setattr(faults, "inject", faulty.inject)
    monkeypatch.setattr(scheduler, "LOOK_S", 0.1)
    monkeypatch.setattr(remembering, "GAP_S", 0.0)
    monkeypatch.setattr(remembering, "COST_FACTOR", 0.0)


def config() -> Config:
    nowhere = Webhook(name="nobody", url=Url("http://127.0.0.1:9/"))
    return quick(webhooks=(nowhere,))


def home(tmp_path: Path, name: str) -> Paths:
    folder = tmp_path / name.replace(" ", "-")
    return Paths(folder, folder / "config.yaml")


async def worked(paths: Paths, faulty: Faulty) -> tuple[Engine, list[Run]]:
    """Two runs carried to their end while tasks fail."""
    async with Engine.open(paths, config(), supervise=True) as engine:
        runs = [await engine.start(spec(*WORK)) for _ in range(2)]
        await settled(engine)
        await becomes(lambda: faulty.times == ALWAYS or not engine.faults)
        return engine, [engine.view.runs[run.id] for run in runs]


async def alone(faulty: Faulty, work: Callable[[], Awaitable[object]]) -> None:
    """Do something in which these faults are met, and no others."""

    async def begin() -> None:
        CURRENT.set(faulty)
        await work()

    async with asyncio.timeout(LIMIT_S):
        await asyncio.create_task(begin())


async def names(tmp_path: Path) -> set[str]:
    """Every task and guard that there is while runs are carried."""
    found = Faulty()
    await alone(found, lambda: worked(home(tmp_path, "names"), found))
    return {kind_of(name) for name in found.seen}


async def test_each_task_may_fail_once(tmp_path: Path) -> None:
    found = await names(tmp_path)
    assert found >= KNOWN

    async def fails_once(name: str) -> None:
        faulty = Faulty((name,), 1)

        async def work() -> None:
            _, runs = await worked(home(tmp_path, f"once {name}"), faulty)
            assert [run.status for run in runs] == [Status.SUCCEEDED] * 2, name

        await alone(faulty, work)
        assert faulty.failed, name

    await asyncio.gather(*map(fails_once, sorted(found)))


async def test_each_task_may_fail_for_ever(tmp_path: Path) -> None:
    found = await names(tmp_path)

    async def fails(name: str) -> None:
        faulty = Faulty((name,), ALWAYS)
        paths = home(tmp_path, f"always {name}")
        kind = _essential if name in ESSENTIAL else _of_one_run if name == "run" else _optional
        await alone(faulty, lambda: kind(paths, faulty, name))

    await asyncio.gather(*map(fails, sorted(found)))


async def _optional(paths: Paths, faulty: Faulty, name: str) -> None:
    """What is not essential: all runs come to their end, and the fault is told."""
    async with Engine.open(paths, config(), supervise=True) as engine:
        told: list[str] = []
        batches = engine.batches(0)
        runs = [await engine.start(spec(*WORK)) for _ in range(2)]
        while engine.view.live or not told:
            await anext(batches)
            told += [fault.error for fault in engine.faults if kind_of(fault.task) == name]
        assert {engine.view.runs[run.id].status for run in runs} == {Status.SUCCEEDED}, name
    assert TEXT in told[0], name


async def _essential(paths: Paths, faulty: Faulty, name: str) -> None:
    """What nothing goes on without: whoever waits is told, and it goes on when it can."""
    async with Engine.open(paths, config(), supervise=True) as engine:
        run = await engine.start(spec())
        with pytest.raises(UserError, match=TEXT) as caught:
            await settled(engine)
        assert caught.value.code == "INTERNAL"
        faulty.times = 0
        while engine.view.runs[run.id].status is not Status.SUCCEEDED:
            with suppress(UserError):
                await settled(engine)
            await asyncio.sleep(0.01)


async def _of_one_run(paths: Paths, faulty: Faulty, name: str) -> None:
    """A run whose own task fails: it fails with INTERNAL and says why; the others go on."""
    async with Engine.open(paths, config(), supervise=True) as engine:
        bad = await engine.start(spec("hang"))
        await until(engine, lambda: engine.view.runs[bad.id].finished_at)
        faulty.times = 0
        good = await engine.start(spec())
        await settled(engine)
        bad, good = engine.view.runs[bad.id], engine.view.runs[good.id]
    assert (bad.status, bad.error.code) == (Status.FAILED, "INTERNAL")
    assert TEXT in bad.error.message
    assert good.status is Status.SUCCEEDED


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
    optional = ",".join(sorted(KNOWN - set(ESSENTIAL) - {"run"}))
    code, _, err = await command("always", optional, "supervise", "-v")
    assert (code, await stored(paths)) == (0, [Status.SUCCEEDED] * 2)
    assert TEXT in err


async def test_every_command_shows_what_fails_in_the_background(paths: Paths) -> None:
    (run,) = await queued(paths, 1, "hang")
    argv = [sys.executable, str(PROGRAM), "always", "search", "supervise"]
    supervisor = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: ASYNC220
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
        while set(await stored(paths)) != {Status.SUCCEEDED}:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_the_dashboard_survives_a_fault_of_every_task(tmp_path: Path) -> None:
    paths = home(tmp_path, "dashboard")
    faulty = Faulty()
    await alone(faulty, lambda: _dashboard(paths, faulty))
    assert {kind_of(name) for name in faulty.seen} >= KNOWN | {"dashboard", "alerts", "screen"}
    again = Faulty(tuple({kind_of(name) for name in faulty.seen}), 1)
    await alone(again, lambda: _dashboard(home(tmp_path, "once"), again))
    assert "dashboard" in again.failed


async def _dashboard(paths: Paths, faulty: Faulty) -> None:
    async with Engine.open(paths, config(), supervise=True) as engine:
        app = SwarmApp(engine)
        async with app.run_test(size=(120, 40)) as pilot:
            run = await engine.start(spec(*WORK))
            await settled(engine)
            await becomes(lambda: not engine.faults)
            bar = app.screen.query_one(TopBar)
            await becomes(lambda: "0 running" in str(bar.render()))
            await pilot.pause()
        assert engine.view.runs[run.id].status is Status.SUCCEEDED


async def test_the_dashboard_shows_what_fails(tmp_path: Path) -> None:
    faulty = Faulty(("search", "screen", "alerts"), ALWAYS)

    async def work() -> None:
        async with Engine.open(home(tmp_path, "shown"), config(), supervise=True) as engine:
            app = SwarmApp(engine)
            async with app.run_test(size=(120, 40)):
                await engine.start(spec())
                bar = app.screen.query_one(TopBar)
                await becomes(lambda: "FAULT" in str(bar.render()) and TEXT in str(bar.render()))
                await settled(engine)

    await alone(faulty, work)
