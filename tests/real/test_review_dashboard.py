"""Comments written in the dashboard reach the real Codex as one message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from house import LIMIT_S, House, carried, ended, task
from loopback import LoopbackServer, add_file, message, patch, update_file
from textual.pilot import Pilot

from tui.app import SwarmApp
from tui.screens.changes import ChangesScreen
from tui.screens.live import CodeRequested
from tui.screens.write import WriteDialog

MESSAGE = """Comments on your changes; address each of them.

1. a.py, line 1:

> one = 1

Rename it.

2. a.py, line 2:

> two = 2

Drop [b]it[/b]."""


async def reached(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(LIMIT_S):
        while not holds():
            await pilot.pause(0.05)
    await pilot.pause()


async def test_comments_arrive_as_one_message_and_the_next_changes_are_shown(
    house: House, server: LoopbackServer
) -> None:
    prompt = server.script(
        "a",
        [patch(add_file("a.py", "one = 1\ntwo = 2\n")), message("First.")],
        [patch(update_file("a.py", "two = 2", "second = 2")), message("Second.")],
    )
    async with house.engine() as engine:
        run = await carried(engine, task(prompt))
        app = SwarmApp(engine)
        async with app.run_test(size=(120, 40)) as pilot:
            app.screen.post_message(CodeRequested("changes", run.id))
            await reached(pilot, lambda: isinstance(app.screen, ChangesScreen))
            screen = app.screen
            assert isinstance(screen, ChangesScreen)
            await reached(pilot, lambda: screen.code.line_count > 2)
            for count, text in enumerate(("Rename it.", "Drop [b]it[/b]."), start=1):
                await pilot.press("c")
                await reached(pilot, lambda: isinstance(app.screen, WriteDialog))
                await pilot.press(*text, "ctrl+s")
                await reached(
                    pilot, lambda count=count: len(engine.view.runs[run.id].comments) == count
                )
                await reached(pilot, lambda: app.screen is screen)
                await pilot.press("j")
            await pilot.press("R")
            await reached(pilot, lambda: engine.view.runs[run.id].attempt == 2)
            await ended(engine, run)
            await reached(pilot, lambda: engine.view.runs[run.id].finished_at)
            screen.post_message(CodeRequested("changes", run.id))
            await reached(pilot, lambda: screen.since)
            await reached(pilot, lambda: len(screen.code.document.lines) == 3)
            assert [line.sign for line in screen.code.document.lines] == [" ", "-", "+"]
    sent = server.requests[-2].body["input"]
    texts = [part["text"] for item in sent for part in item.get("content", ()) if "text" in part]
    assert texts.count(MESSAGE) == 1
