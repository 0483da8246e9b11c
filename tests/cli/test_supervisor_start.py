"""Many clients of a server that need a supervisor at once get one."""

from __future__ import annotations

import asyncio

import psutil
import pytest
from support import spec

from engine.config.paths import Paths
from engine.domain.lifecycle import FINISHED
from engine.engine import BackgroundProcess, Engine
from tui.cli.support import session


async def test_one_supervisor_for_many_starts_at_once(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[BackgroundProcess] = []
    start = session.start_background_supervisor

    def count(places: Paths) -> BackgroundProcess | None:
        child = start(places)
        made.extend([child] if child else [])
        return child

    monkeypatch.setattr(session, "start_background_supervisor", count)
    async with Engine.open(paths) as engine:
        run = await engine.start(spec("say done"))
        await asyncio.gather(*(session.ensure_supervision(engine) for _ in range(20)))
        assert len(made) == 1
        await engine.settle()
        assert engine.view.runs[run.id].status in FINISHED


async def test_supervisor_that_ends_at_once_delays_nobody(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = psutil.Popen(["true"])

    def start(places: Paths) -> BackgroundProcess:
        del places
        return BackgroundProcess(ended)  # pyright: ignore[reportArgumentType]  it has what is used of Popen

    monkeypatch.setattr(session, "start_background_supervisor", start)
    async with Engine.open(paths) as engine:
        await session.ensure_supervision(engine)
    assert ended.wait() == 0
