"""The start of the dashboard, counted: the modules and the work before its first paint."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import cast

import pytest

from engine.config.paths import Paths
from engine.domain.events import UsageCounted
from engine.domain.model import RunSpec
from engine.store.store import open_store

RUNS = 3
MODULES = 234
"""Modules of ours before the first paint: each more is a third of a millisecond of the start.

The machines of runs took two: the queue asks where each run is, and where it can start.
"""
LATER = (
    "engine.agents.codex.agent",
    "engine.batches.service",
    "engine.disk",
    "engine.doctor",
    "engine.execution.executors",
    "engine.execution.local",
    "engine.notifications",
    "engine.templates",
    "engine.workspaces",
    "tui.screens.preload",
)
"""Modules that the first paint does not need: checks, deliveries, workspaces, other screens."""

PROGRAM = """
import asyncio, json, sys
from collections import Counter
from pathlib import Path

from engine.config.paths import Paths
from tui.cli.commands.dashboard import show
from engine.engine import Engine

home, counts, modules = Path(sys.argv[1]), Counter(), []


def count(kind, name):
    work = getattr(kind, name)

    def counted(self, *args, **kwargs):
        counts[name] += 1
        return work(self, *args, **kwargs)

    setattr(kind, name, counted)


async def main():
    from tui.models.grouped_runs import GroupedRuns
    from tui.screens.runs import RunsScreen
    from tui.widgets.status.key_bar import KeyBar

    unveil = RunsScreen.unveil
    count(GroupedRuns, "_place")
    count(KeyBar, "follow")

    def unveiled(self):
        unveil(self)
        modules.extend(sys.modules)
        found = {"modules": modules, "counts": counts}
        Path(sys.argv[2]).write_text(json.dumps(found))
        self.app.exit()

    RunsScreen.unveil = unveiled
    seen = asyncio.Event()
    paths = Paths(home, home / "config.yaml")
    opening = lambda: Engine.open(paths, follow=True, supervise=True, after=seen.wait)
    await show(opening, seen=seen.set)


asyncio.run(main())
"""


@pytest.fixture
async def found(paths: Paths) -> dict[str, object]:
    """Return the modules and counts of a dashboard that is closed at its first paint."""
    paths.prepare()
    async with open_store(paths.database) as store:
        for number in range(RUNS):
            await store.create(RunSpec("Work.", f"Task {number}", "project"), ())
    return _first_paint(paths)


def _first_paint(paths: Paths) -> dict[str, object]:
    report = paths.home / "report.json"
    env = {**os.environ, "TEXTUAL_DRIVER": "textual.drivers.headless_driver:HeadlessDriver"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(paths.home), str(report)],
        env=env,
        capture_output=True,
        text=True,
    )
    assert report.is_file(), done.stdout + done.stderr
    return json.loads(report.read_text())


async def test_a_column_of_costs_does_not_hold_up_the_first_paint(paths: Paths) -> None:
    paths.prepare()
    (paths.home / "config.yaml").write_text("ui: {columns: [status, title, cost]}")
    async with open_store(paths.database) as store:
        await store.create(
            RunSpec("Work.", "Task", "project"), (UsageCounted(5, 0, 5, model="o3"),)
        )
    modules = cast("list[str]", _first_paint(paths)["modules"])
    assert "engine.usage.run_costs" in modules  # the column was drawn
    assert not {"pydantic", "genai_prices", "httpx2"} & set(modules)


async def test_the_first_paint_waits_for_what_it_shows_alone(found: dict[str, object]) -> None:
    modules, counts = cast("list[str]", found["modules"]), found["counts"]
    ours = {name for name in modules if name.split(".")[0] in ("engine", "tui")}
    assert not {name for name in ours if name.startswith(LATER)}
    assert len(ours) <= MODULES
    assert counts == {"_place": RUNS, "follow": 1}  # the runs are arranged once, the keys too
