"""Dialogs that were closed are gone, with all of their widgets and drawn lines."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from contextlib import suppress
from contextvars import ContextVar

import pytest
from fake_engine import FakeEngine, S, app_on, shown
from textual._styles_cache import StylesCache
from textual.widget import Widget

from engine.system.time_limit import time_limit
from tui.app import SwarmApp

TIMES = 3


def alive() -> Counter[str]:
    gc.collect()
    kept = [one for one in gc.get_objects() if isinstance(one, (Widget, StylesCache))]
    return Counter(type(one).__name__ for one in kept)


def an_app() -> SwarmApp:
    engine = FakeEngine()
    engine.add("r1", "Task 1")
    engine.pass_through("r1", S.PREPARING, S.RUNNING)
    return app_on(engine)


@pytest.mark.parametrize("key", ["question_mark", "n", "colon"])
async def test_a_dialog_that_was_closed_leaves_nothing(key: str) -> None:
    app = an_app()
    async with app.run_test(size=(120, 40)) as pilot:

        async def open_and_close() -> None:
            await pilot.press(key)
            await pilot.pause()
            assert app.screen is not app.live_screen
            await pilot.press("escape")
            async with asyncio.timeout(10):
                while app.screen is not app.live_screen:
                    await pilot.pause()
            await pilot.pause()

        await open_and_close()
        before = alive()
        for _ in range(TIMES):
            await open_and_close()
        more = alive() - before
        assert {name: count for name, count in more.items() if count >= TIMES} == {}
        assert shown(app)


async def test_a_limit_that_was_not_reached_keeps_nothing_alive() -> None:
    class Screen:
        """An object that is only in the context."""

    active = ContextVar[Screen]("active")

    async def work() -> None:
        active.set(Screen())
        async with time_limit(300):
            await asyncio.sleep(0)

    await asyncio.create_task(work())
    await asyncio.sleep(0)
    gc.collect()
    assert not [one for one in gc.get_objects() if isinstance(one, Screen)]


async def test_a_limit_that_is_reached_raises_and_a_cancel_stays_one() -> None:
    with pytest.raises(TimeoutError):
        async with time_limit(0.01):
            await asyncio.Event().wait()

    async def forever() -> None:
        async with time_limit(300):
            await asyncio.Event().wait()

    task = asyncio.create_task(forever())
    await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
