"""The contents of a log: the prompt first, each edit once, book-keeping on request."""

from __future__ import annotations

import pytest
from log_samples import (
    EVERY_KIND,
    LogHost,
    command,
    edit,
    events,
    message,
    opened,
    press,
    seen,
    settled,
)

from engine.domain.events import CheckpointTaken, FileChange, FilesChanged, Notice, StatusChanged
from engine.domain.kinds import KINDS
from engine.domain.model import Status
from tui.widgets.base import throttle
from tui.widgets.log import event_feed, event_window

PROMPT = "Remove the loop in the parser."
QUEUED = StatusChanged(Status.QUEUED)
KIND = {kind.name: kind for kind in KINDS}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paint live events at once, so that no test waits for the clock."""
    monkeypatch.setattr(throttle, "FLUSH_S", 0.0)


async def test_a_log_is_prompt_messages_commands_edits_problems_and_the_end() -> None:
    async with LogHost(events("r", *EVERY_KIND)).run_test(size=(100, 50)) as pilot:
        app = await opened(pilot)
        assert app.texts == [
            PROMPT,
            "Reading the parser",
            "Two loops.",
            "",
            "Planning",
            "One is enough.",
            "1/2 · Remove it",
            "I remove the second loop.",
            "M src/generated.py",
            "M src/parser.py",
            "make",
            "built",
            "120 files",
            "exit 1 · pytest -q",
            "2 failed, 55 passed",
            "files.read",
            "python parser loops",
            "Reconnecting 1/5",
            '{"type": "item.new", "text": "unknown"}',
            "Check failed: 2 failed. (VERIFY_FAILED)",
            "Retry.",
            "failed · VERIFY_FAILED",
        ]
        titles = [row for _, row, _ in map(app.log_view.window.at, range(8)) if row.tone == "title"]
        assert [row.text for row in titles] == ["Reading the parser", "Planning"]


async def test_one_key_shows_and_hides_the_book_keeping() -> None:
    async with LogHost(events("r", *EVERY_KIND)).run_test(size=(100, 50)) as pilot:
        app = await opened(pilot)
        without = app.texts
        await press(pilot, "full_stop")
        added = [text for text in app.texts if text not in without]
        assert added == [
            "preparing",
            "preparing · 5%",
            "checkpoint 0 · baseline",
            "running",
            "thinking · 30%",
            "9.0k in · 700 out · 4.0k cached",
            "5h 40% used",
            "122 files +240 −12",
            "last-message.md · 512 B",
        ]
        assert str(app.log_view.border_title) == "Log · with book-keeping"
        await press(pilot, "full_stop")
        assert app.texts == without
        assert str(app.log_view.border_title) == "Log"


async def test_the_choice_stays_for_other_runs_and_live_events() -> None:
    told = [*events("r", QUEUED), *events("s", QUEUED, CheckpointTaken(1, "edit", "x"))]
    async with LogHost(told).run_test(size=(100, 50)) as pilot:
        app = await opened(pilot)
        await press(pilot, "full_stop")
        await app.happen(pilot, CheckpointTaken(2, "check", "x"))
        assert app.texts == [PROMPT, "checkpoint 2 · check"]
        await app.pane.open("s")
        await settled(pilot)
        assert app.texts == [PROMPT, "checkpoint 1 · edit"]
        await press(pilot, "full_stop")
        await app.happen(pilot, CheckpointTaken(3, "end", "x"), run="s")
        assert app.texts == [PROMPT]


async def test_the_toggle_keeps_the_reader_at_the_event() -> None:
    saved = CheckpointTaken(1, "a", "x")
    bodies = [saved if n % 2 else Notice("info", f"n {n}") for n in range(90)]
    async with LogHost(events("r", QUEUED, *bodies)).run_test(size=(100, 20)) as pilot:
        app = await opened(pilot)
        await press(pilot, "g", "j", "j", "j", "j", "j")
        here = app.log_view.here_seq
        assert app.texts[app.log_view.cursor_line] == "n 8"
        await press(pilot, "full_stop")
        assert app.log_view.here_seq == here
        assert app.texts[app.log_view.cursor_line] == "n 8"
        assert not app.log_view.following


async def test_a_search_shows_a_hidden_event_it_finds() -> None:
    told = events("r", QUEUED, CheckpointTaken(7, "needle", "x"), Notice("info", "end"))
    async with LogHost(told).run_test(size=(100, 20)) as pilot:
        app = await opened(pilot)
        assert app.texts == [PROMPT, "end"]
        await press(pilot, "slash", *"needle", "enter")
        assert app.texts[app.log_view.cursor_line] == "checkpoint 7 · needle"


async def test_a_search_finds_the_prompt() -> None:
    told = events("r", QUEUED, Notice("info", "a parser"), Notice("info", "end"))
    async with LogHost(told).run_test(size=(100, 20)) as pilot:
        app = await opened(pilot)
        await press(pilot, "slash", *"parser", "enter")
        assert app.texts[app.log_view.cursor_line] == "a parser"
        await press(pilot, "N")
        assert app.texts[app.log_view.cursor_line] == PROMPT
        assert "1/2" in str(app.log_view.border_subtitle)


async def test_a_flood_of_hidden_events_ends_and_hides_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_feed, "PAGE", 40)
    monkeypatch.setattr(event_window, "MAX_EVENTS", 100)
    flood = [CheckpointTaken(n, "a", "x") for n in range(2_000)]
    told = events("r", QUEUED, Notice("info", "before"), *flood, Notice("info", "after"))
    async with LogHost(told).run_test(size=(100, 20)) as pilot:
        app = await opened(pilot)
        assert app.texts == [PROMPT, "before", "after"]
        assert len(app.log_view.window.entries) == 3


async def test_new_events_are_counted_without_book_keeping() -> None:
    told = events("r", QUEUED, *(Notice("info", f"n {n}") for n in range(60)))
    async with LogHost(told).run_test(size=(100, 20)) as pilot:
        app = await opened(pilot)
        await press(pilot, "g")
        await app.happen(pilot, *(CheckpointTaken(n, "a", "x") for n in range(5)))
        await app.happen(pilot, Notice("info", "new"))
        assert app.log_view.waiting == 1


async def test_a_change_that_the_agent_did_not_report_stays() -> None:
    async with LogHost(events("r", QUEUED)).run_test(size=(100, 20)) as pilot:
        app = await opened(pilot)
        await app.happen(pilot, edit("started", "a.py"), edit("completed", "a.py"), at=10)
        await app.happen(pilot, seen("a.py", "b.py"), at=10.2)
        assert app.texts == [PROMPT, "M a.py", "M b.py"]
        await app.happen(pilot, command("completed", "sed"), seen("a.py"), at=12)
        assert app.texts[3:] == ["sed", "M a.py"]
        deleted = FilesChanged((FileChange("a.py", "deleted"),))
        await app.happen(pilot, edit("completed", "a.py"), deleted, at=30)
        assert app.texts[5:] == ["M a.py", "D a.py"]


async def test_a_report_right_before_the_edit_is_the_same_edit() -> None:
    async with LogHost(events("r", QUEUED)).run_test(size=(100, 20)) as pilot:
        app = await opened(pilot)
        await app.happen(pilot, seen("a.py", "b.py"), at=10)
        assert app.texts[1:] == ["M a.py, M b.py"]
        await app.happen(pilot, edit("completed", "a.py"), at=10.3)
        assert app.texts[1:] == ["M b.py", "M a.py"]


async def test_an_edit_on_an_earlier_page_folds_the_report_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_feed, "PAGE", 20)
    bodies = [Notice("info", f"n {n}") for n in range(40)]
    told = events("r", QUEUED, edit("completed", "a.py"), seen("a.py"), *bodies[:18], step_s=0.01)
    async with LogHost(told).run_test(size=(100, 30)) as pilot:
        app = await opened(pilot)
        assert app.texts[:3] == [PROMPT, "M a.py", "n 0"]


async def test_the_kind_of_everything_shows_both_reports_of_an_edit() -> None:
    told = events("r", QUEUED, edit("completed", "a.py"), seen("a.py"))
    async with LogHost(told).run_test(size=(100, 30)) as pilot:
        app = await opened(pilot)
        app.pane.choose_kind(KIND["all"])
        await settled(pilot)
        assert app.texts == [PROMPT, "M a.py", "M a.py"]


async def test_a_failed_edit_hides_no_change() -> None:
    told = events("r", QUEUED, edit("started", "a.py"), edit("failed", "a.py"), seen("a.py"))
    async with LogHost(told).run_test(size=(100, 30)) as pilot:
        app = await opened(pilot)
        assert app.texts == [PROMPT, "M a.py", "M a.py"]


async def test_every_run_of_all_has_a_colour_and_what_differs_first() -> None:
    titles = {
        "0000aaaa": "Fix the flaky tests in parser",
        "0000bbbb": "Fix the flaky tests in lexer",
        "0000cccc": "Write docs",
        "0000dddd": "Write docs",
    }
    told = [one for run in titles for one in events(run, QUEUED, message("assistant", run[-1]))]
    async with LogHost(told, titles).run_test(size=(100, 30)) as pilot:
        app = await opened(pilot)
        app.pane.show_all_runs(True)
        await settled(pilot)
        log = app.log_view
        drawn = [log.render_line(y) for y in range(log.line_count)]
        names = [line.text[2:16].strip() for line in drawn][1::2]
        assert names == ["parser", "lexer", "cccc Write do…", "dddd Write do…"]
        styles = [line.crop(2, 3) for line in drawn]
        colours = [next(iter(strip)).style for strip in styles]
        foregrounds = [style.color if style else None for style in colours]
        assert foregrounds[0::2] == foregrounds[1::2]
        assert len(set(foregrounds)) == 4
