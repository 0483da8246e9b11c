"""The README's pictures, made with the program itself: `make docs`."""

from __future__ import annotations

import asyncio
import random
import re
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from engine.config.paths import Paths
from engine.config.settings import Config
from engine.domain.events import Body, StatusChanged, Step
from engine.domain.interaction import InputRequest, ProposedChange, RequestKind, RequestPhase
from engine.domain.model import Agent, RunSpec, Status
from engine.domain.usage import slot_of
from engine.engine import Engine
from tui.app import SwarmApp
from tui.cli.support import demo_script

HERE = Path(__file__).parent
SIZE = (150, 46)
PACE = 3.0
WAITED_S = 48.0
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
    keep("dashboard", picture)


async def inbox() -> None:
    """Record runs that ask, and take a picture of the screen that shows their requests."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        paths = Paths(home, home / "config.yaml")
        async with Engine.open(paths, Config(slots=32)) as engine:
            for title, batch, bodies in asking():
                spec = RunSpec(title, title, "shop", agent=Agent.SIMULATED, batch=batch)
                run = await engine.start(spec)
                begun = [StatusChanged(Status.PREPARING), StatusChanged(Status.RUNNING)]
                await record(engine, run.id, [*begun, *bodies])
            app = SwarmApp(engine, clock=lambda: time.time() + WAITED_S)
            async with app.run_test(size=(130, 28)) as pilot:
                await pilot.press("7")
                await pilot.pause(1)
                await pilot.press("j")
                await pilot.pause(1)
                keep("inbox", app.export_screenshot(title="swarm-tui"))


async def usage() -> None:
    """Record three weeks of usage, and take a picture of the screen that sums it up."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        paths = Paths(home, home / "config.yaml")
        async with Engine.open(paths, Config(slots=4)) as engine:
            spend(paths.database)
            app = SwarmApp(engine)
            async with app.run_test(size=(130, 32)) as pilot:
                await pilot.press("8")
                await pilot.pause(1)
                await pilot.press("j")
                await pilot.pause(1)
                keep("usage", app.export_screenshot(title="swarm-tui"))


def spend(database: Path) -> None:
    """Fill the ledger: more on weekdays, and two rate-limit windows."""
    chance, now = random.Random(4), time.time()
    midnight = now - now % 86400
    with closing(sqlite3.connect(database)) as db, db:
        for day in range(24):
            work = 0.2 if time.gmtime(midnight - day * 86400).tm_wday > 4 else 1.0
            for n in range(int(9 * work) + 1):
                at = (
                    midnight
                    - day * 86400
                    + chance.uniform(0, 0.9) * (86400 if day else now % 86400)
                )
                tokens = int(chance.lognormvariate(13.2, 0.8) * work)
                parts = (tokens, int(tokens * 0.8), tokens // 25, tokens // 60, tokens // 30_000)
                place = (f"{day}-{n}", slot_of(at), "gpt-5-codex", "default", "shop")
                values = (*place, *parts, tokens / 500)
                db.execute(f"INSERT INTO usage_slots VALUES ({', '.join('?' * 11)})", values)
        add = "INSERT INTO limit_samples VALUES ('default', ?, ?, ?, ?, ?)"
        for hours, percent in ((30, 38), (20, 47), (10, 58), (0.7, 66), (0.1, 67)):
            at = now - hours * 3600
            db.execute(add, ("secondary", at, percent, 10080, now + 3.2 * 86400))
        db.execute(add, ("primary", now - 300, 31, 300, now + 2.6 * 3600))


async def record(engine: Engine, run: str, bodies: list[Body]) -> None:
    """Record what a run's agent would have reported."""
    journal = engine._journal  # pyright: ignore[reportPrivateUsage]  no agent is at work here
    await journal.change(run, lambda _: bodies)


def asking() -> list[tuple[str, str | None, list[Body]]]:
    """Return runs by title and batch, each with what its agent did and asks for."""
    npm = "/bin/bash -lc 'npm ci'"
    asks = command(npm, "npm ci", "The packages are missing. May I install them?")
    steps = [
        Step("tool", "command", "completed", "cat package.json", "cat package.json", 0, "{}"),
        Step("assistant", "message", "completed", "The lock file is older than the manifest."),
    ]
    nightly = [(f"Update package {number}", "nightly", [*steps, asks]) for number in range(20)]
    script = "/bin/bash -lc 'psql shop -f fix.sql\nrm -rf /var/tmp/shop'"
    fix = "The migration needs the database, which is outside of my sandbox."
    tried = Step("tool", "command", "failed", "psql shop", "psql shop", 2, "could not connect")
    patch = InputRequest(
        "1",
        RequestPhase.RAISED,
        RequestKind.PATCH,
        "src/app.ts, /etc/hosts",
        changes=(ProposedChange("/etc/hosts", "modified", "+127.0.0.1 shop.test", outside=True),),
        digest="patch",
    )
    network = '{"permissions":{"network":{"enabled":true}}}'
    rights = InputRequest(
        "2",
        RequestPhase.RAISED,
        RequestKind.PERMISSIONS,
        details=network,
        reason="To download the fonts",
        digest="network",
    )
    return [
        *nightly,
        ("Repair the orders of May", None, [*steps, tried, command(script, "psql shop", fix)]),
        ("Serve the shop under a local name", None, [*steps, patch]),
        ("Add the new fonts", None, [*steps, rights]),
    ]


def command(text: str, summary: str, reason: str) -> InputRequest:
    """Return a request to run a command in the workspace."""
    kind = RequestKind.COMMAND
    fields = {"text": summary, "reason": reason, "command": text, "cwd": ".", "digest": text}
    return InputRequest("0", RequestPhase.RAISED, kind, **fields)


def keep(name: str, picture: str) -> None:
    """Write a picture; the styles have one name, so that it changes only where it differs."""
    (HERE / f"{name}.svg").write_text(re.sub(r"terminal-\d+", "terminal", picture), "utf-8")


if __name__ == "__main__":
    asyncio.run(dashboard())
    asyncio.run(inbox())
    asyncio.run(usage())
