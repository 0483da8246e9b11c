"""The dashboard with the real Codex at work: live output, and a message that steers it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from house import LIMIT_S, House, ended, until
from loopback import LoopbackServer, command, message
from test_interactive import interactive
from test_live import GATED, open_gate
from textual.pilot import Pilot

from engine.domain.model import Status
from tui.app import SwarmApp


def shown(app: SwarmApp) -> str:
    """Return all that the screen shows, as text."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def reached(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(LIMIT_S):
        while not holds():
            await pilot.pause(0.05)


async def test_output_is_shown_and_the_agent_is_steered_while_its_command_runs(
    house: House, server: LoopbackServer
) -> None:
    prompt = server.script("a", [command(GATED, yield_time_ms=30_000), message("done")])
    async with house.engine() as engine:
        run = await engine.start(interactive(prompt))
        run = await until(engine, run, lambda now: now.doing.startswith("running"))
        app = SwarmApp(engine)
        async with app.run_test(size=(120, 40)) as pilot:
            await reached(pilot, lambda: "│ tick" in shown(app))
            await pilot.press("m", *"use-tabs", "enter")
            await reached(pilot, lambda: "read when the command has ended" in shown(app))
            open_gate(run)
            run = await ended(engine, run)
            await reached(pilot, lambda: "delivered: use-tabs" in shown(app))
    assert run.status is Status.SUCCEEDED
    assert (run.attempt, run.messages) == (1, ())
    assert "use-tabs" in str(server.requests[-1].body["input"])
