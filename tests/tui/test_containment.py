"""A fault of a screen, widget, timer or worker is one fault: shown, and the dashboard goes on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, NoReturn, cast

import pytest
from fake_engine import WIDE, FakeEngine, app_on, screen_of, toasts
from support import becomes
from textual.geometry import Region
from textual.message import Message
from textual.pilot import Pilot
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Static

from tui import containment
from tui.app import SwarmApp
from tui.screens.disk import DiskScreen
from tui.screens.fault import FaultScreen
from tui.screens.help import HelpScreen
from tui.screens.runs import RunsScreen
from tui.widgets.base.error_display import FAULT_MODE
from tui.widgets.status.top_bar import TopBar

TEXT = "broken for the test"


def fail(*_: object, **__: object) -> NoReturn:
    raise ValueError(TEXT)


async def fail_later(*_: object) -> None:
    fail()


class Plain(Static):
    number: reactive[int] = reactive(0)

    class Ping(Message):
        pass


@asynccontextmanager
async def dashboard() -> AsyncGenerator[tuple[SwarmApp, Pilot[None]]]:
    app = app_on(FakeEngine())
    app.contain_faults()
    async with app.run_test(size=WIDE) as pilot:
        yield app, pilot
        assert app.is_running


def faults(app: SwarmApp) -> list[str]:
    return [fault.task for fault in app.engine.tasks.faults.current]


async def works(app: SwarmApp, pilot: Pilot[None]) -> None:
    """Check that keys still do something: help opens and closes."""
    await pilot.press("question_mark")
    await becomes(lambda: isinstance(app.screen, HelpScreen))
    await pilot.press("escape")
    await becomes(lambda: isinstance(app.screen, RunsScreen))


MEETS: dict[str, Callable[[SwarmApp, Plain, pytest.MonkeyPatch], object]] = {
    "worker": lambda app, *_: app.run_worker(fail_later()),
    "worker of a widget": lambda _, widget, patch: widget.run_worker(fail_later()),
    "timer": lambda _, widget, patch: widget.set_timer(0.001, fail),
    "interval": lambda _, widget, patch: widget.set_interval(0.001, fail, repeat=1),
    "later": lambda _, widget, patch: widget.call_later(fail),
    "next": lambda _, widget, patch: widget.call_next(fail),
    "after refresh": lambda _, widget, patch: widget.call_after_refresh(fail),
    "app later": lambda app, *_: app.call_later(fail),
    "screen later": lambda app, *_: app.screen.call_later(fail_later),
    "message": lambda _, widget, patch: (
        patch.setattr(Plain, "on_plain_ping", fail, raising=False),
        widget.post_message(Plain.Ping()),
    ),
    "watcher": lambda _, widget, patch: (
        patch.setattr(Plain, "watch_number", fail, raising=False),
        widget.call_later(setattr, widget, "number", 3),
    ),
    "idle": lambda _, widget, patch: (
        patch.setattr(Plain, "on_idle", fail, raising=False),
        widget.check_idle(),
    ),
    "action": lambda app, *_: (
        setattr(app, "action_fail", fail),
        app.call_later(app.run_action, "app.fail"),
    ),
}


async def test_a_fault_of_any_callback_is_shown_and_the_dashboard_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(containment, "LIMIT", 100)
    async with dashboard() as (app, pilot):
        for meet in MEETS.values():
            before = count(app)
            widget = Plain()
            await app.screen.mount(widget)
            with monkeypatch.context() as patch:
                meet(app, widget, patch)
                await becomes(lambda before=before: count(app) > before)
            await widget.remove()
        assert any(TEXT in line for line in toasts(app))
        await works(app, pilot)
    assert TEXT in caplog.text


def count(app: SwarmApp) -> int:
    """Number of faults of the runs screen that were met."""
    return sum(fault.count for fault in app.engine.tasks.faults.current)


async def test_every_timer_of_the_dashboard_may_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containment, "LIMIT", 1_000)
    async with dashboard() as (app, pilot):
        pumps = [app, app.screen, *app.screen.walk_children(Widget)]
        timers = [timer for pump in pumps for timer in pump._timers if timer._callback]
        assert timers
        for number, timer in enumerate(timers, start=1):
            callback, timer._callback = timer._callback, fail
            await timer._tick(next_timer=0.0, count=1)
            timer._callback = callback
            assert count(app) == number, timer
        await works(app, pilot)


class Undrawable(Static):
    def render(self) -> str:
        fail()


class WithBadLine(Static):
    def render_line(self, y: int) -> Any:
        fail()


class WithBadSize(Static):
    def get_content_height(self, *_: object) -> int:
        fail()


class WithBadCompose(Static):
    def compose(self) -> Any:
        yield Static()
        fail()


class WithBadMount(Static):
    def on_mount(self) -> None:
        fail()


UNDRAWABLE = [Undrawable, WithBadLine, WithBadSize, WithBadCompose, WithBadMount]


async def test_a_widget_that_cannot_be_drawn_shows_its_error_in_its_place() -> None:
    async with dashboard() as (app, pilot):
        for number, kind in enumerate(UNDRAWABLE, start=1):
            widget = kind()
            await app.screen.mount(widget, before=0)
            await becomes(lambda n=number: count(app) >= n)
            await becomes(lambda w=widget: TEXT in w.render_lines(Region(0, 0, 60, 1))[0].text)
        await works(app, pilot)
        assert TEXT in screenshot(app)
        assert count(app) == len(UNDRAWABLE)


def screenshot(app: SwarmApp) -> str:
    return app.export_screenshot().replace("&#160;", " ")


@pytest.mark.parametrize("name", ["compose", "on_mount", "__init__"])
async def test_a_dialog_that_cannot_be_shown_is_closed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with dashboard() as (app, pilot):
        with monkeypatch.context() as patch:
            patch.setattr(HelpScreen, name, fail, raising=False)
            await pilot.press("question_mark")
            await becomes(lambda: any(TEXT in line for line in toasts(app)))
            await becomes(lambda: isinstance(app.screen, RunsScreen))
        await works(app, pilot)


@pytest.mark.parametrize("name", ["compose", "on_mount"])
async def test_a_screen_that_cannot_be_shown_is_replaced_by_its_error(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with dashboard() as (app, pilot):
        with monkeypatch.context() as patch:
            patch.setattr(DiskScreen, name, fail)
            await pilot.press("2")
            await becomes(lambda: isinstance(app.screen, FaultScreen))
            await becomes(lambda: TEXT in screenshot(app))
        await pilot.press("escape")
        await becomes(lambda: isinstance(app.screen, RunsScreen))
        await works(app, pilot)
        await pilot.press("2")
        await becomes(lambda: isinstance(app.screen, DiskScreen))  # made again


@pytest.mark.parametrize("name", ["compose", "on_mount"])
async def test_the_first_screen_can_be_opened_again_when_it_failed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(RunsScreen, name, fail)
        async with dashboard() as (app, pilot):
            await becomes(lambda: isinstance(app.screen, FaultScreen))
            await pilot.press("escape")
            await becomes(lambda: count(app) > 1)
            await becomes(lambda: isinstance(app.screen, FaultScreen))
            patch.undo()
            await pilot.press("escape")
            await becomes(lambda: isinstance(app.screen, RunsScreen))
            await works(app, pilot)


async def test_a_screen_that_fails_all_the_time_is_closed() -> None:
    async with dashboard() as (app, _):
        failing = app.screen
        failing.set_interval(0.001, fail)
        await becomes(lambda: isinstance(app.screen, FaultScreen) and not failing.is_running)
        before, ticks = count(app), []
        app.set_interval(0.001, lambda: ticks.append(1))
        await becomes(lambda: len(ticks) > 10)
        assert count(app) == before  # its timers ended with it


async def test_a_fault_of_a_screen_behind_the_screen_of_faults_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(containment, "LIMIT", 100)
    async with dashboard() as (app, pilot):
        behind = app.screen
        await app.switch_mode(FAULT_MODE)
        await becomes(lambda: isinstance(app.screen, FaultScreen))
        for number, meet in enumerate(["timer", "worker of a widget", "later"], start=1):
            MEETS[meet](app, cast("Plain", behind), monkeypatch)
            await becomes(lambda n=number: count(app) == n)
        await pilot.press("escape")
        await works(app, pilot)


async def test_a_fault_is_shown_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containment, "FORGET_S", 0.01)
    async with dashboard() as (app, _):
        app.call_later(fail)
        await becomes(lambda: any(TEXT in line for line in toasts(app)))
        await becomes(lambda: not faults(app))


async def test_a_fault_while_the_dashboard_closes_is_no_fault() -> None:
    async with dashboard() as (app, _):
        app.screen.call_later(app.exit)
        app.screen.call_later(fail)
    assert not faults(app)


async def test_a_top_bar_that_cannot_be_drawn_hides_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(TopBar, "render", fail)
    async with dashboard() as (app, pilot):
        await becomes(lambda: TEXT in screenshot(app))
        assert screen_of(app)
        await works(app, pilot)
