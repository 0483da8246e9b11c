"""Quitting, the palette, the help, and keys of the user's own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fake_engine import (
    LIMIT_S,
    NARROW,
    WIDE,
    FakeEngine,
    FakeTemplates,
    S,
    app_on,
    choose,
    chosen,
    four_runs,
    listed,
    screen_of,
    shown,
    toasts,
    until,
)
from support import becomes
from textual import events
from textual.pilot import Pilot

from engine.config.settings import UiSettings
from engine.domain.model import Run
from engine.engine import RenderedTemplate, Template
from engine.templates.template import KEYS
from engine.templates.template_sources import TemplateLayer
from tui import commands
from tui.app import SwarmApp
from tui.keymap import checked_keymap, is_key
from tui.screens.help import HelpScreen
from tui.screens.new_run import NewRun
from tui.screens.palette import Palette
from tui.screens.side_by_side import RunComparison
from tui.services.queue_actions import farewell
from tui.widgets.runs.message_bar import MessageBar
from tui.widgets.runs.message_queue import MessageQueue


@pytest.fixture
def engine() -> FakeEngine:
    return four_runs()


async def test_quit_without_live_runs_just_quits() -> None:
    engine = FakeEngine()
    engine.add("a1", "Done")
    engine.pass_through("a1", S.PREPARING, S.RUNNING, S.SUCCEEDED)
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("q")
        await pilot.pause()
    assert not app.is_running
    assert engine.asked == []


async def test_quit_asks_where_live_runs_end_with_the_window(engine: FakeEngine) -> None:
    app = SwarmApp(engine, clock=lambda: engine.now, goes_on=False)
    async with app.run_test(size=NARROW) as pilot:
        for answer in ("escape", "enter"):
            await pilot.press("q")
            await pilot.pause()
            assert "2 runs are not finished and end with this window." in shown(app)
            await pilot.press(answer)
            await pilot.pause()
            assert app.screen is screen_of(app)
        assert engine.asked == []
        await pilot.press("q", "q")
        await pilot.pause()
    assert not app.is_running
    assert engine.asked == [("cancel", "d4"), ("cancel", "c3")]  # what waits, first


async def test_runs_that_begin_while_the_dashboard_ends_are_cancelled_too(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancel = engine.cancel

    async def start_another(run: str, *, kill: bool = False) -> Run:
        if run == "c3":  # the last one that was live when the user quit
            engine.add("late", "Begun by a script")
        return await cancel(run, kill=kill)

    monkeypatch.setattr(engine, "cancel", start_another)
    app = SwarmApp(engine, clock=lambda: engine.now, goes_on=False)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("q", "q")
        await becomes(lambda: not app.is_running)
    assert engine.asked == [("cancel", "d4"), ("cancel", "c3"), ("cancel", "late")]


async def test_quit_exits_at_once_where_live_runs_continue(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("q")
        await pilot.pause()
    assert not app.is_running
    assert engine.asked == []
    assert app.queue.farewell == (
        "2 runs continue. `swarm-tui` shows them; `swarm-tui cancel --all` stops them."
    )


def test_the_last_line_counts_runs() -> None:
    assert farewell(1) == (
        "1 run continues. `swarm-tui` shows it; `swarm-tui cancel --all` stops it."
    )
    assert farewell(3).startswith("3 runs continue.")


async def test_nothing_is_left_behind_where_nothing_can_go_on(engine: FakeEngine) -> None:
    app = SwarmApp(engine, clock=lambda: engine.now, goes_on=False)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("q")
        await pilot.pause()
        assert "leave" not in shown(app)
        await pilot.press("enter")
        await pilot.pause()
        assert app.screen is screen_of(app)
        await pilot.press("q")
        await pilot.pause()
        await pilot.press("q")
        await pilot.pause()
    assert not app.is_running
    assert engine.view.runs["c3"].status is S.CANCELLED


async def test_the_palette_finds_commands_by_name_and_greys_the_rest(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        await pilot.press("colon", *"continue in its", "enter")
        await pilot.pause()
        assert isinstance(app.screen, Palette)  # greyed: the run is still running
        await pilot.press("escape", "ctrl+p", *"run.cancel", "enter")
        await until(pilot, lambda: engine.view.runs["c3"].status is S.CANCELLED)
        assert app.screen is screen_of(app)
        await pilot.press("ctrl+p", *"switch dark", "enter")
        await pilot.pause()
        assert app.theme == "swarm-light"


async def test_the_palette_finds_runs_screens_and_templates(engine: FakeEngine) -> None:
    class Templates(FakeTemplates):
        async def all(self, repository: Path | None = None) -> dict[str, Template]:
            keys = KEYS(description="Sows and waters", prompt="sow")
            return {"garden": Template("garden", TemplateLayer.OWN, Path("/t/garden.yaml"), keys)}

        def preview(self, template: Template, given: object) -> RenderedTemplate:
            return RenderedTemplate(template.name, "sow", None, None, template.keys)

    engine.templates = Templates()
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await choose(pilot, "d4")
        await pilot.press("slash", *"tidy", "enter", "6", "colon", *"parser fail", "enter")
        await until_chosen(pilot, "b2")
        assert app.screen is screen_of(app)
        assert listed(app) == ["b2", "c3", "d4", "a1"]
        await pilot.press("colon", *"check this", "enter")
        await pilot.pause()
        assert app.current_mode == "doctor"
        await pilot.press("colon", *"sows", "enter")
        await pilot.pause()
        assert isinstance(app.screen, NewRun)
        assert app.forms.draft
        assert app.forms.draft.template == "garden"


async def until_chosen(pilot: Pilot[None], run_id: str) -> None:
    """Wait until the list is shown again, with its cursor on a run."""
    app = pilot.app
    assert isinstance(app, SwarmApp)
    async with asyncio.timeout(LIMIT_S):
        while app.current_mode != "runs" or chosen(app) != run_id:
            await pilot.pause(0.01)


async def test_help_shows_every_key_of_the_screen(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=(120, 140)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        scopes = {"app", "runs", "list", "log", "logs", "files"}
        for command in commands.COMMANDS:
            if command.keys and command.scope in scopes:
                assert command.help in shown(app)
        await pilot.press("question_mark")
        await pilot.pause()
        assert app.screen is screen_of(app)


async def test_keys_can_be_chosen_in_the_settings(engine: FakeEngine) -> None:
    keys = {"run.cancel": "O", "run.cansel": "c", "list.sort": "n"}
    engine.config = FakeEngine(UiSettings(keys=keys, theme="nope")).config
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        told = "\n".join(toasts(app))
        assert "no command run.cansel. Did you mean run.cancel?" in told
        assert "n means both run.new and list.sort" in told
        assert "no theme nope" in told
        assert "O cancel" in shown(app).splitlines()[-1]
        await pilot.press("x")
        await pilot.pause()
        assert engine.asked == []
        await pilot.press("O")
        await pilot.pause()
        assert engine.asked == [("cancel", "c3")]


async def test_every_command_has_somebody_who_carries_it_out(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        runs = screen_of(app)
        others = {}
        for mode in (
            "batch",
            "changes",
            "disk",
            "doctor",
            "find",
            "inbox",
            "nodes",
            "patterns",
            "rundiff",
            "templates",
            "usage",
        ):
            await app.switch_mode(mode)
            assert app.live_screen
            others[mode] = app.live_screen
        await app.switch_mode("notifications")
        assert app.live_screen
        others["notify"] = app.live_screen
        others |= {"code": others["changes"], "disktree": others["disk"]}
        for command in commands.COMMANDS:
            opened = {
                "compare": RunComparison,
                "form": NewRun,
                "message": MessageBar,
                "queue": MessageQueue,
            }.get(command.scope)
            if opened:  # when it is asked for
                assert hasattr(opened, f"action_{command.action}"), command.id
                continue
            screen = others.get(command.scope, runs)
            carrier = app if command.scope == "app" else screen.carrier(command.scope)
            assert carrier is not None, command.id
            assert hasattr(carrier, f"action_{command.action}"), command.id
    ids = [command.id for command in commands.COMMANDS]
    assert len(ids) == len(set(ids))


async def test_a_burst_of_keys_reaches_what_it_was_meant_for(engine: FakeEngine) -> None:
    def burst(*keys: str) -> None:
        for key in keys:
            app.post_message(
                events.Key(key, {"slash": "/", "enter": "\r", "escape": None}.get(key, key))
            )

    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        burst("slash", *"xrqn", "enter")
        await pilot.pause()
        assert screen_of(app).panes.filter_input.text == "xrqn"
        burst("escape", "j", "x")
        await pilot.pause()
        burst("n", *"xrq")
        await pilot.pause()
        assert engine.asked == [("cancel", "c3")]


def test_keys_clash_only_where_both_can_be_pressed() -> None:
    assert checked_keymap({"doctor.look": "r", "doctor.end": "x"})[1] == []
    assert checked_keymap({"log.unfold": "space"})[1] == []
    assert checked_keymap({"queue.pause": "r"})[1] == [
        "ui.keys: r means both run.retry and queue.pause.",
        "ui.keys: r means both queue.pause and notify.again.",
        "ui.keys: r means both queue.pause and batch.retry.",
    ]


def test_keys_that_do_not_exist_are_told_with_the_nearest() -> None:
    said = {
        "run.cancel": "contrl+x",
        "run.kill": "pgup",
        "run.retry": "",
        "run.edit": "ctrl+E,@",
        "run.resume": "[",
        "queue.pause": "f6",
    }
    usable, problems = checked_keymap(said)
    assert problems == [
        "ui.keys: run.cancel: there is no key contrl+x. Did you mean ctrl+x?",
        "ui.keys: run.kill: there is no key pgup. Did you mean pageup?",
        "ui.keys: run.retry: missing key.",
        "ui.keys: [ means both run.resume and tab.previous.",
    ]
    assert usable == {
        "run.edit": "ctrl+E,@",
        "run.resume": "left_square_bracket",
        "queue.pause": "f6",
    }
    for command in commands.COMMANDS:
        for key in filter(None, command.keys.split(",")):
            assert is_key(key), key


async def test_the_doctor_finds_what_is_wrong_with_keys(engine: FakeEngine) -> None:
    engine.config = FakeEngine(UiSettings(keys={"run.cansel": "c"})).config
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("6")
        await pilot.pause()
        assert "there is no command run.cansel. Did you mean run.cancel?" in shown(app)
