"""Messages to agents from the dashboard: typed, sent and queued; interrupts of their turns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest
from fake_engine import (
    LIMIT_S,
    NARROW,
    WIDE,
    FakeEngine,
    S,
    app_on,
    choose,
    painted,
    screen_of,
    shown,
    toasts,
    until,
)
from textual._xterm_parser import XTermParser
from textual.events import Hide, Key
from textual.pilot import Pilot

from engine.domain.errors import user_error
from engine.domain.events import Progressed, Step
from engine.domain.interaction import DeliveryTime, MessageChanged, MessagePhase
from engine.domain.model import Stage
from tui.app import SwarmApp
from tui.screens.confirm import ConfirmDialog
from tui.terminal import handover_driver
from tui.widgets.runs.message_bar import MessageBar

THREAD = Progressed(Stage.EXECUTING, "", 30, {"thread_id": "t"})


def working(count: int = 1, interactive: bool = True) -> FakeEngine:
    """Return an engine with some runs at work."""
    engine = FakeEngine()
    for number in range(1, count + 1):
        engine.add(f"a{number}", f"Task {number}", interactive=interactive)
        engine.pass_through(f"a{number}", S.PREPARING, S.RUNNING)
        engine.happen(f"a{number}", THREAD)
    return engine


@asynccontextmanager
async def dashboard(
    engine: FakeEngine, size: tuple[int, int] = WIDE
) -> AsyncGenerator[tuple[SwarmApp, Pilot[None]]]:
    """Run the dashboard with a run chosen."""
    app = app_on(engine)
    async with app.run_test(size=size) as pilot:
        await choose(pilot, "a1")
        yield app, pilot


def bar_of(app: SwarmApp) -> MessageBar:
    """Return the open line for messages."""
    bar = screen_of(app).messages.bar
    assert bar
    return bar


def sent(engine: FakeEngine, run: str = "a1") -> list[tuple[str, DeliveryTime | None]]:
    """Return the messages that wait in a run, with the time at which they are read."""
    return [(one.text, one.delivery) for one in engine.view.runs[run].messages]


async def typed(pilot: Pilot[None], *keys: str) -> None:
    """Press keys, and wait until all of them were carried out."""
    await pilot.press(*keys)
    await pilot.pause()
    await painted(pilot)


@pytest.mark.parametrize(
    ("key", "delivery"),
    [
        ("enter", DeliveryTime.NOW),
        ("alt+enter", DeliveryTime.AFTER_TURN),
        ("ctrl+n", DeliveryTime.AFTER_TURN),
    ],
)
@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_message_is_sent_now_or_after_the_turn(
    size: tuple[int, int], key: str, delivery: DeliveryTime
) -> None:
    engine = working()
    async with dashboard(engine, size) as (app, pilot):
        await typed(pilot, "m", "h", "i", "space", "x", "q", key)
        assert sent(engine) == [("hi xq", delivery)]
        assert bar_of(app).text == ""
        assert "hi xq" in shown(app)
        assert "queued" in shown(app)
        assert not app.query(ConfirmDialog)


async def test_interrupt_with_a_message() -> None:
    engine = working()
    async with dashboard(engine) as (_, pilot):
        await typed(pilot, "m", "n", "o", "ctrl+x")
        assert engine.asked == [("interrupt", "a1")]
        assert sent(engine) == [("no", DeliveryTime.AFTER_TURN)]


async def test_queue_shows_what_became_of_a_message() -> None:
    engine = working()
    async with dashboard(engine) as (app, pilot):
        await typed(pilot, "m", "h", "i", "enter")
        (message,) = engine.view.runs["a1"].messages
        engine.happen("a1", Step("tool", "command", "started", "make", "make"))
        engine.happen("a1", MessageChanged(message.message, MessagePhase.SENT))
        await until(pilot, lambda: "sent: read when the command has ended" in shown(app))
        engine.happen("a1", MessageChanged(message.message, MessagePhase.DELIVERED))
        await until(pilot, lambda: "delivered" in shown(app))
        assert engine.view.runs["a1"].messages == ()


async def test_draft_is_kept_for_its_run() -> None:
    engine = working(2)
    async with dashboard(engine) as (app, pilot):
        await typed(pilot, "m", "o", "n", "e", "escape")
        assert screen_of(app).messages.bar is None
        await choose(pilot, "a2")
        await typed(pilot, "m")
        assert bar_of(app).text == ""
        await typed(pilot, "t", "w", "o", "escape")
        await choose(pilot, "a1")
        await typed(pilot, "m")
        assert bar_of(app).text == "one"
        await typed(pilot, "s", "enter", "escape")
        assert sent(engine) == [("ones", DeliveryTime.NOW)]
        await typed(pilot, "m")
        assert bar_of(app).text == ""
        assert engine.asked == [("send", "a1")]


async def test_pasted_lines_are_all_sent() -> None:
    engine = working()
    async with dashboard(engine) as (app, pilot):
        await typed(pilot, "m")
        bar_of(app).area.insert("one\ntwo\n\x1b[31mthree")
        await typed(pilot, "enter")
        ((text, _),) = sent(engine)
        assert text == "one\ntwo\n\x1b[31mthree".replace("\x1b[31m", "")


async def test_refused_message_stays_in_the_line() -> None:
    engine = working()
    engine.refusal = user_error("RUN_NOT_INTERACTIVE", "It is stopping.")
    async with dashboard(engine) as (app, pilot):
        await typed(pilot, "m", "h", "i", "enter")
        assert "It is stopping." in toasts(app)[-1]
        assert bar_of(app).text == "hi"
        engine.refusal = None
        await typed(pilot, "enter")
        assert sent(engine) == [("hi", DeliveryTime.NOW)]


async def test_run_that_ends_meanwhile_is_resumed_with_what_was_typed() -> None:
    engine = working()
    async with dashboard(engine) as (app, pilot):
        await typed(pilot, "m", "h", "i")
        engine.pass_through("a1", S.SUCCEEDED)
        await until(pilot, lambda: "Task 1 has ended" in shown(app))
        assert bar_of(app).text == "hi"
        await typed(pilot, "enter")
        assert engine.asked == [("send", "a1"), ("resume", "a1: hi")]
        assert bar_of(app).text == ""


async def test_several_marked_runs_get_the_same_message() -> None:
    engine = working(3)
    async with dashboard(engine) as (app, pilot):
        await typed(pilot, "A", "m", "h", "i")
        assert "Message to 3 runs" in shown(app)
        await typed(pilot, "enter")
        assert sorted(engine.asked) == [("send", "a1"), ("send", "a2"), ("send", "a3")]
        assert not screen_of(app).panes.run_list.marks.ids


async def test_what_one_of_several_refuses_stays_for_those_that_are_left() -> None:
    engine = working(3)
    async with dashboard(engine) as (app, pilot):
        await typed(pilot, "A", "m", "h", "i")
        first, *others = bar_of(app).runs
        send, tries = engine.send, 0

        async def refused_once(run: str, text: str, delivery: DeliveryTime) -> object:
            nonlocal tries
            tries += 1
            if tries == 2:
                raise user_error("DISK_FULL")
            return await send(run, text, delivery)

        engine.send = refused_once  # type: ignore[assignment, method-assign]  a test's own
        await typed(pilot, "enter")
        assert bar_of(app).runs == tuple(others)
        assert bar_of(app).text == "hi"
        await typed(pilot, "enter")
        assert [len(sent(engine, run)) for run in (first, *others)] == [1, 1, 1]


async def test_run_of_exec_cannot_be_written_to_before_its_end() -> None:
    engine = working(interactive=False)
    async with dashboard(engine) as (app, pilot):
        await typed(pilot, "m")
        assert screen_of(app).messages.bar is None
        assert "does not work interactively" in toasts(app)[-1]
        assert "--interactive" in toasts(app)[-1]
        await typed(pilot, "H")
        assert engine.asked == []
        engine.pass_through("a1", S.SUCCEEDED)
        await painted(pilot)
        await typed(pilot, "m", "g", "o", "enter")
        assert engine.asked[-1] == ("resume", "a1: go")


async def test_interrupt_asks_where_a_command_has_run_for_more_than_a_minute() -> None:
    engine = working()
    async with dashboard(engine) as (app, pilot):
        engine.happen("a1", Step("tool", "command", "started", "make", "make"))
        engine.now += 59
        await typed(pilot, "H")
        assert engine.asked == [("interrupt", "a1")]
        engine.now += 5
        await typed(pilot, "H")
        assert isinstance(app.screen, ConfirmDialog)
        assert "A command has run for 1:04" in shown(app)
        await typed(pilot, "escape")
        assert len(engine.asked) == 1
        await typed(pilot, "H")
        await typed(pilot, "H")
        assert engine.asked == [("interrupt", "a1")] * 2


async def test_interrupt_of_several_turns_asks_first() -> None:
    engine = working(2)
    async with dashboard(engine) as (app, pilot):
        await typed(pilot, "A", "H")
        assert isinstance(app.screen, ConfirmDialog)
        await typed(pilot, "H")
        assert sorted(engine.asked) == [("interrupt", "a1"), ("interrupt", "a2")]


async def test_letters_that_are_commands_elsewhere_are_typed() -> None:
    engine = working()
    text = "".join(map(chr, range(0x21, 0x7F)))
    async with dashboard(engine) as (app, pilot):
        await typed(pilot, "m", *text, "enter")
        assert sent(engine) == [(text, DeliveryTime.NOW)]
        assert [one for one, _ in engine.asked] == ["send"]
        assert engine.slots == 4
        assert bar_of(app).area.has_focus


def test_alt_enter_of_common_terminals_is_no_plain_enter() -> None:
    assert handover_driver.ExtraKey.ALT_ENTER.value == "alt+enter"
    events = [*XTermParser(False).feed("\x1b\r")]
    assert [event.key for event in events if isinstance(event, Key)] == ["alt+enter"]


async def test_queued_message_is_withdrawn_and_one_that_was_sent_is_not() -> None:
    engine = working()
    async with dashboard(engine) as (app, pilot):
        await typed(pilot, "m", *"one", "ctrl+n", *"two", "ctrl+n")
        first, second = engine.view.runs["a1"].messages
        await typed(pilot, "tab", "k", "x")
        assert ("withdraw", "a1") in engine.asked
        engine.happen("a1", MessageChanged(first.message, MessagePhase.WITHDRAWN))
        await until(pilot, lambda: "withdrawn" in shown(app))
        assert sent(engine) == [("two", DeliveryTime.AFTER_TURN)]
        engine.happen("a1", MessageChanged(second.message, MessagePhase.SENT))
        await until(pilot, lambda: "sent:" in shown(app))
        count = len(engine.asked)
        await typed(pilot, "j", "x")
        assert len(engine.asked) == count
        await typed(pilot, "tab", "o", "k", "enter")
        assert sent(engine)[-1] == ("ok", DeliveryTime.NOW)


def burst(app: SwarmApp, *keys: str) -> None:
    """Press keys faster than anything handles them."""
    for key in keys:
        app.post_message(Key(key, key if len(key) == 1 else None))


async def becomes(pilot: Pilot[None], is_so: Callable[[], bool]) -> None:
    """Wait until `is_so`, which no batch of the engine has to report."""
    async with asyncio.timeout(LIMIT_S):
        while not is_so():
            await pilot.pause(0.01)


def line_holds(app: SwarmApp, text: str) -> bool:
    """Return whether the line is open with a text."""
    bar = screen_of(app).messages.bar
    return bar is not None and bar.text == text


@pytest.mark.parametrize("key", ["enter", "ctrl+n", "alt+enter", "ctrl+x"])
async def test_a_burst_of_letters_and_a_key_that_sends_is_one_message(key: str) -> None:
    engine = working()
    async with dashboard(engine) as (app, pilot):
        text = "stop;that," * 8
        burst(app, "m", *text, key, "x", "q")
        await becomes(pilot, lambda: bool(sent(engine)) and line_holds(app, "xq"))
        assert [one for one, _ in sent(engine)] == [text]
        assert engine.asked == [("interrupt" if key == "ctrl+x" else "send", "a1")]


async def test_a_draft_that_is_closed_in_the_same_burst_is_whole() -> None:
    engine = working()
    async with dashboard(engine) as (app, pilot):
        burst(app, "m", *"draft", "escape", "m")
        await becomes(pilot, lambda: line_holds(app, "draft"))
        burst(app, *"ed", "enter", "escape")
        await becomes(pilot, lambda: sent(engine) == [("drafted", DeliveryTime.NOW)])
        await becomes(pilot, lambda: screen_of(app).messages.bar is None)


async def test_a_late_report_that_the_line_was_closed_leaves_the_focus_in_it() -> None:
    engine = working()
    async with dashboard(engine) as (app, pilot):
        await typed(pilot, "m")
        bar_of(app).area.post_message(Hide())  # of a line that was closed and opened again
        await typed(pilot, *"pause")
        assert bar_of(app).text == "pause"
        assert engine.pause is None


async def test_the_line_has_the_focus_when_the_last_message_has_gone() -> None:
    engine = working()
    async with dashboard(engine) as (app, pilot):
        await typed(pilot, "m", *"one", "enter")
        await typed(pilot, "tab")
        assert app.focused is bar_of(app).queue
        bar_of(app).show(())
        assert app.focused is bar_of(app).area


@pytest.mark.parametrize("key", ["H", "m"])
async def test_a_run_that_has_ended_names_the_keys_that_go_on(key: str) -> None:
    engine = working()
    engine.pass_through("a1", S.SUCCEEDED)
    async with dashboard(engine) as (app, pilot):
        await typed(pilot, key)
        if key == "m":
            assert "Task 1 has ended" in shown(app)
        else:
            assert "has ended: it has no turn to interrupt" in toasts(app)[-1]
            assert "m or R goes on in its thread" in toasts(app)[-1]
            assert "never got" not in toasts(app)[-1]


async def test_a_run_that_ended_without_a_thread_has_no_turn_either() -> None:
    engine = FakeEngine()
    engine.add("a1", "Task 1", interactive=True)
    engine.pass_through("a1", S.PREPARING, S.FAILED)
    async with dashboard(engine) as (app, pilot):
        await typed(pilot, "H")
        assert "has ended" in toasts(app)[-1]
        assert "r retries it" in toasts(app)[-1]
