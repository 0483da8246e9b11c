"""The notifications on their screen: who is told, what was answered, what was told here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from fake_engine import LIMIT_S, NARROW, WIDE, FakeEngine, app_on, four_runs, painted, shown, toasts
from textual.pilot import Pilot

from engine.domain.errors import user_error
from engine.domain.events import StatusChanged
from engine.domain.messages import Delivery, DeliveryResult, DeliveryState
from engine.domain.model import Status
from engine.engine import ReceiverHealth, ReceiverStatus


async def until(pilot: Pilot[None], is_so: Callable[[], bool]) -> None:
    """Wait for what the screen asks the engine for."""
    async with asyncio.timeout(LIMIT_S):
        while not is_so():
            await pilot.pause(0.01)
    await painted(pilot)


HOSTILE = "[/red] \x1b]52;c;aGk=\x07 \u202egnp"


def delivery(
    engine: FakeEngine, n: int, state: DeliveryState, answer: str, receiver: str
) -> Delivery:
    return Delivery(
        f"msg_a1_{n}", "run.failed", engine.now + n, "a1", receiver, state, 3, engine.now + 600,
        engine.now + n, DeliveryResult(answer, 500, 0.25),
    )  # fmt: skip


@pytest.fixture
def engine() -> FakeEngine:
    return telling()


def telling() -> FakeEngine:
    """An engine with two receivers, some of whose messages did not arrive."""
    engine = four_runs()
    told = [
        delivery(engine, 3, DeliveryState.WAITING, "500 Internal Server Error: oh", "ci"),
        delivery(engine, 2, DeliveryState.PARKED, HOSTILE, "ci"),
        delivery(engine, 1, DeliveryState.DELIVERED, "204 No Content", "ci"),
        delivery(engine, 4, DeliveryState.DELIVERED, "sent", "apprise:1"),
    ]
    topics = ("run.failed", "batch.finished")
    engine.notifications.found = [
        ReceiverStatus(
            "ci", "https://ci.example.com/hook", topics, True, False, ReceiverHealth.FAILING, 1, 1
        ),
        ReceiverStatus("apprise:1", "ntfy://***", topics, False, True, ReceiverHealth.OK),
    ]
    engine.notifications.told = told
    return engine


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_receivers_deliveries_and_answers(engine: FakeEngine, size: tuple[int, int]) -> None:
    app = app_on(engine)
    async with app.run_test(size=size) as pilot:
        await pilot.press("5")
        await until(pilot, lambda: "500 Internal Server Error: oh" in shown(app))
        text = shown(app)
        assert "ci" in text and "! failing" in text and "1 waiting, 1 parked" in text
        assert "… waiting" in text and "✗ parked" in text and "3 times" in text
        assert not any(char in text for char in "\x1b\x07\u202e")
        await pilot.press("w")
        await until(pilot, lambda: "… waiting" not in shown(app))
        assert "✗ parked" in shown(app)
        await pilot.press("w", "j")
        await until(pilot, lambda: "Deliveries · apprise:1" in shown(app))
        assert "sent" in shown(app)
        await pilot.press("escape")
        await pilot.pause()
        assert "Port the tests" in shown(app)


async def test_sending_again_and_testing(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("5")
        await until(pilot, lambda: "500 Internal" in shown(app))
        await pilot.press("r", "tab", "j", "r", "V")
        await until(pilot, lambda: len(engine.asked) == 3)
        assert engine.asked == [("again", "ci None"), ("again", "ci msg_a1_2"), ("test", "ci")]
        assert "200 OK" in toasts(app)[-1]
        engine.notifications.refusal = user_error("WEBHOOK_FAILED", "ci: 410 Gone.")
        await pilot.press("V")
        await until(pilot, lambda: "WEBHOOK_FAILED" in toasts(app)[-1])


async def test_what_was_told_here_is_kept(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        app.notify("a word in passing", markup=False)
        engine.happen("c3", StatusChanged(Status.FAILED))
        await pilot.press("5", "h")
        await until(pilot, lambda: "a word in passing" in shown(app))
        assert "Port the tests: failed" in shown(app)


async def test_nobody_to_tell(engine: FakeEngine) -> None:
    engine.notifications.found, engine.notifications.told = [], []
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("5")
        await until(pilot, lambda: "No receivers" in shown(app))
        assert "No receivers of notifications." in shown(app)
        await pilot.press("V", "r", "w", "tab", "tab", "h", "tab")
        assert not engine.asked
