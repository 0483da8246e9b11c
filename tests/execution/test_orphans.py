"""What a dead engine left alive is found and ended, and nothing else; a cancel leaves nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import LIMIT_S, Mode, becomes, quick, settled, spec, supervising, texts

from engine.config.paths import AttemptFolder, Paths
from engine.domain.events import StatusChanged
from engine.domain.model import Run, Status
from engine.engine import CheckHealth, Engine
from engine.execution.local import orphans
from engine.execution.local.process_marks import MARK, mark, marked
from engine.store.appending import AppendRequest

pytestmark = pytest.mark.both_modes

GRACE_S = 0.5
"""What a test adds to the grace time and a second: these machines do much else."""

PROCESS = """
import asyncio, sys
from pathlib import Path
from engine.config.settings import Config, QueueSettings
from engine.engine import Engine, CheckHealth
from engine.config.paths import Paths

async def main():
    what, run, paths = sys.argv[1], sys.argv[2], Paths(Path(sys.argv[3]), Path(sys.argv[4]))
    config = Config(slots=4, queue=QueueSettings(stagger_s=0), grace_s=0.5)
    async with Engine.open(paths, config, follow=False, supervise=what == "supervise") as engine:
        print("ready", flush=True)
        if what == "supervise":
            await asyncio.sleep(600)
        await engine.cancel(run, kill=what == "kill")

asyncio.run(main())
"""


def program(paths: Paths, what: str, run: str = "") -> subprocess.Popen[bytes]:
    """An engine in a process of its own."""
    arguments = [sys.executable, "-c", PROCESS, what, run, str(paths.home), str(paths.config)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE)


def alive(paths: Paths, run: Run, attempt: int = 1) -> list[int]:
    return marked(mark(paths.attempt(run.id, attempt)))


async def said(engine: Engine, run: Run, what: str = "ready") -> None:
    batches = engine.batches(0)
    async with asyncio.timeout(LIMIT_S):
        while what not in texts(await engine.events(run.id)):
            await anext(batches)


@pytest.fixture
def bystander(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of another home, which is nobody's business here."""
    folder = tmp_path / "other" / "runs" / "abc" / "attempt-1"
    folder.mkdir(parents=True)
    env = {**os.environ, MARK: mark(AttemptFolder(folder))}
    child = subprocess.Popen(["sleep", "300"], env=env, start_new_session=True)
    yield child
    child.kill()
    child.wait()


# Cancelled from another process

STUBBORN = ("ignore-term", "child ignore-term", "child ignore-term new-session")
POLITE = ("child", "child new-session")


@pytest.mark.parametrize("lines", [POLITE, STUBBORN], ids=["polite", "stubborn"])
@pytest.mark.parametrize("what", ["cancel", "kill"])
async def test_a_cancel_from_another_process_leaves_nothing_alive(
    paths: Paths, lines: tuple[str, ...], what: str, mode: Mode
) -> None:
    # A kill that waited for the grace time would take too long for `settled`.
    grace_s = 10 * LIMIT_S if what == "kill" else GRACE_S
    async with supervising(paths, grace_s=grace_s) as engine:
        run = await engine.start(spec(*lines, "say ready", "hang"))
        await said(engine, run)
        assert len(alive(paths, run)) == mode.processes + 2
        asked = await asyncio.to_thread(program, paths, what, run.id)
        await asyncio.to_thread(asked.communicate)
        await settled(engine)
        assert alive(paths, run) == []
        assert engine.view.runs[run.id].status is Status.CANCELLED


async def test_a_cancel_at_every_stage(paths: Paths) -> None:
    """Asked for the moment a stage is reached, before its own process knows of it."""
    for stage in ("queued", "preparing", "running", "cancelling"):
        async with supervising(paths, grace_s=GRACE_S) as engine:
            batches = engine.batches(0)
            run = await engine.start(spec(*STUBBORN, "say ready", "hang"))
            reached = stage == "queued"
            async with asyncio.timeout(LIMIT_S):
                while not reached:
                    for event in (await anext(batches)).events:
                        status = getattr(event.body, "status", "")
                        if status == "running" and stage == "cancelling":
                            await engine.cancel(run.id)
                        reached |= status == stage
            await engine.cancel(run.id, kill=stage == "cancelling")
            await settled(engine)
            assert engine.view.runs[run.id].status is Status.CANCELLED
            assert alive(paths, run) == []
            assert await engine.doctor.orphans() == []


# Left by a dead engine


async def killed_while_running(paths: Paths, *lines: str) -> Run:
    """A run whose engine was killed."""
    child = await asyncio.to_thread(program, paths, "supervise")
    try:
        async with Engine.open(paths, quick()) as watching:
            run = await watching.start(spec(*lines, "say ready", "hang"))
            await said(watching, run)
    finally:
        child.kill()
        await asyncio.to_thread(child.communicate)
    return run


async def test_a_run_that_goes_on_alone_is_no_orphan(paths: Paths, mode: Mode) -> None:
    run = await killed_while_running(paths, "child new-session")
    async with Engine.open(paths, quick(), follow=False) as engine:
        assert await engine.doctor.orphans() == []
        assert await engine.doctor.end_orphans() == 0
    assert len(alive(paths, run)) == mode.processes + 1
    async with supervising(paths, grace_s=GRACE_S) as engine:
        await engine.cancel(run.id)
        await settled(engine)
    assert alive(paths, run) == []


@pytest.mark.parametrize("lines", [POLITE, STUBBORN], ids=["polite", "stubborn"])
async def test_what_a_dead_engine_left_is_found_and_ended_and_nothing_else(
    paths: Paths, bystander: subprocess.Popen[bytes], lines: tuple[str, ...], mode: Mode
) -> None:
    lost = await killed_while_running(paths, *lines)
    async with supervising(paths, grace_s=GRACE_S) as engine:
        # As if the run's end had been stored just before the engine died.
        ends = [StatusChanged(Status.CANCELLING), StatusChanged(Status.CANCELLED)]
        await engine._store.append([AppendRequest(lost.id, ends)])
        await until_forgotten(engine, lost)
        busy = await engine.start(spec("say ready", "hang"))
        await said(engine, busy)
        (found,) = await engine.doctor.orphans()
        assert (found.run, found.attempt) == (lost.id, "attempt-1")
        assert set(found.pids) == set(alive(paths, lost))
        finding = next(one for one in await engine.doctor.examine() if one.name == "orphans")
        assert finding.health == "warning"
        assert "--end-orphans" in finding.recovery
        assert await engine.doctor.end_orphans() == 1
        assert alive(paths, lost) == []
        assert len(alive(paths, busy)) == mode.processes
        assert bystander.poll() is None
        assert await engine.doctor.orphans() == []
        await engine.cancel(busy.id)
        await settled(engine)


async def until_forgotten(engine: Engine, run: Run) -> None:
    await becomes(lambda: engine._supervision.scheduler)  # a while after it took over
    await becomes(lambda: run.id not in engine._supervision.scheduler._run_tasks)


async def test_an_orphan_of_an_earlier_attempt_is_found_beside_the_live_one(
    paths: Paths, mode: Mode
) -> None:
    async with supervising(paths, grace_s=GRACE_S) as engine:
        run = await engine.start(spec("say one", "fail something odd"))
        await settled(engine)
        left = subprocess.Popen(  # noqa: ASYNC220  the test needs a plain child process
            ["sleep", "300"], env={**os.environ, MARK: mark(paths.attempt(run.id, 1))}
        )
        try:
            await engine.retry(run.id, prompt="sim: say ready\nsim: hang")
            await said(engine, run)
            (found,) = await engine.doctor.orphans()
            assert (found.attempt, found.pids) == ("attempt-1", (left.pid,))
            assert await engine.doctor.end_orphans() == 1
            assert await asyncio.to_thread(left.wait) == -signal.SIGTERM
            assert len(alive(paths, run, 2)) == mode.processes
        finally:
            left.kill()
            left.wait()
        await engine.cancel(run.id)
        await settled(engine)


async def test_a_run_that_starts_while_orphans_are_looked_for_is_none(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    """Between the look at the processes and the look at the database it has begun."""
    async with supervising(paths) as engine:
        looked = orphans.process_marks.marks
        started: list[Run] = []

        async def start() -> None:
            started.append(await engine.start(spec("say ready", "hang")))
            await said(engine, started[-1])

        loop = asyncio.get_running_loop()

        def start_and_read() -> dict[str, list[int]]:
            asyncio.run_coroutine_threadsafe(start(), loop).result()
            return looked()

        with monkeypatch.context() as patch:
            patch.setattr(orphans.process_marks, "marks", start_and_read)
            assert await engine.doctor.orphans() == []
        assert len(alive(paths, started[0])) == mode.processes
        await engine.cancel(started[0].id)
        await settled(engine)


@pytest.mark.one_mode
async def test_processes_of_runs_that_the_database_does_not_know_are_left_alone(
    paths: Paths,
) -> None:
    folder = paths.attempt("0unknown0", 1)
    async with Engine.open(paths, quick(), follow=False) as engine:
        process = await asyncio.create_subprocess_exec(
            "sleep", "600", env={**os.environ, MARK: mark(folder)}
        )
        try:
            assert await engine.doctor.end_orphans() == 0
            findings = {one.name: one for one in await engine.doctor.examine()}
            assert findings["orphans"].health is CheckHealth.OK
            assert "does not know" in findings["unknown runs"].message
            assert process.returncode is None
        finally:
            process.kill()
            await process.wait()
