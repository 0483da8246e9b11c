"""Pictures of an agent at work: live output below its command, messages at the bottom."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from fake_engine import app_on, choose, painted, screen_of
from test_shown_output import command, printed, report, working
from textual.pilot import Pilot

from engine.domain.events import Step
from engine.domain.interaction import MessageChanged, MessagePhase
from tui.app import SwarmApp
from tui.formatting import symbols
from tui.widgets.log import live_feed


@pytest.fixture(autouse=True)
def _same_everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One time zone and one kind of terminal on all machines, and no wait for live reports."""
    monkeypatch.setattr(live_feed, "READ_S", 0.005)
    for name, value in (("TZ", "UTC"), ("LANG", "C.UTF-8"), ("TERM", "xterm-256color")):
        monkeypatch.setenv(name, value)
    for name in ("LC_ALL", "LC_CTYPE", "COLORTERM", "TERM_PROGRAM"):
        monkeypatch.delenv(name, raising=False)
    symbols.unicode_ok.cache_clear()
    time.tzset()
    yield
    monkeypatch.undo()
    symbols.unicode_ok.cache_clear()
    time.tzset()


@pytest.mark.parametrize("size", [(160, 45), (80, 24)], ids=["wide", "narrow"])
def test_agent_at_work(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    engine = working()
    engine.happen("a1", Step("assistant", "message", "completed", "I run the tests."))

    async def prepare(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, SwarmApp)
        await choose(pilot, "a1")
        await pilot.press("l")
        await painted(pilot)
        lines = "".join(f"tests/test_{number}.py \x1b[32mpassed\x1b[0m\n" for number in range(30))
        await report(app, pilot, printed(f"{lines}tests/test_30.py …"))
        await pilot.press("m")
        for text, key in (("Use the new API", "enter"), ("Then the docs", "ctrl+n")):
            await pilot.press(*text, key)
            await pilot.pause()
        first = engine.view.runs["a1"].messages[0]
        engine.happen("a1", MessageChanged(first.message, MessagePhase.SENT))
        await painted(pilot)
        await pilot.press(*"And one more")
        await painted(pilot)
        assert screen_of(app).messages.bar

    engine.happen("a1", command("started", "make all"))
    assert snap_compare(app_on(engine), terminal_size=size, run_before=prepare)
