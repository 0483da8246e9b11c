"""The keys that dismiss, archive, tag and annotate runs, in the list and in the review."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import fake_engine
import pytest
from fake_engine import (
    FakeEngine,
    app_on,
    choose,
    chosen,
    listed,
    painted,
    screen_of,
    shown,
)
from textual.pilot import Pilot
from textual.widgets import Input

from engine.domain.annotation import Annotation
from engine.domain.model import Run, RunSpec, Status
from tui import formatting
from tui.app import SwarmApp
from tui.models.filters import completions
from tui.screens.changes import ChangesScreen
from tui.screens.live import CodeRequested
from tui.screens.tags import TagsDialog
from tui.screens.write import WriteDialog

WIDE = (120, 40)
SMALL = (80, 24)
LIMIT_S = 60
S = Status


def three_failed() -> FakeEngine:
    """Three failed runs, of which the newest comes first, and one at work."""
    engine = FakeEngine()
    for number in (1, 2, 3):
        engine.add(f"f{number}", f"Task {number}")
        engine.pass_through(f"f{number}", S.PREPARING, S.RUNNING, S.FAILED)
    engine.add("w1", "At work")
    engine.pass_through("w1", S.PREPARING, S.RUNNING)
    return engine


def toasts(app: SwarmApp) -> list[str]:
    return [text.strip() for text in fake_engine.toasts(app)]


async def until(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    """Wait until it holds: dialogs and workers report to no one."""
    async with asyncio.timeout(LIMIT_S):
        while not holds():
            await pilot.pause(0.01)
    await painted(pilot)


async def dialog(pilot: Pilot[None], app: SwarmApp, kind: type) -> None:
    await until(pilot, lambda: isinstance(app.screen, kind))
    await painted(pilot)


async def type_line(pilot: Pilot[None], app: SwarmApp, text: str) -> None:
    app.screen.query_one(Input).value = text
    await pilot.press("enter")
    await until(pilot, lambda: app.screen is app.live_screen)


async def test_dismissed_runs_leave_the_top_and_the_cursor_goes_on() -> None:
    engine = three_failed()
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "f3")
        await pilot.press("M")
        await until(pilot, lambda: engine.view.runs["f3"].is_dismissed and chosen(app) == "f2")
        await until(pilot, lambda: toasts(app)[-1:] == ["Task 3 dismissed: u undoes."])
        await pilot.press("M")
        await until(pilot, lambda: engine.view.runs["f2"].is_dismissed and chosen(app) == "f1")
        await pilot.press("u")
        await until(pilot, lambda: not engine.view.runs["f2"].is_dismissed)
        await until(pilot, lambda: chosen(app) == "f2")
        assert engine.view.runs["f3"].is_dismissed
        await choose(pilot, "f3")
        await pilot.press("M")
        await until(pilot, lambda: not engine.view.runs["f3"].is_dismissed)
        assert toasts(app)[-1] == "Task 3 no longer dismissed."


async def test_archived_runs_leave_the_list_and_are_found_by_the_filter() -> None:
    engine = three_failed()
    app = app_on(engine)
    async with app.run_test(size=SMALL) as pilot:
        await choose(pilot, "f2")
        await pilot.press("Z")
        await until(pilot, lambda: "f2" not in listed(app) and chosen(app) == "f1")
        screen_of(app).browser.filter("is:archived")
        await until(pilot, lambda: listed(app) == ["f2"])
        await pilot.press("Z")
        await until(pilot, lambda: listed(app) == [])
        screen_of(app).browser.filter("")
        await until(pilot, lambda: listed(app) == ["f3", "f2", "f1", "w1"])


@pytest.mark.parametrize(("key", "state"), [("M", "is_dismissed"), ("Z", "is_archived")])
async def test_marked_runs_are_put_aside_together_and_come_back_together(
    key: str, state: str
) -> None:
    engine = three_failed()
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("A", key)  # the run at work is left out
        await until(pilot, lambda: getattr(engine.view.runs["f1"], state))
        assert toasts(app)[-1].startswith("3 runs ")
        assert not getattr(engine.view.runs["w1"], state)
        assert not screen_of(app).browser.marked()
        await pilot.press("u")
        await until(
            pilot, lambda: not any(getattr(run, state) for run in engine.view.runs.values())
        )


async def test_the_runs_under_a_heading_are_dismissed_together() -> None:
    engine = three_failed()
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("b", "g", "M")
        await until(pilot, lambda: all(engine.view.runs[f"f{n}"].is_dismissed for n in (1, 2, 3)))


async def test_a_run_at_work_cannot_be_put_aside_and_the_reason_is_shown() -> None:
    engine = three_failed()
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "w1")
        await pilot.press("M", "Z")
        await painted(pilot)
        assert not engine.view.runs["w1"].is_dismissed
        screen = screen_of(app)
        for command in ("run.dismiss", "run.archive"):
            reason = screen.why_not(command)
            assert reason and reason.code == "RUN_NOT_ENDED"
        assert screen.check_action("dismiss_run", ()) is None


async def test_tags_are_typed_completed_and_removed_in_one_line() -> None:
    engine = three_failed()
    engine.happen("f1", Annotation(tags=("docs", "release-2")))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "f3")
        await pilot.press("number_sign")
        await dialog(pilot, app, TagsDialog)
        assert "Known: docs release-2" in shown(app)
        await pilot.press("r", "e")
        line = app.screen.query_one(Input)
        await until(pilot, lambda: line._suggestion == "release-2")  # pyright: ignore[reportPrivateUsage]  the text behind the cursor
        await pilot.press("right", "space", "x", "enter")
        await until(pilot, lambda: engine.view.runs["f3"].tags == ("release-2", "x"))
        await painted(pilot)
        assert "Task 3 #release-2 #x" in shown(app)
        await pilot.press("number_sign")
        await dialog(pilot, app, TagsDialog)
        await type_line(pilot, app, "x")
        assert engine.view.runs["f3"].tags == ("x",)
        assert toasts(app)[-1] == "Task 3: x."


async def test_tags_of_marked_runs_are_added_to_each_and_others_stay() -> None:
    engine = three_failed()
    engine.happen("f1", Annotation(tags=("docs", "old")))
    engine.happen("f2", Annotation(tags=("old",)))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        for run in ("f1", "f2"):
            await choose(pilot, run)
            await pilot.press("space")
        await pilot.press("number_sign")
        await dialog(pilot, app, TagsDialog)
        assert app.screen.query_one(Input).value == "old "
        assert "Some of the runs have, and keep: docs" in shown(app)
        await type_line(pilot, app, "new")
        assert engine.view.runs["f1"].tags == ("docs", "new")
        assert engine.view.runs["f2"].tags == ("new",)
        assert not screen_of(app).browser.marked()


@pytest.mark.parametrize("typed", ["a,b", "x" * 41, '"'])
async def test_an_invalid_tag_stays_in_the_line_with_its_reason(typed: str) -> None:
    engine = three_failed()
    app = app_on(engine)
    async with app.run_test(size=SMALL) as pilot:
        await choose(pilot, "f1")
        await pilot.press("number_sign")
        await dialog(pilot, app, TagsDialog)
        line = app.screen.query_one(Input)
        line.value = typed
        await pilot.press("enter")
        await until(pilot, lambda: bool(app.screen.query("#hint.-error")))
        assert line.value == typed and engine.view.runs["f1"].tags == ()
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.live_screen)


async def test_a_note_is_written_marked_in_the_list_and_removed() -> None:
    engine = three_failed()
    app = app_on(engine)
    async with app.run_test(size=SMALL) as pilot:
        await choose(pilot, "f1")
        await pilot.press("semicolon")
        await dialog(pilot, app, WriteDialog)
        await pilot.press(*"later", "ctrl+s")
        await until(pilot, lambda: engine.view.runs["f1"].note == "later")
        await until(pilot, lambda: app.screen is app.live_screen)
        await painted(pilot)
        assert f"Task 1 {formatting.note_mark()}" in shown(app)
        assert toasts(app)[-1] == "Task 1: note set."
        await pilot.press("semicolon")
        await dialog(pilot, app, WriteDialog)
        assert "later" in shown(app)
        await pilot.press("ctrl+u", "ctrl+s")
        await until(pilot, lambda: not engine.view.runs["f1"].note)
        await until(pilot, lambda: toasts(app)[-1] == "Task 1: note removed.")


async def test_the_review_archives_tags_and_annotates_its_run() -> None:
    engine = three_failed()
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "f2")
        screen_of(app).post_message(CodeRequested("changes", "f2"))
        await until(
            pilot, lambda: isinstance(app.screen, ChangesScreen) and app.screen.run is not None
        )
        await pilot.press("number_sign")
        await dialog(pilot, app, TagsDialog)
        await type_line(pilot, app, "seen")
        await pilot.press("semicolon")
        await dialog(pilot, app, WriteDialog)
        await pilot.press("x", "ctrl+s")
        await until(pilot, lambda: app.screen is app.live_screen)
        await pilot.press("Z")
        await until(pilot, lambda: engine.view.runs["f2"].is_archived)
        assert (engine.view.runs["f2"].tags, engine.view.runs["f2"].note) == (("seen",), "x")


async def test_runs_are_grouped_by_their_tags() -> None:
    engine = three_failed()
    engine.happen("f1", Annotation(tags=("b", "a")))
    engine.happen("f2", Annotation(tags=("a", "b")))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("b", "b", "b", "b")
        await painted(pilot)
        assert "Runs 4 · in groups of the same tags" in shown(app)
        assert "a b" in shown(app) and "no tags" in shown(app)
        assert listed(app) == ["f2", "f1", "f3", "w1"]


def tagged(*tags: str) -> Run:
    run = Run("a1", RunSpec(prompt="p", title="t", project="p"), 0, status=S.FAILED)
    run.tags = tags
    return run


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("tag:", ["tag:docs", "tag:web"]),
        ("!tag:w", ["!tag:docs", "!tag:web"]),
        ("tag:web,d", ["tag:web,docs", "tag:web,web"]),
        (
            "is:arch",
            [
                "is:archived",
                "is:dismissed",
                "is:applied",
                "is:needs-you",
                "is:review",
                "is:expensive",
            ],
        ),
        ("ta", []),
        ("nothing:x", []),
        ("https://x", []),
        ('tag:"d', []),
    ],
)
def test_terms_of_the_filter_are_completed(term: str, found: Sequence[str]) -> None:
    assert list(completions(term, [tagged("docs"), tagged("web", "docs")])) == found


async def test_a_tag_is_completed_in_the_filter() -> None:
    engine = three_failed()
    engine.happen("f1", Annotation(tags=("release-2",)))
    app = app_on(engine)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("slash", *"tag:rel")
        await until(pilot, lambda: "tag:release-2" in shown(app))
        await pilot.press("right")
        await until(pilot, lambda: listed(app) == ["f1"])
        assert screen_of(app).browser.options.text == "tag:release-2"


@pytest.mark.parametrize(
    ("room", "text"),
    [(30, " #docs #web"), (11, " #docs #web"), (10, " #docs …"), (7, " …"), (2, " …"), (1, "")],
)
def test_tags_are_shown_as_far_as_there_is_room(room: int, text: str) -> None:
    assert formatting.tags_in(tagged("docs", "web"), room) == text
