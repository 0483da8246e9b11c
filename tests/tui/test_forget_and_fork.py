"""The keys that fork and forget runs, and screens that show a run which another process forgets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import fake_engine
from fake_engine import FakeEngine, app_on, choose, chosen, listed, painted, screen_of
from textual.pilot import Pilot

from engine.domain.events import Progressed
from engine.domain.model import Stage, Status
from tui.app import SwarmApp
from tui.screens.changes import ChangesScreen
from tui.screens.confirm import ConfirmDialog
from tui.screens.details import RunDetails
from tui.screens.runs import RunsScreen
from tui.screens.write import WriteDialog
from tui.widgets.forms.prompt_area import PromptArea

LIMIT_S = 60
S = Status


def three_ended() -> FakeEngine:
    """Three failed runs with workspaces, of which the newest comes first."""
    engine = FakeEngine()
    for number in (1, 2, 3):
        engine.add(f"f{number}", f"Task {number}", batch="b" if number == 1 else None)
        engine.pass_through(f"f{number}", S.PREPARING)
        made = {"path": f"/w/f{number}", "kind": "copy", "source": "/s"}
        engine.happen(f"f{number}", Progressed(Stage.WORKSPACE_CLONED, "ready", 20, made))
        engine.pass_through(f"f{number}", S.RUNNING, S.FAILED)
    return engine


async def until(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    """Wait until it holds: dialogs and workers report to no one."""
    async with asyncio.timeout(LIMIT_S):
        while not holds():
            await pilot.pause(0.01)
    await painted(pilot)


async def dialog(pilot: Pilot[None], app: SwarmApp, kind: type) -> None:
    await until(pilot, lambda: isinstance(app.screen, kind))
    await painted(pilot)


def toasts(app: SwarmApp) -> list[str]:
    return [text.strip() for text in fake_engine.toasts(app)]


async def test_delete_asks_and_forgets_the_run() -> None:
    engine = three_ended()
    app = app_on(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await choose(pilot, "f2")
        await pilot.press("delete")
        await dialog(pilot, app, ConfirmDialog)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.live_screen)
        assert listed(app) == ["f3", "f2", "f1"]
        await pilot.press("delete")
        await dialog(pilot, app, ConfirmDialog)
        await pilot.press("f")
        await until(pilot, lambda: "f2" not in listed(app))
        assert chosen(app) == "f1"
        assert any("forgotten" in text for text in toasts(app))


async def test_unsaved_work_is_named_before_it_is_forgotten() -> None:
    engine = three_ended()
    engine.unsaved_words = ("The run f3 is kept: 1 changed file not applied.",)
    app = app_on(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await choose(pilot, "f3")
        await pilot.press("delete")
        await dialog(pilot, app, ConfirmDialog)
        assert "1 changed file not applied" in fake_engine.shown(app)
        await pilot.press("f")
        await until(pilot, lambda: "f3" not in listed(app))


async def test_screens_go_on_while_another_process_forgets_their_run() -> None:
    engine = three_ended()
    app = app_on(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await choose(pilot, "f3")
        await pilot.press("space", "i")
        await dialog(pilot, app, RunDetails)
        engine.forget("f3", "f1")
        await until(pilot, lambda: listed(app) == ["f2"])
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.live_screen)
        assert chosen(app) == "f2"
        assert not screen_of(app).panes.run_list.marks.ids
        engine.forget("f2")
        await until(pilot, lambda: listed(app) == [])
        assert not engine.tasks.faults.current


async def test_delete_forgets_in_the_review_and_leaves_it() -> None:
    engine = three_ended()
    app = app_on(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await choose(pilot, "f1")
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, ChangesScreen))
        engine.forget("f1")
        await until(pilot, lambda: "This run was forgotten" in fake_engine.shown(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await choose(pilot, "f2")
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, ChangesScreen))
        await pilot.press("delete")
        await dialog(pilot, app, ConfirmDialog)
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        assert listed(app) == ["f3"]


async def test_fork_asks_for_a_prompt() -> None:
    engine = three_ended()
    app = app_on(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await choose(pilot, "f1")
        await pilot.press("E")
        await dialog(pilot, app, WriteDialog)
        app.screen.query_one(PromptArea).text = "Try a queue"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.screen is app.live_screen)
        assert ("fork", "f1 Try a queue") in engine.asked
