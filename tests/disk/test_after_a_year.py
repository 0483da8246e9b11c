"""Disk work in a home with many ended runs: few are decoded, and none is held."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, Sequence
from functools import lru_cache
from pathlib import Path

import pytest

from benchmarks.year import YearSize, fill
from engine.config.paths import Paths
from engine.config.settings import Config
from engine.disk.locations import LocationKind
from engine.disk.service import COUNTED, DiskUsage
from engine.domain.model import Run
from engine.engine import CleanupFilter, Engine
from engine.store import codec, reading, resting
from engine.store.standing import bases_unused

RUNS, STANDING = 240, 3


@pytest.fixture
async def engine(paths: Paths) -> AsyncGenerator[Engine]:
    await asyncio.to_thread(fill, paths.home, YearSize(RUNS, 0, STANDING, has_files=True))
    async with Engine.open(paths, Config(), follow=False) as engine:
        yield engine


@pytest.fixture
def decoded(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the runs that are decoded from now on, in each go."""
    counts: list[int] = []
    decode = codec.runs_from

    def counted(rows: Sequence[tuple[str, str, str]]) -> object:
        counts.append(len(rows))
        return decode(rows)

    monkeypatch.setattr(codec, "runs_from", counted)
    return counts


async def test_plan_decodes_only_runs_that_may_have_a_workspace(
    engine: Engine, decoded: list[int]
) -> None:
    plan = await engine.disk.plan(CleanupFilter(older_than_s=0))
    assert len(plan.take) + len(plan.keep) == STANDING
    assert sum(decoded) <= 2 * STANDING


async def test_hourly_work_decodes_only_runs_that_may_have_a_workspace(
    engine: Engine, decoded: list[int]
) -> None:
    await engine.disk.tend()
    assert await bases_unused(engine._store) == []  # pyright: ignore[reportPrivateUsage]  what no port shows
    places: list[str] = []
    await engine.disk.measure(lambda one: places.append(one.place.project), COUNTED)
    assert sum(decoded) <= 2 * STANDING
    assert "project-7" in places  # files of a run whose workspace is gone have its project


async def test_workspace_of_a_run_marked_as_deleted_is_found_by_its_name(
    engine: Engine, paths: Paths
) -> None:
    deleted = next(run for run in await engine.runs() if run.in_trash and run.workspace)
    assert deleted.workspace
    folder = paths.home / "workspaces" / "project" / deleted.id
    await asyncio.to_thread(Path(deleted.workspace.path).mkdir, parents=True)
    await asyncio.to_thread(folder.mkdir, parents=True)  # and one that is not where it was
    await engine.disk.tend(expire=False)
    (found,) = await engine.runs(limit=1, older_than=f"{deleted.id}~")
    assert not found.in_trash


async def test_other_work_goes_on_between_runs_that_are_decoded(
    engine: Engine, decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "DECODED", 20)
    rounds = 0

    async def work() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    beside = asyncio.ensure_future(work())
    try:
        runs = await engine.runs()
    finally:
        beside.cancel()
    assert [run.id for run in runs] == sorted((run.id for run in runs), reverse=True)
    assert len(runs) == RUNS and max(decoded) == 20
    assert rounds >= RUNS // 20


async def test_no_whole_run_is_held_for_each_workspace_that_is_looked_at(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = lru_cache(4)(resting._whole.__wrapped__)  # pyright: ignore[reportPrivateUsage]  fewer runs will do
    monkeypatch.setattr(resting, "_whole", whole)
    await asyncio.to_thread(fill, paths.home, YearSize(60, 0, 60, has_files=True))
    before, found, places = _whole_runs(), list[int](), list[str]()

    def looked_at() -> None:
        found.append(_whole_runs() - before)

    def told(one: DiskUsage) -> None:
        if one.place.kind is LocationKind.WORKSPACE and one.done:
            places.append(str(one.place.path))
            if len(places) == 30:
                looked_at()

    async with Engine.open(paths, Config(), follow=False) as engine:
        await engine.disk.measure(told, {LocationKind.WORKSPACE})
        assert len(places) == 60
        await engine.disk.report_unsaved(places[:2], lambda _path, _work: looked_at())
    assert len(found) == 3
    assert max(found) <= 20


def _whole_runs() -> int:
    gc.collect()
    return sum(type(one) is Run for one in gc.get_objects())
