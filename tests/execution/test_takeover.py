"""Runs outlive their engines: the next one goes on, without gap or double."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path

import msgspec
import pytest
from support import (
    LIMIT_S,
    Mode,
    becomes,
    many_files,
    of_type,
    quick,
    settled,
    spec,
    statuses,
    supervising,
    texts,
)

from engine.agents.registry import agent_of
from engine.config.paths import Paths
from engine.domain.events import Progressed, StatusChanged
from engine.domain.model import Run, Stage, Status, Usage, Workspace, WorkspaceKind
from engine.engine import Engine
from engine.execution.attempt_cursor import AttemptCursor, cursor_text
from engine.execution.local.process_marks import mark, marked
from engine.store.appending import AppendRequest

pytestmark = pytest.mark.both_modes

GOOD_WAY = [Status.QUEUED, Status.PREPARING, Status.RUNNING, Status.SUCCEEDED]
SUPERVISE = """
import asyncio, sys
from pathlib import Path
from engine.config.settings import Config, QueueSettings
from engine.engine import Engine
from engine.config.paths import Paths

async def main():
    paths = Paths(Path(sys.argv[1]), Path(sys.argv[2]))
    config = Config(slots=4, queue=QueueSettings(stagger_s=0))
    async with Engine.open(paths, config, supervise=True):
        print("ready", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


def numbers(last: int) -> list[str]:
    return [f"n {n}" for n in range(1, last + 1)]


async def until_said(engine: Engine, run: Run, count: int) -> None:
    batches = engine.batches(0)
    async with asyncio.timeout(LIMIT_S):
        while len(texts(await engine.events(run.id))) < count:
            await anext(batches)


def is_whole(paths: Paths, run: Run) -> Callable[[], bool]:
    return lambda: paths.attempt(run.id, 1).exit.exists()


async def test_the_next_engine_goes_on_in_the_middle(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec("numbered 150 every=0.01"))
        await until_said(engine, run, 20)
    for _ in range(2):
        async with supervising(paths) as engine:
            said = len(texts(await engine.events(run.id)))
            assert said < 150
            await until_said(engine, run, said + 10)
    async with supervising(paths) as engine:
        await settled(engine)
        events = await engine.events(run.id)
        ended = engine.view.runs[run.id]
    assert texts(events) == numbers(150)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert statuses(events) == GOOD_WAY
    assert (ended.exit_code, ended.percent) == (0, 100)


@pytest.mark.parametrize(
    ("end", "status", "exit_code", "code"),
    [
        ("say end", Status.SUCCEEDED, 0, None),
        ("fail quota", Status.FAILED, 1, "QUOTA_EXCEEDED"),
        ("exit 77", Status.FAILED, 77, "AGENT_CRASHED"),
        ("crash", Status.FAILED, 101, "AGENT_CRASHED"),
    ],
)
async def test_an_end_that_no_engine_saw_is_known_to_the_next(
    paths: Paths, end: str, status: Status, exit_code: int, code: str | None, mode: Mode
) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec("say one", "wait 0.3", "say two", end))
        await until_said(engine, run, 1)
    await becomes(is_whole(paths, run))
    async with supervising(paths) as engine:
        await settled(engine)
        ended = engine.view.runs[run.id]
        events = await engine.events(run.id)
    has_turn = end.startswith(("say", "fail"))
    assert (ended.status, ended.exit_code) == (
        status,
        exit_code if has_turn else mode.exit_code(exit_code),
    )
    assert (ended.error.code if ended.error else None) == code
    assert texts(events)[:2] == ["one", "two"]


@pytest.fixture
def supervisor(paths: Paths):
    """Starts engines in processes of their own."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        arguments = [sys.executable, "-c", SUPERVISE, str(paths.home), str(paths.config)]
        started.append(subprocess.Popen(arguments, stdout=subprocess.PIPE))
        assert started[-1].stdout.readline() == b"ready\n"
        return started[-1]

    yield start
    for child in started:
        child.kill()
        child.communicate()


async def test_an_engine_killed_in_the_middle_loses_and_doubles_nothing(
    paths: Paths, supervisor: Callable[[], subprocess.Popen[bytes]], mode: Mode
) -> None:
    child = await asyncio.to_thread(supervisor)
    async with Engine.open(paths, quick()) as watching:
        runs = [
            await watching.start(spec("numbered 150 every=0.01", end))
            for end in ("say end", "exit 9")
        ]
        for count in (20, 60):
            for run in runs:
                await until_said(watching, run, count)
            child.kill()
            child.wait()
            child = await asyncio.to_thread(supervisor)
        await settled(watching)
        good, bad = (watching.view.runs[run.id] for run in runs)
        told = [await watching.events(run.id) for run in runs]
    assert (good.status, good.exit_code) == (Status.SUCCEEDED, 0)
    assert (bad.status, bad.exit_code) == (Status.FAILED, mode.exit_code(9))
    assert [texts(events)[:150] for events in told] == [numbers(150)] * 2
    assert texts(told[0])[150:] == ["end"]
    good_way, bad_way = (of_type(events, "progress") for events in told)
    assert len(good_way) <= 5 and len(bad_way) <= 4  # who succeeds learns, too


async def test_a_run_that_waited_for_an_engine_is_started_by_the_next(paths: Paths) -> None:
    async with Engine.open(paths, quick()) as asking:
        run = await asking.start(spec())
        assert asking.view.runs[run.id].status is Status.QUEUED
    async with supervising(paths) as engine:
        await settled(engine)
        assert engine.view.runs[run.id].status is Status.SUCCEEDED


@pytest.mark.one_mode
async def test_a_copy_that_was_cut_off_is_made_anew(paths: Paths, tmp_path: Path) -> None:
    wish = many_files(tmp_path / "source", 1500)
    async with supervising(paths) as engine:
        run = await engine.start(spec("say hello", workspace=wish))
        copy = paths.workspace(run.spec.project, run.id)
        await becomes(lambda: copy.is_dir() and len(list(copy.iterdir())) > 10)
    async with supervising(paths) as engine:
        await settled(engine)
        ended = engine.view.runs[run.id]
        events = await engine.events(run.id)
    assert ended.status is Status.SUCCEEDED
    assert statuses(events) == GOOD_WAY
    assert len(list(Path(ended.workspace.path).glob("*/file"))) == 1500


async def test_a_cancel_that_was_under_way_is_brought_to_its_end(paths: Paths) -> None:
    async with supervising(paths, grace_s=LIMIT_S * 2) as engine:
        run = await engine.start(spec("ignore-term", "say ready", "hang"))
        await until_said(engine, run, 1)
        await engine.cancel(run.id)
    assert marked(mark(paths.attempt(run.id, 1)))
    async with supervising(paths, grace_s=0.2) as engine:
        await settled(engine)
        ended = engine.view.runs[run.id]
    assert (ended.status, ended.exit_code) == (Status.CANCELLED, 137)
    assert marked(mark(paths.attempt(run.id, 1))) == []


async def test_a_run_cancelled_while_no_engine_supervised_is_stopped_by_the_next(
    paths: Paths,
) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec("say ready", "hang"))
        await until_said(engine, run, 1)
    async with Engine.open(paths, quick()) as asking:
        await asking.cancel(run.id)
    async with supervising(paths) as engine:
        await settled(engine)
        assert engine.view.runs[run.id].status is Status.CANCELLED
    assert marked(mark(paths.attempt(run.id, 1))) == []


async def test_a_process_that_vanished_without_a_result_was_interrupted(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec("say ready", "hang"))
        await until_said(engine, run, 1)
    shell = int(paths.attempt(run.id, 1).pid.read_text())
    os.kill(shell, signal.SIGKILL)
    for pid in marked(mark(paths.attempt(run.id, 1))):
        os.kill(pid, signal.SIGKILL)
    async with supervising(paths) as engine:
        await settled(engine)
        ended = engine.view.runs[run.id]
        assert (ended.status, ended.exit_code) == (Status.INTERRUPTED, None)
        assert ended.error.code == "RUN_INTERRUPTED"
        await engine.retry(run.id)
        await engine.cancel(run.id, kill=True)
        await settled(engine)


async def test_an_attempt_that_was_decided_but_never_started_is_started(
    paths: Paths, mode: Mode
) -> None:
    async with Engine.open(paths, quick()) as engine:
        run = await engine.start(spec("say hello"))
        folder = paths.workspace(run.spec.project, run.id)
        folder.mkdir(parents=True)
        attempt = paths.attempt(run.id, 1)
        attempt.path.mkdir(parents=True)
        attempt.prompt.write_text(run.spec.prompt)
        where = asdict(Workspace(str(folder), WorkspaceKind.EMPTY))
        bodies = [
            StatusChanged(Status.PREPARING),
            Progressed(Stage.WORKSPACE_CLONED, "workspace ready", 20, where),
            StatusChanged(Status.RUNNING),
        ]
        is_interactive = mode is Mode.INTERACTIVE
        state = agent_of("simulated").first_state(None, Usage(), (), interactive=is_interactive)
        cursor = cursor_text(AttemptCursor(msgspec.Raw(state)))
        await engine._store.append([AppendRequest(run.id, bodies, cursor=cursor)])
    async with supervising(paths) as engine:
        await settled(engine)
        assert engine.view.runs[run.id].status is Status.SUCCEEDED
        assert texts(await engine.events(run.id)) == ["hello"]


# Two engines on one home


async def test_one_supervises_and_both_see_everything_in_order(paths: Paths) -> None:
    async with AsyncExitStack() as stack:
        engines = [await stack.enter_async_context(supervising(paths, slots=2)) for _ in range(2)]
        listening = [engine.batches(0.01) for engine in engines]
        runs = [await engines[n % 2].start(spec("numbered 40 every=0.005")) for n in range(4)]
        heard: list[list] = [[], []]

        async def listen(place: int) -> None:
            ended = 0
            while ended < len(runs):
                batch = await anext(listening[place])
                heard[place] += batch.events
                ended += sum(
                    event.body.type == "status" and event.body.status == "succeeded"
                    for event in batch.events
                )

        async with asyncio.timeout(LIMIT_S):
            await asyncio.gather(listen(0), listen(1))
        assert heard[0] == heard[1]
        assert engines[0].view.runs == engines[1].view.runs
        assert engines[0].view.live == engines[1].view.live == set()
        for run in runs:
            events = await engines[1].events(run.id)
            assert [event for event in heard[0] if event.run == run.id] == events
            assert texts(events) == numbers(40)
            assert statuses(events) == GOOD_WAY


async def test_who_waits_takes_over_when_the_other_closes(paths: Paths) -> None:
    async with AsyncExitStack() as second, AsyncExitStack() as first:
        one = await first.enter_async_context(supervising(paths))
        two = await second.enter_async_context(supervising(paths))
        run = await two.start(spec("numbered 100 every=0.01"))
        await until_said(two, run, 10)
        assert one._ownership.held
        assert not two._ownership.held
        await first.aclose()
        later = await two.start(spec("say later"))
        await settled(two)
        assert two._ownership.held
        assert texts(await two.events(run.id)) == numbers(100)
        assert two.view.runs[later.id].status is Status.SUCCEEDED
