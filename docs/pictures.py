"""The README's pictures, made with the program itself: `make docs`."""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path

from engine.config.paths import Paths
from engine.config.settings import Config
from engine.engine import Engine
from tui.app import SwarmApp
from tui.cli.support import demo_script

HERE = Path(__file__).parent
SIZE = (150, 46)
PACE = 3.0
MOMENT_S = 17.0  # when the demo shows most at once


async def dashboard() -> None:
    """Play the demo and take a picture in the middle of it."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        paths = Paths(home, home / "config.yaml")
        async with Engine.open(paths, Config(slots=4, grace_s=1), supervise=True) as engine:
            app = SwarmApp(engine)
            async with app.run_test(size=SIZE) as pilot:
                scenes = await demo_script.start(engine, PACE)
                director = asyncio.create_task(demo_script.direct(engine, scenes))
                await pilot.pause(MOMENT_S)
                await pilot.press("g", "j")
                await pilot.pause(0.5)
                picture = app.export_screenshot(title="swarm-tui")
                director.cancel()
                for run in engine.view.active():
                    await engine.cancel(run.id, kill=True)
                await engine.settle()
    # One name for the styles, whatever the time of day: pictures change only where they differ.
    (HERE / "dashboard.svg").write_text(re.sub(r"terminal-\d+", "terminal", picture), "utf-8")


if __name__ == "__main__":
    asyncio.run(dashboard())
