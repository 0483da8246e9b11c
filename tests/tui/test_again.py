"""Another attempt: as it was, with another prompt, with a message, from scratch."""

from __future__ import annotations

import pytest
from fake_engine import (
    NARROW,
    WIDE,
    FakeEngine,
    S,
    app_on,
    choose,
    four_runs,
    plain,
    screen_of,
    shown,
    taken,
    toasts,
    until,
)

from engine.domain.errors import user_error
from engine.domain.events import Notice, Progressed
from engine.domain.model import Stage
from tui.screens.write import WriteDialog


@pytest.fixture
def engine() -> FakeEngine:
    engine = four_runs()
    thread = {"thread_id": "t-1", "path": "/home/you/ws/b2", "kind": "empty"}
    engine.add("e5", "Draw the map")
    engine.pass_through("e5", S.PREPARING, S.RUNNING)
    engine.happen("e5", Progressed(Stage.EXECUTING, "thinking", 30, details=thread))
    engine.pass_through("e5", S.FAILED)
    return engine


@pytest.mark.parametrize("send", ["ctrl+s", "ctrl+enter"])
async def test_the_prompt_is_edited_and_the_run_retried(engine: FakeEngine, send: str) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await choose(pilot, "e5")
        await pilot.press("e")
        await pilot.pause()
        assert "Edit and retry · Draw the map" in shown(app)
        await pilot.press(*" now", send)
        await until(pilot, lambda: engine.view.runs["e5"].attempt == 2)
        assert engine.asked == [("edit", "e5: Please Draw the map now")]
        assert app.screen is screen_of(app)


async def test_a_thread_is_resumed_with_a_message(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "e5")
        await pilot.press("R", "ctrl+s")
        await pilot.pause()
        assert isinstance(app.screen, WriteDialog)  # an empty message is none
        await pilot.press(*"Go on", "enter", *"please", "tab", "tab", "enter")
        await until(pilot, lambda: engine.view.runs["e5"].attempt == 2)
        assert engine.asked == [("resume", "e5: Go on\nplease")]
        assert "attempt 2" in shown(app)


async def test_what_was_written_survives_a_refusal_and_leaving(engine: FakeEngine) -> None:
    engine.refusal = user_error("CODEX_CLI_MISSING", "No [/red] Codex.", "Install it.")
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await choose(pilot, "e5")
        await pilot.press("R", *"Half", "ctrl+s")
        await pilot.pause()
        assert "No [/red] Codex." in shown(app)
        assert "Install it." in shown(app)
        await pilot.press("escape", "R")
        await pilot.pause()
        assert "Half" in shown(app)
        engine.refusal = None
        await pilot.press(*" done", "ctrl+s")
        await until(pilot, lambda: engine.view.runs["e5"].attempt == 2)
        assert engine.asked[-1] == ("resume", "e5: Half done")


async def test_without_a_thread_or_an_end_the_keys_are_grey_and_say_why(
    engine: FakeEngine,
) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "b2")
        await pilot.press("R")
        await choose(pilot, "c3")
        await pilot.press("e", "R", "r")
        await pilot.pause()
        assert app.screen is screen_of(app)
        assert engine.asked == []
        assert "never got a Codex thread" in toasts(app)[0]
        assert all("RUN_NOT_RETRYABLE" in toast for toast in toasts(app)[1:])


async def test_from_scratch_is_in_the_palette_and_asks(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "e5")
        await pilot.press("ctrl+p", *"run.fresh", "enter")
        await pilot.pause()
        assert "The old workspace stays: /home/you/ws/b2" in plain(app)
        await pilot.press("enter")
        await pilot.pause()
        assert engine.asked == []
        await pilot.press("ctrl+p", *"run.fresh", "enter", "r")
        await until(pilot, lambda: engine.view.runs["e5"].attempt == 2)
        assert engine.asked == [("retry fresh", "e5")]


async def test_x_on_marks_asks_and_takes_those_that_are_live(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "a1")
        await pilot.press("A", "x")
        await pilot.pause()
        assert "5 marked" in shown(app)
        assert "Cancel 2 runs: “Port the tests” and “Tidy up”?" in shown(app)
        assert "[x] Cancel 2 runs" in shown(app)
        await pilot.press("enter")  # keep
        await pilot.pause()
        assert engine.asked == []
        await pilot.press("x", "x")
        await until(pilot, lambda: engine.view.runs["c3"].status is S.CANCELLED)
        assert engine.asked == [("cancel", "d4"), ("cancel", "c3")]  # what waits, first
        assert screen_of(app).panes.run_list.marks.ids == set()


async def test_one_mark_is_cancelled_without_a_question_wherever_the_cursor_is(
    engine: FakeEngine,
) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        await pilot.press("space", "G", "x")
        await until(pilot, lambda: engine.view.runs["c3"].status is S.CANCELLED)
        assert engine.asked == [("cancel", "c3")]


async def test_marks_are_retried_and_killed(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "b2")
        await pilot.press("v", "G", "r")
        await pilot.pause()
        assert "Retry 2 runs: “Fix the parser” and “Write the docs”? 1 of them succeeded" in plain(
            app
        )
        assert engine.asked == []
        await pilot.press("r")
        await until(pilot, lambda: engine.view.runs["a1"].attempt == 2)
        assert engine.asked == [("retry", "b2"), ("retry", "a1")]
        await choose(pilot, "c3")
        await pilot.press("space", "space", "X", "X")
        await until(pilot, lambda: engine.view.runs["c3"].status is S.CANCELLED)
        assert engine.asked[2:] == [("kill", "d4"), ("kill", "c3")]


async def test_a_succeeded_run_is_retried_after_a_question(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await choose(pilot, "a1")
        for leave in ("enter", "escape"):
            await pilot.press("r")
            await pilot.pause()
            assert "Retry “Write the docs”? It succeeded" in plain(app)
            await pilot.press(leave)
            await pilot.pause()
        assert engine.asked == []
        await pilot.press("r", "r")
        await until(pilot, lambda: engine.view.runs["a1"].attempt == 2)
        assert engine.asked == [("retry", "a1")]


async def test_marked_runs_that_did_not_succeed_are_retried_at_once(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        screen_of(app).panes.run_list.marks.set(["b2", "e5"])
        await pilot.press("r")
        await until(pilot, lambda: len(engine.asked) == 2)
        assert sorted(engine.asked) == [("retry", "b2"), ("retry", "e5")]


async def test_marks_of_which_none_can_be_say_so(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "b2")
        await pilot.press("space")
        await choose(pilot, "a1")
        await pilot.press("space", "g", "x")
        await pilot.pause()
        assert engine.asked == []
        assert "None of the marked runs is live." in toasts(app)[0]


async def test_one_message_goes_to_all_that_are_marked(engine: FakeEngine) -> None:
    thread = {"thread_id": "t-2", "path": "/home/you/ws/f6", "kind": "empty"}
    engine.add("f6", "Draw the sea")
    engine.pass_through("f6", S.PREPARING, S.RUNNING)
    engine.happen("f6", Progressed(Stage.EXECUTING, "thinking", 30, details=thread))
    engine.pass_through("f6", S.FAILED)
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")  # which is live, and not marked
        await pilot.press("A", "R")
        await pilot.pause()
        assert "Resume · 2 runs" in shown(app)
        engine.refusal = user_error("DATABASE_LOCKED")
        await pilot.press(*"Go on", "ctrl+s")
        await pilot.pause()
        assert isinstance(app.screen, WriteDialog)
        engine.refusal = None
        await pilot.press("ctrl+s")
        await until(pilot, lambda: engine.view.runs["e5"].attempt == 2)
        assert engine.asked[1:] == [("resume", "f6: Go on"), ("resume", "e5: Go on")]
        assert screen_of(app).panes.run_list.marks.ids == set()


async def test_one_prompt_is_edited_for_all_marked_runs(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        screen_of(app).panes.run_list.marks.set(["b2", "e5"])
        await pilot.press("e")
        await pilot.pause()
        dialog = app.screen
        assert isinstance(dialog, WriteDialog)
        assert "Edit and retry · 2 runs" in shown(app)
        await pilot.press(*"Once more", "ctrl+s")
        await until(pilot, lambda: app.screen is screen_of(app))
        retried = [ask for ask in engine.asked if ask[0] == "edit"]
        assert [ask[1].endswith("Once more") for ask in retried] == [True, True]
        assert screen_of(app).panes.run_list.marks.ids == set()


async def test_escape_clears_the_marks_before_it_leads_back(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        marks = screen_of(app).panes.run_list.marks
        await pilot.press("slash", *"e", "enter", "A")
        await pilot.pause()
        assert f"{len(marks.ids)} marked" in shown(app).splitlines()[-1]
        await pilot.press("escape")
        await pilot.pause()
        assert marks.ids == set()
        assert "marked" not in shown(app).splitlines()[-1]
        assert screen_of(app).panes.filter_input.text == "e"
        await pilot.press("escape")
        await pilot.pause()
        assert screen_of(app).panes.filter_input.text == ""


async def test_what_has_no_source_has_no_home(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "e5")
        await pilot.press("a")
        await pilot.pause()
        assert app.screen is screen_of(app)
        assert "The run e5 has no source" in toasts(app)[0]


async def test_undo_is_offered_once_something_was_deleted(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("G", "u")
        assert "Nothing was changed here that can be undone." in toasts(app)[-1]
        engine.happen("a1", Notice("info", "deleted", trash=True))
        await taken(pilot)
        assert app.screen.active_bindings["u"].enabled
        engine.happen("a1", Notice("info", "brought back", trash=False))
        await taken(pilot)
        assert not app.screen.active_bindings["u"].enabled


async def test_cancelling_names_the_runs_that_wait_and_asks(engine: FakeEngine) -> None:
    engine.add("w1", "Ship it", after=("c3",))
    engine.add("w2", "Announce it", after=("w1",))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        await pilot.press("x")
        await pilot.pause()
        text = plain(app)
        assert "Cancel “Port the tests”? Its workspace stays." in text
        assert "“Ship it” and “Announce it” wait for it and will be cancelled too." in text
        await pilot.press("escape")
        await pilot.pause()
        assert engine.asked == []
        await pilot.press("x", "x")
        await until(pilot, lambda: ("cancel", "c3") in engine.asked)


async def test_a_run_that_no_other_waits_for_is_cancelled_at_once(engine: FakeEngine) -> None:
    engine.add("w1", "Ship it", after=("c3",))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "w1")
        await pilot.press("x")
        await until(pilot, lambda: ("cancel", "w1") in engine.asked)


async def test_killing_names_the_runs_that_wait(engine: FakeEngine) -> None:
    engine.add("w1", "Ship it", after=("c3",))
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await choose(pilot, "c3")
        await pilot.press("X")
        await pilot.pause()
        assert "“Ship it” waits for it and will be cancelled too." in plain(app)
