"""Runs compared in the dashboard: side by side, one against another, and applied, with real git."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

import pytest
import repos
from fake_engine import FakeEngine, app_on, choose, painted, plain, shown, toasts
from support import played, supervising
from textual.pilot import Pilot

from engine.config.paths import Paths
from engine.domain.errors import user_error
from engine.domain.events import ChangesMeasured, ErrorRaised, StatusChanged, UsageCounted
from engine.domain.model import Agent, Run, RunSpec, Status, WorkspaceKind, WorkspaceSpec
from engine.engine import BatchRequest, Changes, Engine
from engine.workspaces.checkpoints.changes import ChangeKind, FileDelta
from tui.app import SwarmApp
from tui.screens.apply import ApplyDialog
from tui.screens.batch import BatchScreen
from tui.screens.changes import ChangesScreen
from tui.screens.run_diff import RunDiffScreen
from tui.screens.side_by_side import RunComparison

LIMIT_S = 60
WIDE = (160, 45)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with one commit."""
    return repos.repository(tmp_path / "source")


@pytest.fixture
async def engine(paths: Paths) -> AsyncIterator[Engine]:
    """An engine that runs what is queued."""
    async with supervising(paths) as opened:
        yield opened


async def sees(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    """Wait for what background work brings onto the screen."""
    async with asyncio.timeout(LIMIT_S):
        while not holds():
            await asyncio.sleep(0.01)
            await pilot.pause()
    await painted(pilot)


async def best_of_three(engine: Engine, source: Path) -> list[Run]:
    """Return three runs of one task of a batch, the best first; their files differ."""
    place = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    spec = RunSpec(
        "sim: write a.txt 1", "", "p", agent=Agent.SIMULATED, workspace=place, verify="true"
    )
    wanted = BatchRequest(spec, frozenset({"verify", "workspace"}), count=3, name="best")
    _, runs = await engine.swarms.start(await engine.swarms.plan(wanted))
    await engine.settle()
    _, second, third = runs
    await engine.resume(second.id, "sim: write b.txt b\nsim: say I wrote two files.")
    await engine.resume(third.id, "sim: write c.txt c\nsim: write d.txt d")
    await engine.settle()
    found = [engine.view.runs[run.id] for run in runs]
    assert [run.status for run in found] == [Status.SUCCEEDED] * 3
    return found


async def open_batch(pilot: Pilot[None], runs: list[Run]) -> SwarmApp:
    """Open the screen of the batch of these runs."""
    app = cast(SwarmApp, pilot.app)
    await choose(pilot, runs[0].id)
    await pilot.press("B")
    await sees(pilot, lambda: "★ 1" in shown(app))
    return app


async def test_best_of_three_is_compared_and_applied_with_four_keys(
    engine: Engine, source: Path
) -> None:
    first, second, third = runs = await best_of_three(engine, source)
    async with SwarmApp(engine).run_test(size=WIDE) as pilot:
        app = await open_batch(pilot, runs)
        await pilot.press("equals_sign", "right", "a", "ctrl+s")
        await sees(pilot, lambda: engine.view.runs[second.id].is_applied)
        assert (source / "b.txt").read_text().strip() == "b"
        assert not (source / "c.txt").exists()
        await sees(pilot, lambda: "⇡ applied" in plain(app))
        assert isinstance(app.screen, RunComparison)
        await pilot.press("escape", "d")  # the others go, after a question
        await sees(pilot, lambda: "changes you have not applied" in plain(app))
        await pilot.press("d")
        rest = [first.id, third.id]
        await sees(pilot, lambda: all(engine.view.runs[one].in_trash for one in rest))
        assert not engine.view.runs[second.id].in_trash


async def test_columns_lead_to_changes_and_to_the_diff_of_two(engine: Engine, source: Path) -> None:
    first, second, third = runs = await best_of_three(engine, source)
    async with SwarmApp(engine).run_test(size=WIDE) as pilot:
        app = await open_batch(pilot, runs)
        await pilot.press("equals_sign")
        await sees(pilot, lambda: "d.txt" in shown(app))
        lines = shown(app).splitlines()
        assert "check passed, smallest change" in lines[0]
        head = next(line for line in lines if all(run.id in line for run in runs))
        assert head.index(f"{first.id} ★") < head.index(second.id) < head.index(third.id)
        assert any(line.count("passed") == 3 for line in lines[2:])
        assert "I wrote two files." in shown(app)

        await pilot.press("right", "enter")
        await sees(pilot, lambda: isinstance(app.screen, ChangesScreen) and "b.txt" in plain(app))
        await pilot.press("escape")
        await sees(pilot, lambda: isinstance(app.screen, RunComparison))

        await pilot.press("d")  # the run that was chosen, against the best
        await sees(pilot, lambda: f"1 file +1 −0 · {second.id} against {first.id}" in plain(app))
        assert isinstance(app.screen, RunDiffScreen)
        await sees(pilot, lambda: "b.txt" in plain(app))
        await pilot.press("escape")
        await sees(pilot, lambda: isinstance(app.screen, RunComparison))
        await pilot.press("space", "right", "d")  # against the marked one
        await sees(pilot, lambda: f"3 files +2 −1 · {third.id} against {second.id}" in plain(app))
        await pilot.press("right_curly_bracket", "right_curly_bracket", "escape")
        await sees(pilot, lambda: isinstance(app.screen, RunComparison))
        await pilot.press("escape")
        await sees(pilot, lambda: isinstance(app.screen, BatchScreen))


async def test_the_list_compares_the_marked_runs_or_those_of_a_task(
    engine: Engine, source: Path
) -> None:
    runs = await best_of_three(engine, source)
    place = WorkspaceSpec(WorkspaceKind.COPY, str(source))
    alone = await played(engine, "write z.txt z", workspace=place)
    async with SwarmApp(engine).run_test(size=WIDE) as pilot:
        app = cast(SwarmApp, pilot.app)
        await choose(pilot, alone.id)
        await pilot.press("equals_sign")
        await sees(pilot, lambda: toasts(app))
        assert "no other run of this task" in toasts(app)[0]
        await choose(pilot, runs[2].id)
        await pilot.press("equals_sign")
        await sees(pilot, lambda: isinstance(app.screen, RunComparison))
        await sees(pilot, lambda: all(run.id in plain(app) for run in runs))
        await pilot.press("escape", "space")
        await choose(pilot, alone.id)
        await pilot.press("space", "equals_sign")
        await sees(pilot, lambda: "Compare · 2 runs" in plain(app))
        assert alone.id in plain(app) and runs[0].id not in plain(app)


async def test_a_applies_the_chosen_run_of_a_batch_and_what_is_gone_is_named(
    engine: Engine, source: Path
) -> None:
    runs = await best_of_three(engine, source)
    async with SwarmApp(engine).run_test(size=WIDE) as pilot:
        app = await open_batch(pilot, runs)
        for key, run in (("a", runs[1]), ("A", runs[0])):
            await pilot.press("j" if key == "a" else "k", key)
            await sees(pilot, lambda: isinstance(app.screen, ApplyDialog))
            await sees(pilot, lambda run=run: run.id in plain(app) and "file" in plain(app))
            await pilot.press("escape")
        await pilot.press("d")
        await sees(pilot, lambda: "changes you have not applied" in plain(app))
        await pilot.press("d")
        await sees(pilot, lambda: engine.view.runs[runs[2].id].in_trash)
        await pilot.press("equals_sign")
        await sees(pilot, lambda: re.search(r"The workspace of the.*trash", plain(app)))
        await pilot.press("right", "d")
        await sees(pilot, lambda: isinstance(app.screen, RunDiffScreen))
        await sees(pilot, lambda: f"{runs[1].id} is in the trash" in plain(app))


def compared_runs() -> FakeEngine:
    """An engine with a batch of three runs of one task."""
    engine = FakeEngine()
    for place in range(3):
        run_id = f"1qj8a{place}k2m4"
        spec = RunSpec("x", f"Fix the parser #{place + 1}", "demo", batch="fix", verify="make")
        engine._create(run_id, spec)  # pyright: ignore[reportPrivateUsage]  as other tests do
        engine.pass_through(run_id, Status.PREPARING, Status.RUNNING)
        used = UsageCounted(48_200 * (place + 1), 0, 950)
        size_of = ChangesMeasured(2, 28 * (place + 1), 9)
        engine.happen(run_id, used, size_of, after_s=60 + 30 * place)
        if place == 1:
            error = user_error("VERIFY_FAILED").info
            engine.happen(run_id, ErrorRaised(error), StatusChanged(Status.FAILED))
        else:
            engine.happen(run_id, StatusChanged(Status.SUCCEEDED))
    files = (
        FileDelta("src/parser/tokens.py", ChangeKind.MODIFIED, 26, 9),
        FileDelta("tests/test_parser.py", ChangeKind.ADDED, 2, 0),
    )
    engine.measured = Changes(files)
    return engine


@pytest.mark.parametrize("size", [WIDE, (80, 24)], ids=["wide", "narrow"])
def test_a_comparison_looks_the_same(
    snap_compare: Callable[..., bool], monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setenv("TZ", "UTC")

    async def prepare(pilot: Pilot[None]) -> None:
        app = cast(SwarmApp, pilot.app)
        await pilot.pause()
        await pilot.press("equals_sign", "right")
        await sees(pilot, lambda: "test_parser.py" in plain(app))

    assert snap_compare(app_on(compared_runs()), terminal_size=size, run_before=prepare)
