"""The dashboard, driven by keys: what it asks of the engine, and what it shows of the answers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fake_engine import FakeEngine, app_on, screen_of, shown, taken, until
from textual.pilot import Pilot
from textual.widgets import Button, Input

from engine.config import Ui
from engine.domain.errors import user_error
from engine.domain.events import FileChange, FilesChanged, Notice, Progressed, StatusChanged, Step
from engine.domain.model import Agent, RunSpec, Stage, Status
from engine.engine import Engine
from engine.paths import Paths
from tui import commands
from tui.app import SwarmApp
from tui.screens.confirm import Confirm
from tui.screens.help import Help
from tui.screens.new_run import NewRun
from tui.screens.palette import Palette
from tui.selection import Selection, Sort

S = Status
WIDE, NARROW = (120, 40), (80, 24)


@pytest.fixture
def engine() -> FakeEngine:
    """Four runs: succeeded, failed, running and, the newest, queued."""
    engine = FakeEngine()
    engine.add("a1", "Write the docs")
    engine.pass_through("a1", S.PREPARING, S.RUNNING, S.SUCCEEDED)
    engine.add("b2", "Fix the parser", project="parser")
    engine.pass_through("b2", S.PREPARING, S.RUNNING, S.FAILED)
    engine.add("c3", "Port the tests", agent=Agent.SIMULATED)
    engine.pass_through("c3", S.PREPARING, S.RUNNING)
    engine.add("d4", "Tidy up")
    return engine


def listed(app: SwarmApp) -> list[str]:
    return [run.id for run in screen_of(app).panes.run_list.runs]


def chosen(app: SwarmApp) -> str | None:
    return screen_of(app).panes.chosen.run_id


async def choose(pilot: Pilot[None], run_id: str) -> None:
    assert isinstance(pilot.app, SwarmApp)
    assert screen_of(pilot.app).panes.run_list.move_to(run_id)
    await pilot.pause()


def toasts(app: SwarmApp) -> list[str]:
    return [f"{toast.title} {toast.message}" for toast in app._notifications]


async def test_shows_runs_newest_first_and_counts_them(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        assert listed(app) == ["d4", "c3", "b2", "a1"]
        assert chosen(app) == "d4"
        top = shown(app).splitlines()[0]
        assert all(part in top for part in ("1 running", "1 queued", "1 needs you", "1 done"))
        assert "3 of 4 slots free" in top
        assert "waiting for a slot (1st)" in shown(app)


async def test_an_empty_home_says_what_to_do() -> None:
    engine = FakeEngine()
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.pause()
        assert "n starts one" in shown(app)
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
        assert "2 done" in shown(app).splitlines()[0]


async def test_a_new_run_elsewhere_appears_without_moving_the_cursor(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "b2")
        engine.add("e5", "From another window")
        await until(pilot, lambda: "e5" in listed(app))
        assert listed(app)[0] == "e5"
        assert chosen(app) == "b2"


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
        for answer in ("escape", "s", "enter"):
            await pilot.press("X")
            await pilot.pause()
            assert isinstance(app.screen, Confirm)
            await pilot.press(answer)
            await pilot.pause()
        assert engine.asked == []
        await pilot.press("X", "k")
        await pilot.pause()
        assert engine.asked == [("kill", "c3")]


async def test_copy_id(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        await pilot.press("y")
        assert app.clipboard == "c3"


# New runs


async def test_the_form_starts_a_run_and_the_list_chooses_it(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await choose(pilot, "b2")
        await pilot.press("n")
        await pilot.pause()
        form = app.screen
        assert isinstance(form, NewRun)
        assert form.query_one("#start", Button).disabled
        await pilot.press("ctrl+s")
        assert engine.asked == []
        await pilot.press(*"Do it", "enter", *"now")
        assert not form.query_one("#start", Button).disabled
        await pilot.press("tab", "tab", "right", "ctrl+s")
        await until(pilot, lambda: len(listed(app)) == 5)
        run = engine.view.runs["new1"]
        assert run.spec == RunSpec("Do it\nnow", "Do it", Path.cwd().name, agent=Agent.SIMULATED)
        assert chosen(app) == "new1"


async def test_the_form_shows_a_refusal_with_its_way_out_and_stays(engine: FakeEngine) -> None:
    engine.refusal = user_error("SOURCE_NOT_FOUND", "[/red] is not there.", "Check [it].")
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("n", *"Go")
        await pilot.press("tab", "tab", "tab", "right")
        folder = app.screen.query_one("#folder", Input)
        folder.value = ""
        await pilot.pause()
        assert "Name the folder to copy." in shown(app)
        folder.value = "~/nowhere"
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert isinstance(app.screen, NewRun)
        assert "[/red] is not there." in shown(app)
        assert "Check [it]." in shown(app)


async def test_what_was_typed_survives_leaving_the_form(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("n", *"Half a thought", "escape")
        await pilot.pause()
        assert not isinstance(app.screen, NewRun)
        await pilot.press("n")
        await pilot.pause()
        assert "Half a thought" in shown(app)


# The list


async def test_the_filter_works_while_it_is_typed(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("slash", *"the")
        await pilot.pause()
        assert listed(app) == ["c3", "b2", "a1"]
        await pilot.press("space", *"!status:fail")
        await pilot.pause()
        assert listed(app) == ["c3", "a1"]
        assert "Runs 2 of 4" in shown(app)
        await pilot.press("enter", "j")
        assert chosen(app) == "a1"
        engine.pass_through("c3", S.FAILED)
        await until(pilot, lambda: listed(app) == ["a1"])
        await pilot.press("escape")
        await pilot.pause()
        assert len(listed(app)) == 4


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "dcba"),
        ("THE", "cba"),
        ("the fix", "b"),
        ("!the", "d"),
        ("status:failed", "b"),
        ("project:parser", "b"),
        ("!project:parser !status:queued", "ca"),
        ("agent:sim", "c"),
        ("nothing", ""),
        ("!", "dcba"),
        ("c3", "c"),
        ("other:x", ""),
    ],
)
def test_filter(engine: FakeEngine, text: str, found: str) -> None:
    runs = Selection(text=text).arrange(engine.view.runs.values(), engine.now)
    assert [run.id[0] for run in runs] == list(found)


def test_sort(engine: FakeEngine) -> None:
    def order(sort: Sort, *, is_reversed: bool = False) -> str:
        selection = Selection(sort=sort, is_reversed=is_reversed)
        runs = selection.arrange(engine.view.runs.values(), engine.now)
        return "".join(run.id[0] for run in runs)

    assert order(Sort.NEWEST) == "dcba"
    assert order(Sort.NEWEST, is_reversed=True) == "abcd"
    assert order(Sort.TITLE) == "bcda"
    assert order(Sort.STATUS) == "bcda"
    assert order(Sort.ELAPSED)[0] == "c"


async def test_sort_reverse_and_only_what_needs_me(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("s")
        assert listed(app) == ["b2", "c3", "d4", "a1"]
        await pilot.press("S")
        assert listed(app) == ["a1", "d4", "c3", "b2"]
        assert "by status, reversed" in shown(app)
        await pilot.press("w")
        assert listed(app) == ["b2"]
        await until_and_retry(pilot, engine)
        assert listed(app) == []
        assert "Nothing needs you" in shown(app)


async def until_and_retry(pilot: Pilot[None], engine: FakeEngine) -> None:
    await pilot.press("r")
    await until(pilot, lambda: engine.view.runs["b2"].status is S.QUEUED)


# Panes


async def test_narrow_panes_are_tabs(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.pause()
        panes = screen_of(app).panes

        def visible() -> tuple[bool, bool, bool]:
            chosen_run = panes.chosen
            return (
                panes.run_list.is_on_screen,
                chosen_run.log_view.is_on_screen,
                chosen_run.files.is_on_screen,
            )

        assert visible() == (True, False, False)
        for key, pane in (
            ("enter", "log"),
            ("right_square_bracket", "files"),
            ("tab", "runs"),
            ("left_square_bracket", "files"),
            ("l", "log"),
            ("f", "files"),
            ("escape", "runs"),
        ):
            await pilot.press(key)
            await pilot.pause()
            assert panes.pane == pane
            assert visible() == tuple(pane == one for one in ("runs", "log", "files"))
        await pilot.resize_terminal(*WIDE)
        await pilot.pause()
        assert visible() == (True, True, True)


async def test_zoom_gives_a_pane_the_screen_and_back(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("l", "z")
        await pilot.pause()
        log = screen_of(app).panes.chosen.log_view
        assert log.size.width > 110
        await pilot.press("escape")
        await pilot.pause()
        assert log.size.width < 60
        assert log.has_focus


async def test_too_small_a_terminal_says_so(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=(50, 20)) as pilot:
        await pilot.pause()
        assert "Too small" in shown(app)
        await pilot.resize_terminal(*NARROW)
        await pilot.pause()
        assert "Too small" not in shown(app)
        assert "Tidy up" in shown(app)


async def test_the_chosen_run_has_its_log_and_files(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        engine.happen(
            "c3",
            Notice("warning", "Mind the gap"),
            FilesChanged((FileChange("a.py", "added"),)),
        )
        await taken(pilot)
        assert "Mind the gap" in shown(app)
        await choose(pilot, "a1")
        await pilot.pause()
        assert "Mind the gap" not in shown(app)


# The program


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


async def test_quit_with_live_runs_asks(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        for answer in ("escape", "s", "enter"):
            await pilot.press("q")
            await pilot.pause()
            assert "2 runs are not finished" in shown(app)
            await pilot.press(answer)
            await pilot.pause()
            assert app.screen is screen_of(app)
        assert engine.asked == []
        await pilot.press("q", "c")
        await pilot.pause()
    assert not app.is_running
    assert engine.asked == [("cancel", "d4"), ("cancel", "c3")]  # what waits, first


async def test_the_palette_finds_commands_by_name_and_greys_the_rest(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        await pilot.press("colon", *"next attempt", "enter")
        await pilot.pause()
        assert isinstance(app.screen, Palette)  # greyed: the run is still running
        await pilot.press("escape", "ctrl+p", *"run.cancel", "enter")
        await until(pilot, lambda: engine.view.runs["c3"].status is S.CANCELLED)
        assert app.screen is screen_of(app)
        await pilot.press("ctrl+p", *"switch dark", "enter")
        await pilot.pause()
        assert app.theme == "swarm-light"


async def test_help_shows_every_key(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=(120, 50)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, Help)
        for command in commands.COMMANDS:
            assert not command.keys or command.help in shown(app)
        await pilot.press("question_mark")
        await pilot.pause()
        assert app.screen is screen_of(app)


async def test_keys_can_be_chosen_in_the_settings(engine: FakeEngine) -> None:
    keys = {"run.cancel": "C", "run.cansel": "c", "list.sort": "n"}
    engine.config = FakeEngine(Ui(keys=keys, theme="nope")).config
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        told = "\n".join(toasts(app))
        assert "no command run.cansel. Did you mean run.cancel?" in told
        assert "n means both run.new and list.sort" in told
        assert "no theme nope" in told
        assert "C cancel" in shown(app).splitlines()[-1]
        await pilot.press("x")
        await pilot.pause()
        assert engine.asked == []
        await pilot.press("C")
        await pilot.pause()
        assert engine.asked == [("cancel", "c3")]


async def test_every_command_has_somebody_who_carries_it_out(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        for command in commands.COMMANDS:
            carrier = app if command.scope == "app" else screen_of(app).carrier(command.scope)
            assert carrier is not None, command.id
            assert hasattr(carrier, f"action_{command.action}"), command.id
    ids = [command.id for command in commands.COMMANDS]
    assert len(ids) == len(set(ids))
    assert "| `x` | Cancel the run |" in commands.markdown()


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
        async with app.run_test(size=WIDE) as pilot:
            prompt = "sim: write a.txt hello"
            await pilot.press("n", *prompt.replace(" ", "_").replace("_", " "))
            await pilot.press("tab", "tab", "right", "ctrl+s")
            await until(pilot, lambda: status_of(engine) == [S.SUCCEEDED])
            assert "✓ succeeded" in shown(app)
            assert "1 done" in shown(app)
            await asyncio.wait_for(files_show(app, "a.txt"), 10)

            await engine.start(RunSpec("sim: hang", "Hang", "demo", agent=Agent.SIMULATED))
            await until(pilot, lambda: S.RUNNING in status_of(engine))
            await pilot.press("g", "x")
            await until(pilot, lambda: S.CANCELLED in status_of(engine))
            assert "cancelled  Hang" in shown(app)


def status_of(engine: Engine) -> list[Status]:
    return [run.status for run in engine.view.runs.values()]


async def files_show(app: SwarmApp, name: str) -> None:
    while name not in shown(app):
        await app.workers.wait_for_complete(
            [worker for worker in app.workers if worker.group != "pump"]
        )
        await asyncio.sleep(0)
