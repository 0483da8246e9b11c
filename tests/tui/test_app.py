"""The dashboard, driven by keys: what it asks of the engine, and what it shows of the answers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fake_engine import (
    LIMIT_S,
    NARROW,
    WIDE,
    FakeEngine,
    S,
    app_on,
    choose,
    chosen,
    four_runs,
    listed,
    screen_of,
    shown,
    taken,
    toasts,
    until,
)
from textual.pilot import Pilot

from engine.config.paths import Paths
from engine.domain.errors import user_error
from engine.domain.events import Notice, Progressed, StatusChanged, Step
from engine.domain.model import Agent, RunSpec, Stage, Status
from engine.engine import Engine
from tui.app import SwarmApp
from tui.models.draft import Draft
from tui.screens.confirm import ConfirmChoice, ConfirmDialog


@pytest.fixture
def engine() -> FakeEngine:
    return four_runs()


async def test_shows_urgent_runs_first_and_counts_them(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        assert listed(app) == ["b2", "c3", "d4", "a1"]
        assert chosen(app) == "b2"
        top = "".join(shown(app).splitlines()[:2])
        assert all(part in top for part in ("1 running", "1 queued", "1 needs you", "1 done"))
        assert "1/4 slots" in top
        assert "waiting for a slot" in shown(app)


async def test_an_empty_home_says_what_to_do() -> None:
    engine = FakeEngine()
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.pause()
        assert "n  Start a new run" in shown(app)
        assert "Codex is ready." in shown(app)
        assert "swarm-tui demo" in shown(app)
        for key in ("x", "r", "X", "y", "l", "f", "F", "w", "s", "enter", "G", "z", "escape"):
            await pilot.press(key)
        assert engine.asked == []


async def test_what_happens_is_shown_as_it_happens(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        assert "● running  Port the tests  simulated" in shown(app)
        step = Step("tool", "command", "started", "pytest -q", command="pytest -q")
        engine.happen("c3", Progressed(Stage.EXECUTING, "thinking", 30), step)
        await taken(pilot)
        assert "working" in shown(app)
        assert "running `pytest -q` for 0:00" in shown(app)
        engine.happen("c3", StatusChanged(S.SUCCEEDED))
        await taken(pilot)
        assert "✓ succeeded  Port the tests" in shown(app)
        assert "2 done" in shown(app).splitlines()[1]


async def test_a_new_run_elsewhere_appears_without_moving_the_cursor(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "b2")
        engine.add("e5", "From another window")
        await until(pilot, lambda: "e5" in listed(app))
        assert listed(app) == ["b2", "c3", "d4", "e5", "a1"]
        assert chosen(app) == "b2"


@pytest.mark.parametrize("sorting", [(), ("s",), ("s", "s", "s", "S")])
async def test_whatever_happens_the_cursor_stays_on_its_run(
    engine: FakeEngine, sorting: tuple[str, ...]
) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press(*sorting)
        await choose(pilot, "c3")
        for number in range(50):
            engine.add(f"m{number}", f"More {number}")
            engine.pass_through(f"m{number}", S.PREPARING, S.RUNNING, S.FAILED)
            engine.happen("c3", Progressed(Stage.EXECUTING, "thinking", 30 + number))
        await taken(pilot)
        engine.pass_through("c3", S.SUCCEEDED)
        await taken(pilot)
        assert len(listed(app)) == 54
        assert chosen(app) == "c3"
        run_list = screen_of(app).panes.run_list
        assert run_list.cursor_line in run_list.visible_lines()


async def test_cancel_asks_the_engine_and_shows_nothing_before_it_answers(
    engine: FakeEngine,
) -> None:
    engine.is_slow = True
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        await pilot.press("x")
        await pilot.pause()
        assert engine.asked == [("cancel", "c3")]
        assert "● running  Port the tests" in shown(app)
        engine.pass_through("c3", S.CANCELLING)
        await taken(pilot)
        assert "cancelling  Port the tests" in shown(app)


async def test_a_run_that_ended_meanwhile_is_said_in_a_toast(engine: FakeEngine) -> None:
    engine.refusal = user_error("RUN_NOT_CANCELLABLE", "The run [/red] has ended.")
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        await pilot.press("x")
        await pilot.pause()
        assert any("RUN_NOT_CANCELLABLE The run [/red] has ended." in one for one in toasts(app))


async def test_a_greyed_key_asks_nothing_and_says_why(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "a1")
        assert screen_of(app).check_action("cancel_run", ()) is None
        assert screen_of(app).check_action("retry_run", ()) is True
        await pilot.press("x")
        await choose(pilot, "c3")
        await pilot.press("r")
        await pilot.pause()
        assert engine.asked == []
        assert [toast.split()[0] for toast in toasts(app)] == [
            "RUN_NOT_CANCELLABLE",
            "RUN_NOT_RETRYABLE",
        ]


async def test_retry_starts_the_next_attempt(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "b2")
        await pilot.press("r")
        await until(pilot, lambda: engine.view.runs["b2"].attempt == 2)
        assert engine.asked == [("retry", "b2")]
        assert "○ queued  Fix the parser" in shown(app)
        assert "attempt 2" in shown(app)


async def test_kill_asks_first(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        for answer in ("escape", "enter"):
            await pilot.press("X")
            await pilot.pause()
            assert isinstance(app.screen, ConfirmDialog)
            await pilot.press(answer)
            await pilot.pause()
        assert engine.asked == []
        await pilot.press("X", "X")
        await pilot.pause()
        assert engine.asked == [("kill", "c3")]


async def test_copy_id(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        await pilot.press("y")
        assert app.clipboard == "c3"


async def test_in_tmux_it_is_copied_by_way_of_it(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    heard = tmp_path / "heard"
    (tmp_path / "tmux").write_text(f'#!/bin/sh\necho "$@" >{heard}; cat >>{heard}\n')
    (tmp_path / "tmux").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("TMUX", "somewhere")
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        await pilot.press("y")
        await until(pilot, lambda: heard.exists() and heard.read_text().endswith("c3"))
    assert heard.read_text() == "load-buffer -w -\nc3"


HOSTILE = (
    "[/red][bold]\x1b[31mred\x1b]52;c;aGk=\x07 \u202egnp.exe [@click=app.quit]x[/]" + "y" * 5000
)


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_outside_text_is_data(size: tuple[int, int]) -> None:
    engine = FakeEngine()
    engine.add("a1", HOSTILE, project=HOSTILE)
    engine.pass_through("a1", S.PREPARING, S.RUNNING)
    app = app_on(engine)
    async with app.run_test(size=size) as pilot:
        command = Step("tool", "command", "started", command=HOSTILE, output=HOSTILE)
        engine.happen("a1", Notice("warning", HOSTILE), command)
        engine.refusal = user_error("INPUT_INVALID", HOSTILE, HOSTILE)
        await taken(pilot)
        for key in ("l", "f", "escape", "x", "slash", "r", "escape", "X", "k", "q"):
            await pilot.press(key)
            await pilot.pause()
            text = shown(app)
            assert not any(char in text for char in "\x1b\x07\u202e")
        assert "[/red]" in text


async def test_a_real_run_from_the_form_to_its_end(paths: Paths) -> None:
    async with Engine.open(paths, supervise=True) as engine:
        app = SwarmApp(engine)
        app.forms.draft = Draft()
        async with app.run_test(size=WIDE) as pilot:
            prompt = "sim: write a.txt hello"
            await pilot.press("n", *prompt.replace(" ", "_").replace("_", " "))
            await pilot.press("tab", "tab", "right", "ctrl+s")
            await until(pilot, lambda: status_of(engine) == [S.SUCCEEDED])
            await until(pilot, lambda: "✓ succeeded" in shown(app) and "1 to review" in shown(app))
            await pilot.press("f")
            await asyncio.wait_for(files_show(app, "a.txt"), LIMIT_S)
            await pilot.press("f")

            await engine.start(RunSpec("sim: hang", "Hang", "demo", agent=Agent.SIMULATED))
            await until(pilot, lambda: S.RUNNING in status_of(engine))
            await pilot.press("g", "x")
            await until(pilot, lambda: S.CANCELLED in status_of(engine))
            assert "cancelled  Hang" in shown(app)


async def test_a_real_queue_is_paused_and_a_real_thread_resumed(paths: Paths) -> None:
    async with Engine.open(paths, supervise=True) as engine:
        app = SwarmApp(engine)
        async with app.run_test(size=WIDE) as pilot:
            await pilot.press("p")
            await until(pilot, lambda: engine.pause is not None)
            await engine.start(RunSpec("sim: fail quota", "Fail", "demo", agent=Agent.SIMULATED))
            await until(pilot, lambda: status_of(engine) == [S.QUEUED])
            assert "the queue is paused: paused by the user (1st)" in shown(app)
            slots = engine.slots
            await pilot.press("plus", "p")
            await until(pilot, lambda: status_of(engine) == [S.FAILED])
            assert f"0/{slots + 1} slots" in shown(app)
            await pilot.press("R", *"sim: say better", "ctrl+s")
            await until(pilot, lambda: status_of(engine) == [S.SUCCEEDED])
            assert "attempt 2" in shown(app)
            await until_log(pilot, app, "better")
            await pilot.press("r", "r")  # it succeeded: the second answers the question
            await until(pilot, lambda: status_of(engine) == [S.SUCCEEDED])
            await until(pilot, lambda: "attempt 3" in shown(app))


async def until_log(pilot: Pilot[None], app: SwarmApp, text: str) -> None:
    while text not in shown(app):
        await asyncio.sleep(0)
        await pilot.pause()


def status_of(engine: Engine) -> list[Status]:
    return [run.status for run in engine.view.runs.values()]


async def files_show(app: SwarmApp, name: str) -> None:
    while name not in shown(app):
        await app.workers.wait_for_complete(
            [worker for worker in app.workers if worker.group != "pump"]
        )
        await asyncio.sleep(0)


async def test_a_second_key_in_a_closing_dialog_does_nothing(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        answers: list[str | None] = []
        question = ConfirmDialog("Sure?", [ConfirmChoice("yes", "y", "yes")], default="yes")
        app.push_screen(question, answers.append)
        await pilot.pause()
        question.dismiss("yes")
        question.dismiss("yes")
        await pilot.pause()
        assert app.screen is not question
        assert answers == ["yes"]
