"""The real Codex driven by our engine: a home for both, and how to follow a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from loopback import codex_binary

from engine.config.paths import AttemptFolder, Paths
from engine.config.settings import Config, QueueSettings
from engine.domain.activity import activity
from engine.domain.events import (
    Body,
    ChangesMeasured,
    CheckpointTaken,
    FilesChanged,
    LimitsSeen,
    Progressed,
    Step,
    UsageCounted,
)
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run, RunSpec
from engine.engine import Engine

LIVE = (FilesChanged, CheckpointTaken, ChangesMeasured, UsageCounted, LimitsSeen)
ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 120


@dataclass(frozen=True)
class House:
    """A home of swarm-tui, and the CODEX_HOME that the environment names."""

    paths: Paths
    codex_home: Path

    def engine(self, **settings: Any) -> AbstractAsyncContextManager[Engine]:
        """Open an engine that supervises, and starts runs at once."""
        config = Config(**{"slots": 4, "queue": QueueSettings(stagger_s=0), **settings})
        return Engine.open(self.paths, config, supervise=True)

    def attempt(self, run: Run) -> AttemptFolder:
        """Return the folder of a run's attempt."""
        return self.paths.attempt(run.id, run.attempt)


NewHouse = Callable[..., House]


def task(prompt: str, **fields: Any) -> RunSpec:
    """Return the spec of a run of the real Codex in an empty workspace."""
    values = {"title": "task", "project": "real", "codex_bin": codex_binary(), **fields}
    return RunSpec(prompt=prompt, **values)


async def until(engine: Engine, run: Run, condition: Callable[[Run], bool]) -> Run:
    """Follow a run until `condition` holds, and return it as it is then."""
    batches = engine.batches(0)
    async with _limit(engine, run):
        while not condition(engine.view.runs[run.id]):
            await anext(batches)
    return engine.view.runs[run.id]


async def wait_for_events(engine: Engine, run: Run, kind: type[Body], count: int) -> list[Any]:
    """Follow a run until so many events of a kind have come, and return them."""
    batches = engine.batches(0)
    async with _limit(engine, run):
        while len(found := await happened(engine, run, kind)) < count:
            await anext(batches)
    return found


@asynccontextmanager
async def _limit(engine: Engine, run: Run) -> AsyncGenerator[None]:
    try:
        async with asyncio.timeout(LIMIT_S):
            yield
    except TimeoutError:
        raise AssertionError(
            f"what was waited for never came: {engine.view.runs[run.id]}"
        ) from None


async def ended(engine: Engine, run: Run) -> Run:
    """Follow a run to its end."""
    return await until(engine, run, lambda now: now.status in FINISHED)


async def carried(engine: Engine, spec: RunSpec) -> Run:
    """Start a run and follow it to its end."""
    return await ended(engine, await engine.start(spec))


async def bodies(engine: Engine, run: Run) -> list[Body]:
    """Return all that happened, after a look at the numbers; without what comes when it will.

    That is what the watcher saw, checkpoints, and tokens, told live.
    """
    events = await engine.events(run.id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    return [event.body for event in events if not isinstance(event.body, LIVE)]


async def happened(engine: Engine, run: Run, kind: type[Body]) -> list[Any]:
    """Return what happened of one kind."""
    events = await engine.events(run.id)
    return [event.body for event in events if isinstance(event.body, kind)]


async def steps(engine: Engine, run: Run) -> list[tuple[str, str, str]]:
    """Return the gist of the run's steps: kind, phase and text."""
    return [(step.kind, step.phase, step.text) for step in await happened(engine, run, Step)]


def doing(run: Run) -> str:
    """Return what the run was doing when it last said something."""
    return activity(run, run.last_event_at)


def files(folder: Path) -> dict[str, str]:
    """Return all files below a folder with their content."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text("utf-8") for path in found}


def percents(told: list[Body]) -> list[int]:
    """Return the percents that were told, in order, those that stay the same once."""
    found = [body.percent for body in told if isinstance(body, Progressed)]
    return [now for now, _ in groupby(found)]


def wrapped(folder: Path, *lines: str) -> str:
    """Make an executable that is called as Codex is: a shell script of these lines."""
    path = folder / "wrapped-codex"
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return str(path)
