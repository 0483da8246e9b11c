"""Cancelled at every stage: it ends, nothing of it lives on, and the workspace stays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from support import (
    LIMIT_S,
    Mode,
    becomes,
    fake_codex,
    many_files,
    played,
    quick,
    settled,
    spec,
    statuses,
    supervising,
    texts,
    until,
)

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.events import StatusChanged
from engine.domain.model import Agent, Run, Status
from engine.domain.reasons import Cause
from engine.engine import Engine
from engine.execution.local.process_marks import mark, marked
from engine.store.appending import AppendRequest, Committed

pytestmark = pytest.mark.both_modes

READY = "say ready"


async def until_ready(engine: Engine, run: Run) -> None:
    """Wait until the agent has said that it is ready."""
    batches = engine.batches(0)
    async with asyncio.timeout(LIMIT_S):
        while "ready" not in texts(await engine.events(run.id)):
            await anext(batches)


def alive(paths: Paths, run: Run) -> list[int]:
    return marked(mark(paths.attempt(run.id, 1)))


def is_(engine: Engine, run: Run, status: Status) -> Callable[[], bool]:
    return lambda: engine.view.runs[run.id].status is status


@pytest.mark.one_mode
async def test_a_queued_run_is_cancelled_before_it_costs_anything(paths: Paths) -> None:
    async with supervising(paths, slots=1) as engine:
        first, second = [await engine.start(spec("hang")) for _ in range(2)]
        cancelled = await engine.cancel(second.id)
        assert cancelled.status is Status.CANCELLED
        await engine.cancel(first.id, kill=True)
        await settled(engine)
        assert statuses(await engine.events(second.id)) == ["queued", "cancelled"]
    assert not paths.attempt(second.id, 1).path.exists()
    assert not paths.workspace(second.spec.project, second.id).exists()


@pytest.mark.one_mode
async def test_a_run_is_cancelled_while_a_big_copy_is_made(paths: Paths, tmp_path: Path) -> None:
    wish = many_files(tmp_path / "source", 2000)
    async with supervising(paths) as engine:
        run = await engine.start(spec("hang", workspace=wish))
        copy = paths.workspace(run.spec.project, run.id)
        await becomes(lambda: copy.is_dir() and len(list(copy.iterdir())) > 10)
        await engine.cancel(run.id)
        await settled(engine)
        way = statuses(await engine.events(run.id))
    assert way == ["queued", "preparing", "cancelling", "cancelled"]
    assert not paths.attempt(run.id, 1).stdout.exists()
    assert not copy.exists() or len(list(copy.iterdir())) < 2000


async def test_a_running_run_is_asked_to_end(paths: Paths) -> None:
    async with supervising(paths, grace_s=LIMIT_S * 2) as engine:
        run = await engine.start(spec("write a.txt kept", READY, "child new-session", "hang"))
        await until_ready(engine, run)
        assert (await engine.cancel(run.id)).status is Status.CANCELLING
        # The child left the session and hears no SIGTERM sent to the group.
        await until(engine, lambda: engine.view.runs[run.id].status is not Status.RUNNING)
        await engine.cancel(run.id, kill=True)
        await settled(engine)
        cancelled = engine.view.runs[run.id]
    assert cancelled.status is Status.CANCELLED
    assert cancelled.exit_code in (143, 137)  # the kill may be quicker than the first signal
    assert cancelled.error is None
    assert alive(paths, run) == []
    assert (Path(cancelled.workspace.path) / "a.txt").read_text() == "kept\n"


async def test_what_hears_sigterm_does_not_wait_for_the_grace_time(paths: Paths) -> None:
    async with supervising(paths, grace_s=LIMIT_S * 2) as engine:
        run = await engine.start(spec(READY, "child", "hang"))
        await until_ready(engine, run)
        await engine.cancel(run.id)
        await settled(engine)
        assert engine.view.runs[run.id].exit_code == 143
    assert alive(paths, run) == []


async def test_what_ignores_sigterm_is_killed_after_the_grace_time(
    paths: Paths, mode: Mode
) -> None:
    lines = ("ignore-term", "child ignore-term", "child ignore-term new-session", READY, "hang")
    async with supervising(paths, grace_s=0.4) as engine:
        run = await engine.start(spec(*lines))
        await until_ready(engine, run)
        assert len(alive(paths, run)) == mode.processes + 2
        await engine.cancel(run.id)
        await settled(engine)
        cancelled = engine.view.runs[run.id]
        events = await engine.events(run.id)
    assert alive(paths, run) == []
    assert (cancelled.status, cancelled.exit_code) == (Status.CANCELLED, 137)
    asked, done = [event.at for event in events if event.body.type == "status"][-2:]
    assert done - asked >= 0.4


async def test_killing_does_not_wait_for_the_grace_time(paths: Paths) -> None:
    async with supervising(paths, grace_s=LIMIT_S * 2) as engine:
        runs = [await engine.start(spec("ignore-term", READY, "hang")) for _ in range(2)]
        for run in runs:
            await until_ready(engine, run)
        await engine.cancel(runs[0].id)
        await until(engine, is_(engine, runs[0], Status.CANCELLING))
        for run in runs:
            await engine.cancel(run.id, kill=True)
        await settled(engine)
        for run in runs:
            ended = engine.view.runs[run.id]
            assert (ended.status, ended.exit_code) == (Status.CANCELLED, 137)
            assert ended.cause is Cause.KILL


async def test_asking_twice_is_one_cancel(paths: Paths) -> None:
    async with supervising(paths, grace_s=0.3) as engine:
        run = await engine.start(spec("ignore-term", READY, "hang"))
        await until_ready(engine, run)
        for _ in range(3):
            assert (await engine.cancel(run.id)).status is Status.CANCELLING
        await settled(engine)
        way = statuses(await engine.events(run.id))
    assert way == ["queued", "preparing", "running", "cancelling", "cancelled"]


async def test_what_has_ended_cannot_be_cancelled(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await played(engine)
        for kill in (False, True):
            with pytest.raises(UserError) as caught:
                await engine.cancel(run.id, kill=kill)
            assert caught.value.code == "RUN_NOT_CANCELLABLE"
        with pytest.raises(UserError) as caught:
            await engine.cancel("nobody")
        assert caught.value.code == "RUN_NOT_FOUND"


async def test_all_that_was_said_before_the_cancel_is_kept(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec("numbered 200", READY, "hang"))
        await until_ready(engine, run)
        await engine.cancel(run.id)
        await settled(engine)
        events = await engine.events(run.id)
    assert texts(events) == [*(f"n {n}" for n in range(1, 201)), "ready"]
    assert statuses(events)[-1] is Status.CANCELLED


async def test_many_are_cancelled_at_once(paths: Paths) -> None:
    async with supervising(paths, slots=6) as engine:
        runs = [await engine.start(spec(READY, "hang")) for _ in range(10)]
        for run in runs[:6]:
            await until_ready(engine, run)
        await asyncio.gather(*(engine.cancel(run.id) for run in runs[::-1]))
        await settled(engine)
        assert {engine.view.runs[run.id].status for run in runs} == {Status.CANCELLED}
    assert not any(alive(paths, run) for run in runs)


@pytest.mark.one_mode
async def test_a_cancel_that_overtakes_a_commit_is_not_forgotten(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor hears of the cancel before it learns that its own event is stored."""
    silent = fake_codex(tmp_path, 'test "$1" = exec || exit; exec sleep 300')
    async with supervising(paths, grace_s=1) as engine:
        append = engine._store.append
        overtaken: list[str] = []

        async def slow(entries: Sequence[AppendRequest], *settings: Any) -> Committed:
            done = await append(entries, *settings)
            for event in done.events:
                is_running = event.body == StatusChanged(Status.RUNNING, Status.PREPARING)
                if is_running and not overtaken:
                    overtaken.append(event.run)
                    await engine.cancel(event.run)
            return done

        monkeypatch.setattr(engine._store, "append", slow)
        run = await engine.start(spec(agent=Agent.CODEX, codex_bin=silent))
        await settled(engine)
        assert overtaken == [run.id]
        assert engine.view.runs[run.id].status is Status.CANCELLED


async def test_one_that_does_not_supervise_can_cancel(paths: Paths) -> None:
    async with supervising(paths) as working, Engine.open(paths, quick()) as asking:
        run = await asking.start(spec(READY, "hang"))
        await until_ready(asking, run)
        await asking.cancel(run.id)
        await settled(asking)
        assert asking.view.runs[run.id].status is Status.CANCELLED
        await settled(working)
    assert alive(paths, run) == []
