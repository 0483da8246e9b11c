"""A package that is upgraded or removed under a live supervisor takes nothing from it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import LIMIT_S

ROOT = Path(__file__).resolve().parent.parent

_SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from engine import preload
from engine.config.settings import load
from engine.domain.model import Agent, RunSpec, WorkspaceKind, WorkspaceSpec
from engine.engine import Engine, CleanupFilter
from engine.config.paths import Paths


async def main(home, source):
    preload.AFTER_S = 0
    paths = Paths(home, home / "config.yaml")
    async with Engine.open(paths, load(paths.config), supervise=True) as engine:
        async with asyncio.timeout(60):
            # The engine holds the lock for a moment before it begins to import.
            wanted = set(preload.modules(with_receivers=True))
            while engine.tasks.get("imports") or not wanted <= sys.modules.keys():
                await asyncio.sleep(0.02)
            print("loaded", flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            made = [
                await engine.start(
                    RunSpec("sim: write a.txt x", "t", "p", Agent.SIMULATED,
                            workspace=WorkspaceSpec(kind, place), verify="test -f a.txt")
                )
                for kind, place in ((WorkspaceKind.EMPTY, None), (WorkspaceKind.COPY, source))
            ]
            await engine.settle()
            for run in made:
                run = await engine.find(run.id)
                changes = await engine.workspaces.changes(run.id)
                print(run.status, run.checkpoint, changes.total.files, run.error)
            plan = await engine.disk.plan(CleanupFilter())
            await engine.disk.measure()
            while not await engine.notifications.deliveries():
                await asyncio.sleep(0.05)
            print("tried", len(plan.take) + len(plan.keep))


asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_the_package_goes_and_the_supervisor_goes_on(tmp_path: Path, how: str) -> None:
    package, home, source = (tmp_path / name for name in ("package", "home", "source"))
    source.mkdir()
    home.mkdir(0o700)
    (home / "config.yaml").write_text(
        "webhooks: [{name: dead, url: 'http://127.0.0.1:9/', events: [run.succeeded]}]\n"
    )
    for name in ("engine", "templates"):
        shutil.copytree(ROOT / name, package / name, ignore=shutil.ignore_patterns("__pycache__"))
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _SUPERVISOR, home, source],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(package), "HOME": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as supervisor:
        assert supervisor.stdout
        loaded = supervisor.stdout.readline()
        if how == "removed":
            shutil.rmtree(package)
        else:
            for file in (package / "engine").rglob("*.py"):
                file.write_text("raise SystemExit('of another version')\n")
        out, err = supervisor.communicate("go on\n", timeout=LIMIT_S)
    assert (loaded, err[-2000:], supervisor.returncode) == ("loaded\n", "", 0)
    assert out.splitlines() == ["succeeded 1 1 None", "succeeded 1 1 None", "tried 2"]


_DASHBOARD = """
import asyncio, sys
from pathlib import Path
from engine.engine import Engine
from engine.config.paths import Paths
from tui.screens import preload
from tui.app import SwarmApp

KEYS = ("n", "N", "t", "question_mark", "colon", "2", "3", "4", "5", "6", "ctrl+f")


async def main(home):
    preload.AFTER_S = 0
    paths = Paths(home, home / "config.yaml")
    async with Engine.open(paths, supervise=True) as engine:
        app = SwarmApp(engine)
        async with app.run_test(size=(120, 40)) as pilot:
            await preload.preload_screens()
            print("loaded", file=sys.__stdout__, flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            for key in KEYS:
                await pilot.press(key)
                await pilot.pause()
                print(type(app.screen).__name__, file=sys.__stdout__)
                if len(app.screen_stack) > 1:
                    await pilot.press("escape")


asyncio.run(main(Path(sys.argv[1])))
"""


def test_the_package_goes_and_an_open_dashboard_shows_all_its_screens(tmp_path: Path) -> None:
    package, home = tmp_path / "package", tmp_path / "home"
    home.mkdir(0o700)
    for name in ("engine", "templates", "tui"):
        shutil.copytree(ROOT / name, package / name, ignore=shutil.ignore_patterns("__pycache__"))
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _DASHBOARD, home],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(package), "HOME": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as dashboard:
        assert dashboard.stdout
        loaded = dashboard.stdout.readline()
        shutil.rmtree(package)
        out, err = dashboard.communicate("go on\n", timeout=LIMIT_S)
    assert (loaded, err[-3000:], dashboard.returncode) == ("loaded\n", "", 0)
    assert set(out.split()) >= {"NewRun", "NewBatch", "TemplatesScreen", "HelpScreen", "Palette"}
    assert set(out.split()) >= {"FindScreen", "DiskScreen", "PatternsScreen", "DoctorScreen"}
