"""What is cleaned up without being asked: by age, budget and number, and nothing that matters."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import repos
from disk_runs import done, folder
from support import quick, spec, supervising, texts

from engine.config.paths import Paths
from engine.config.settings import CleanupSettings
from engine.config.values import Duration, Size
from engine.disk import maintenance, service
from engine.disk.maintenance import Maintenance
from engine.domain.model import Run, WorkspaceKind, WorkspaceSpec
from engine.engine import Engine
from engine.workspaces.create import base


async def tended(paths: Paths, **settings: object) -> Engine:
    """Do what is done every hour once, with these settings."""
    config = quick(cleanup=CleanupSettings(**settings))  # pyright: ignore[reportArgumentType]  values come by name
    async with Engine.open(paths, config) as engine:
        await Maintenance(engine.disk, engine._store, config, lambda: True).once()
        return engine


async def three(paths: Paths) -> list[Run]:
    async with supervising(paths) as engine:
        runs = [await done(engine, "say nothing") for _ in range(2)]
        return [*runs, await done(engine, "write work.txt work")]


async def test_nothing_is_cleaned_up_unless_that_is_wished(paths: Paths) -> None:
    runs = await three(paths)
    await tended(paths, older_than=Duration(0), keep=0)
    assert all(folder(run).is_dir() for run in runs)


async def test_what_ended_long_ago_goes_and_work_and_the_newest_stay(paths: Paths) -> None:
    oldest, newer, work = await three(paths)
    await tended(paths, auto=True, keep=0, older_than=Duration(86_400))
    assert folder(oldest).is_dir()
    engine = await tended(paths, auto=True, keep=2, older_than=Duration(0))
    assert [folder(run).is_dir() for run in (oldest, newer, work)] == [False, True, True]
    assert engine.view.runs[oldest.id].in_trash
    assert "automatic clean-up" in engine.view.runs[oldest.id].notice
    await tended(paths, auto=True, keep=0, older_than=Duration(0))
    assert [folder(run).is_dir() for run in (oldest, newer, work)] == [False, False, True]


async def test_more_than_the_budget_takes_the_oldest(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    oldest, newer, work = await three(paths)
    for run in (oldest, newer):
        repos.write(folder(run) / "in" / ".git", {"blob": "x" * 1_000_000})  # counts as no work
    monkeypatch.setattr(maintenance, "HOUR_S", 0.0)
    async with Engine.open(paths, quick()) as engine:
        used = await engine.disk.measure(kinds=service.COUNTED)
        space = await engine.doctor.space()
    assert space
    assert (space.used_bytes, space.is_over) == (used, False)
    budget = Size(used - 500_000)
    async with Engine.open(paths, quick(cleanup=CleanupSettings(budget=budget))) as engine:
        space = await engine.doctor.space()
    assert space
    assert space.is_over
    await tended(paths, auto=True, keep=0, budget=budget)
    assert [folder(run).is_dir() for run in (oldest, newer, work)] == [False, True, True]


async def test_the_trash_holds_so_much_and_what_is_nowhere_else_for_ever(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    oldest, newer, work = await three(paths)
    async with Engine.open(paths, quick()) as engine:
        shutil.rmtree(paths.run(work.id))  # its checkpoints: nobody knows what it changed
        for run in (work, oldest, newer):
            await engine.disk.delete(run.id)
    await tended(paths, trash_size=Size(1))
    assert len(list(paths.trash.iterdir())) == 3  # all of it can still be undone
    monkeypatch.setattr(service, "UNDO_S", 0.0)
    await tended(paths, trash_size=Size(1), trash_days=0)
    (left,) = paths.trash.iterdir()
    assert (left / "workspace" / "work.txt").is_file()


async def test_a_clean_up_of_the_trash_goes_on_after_a_crash(paths: Paths) -> None:
    (run, *_) = await three(paths)
    async with Engine.open(paths, quick()) as engine:
        entry = await engine.disk.delete(run.id)
    (paths.trash / entry.id).rename(paths.trash / f"{entry.id}.gone")
    repos.write(paths.trash / "00000000000a-begun", {"index": "", "entry.json": ""})
    await tended(paths)
    assert list(paths.trash.iterdir()) == []


async def test_old_events_go_where_that_is_wished(paths: Paths, tmp_path: Path) -> None:
    async with supervising(paths) as engine:
        run = await done(engine, *(f"say line {n}" for n in range(300)))
    await tended(paths, events_days=1)
    async with Engine.open(paths, quick(), follow=False) as engine:
        assert len(await engine.events(run.id)) == run.seq
    await tended(paths, events_days=0)
    await tended(paths, events_days=0)
    async with Engine.open(paths, quick(), follow=False) as engine:
        events = await engine.events(run.id)
        page = await engine.history(run.id).page(before=events[-1].seq + 1, limit=1000)
        assert [event for _, event in page] == events
        assert (await engine.find(run.id)).seq == run.seq
        assert await engine.events(run.id, before=events[0].seq, limit=10) == []
    assert [event.seq for event in events] == list(range(run.seq - 200, run.seq + 1))
    assert getattr(events[0].body, "text", "") == f"older events were dropped: {run.seq - 200}"
    assert texts(events)[-1] == "line 299"


async def test_base_of_a_run_that_never_had_a_workspace_is_released(
    paths: Paths, tmp_path: Path
) -> None:
    source = repos.repository(tmp_path / "s")
    wish = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    async with Engine.open(paths, quick()) as engine:
        runs = [await engine.start(spec("say x", workspace=wish)) for _ in range(2)]
        await engine.cancel(runs[0].id)
        await Maintenance(engine.disk, engine._store, quick(), lambda: True).once()
        assert await base.held(source) == {runs[1].id}
        await engine.retry(runs[0].id)
        assert await base.held(source) == {run.id for run in runs}
