"""A batch whose start is stopped: no run of it is queued, or it was too late and all are."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support import quick

from engine.config import run_environment
from engine.config.paths import Paths
from engine.domain.model import Agent, RunSpec
from engine.engine import BatchRequest, Engine
from engine.execution.run_records import RunRecords

LIMIT_S = 60
COUNT = 40


@dataclass
class Gate:
    """A place where a thread waits until a test lets it pass."""

    reached: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> None:
        self.reached.set()
        assert self.opened.wait(LIMIT_S)


def order() -> BatchRequest:
    spec = RunSpec(prompt="sim: say hello", title="", project="garden", agent=Agent.SIMULATED)
    return BatchRequest(spec, count=COUNT)


def folders(paths: Paths) -> list[Path]:
    runs = paths.home / "runs"
    return list(runs.iterdir()) if runs.is_dir() else []


async def test_stopped_while_files_are_written_nothing_is_queued_and_no_file_is_left(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, encoded = Gate(), run_environment.encoded

    def slow(*words: dict[str, str]) -> bytes:
        gate.wait()
        return encoded(*words)

    async with Engine.open(paths, quick(), follow=False) as engine:
        plan = await engine.swarms.plan(order())
        with monkeypatch.context() as patch:
            patch.setattr(run_environment, "encoded", slow)
            starting = asyncio.ensure_future(engine.swarms.start(plan))
            assert await asyncio.to_thread(gate.reached.wait, LIMIT_S)
            starting.cancel()
            await asyncio.sleep(0)
            gate.opened.set()
            with pytest.raises(asyncio.CancelledError):
                await starting
        assert await engine.swarms.all() == []
        assert await engine.runs() == []
        assert folders(paths) == []
        _, runs = await engine.swarms.start(plan)
        assert len(runs) == COUNT


async def test_stopped_when_all_are_stored_the_batch_is_started_whole(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, keep = Gate(), RunRecords.keep  # the moment after the transaction

    async def slow(records: RunRecords, *words: Any) -> None:
        await asyncio.to_thread(gate.wait)
        await keep(records, *words)

    monkeypatch.setattr(RunRecords, "keep", slow)
    async with Engine.open(paths, quick(), follow=False) as engine:
        plan = await engine.swarms.plan(order())
        starting = asyncio.ensure_future(engine.swarms.start(plan))
        assert await asyncio.to_thread(gate.reached.wait, LIMIT_S)
        starting.cancel()
        await asyncio.sleep(0)
        gate.opened.set()
        batch, runs = await starting
        assert len(runs) == COUNT == len(await engine.swarms.runs(batch.id))
        assert not starting.cancelling()
        assert all((paths.run(run.id) / "run.json").exists() for run in runs)


async def test_each_part_of_a_start_counts_its_runs(paths: Paths) -> None:
    heard: list[tuple[str, int, int]] = []

    def told(work: str, done: int, of: int) -> None:
        heard.append((work, done, of))

    async with Engine.open(paths, quick(), follow=False) as engine:
        plan = await engine.swarms.plan(order(), told)
        await engine.swarms.start(plan, told=told)
        await asyncio.sleep(0)
    assert list(dict.fromkeys(work for work, _, _ in heard)) == [
        "making the runs",
        "checking the runs",
        "writing the files of the runs",
        "storing the runs",
    ]
    assert ("writing the files of the runs", COUNT - 1, COUNT) in heard
    assert all(done <= of for _, done, of in heard)
