"""A run of the real Codex outlives the engine that started it, and the next one carries it on."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

from billing import check
from house import (
    LIMIT_S,
    House,
    bodies,
    ended,
    files,
    percents,
    steps,
    task,
    until,
    wait_for_events,
)
from loopback import LoopbackServer, Step, add_file, command, message, patch, plan

from engine.domain.events import Step as Told
from engine.domain.model import Run, Status, Usage
from engine.engine import Engine

STEPS = [
    ("command", "started", "echo one"),
    ("command", "completed", "echo one"),
    ("file_change", "started", "a.txt"),
    ("file_change", "completed", "a.txt"),
    ("command", "started", "echo two"),
    ("command", "completed", "echo two"),
    ("message", "completed", "Done."),
]


def _script(gate: threading.Event) -> list[Step]:
    """Return a turn that stops after its first command until the gate opens."""
    return [
        plan([("a", "completed"), ("b", "in_progress")]),
        command("echo one"),
        patch(add_file("a.txt", "x")).after(gate),
        command("echo two"),
        plan([("a", "completed"), ("b", "completed")]),
        message("Done."),
    ]


async def _until_it_waits(engine: Engine, run: Run) -> None:
    await until(engine, run, lambda now: now.percent == 55)
    await wait_for_events(engine, run, Told, 2)


async def _check(engine: Engine, run: Run, house: House) -> None:
    told = await bodies(engine, run)
    assert await steps(engine, run) == STEPS
    assert percents(told) == [0, 20, 30, 55, 80, 100]
    assert (run.status, run.exit_code, run.usage) == (
        Status.SUCCEEDED,
        0,
        Usage(6000, 1200, 300, 60, 6),
    )
    assert run.workspace
    assert files(Path(run.workspace.path)) == {"a.txt": "x\n"}
    lines = house.attempt(run).stdout.read_text("utf-8").splitlines()
    starts = [line for line in lines if json.loads(line)["type"] == "thread.started"]
    assert (len(starts), run.attempt) == (1, 1)  # Codex was started once


async def test_it_goes_on_after_the_next_engine_has_come(
    house: House, server: LoopbackServer
) -> None:
    gate = threading.Event()
    async with house.engine() as engine:
        run = await engine.start(task(server.script("two", _script(gate))))
        await _until_it_waits(engine, run)
    async with house.engine() as engine:
        assert engine.view.runs[run.id].status is Status.RUNNING
        gate.set()
        await _check(engine, await ended(engine, run), house)


async def test_it_ends_while_nobody_is_there(house: House, server: LoopbackServer) -> None:
    gate = threading.Event()
    async with house.engine() as engine:
        run = await engine.start(task(server.script("two", _script(gate))))
        await _until_it_waits(engine, run)
    gate.set()
    await _exists(house.attempt(run).exit)
    async with house.engine() as engine:
        await _check(engine, await ended(engine, run), house)


async def _exists(path: Path) -> None:
    """Wait for a file that nobody tells of: no engine is there."""
    async with asyncio.timeout(LIMIT_S):
        while not path.exists():  # noqa: ASYNC110  nothing announces it
            await asyncio.sleep(0.02)


async def test_an_engine_that_waits_takes_over(house: House, server: LoopbackServer) -> None:
    gate = threading.Event()
    async with house.engine() as waiting:
        async with house.engine() as other:
            run = await other.start(task(server.script("two", _script(gate))))
            await _until_it_waits(other, run)
            await _until_it_waits(waiting, run)  # it follows what the other one supervises
        gate.set()
        await _check(waiting, await ended(waiting, run), house)


async def test_many_engines_one_after_the_other(house: House, server: LoopbackServer) -> None:
    gates = [threading.Event() for _ in range(5)]
    lines = [f"echo {n}" for n in range(5)]
    script = [command(line).after(gate) for line, gate in zip(lines, gates, strict=True)]
    run: Run | None = None
    for done, gate in enumerate(gates, start=1):
        async with house.engine() as engine:
            run = run or await engine.start(task(server.script("many", [*script, message("x")])))
            gate.set()
            if done < len(gates):
                await wait_for_events(engine, run, Told, 2 * done - 1)
    async with house.engine() as engine:
        run = await ended(engine, run)
        told = await steps(engine, run)
    phases = [("command", phase, line) for line in lines for phase in ("started", "completed")]
    assert told == [*phases, ("message", "completed", "x")]
    check(server, house, run)
    assert run.usage == Usage(6000, 1200, 300, 60, 6)


async def test_cancel_by_an_engine_that_did_not_start_it(
    house: House, server: LoopbackServer
) -> None:
    async with house.engine() as engine:
        run = await engine.start(task(server.script("two", _script(threading.Event()))))
        await _until_it_waits(engine, run)
    async with house.engine() as engine:
        await engine.cancel(run.id)
        run = await ended(engine, run)
    assert (run.status, run.exit_code) == (Status.CANCELLED, 143)
