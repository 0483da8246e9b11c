"""Live output of running commands in the log of the dashboard: only shown, never stored."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from fake_engine import (
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
)
from textual.pilot import Pilot

from engine.domain.events import StatusChanged, Step
from engine.domain.live import CommandEnded, CommandOutput, LiveReport
from tui.app import SwarmApp
from tui.models.output_tail import MAX_CHARACTERS
from tui.widgets.log import live_feed, live_tails
from tui.widgets.log.live_tails import MAX_TAILS, LiveTails

COMMAND = "make test"


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read live reports without a pause worth waiting for."""
    monkeypatch.setattr(live_feed, "READ_S", 0.005)


def command(phase: str, text: str = COMMAND, output: str | None = None) -> Step:
    """Return a step that runs a command."""
    return Step("tool", "command", phase, text, text, None if output is None else 0, output)


def printed(text: str, item: str = "c", of: str = COMMAND) -> CommandOutput:
    """Return a piece of the output of a command."""
    return CommandOutput(item, text, of)


def working(interactive: bool = True) -> FakeEngine:
    """Return an engine with one run at work, which runs a command."""
    engine = FakeEngine()
    engine.add("a1", "Write the docs", interactive=interactive)
    engine.pass_through("a1", S.PREPARING, S.RUNNING)
    engine.happen("a1", command("started"))
    return engine


@asynccontextmanager
async def dashboard(
    engine: FakeEngine, size: tuple[int, int] = WIDE
) -> AsyncGenerator[tuple[SwarmApp, Pilot[None]]]:
    """Run the dashboard with the log of a run in front."""
    app = app_on(engine)
    async with app.run_test(size=size) as pilot:
        await choose(pilot, "a1")
        await pilot.press("l")
        await painted(pilot)
        yield app, pilot


async def report(app: SwarmApp, pilot: Pilot[None], *reports: LiveReport) -> None:
    """Let the agent report something, and wait until it was shown."""
    engine = app.engine
    assert isinstance(engine, FakeEngine)
    engine.live.reports += reports
    while engine.live.reports:
        await pilot.pause(0.005)
    count = engine.live.reads
    while engine.live.reads == count:  # it is shown before more is read
        await pilot.pause(0.005)
    await painted(pilot)


def lines_of(app: SwarmApp) -> list[str]:
    """Return the texts of the log's lines."""
    window = screen_of(app).panes.chosen.log_view.window
    return [window.at(line)[1].text for line in range(window.line_count)]


async def test_output_stands_below_its_command_and_grows() -> None:
    async with dashboard(working()) as (app, pilot):
        await report(app, pilot, printed("one\ntw"))
        assert lines_of(app)[-3:] == [COMMAND, "one", "tw"]
        assert "tw" in shown(app)
        await report(app, pilot, printed("o\nthree"))
        assert lines_of(app)[-4:] == [COMMAND, "one", "two", "three"]


async def test_ten_lines_are_shown_and_enter_unfolds_all_that_are_kept() -> None:
    async with dashboard(working()) as (app, pilot):
        await report(app, pilot, printed("\n".join(f"line {n}" for n in range(50))))
        assert lines_of(app)[-11:] == [
            "… 40 more lines (enter)",
            *(f"line {n}" for n in range(40, 50)),
        ]
        log = screen_of(app).panes.chosen.log_view
        await pilot.press("enter")
        assert lines_of(app)[-50:] == [f"line {n}" for n in range(50)]
        assert not log.following
        await report(app, pilot, printed("\nline 50"))
        assert lines_of(app)[-51:] == [f"line {n}" for n in range(51)]
        await pilot.press("enter")
        assert len(lines_of(app)) < 20


async def test_stored_end_takes_the_place_of_the_live_output(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_tails, "LEFT", sys.maxsize)  # however often it is read meanwhile
    engine = working()
    async with dashboard(engine) as (app, pilot):
        log = screen_of(app).panes.chosen.log_view
        await report(app, pilot, printed("live\n"))
        await report(app, pilot, CommandEnded("c"))
        assert "live" in lines_of(app)  # until the store has what counts
        engine.happen("a1", command("completed", output="stored\n"))
        await painted(pilot)
        await report(app, pilot, CommandEnded("c"))
        assert lines_of(app)[-2:] == [COMMAND, "stored"]
        assert log.tails.size == 0


async def test_output_of_a_command_that_ended_unseen_does_not_stay() -> None:
    """Its end is not in the store: nobody supervises, or it outlived its turn."""
    async with dashboard(working()) as (app, pilot):
        await report(app, pilot, printed("live\n"))
        await report(app, pilot, CommandEnded("c"))
        while lines_of(app)[-1] != COMMAND:
            await pilot.pause(0.005)
        assert screen_of(app).panes.chosen.log_view.tails.size == 0


async def test_output_that_comes_before_its_step_waits_for_it() -> None:
    engine = working()
    async with dashboard(engine) as (app, pilot):
        await report(app, pilot, printed("early", "d", of="make all"))
        assert "early" not in lines_of(app)
        engine.happen("a1", command("started", "make all"))
        await painted(pilot)
        await report(app, pilot, printed("!", "d", of="make all"))
        assert lines_of(app)[-2:] == ["make all", "early!"]


async def test_two_commands_that_run_at_once_keep_their_output() -> None:
    engine = working()
    engine.happen("a1", command("started", "make all"))
    async with dashboard(engine) as (app, pilot):
        await report(app, pilot, printed("of test"), printed("of all", "d", of="make all"))
        assert lines_of(app)[-4:] == [COMMAND, "of test", "make all", "of all"]


async def test_output_whose_beginning_was_not_read_is_that_of_the_open_command() -> None:
    async with dashboard(working()) as (app, pilot):
        await report(app, pilot, printed("tail", of=""))
        assert lines_of(app)[-2:] == [COMMAND, "tail"]


async def test_nothing_is_read_of_a_run_that_is_not_interactive() -> None:
    engine = working(interactive=False)
    async with dashboard(engine) as (app, pilot):
        await pilot.pause(0.05)
        assert engine.live.watched == []
        assert lines_of(app)[-1] == COMMAND


async def test_only_the_run_on_screen_is_read() -> None:
    engine = working()
    engine.add("b2", "Other", interactive=True)
    engine.pass_through("b2", S.PREPARING, S.RUNNING)
    async with dashboard(engine) as (app, pilot):
        assert engine.live.watched == ["b2", "a1"] or engine.live.watched == ["a1"]
        await report(app, pilot, printed("of a1"))
        await choose(pilot, "b2")
        await painted(pilot)
        assert engine.live.watched[-1] == "b2"
        assert "of a1" not in lines_of(app)
        engine.happen("b2", StatusChanged(S.SUCCEEDED))
        await painted(pilot)
        before = len(engine.live.watched)
        await pilot.pause(0.05)
        assert len(engine.live.watched) == before


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_hostile_output_cannot_act_on_the_terminal(size: tuple[int, int]) -> None:
    pieces = ["\x1b[2J\x1b[31mred", "\x1b]0;ti", "tle\x07", "\u202ebidi\u0000", "x" * 200_000]
    async with dashboard(working(), size) as (app, pilot):
        await report(app, pilot, *map(printed, pieces))
        text = shown(app)
        assert "\x1b" not in text
        assert "\u202e" not in text
        await pilot.press("enter")
        assert screen_of(app).panes.chosen.log_view.tails.size <= MAX_CHARACTERS


async def test_unreadable_output_is_reported_once() -> None:
    engine = working()
    engine.live.failure = PermissionError(13, "Permission denied")
    async with dashboard(engine) as (app, pilot):
        while not toasts(app):
            await pilot.pause(0.005)
        await pilot.pause(0.05)
        assert toasts(app) == [" No live output: Permission denied"]


async def test_ten_thousand_pieces_cost_what_a_few_cost_and_are_bounded() -> None:
    """A flood costs time in proportion to its size, and memory does not grow with it."""
    async with dashboard(working()) as (app, _):
        log = screen_of(app).panes.chosen.log_view

        def calls_of_flood(count: int) -> float:
            calls = 0

            def note(_frame: object, event: str, _arg: object) -> None:
                nonlocal calls
                calls += event == "call"

            reports = [printed(f"out-{number}\n") for number in range(count)]
            sys.setprofile(note)
            try:
                log.tails.show(log, reports)
            finally:
                sys.setprofile(None)
            return calls / count

        assert calls_of_flood(10_000) <= calls_of_flood(100)
        assert log.tails.size <= MAX_CHARACTERS
        assert lines_of(app)[-1] == "out-99"
        assert len(lines_of(app)) < 20


def test_number_of_kept_outputs_is_bounded() -> None:
    tails = LiveTails()
    tails.add(printed("x" * MAX_CHARACTERS, f"c{number}") for number in range(5 * MAX_TAILS))
    assert tails.size <= MAX_TAILS * MAX_CHARACTERS
