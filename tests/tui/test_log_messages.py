"""Messages to the agent, and interrupts, in the log: one line each, which changes."""

from __future__ import annotations

import pytest
from log_samples import LogHost, events, opened, press

from engine.domain.events import Body, Notice, StatusChanged
from engine.domain.interaction import (
    DeliveryTime,
    InterruptPhase,
    MessageChanged,
    MessagePhase,
    TurnInterrupt,
)
from engine.domain.model import Status
from tui.widgets.base import throttle
from tui.widgets.log import event_feed

PROMPT = "Remove the loop in the parser."
QUEUED = StatusChanged(Status.QUEUED)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paint live events at once, so that no test waits for the clock."""
    monkeypatch.setattr(throttle, "FLUSH_S", 0.0)


def queued(text: str, name: str = "m") -> MessageChanged:
    """Return the first event of a message."""
    return MessageChanged(name, MessagePhase.QUEUED, DeliveryTime.NOW, text)


def became(phase: MessagePhase, name: str = "m") -> MessageChanged:
    """Return a later event of a message."""
    return MessageChanged(name, phase)


async def test_message_has_one_line_that_changes() -> None:
    told = events("r", QUEUED, queued("Use the new API"))
    async with LogHost(told).run_test(size=(100, 20)) as pilot:
        app = await opened(pilot)
        assert app.texts == [PROMPT, "queued: Use the new API"]
        await app.happen(pilot, Notice("info", "meanwhile"), became(MessagePhase.SENT))
        assert app.texts == [PROMPT, "sent: Use the new API", "meanwhile"]
        await app.happen(pilot, became(MessagePhase.DELIVERED))
        assert app.texts == [PROMPT, "delivered: Use the new API", "meanwhile"]
        shown = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert "delivered: Use the new API" in shown
        assert "sent:" not in shown


async def test_interrupt_has_one_line_that_changes() -> None:
    told = events("r", QUEUED, TurnInterrupt("i", InterruptPhase.REQUESTED))
    async with LogHost(told).run_test(size=(100, 20)) as pilot:
        app = await opened(pilot)
        await app.happen(pilot, TurnInterrupt("i", InterruptPhase.DONE))
        assert app.texts == [PROMPT, "the turn was interrupted"]


async def test_messages_are_told_apart_by_their_ids() -> None:
    bodies: list[Body] = [queued("one", "a"), queued("two", "b")]
    bodies += [became(MessagePhase.WITHDRAWN, "a"), became(MessagePhase.DELIVERED, "b")]
    async with LogHost(events("r", QUEUED, *bodies)).run_test(size=(100, 20)) as pilot:
        app = await opened(pilot)
        assert app.texts == [PROMPT, "withdrawn: one", "delivered: two"]


async def test_lines_of_a_message_stay() -> None:
    told = events("r", QUEUED, queued("one\ntwo"), became(MessagePhase.DELIVERED))
    async with LogHost(told).run_test(size=(100, 20)) as pilot:
        app = await opened(pilot)
        assert app.texts == [PROMPT, "delivered: one", "two"]


async def test_message_whose_beginning_is_fetched_later_gets_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_feed, "PAGE", 40)
    between = [Notice("info", f"n {number}") for number in range(60)]
    told = events("r", QUEUED, queued("early"), *between, became(MessagePhase.DELIVERED))
    async with LogHost(told).run_test(size=(100, 20)) as pilot:
        app = await opened(pilot)
        assert app.texts[-1] == "message delivered"
        await press(pilot, *["pageup"] * 6)
        assert app.texts[:2] == [PROMPT, "delivered: early"]
        assert app.texts[-1] == "n 59"
