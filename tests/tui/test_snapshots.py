"""What the dashboard looks like: frozen clock, ids and cursor, at two sizes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import cast

import pytest
from asking import many_kinds
from fake_engine import FakeEngine, FakePatterns, app_on, plain, screen_of, shown
from forty_runs import FAILED as CHECKED
from forty_runs import forty_runs
from test_notifications_screen import telling
from test_notifications_screen import until as told_of
from textual.pilot import Pilot

from engine.config.settings import UiSettings
from engine.domain.changed_lines import FileLines
from engine.domain.errors import user_error
from engine.domain.events import (
    ChangesMeasured,
    CheckpointTaken,
    ErrorRaised,
    FileChange,
    FilesChanged,
    LimitsSeen,
    Notice,
    PlanChanged,
    Progressed,
    StatusChanged,
    Step,
    UsageCounted,
)
from engine.domain.model import Agent, Applied, LimitWindow, Pause, PlanItem, Stage, Status
from engine.domain.pattern import Pattern, PatternStep, PatternVariable, StoredPattern, SuccessRate
from engine.domain.reasons import Subject
from engine.engine import (
    ApplyResult,
    Changes,
    CheckHealth,
    Checkpoint,
    Conflict,
    Finding,
    TreeEntry,
)
from engine.workspaces.checkpoints.changes import ChangeKind, FileDelta
from tui.app import SwarmApp
from tui.formatting import symbols
from tui.models.draft import Draft

S = Status
WIDE, NARROW = (120, 40), (80, 24)
Compare = Callable[..., bool]


@pytest.fixture(autouse=True)
def _same_everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One time zone and one kind of terminal, whatever the machine's are."""
    for name, value in (("TZ", "UTC"), ("LANG", "C.UTF-8"), ("TERM", "xterm-256color")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.delenv("LC_CTYPE", raising=False)
    symbols.unicode_ok.cache_clear()
    time.tzset()
    yield
    monkeypatch.undo()
    symbols.unicode_ok.cache_clear()
    time.tzset()


def busy(ui: UiSettings | None = None) -> FakeEngine:
    """A handful of runs, one of each sort."""
    engine = FakeEngine(ui)
    engine.add("1qj8a0k2m4", "Write the docs for the store", project="docs")
    engine.pass_through("1qj8a0k2m4", S.PREPARING, S.RUNNING)
    engine.happen(
        "1qj8a0k2m4",
        UsageCounted(48_200, 31_000, 2_950),
        ChangesMeasured(3, 128, 9),
        Progressed(Stage.COMPLETE, "complete", 100, details={"thread_id": "thread"}),
        StatusChanged(S.SUCCEEDED),
        after_s=312,
    )
    engine.add("1qj8a1p9x7", "Fix the flaky scheduler test", project="engine")
    engine.pass_through("1qj8a1p9x7", S.PREPARING, S.RUNNING)
    engine.happen("1qj8a1p9x7", Progressed(Stage.EXECUTING, "thinking", 30), after_s=41)
    error = user_error("QUOTA_EXCEEDED").info
    engine.happen("1qj8a1p9x7", ErrorRaised(error), StatusChanged(S.FAILED, reason=error.message))
    engine.add("1qj8a2c3d5", "Port the command line to click", agent=Agent.SIMULATED)
    _work(engine, "1qj8a2c3d5")
    engine.add("1qj8a3v1n8", "Refactor the parser into small functions", agent=Agent.SIMULATED)
    engine.pass_through("1qj8a3v1n8", S.PREPARING, S.RUNNING)
    engine.happen("1qj8a3v1n8", Progressed(Stage.EXECUTING, "thinking", 30), after_s=7)
    engine.add("1qj8a4t6b2", "Tidy up the templates")
    engine.now += 5
    engine.doctor.findings = [
        Finding("codex", CheckHealth.OK, "Codex 0.163.0 at /usr/local/bin/codex"),
        Finding("codex auth.credentials", CheckHealth.FAIL, "not logged in", "Run `codex login`."),
        Finding("git", CheckHealth.OK, "git version 2.47.1"),
        Finding("database", CheckHealth.OK, "12 runs, 3,480 events, 2.1 MiB"),
        Finding("disk", CheckHealth.WARNING, "1.2 GiB free at /home/you", "Free some space."),
    ]
    return engine


def _work(engine: FakeEngine, run_id: str) -> None:
    engine.pass_through(run_id, S.PREPARING, S.RUNNING)
    steps = ("Look at the project", "Write cli.py", "Check it", "Sum up")
    plan = PlanChanged(tuple(PlanItem(text, n < 2) for n, text in enumerate(steps)))
    written = FileChange("tui/cli.py", "added")
    engine.happen(run_id, Progressed(Stage.EXECUTING, "thinking", 30), after_s=2)
    engine.happen(run_id, Step("reasoning", "message", "completed", "One module is enough."))
    engine.happen(run_id, Step("tool", "file_change", "completed", changes=(written,)), after_s=3)
    engine.happen(run_id, plan, FilesChanged((written,)), ChangesMeasured(1, 64, 0))
    engine.happen(run_id, Progressed(Stage.EXECUTING, "2 of 4 steps done", 55))
    engine.happen(run_id, UsageCounted(21_400, 9_000, 880), after_s=4)
    command = Step("tool", "command", "started", "pytest -q", command="pytest -q")
    engine.happen(run_id, command, after_s=30)
    engine.folders[""] = [
        TreeEntry("tui", "tui", True, False, 0),
        TreeEntry("README.md", "README.md", False, False, 2_048),
    ]


async def read(pilot: Pilot[None]) -> None:
    """Wait until the log has all that was asked of the store."""
    while asked := [one for one in pilot.app.workers if one.group in LOG_WORK]:
        await pilot.app.workers.wait_for_complete(asked)
        await pilot.pause()


LOG_WORK = ("event-log", "log-search", "log-count", "reopen")


def on_run(run_id: str, *keys: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Choose a run, then press keys."""

    async def prepare(pilot: Pilot[None]) -> None:
        assert isinstance(pilot.app, SwarmApp)
        await pilot.pause()
        screen_of(pilot.app).panes.run_list.move_to(run_id)
        await pilot.pause()
        for key in keys:
            await pilot.press(key)
        await read(pilot)
        for blinking in pilot.app.screen.query("Input, TextArea"):
            blinking.cursor_blink = False  # pyright: ignore[reportAttributeAccessIssue]  replaced for the test
        await pilot.pause()

    return prepare


@pytest.mark.parametrize(
    "size", [(80, 24), (120, 40), (160, 45), (220, 60)], ids=lambda size: str(size[0])
)
def test_forty_runs_of_every_kind(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = app_on(forty_runs())
    assert snap_compare(app, terminal_size=size, run_before=on_run(CHECKED))


THREADED = "1qj8a0k2m4"
LIVE, FAILED = "1qj8a2c3d5", "1qj8a1p9x7"


@pytest.mark.parametrize(
    ("size", "run_id", "keys"),
    [
        pytest.param(WIDE, LIVE, (), id="wide"),
        pytest.param((200, 60), LIVE, (), id="large"),
        pytest.param(NARROW, LIVE, (), id="narrow-runs"),
        pytest.param(NARROW, LIVE, ("l",), id="narrow-log"),
        pytest.param(NARROW, LIVE, ("n", *"Do it"), id="narrow-new-run"),
        pytest.param(WIDE, LIVE, ("n", *"Do it"), id="wide-new-run"),
        pytest.param(NARROW, LIVE, ("X",), id="narrow-kill"),
        pytest.param(WIDE, LIVE, ("X",), id="wide-kill"),
        pytest.param(NARROW, THREADED, ("R", *"And the tests?"), id="narrow-resume"),
        pytest.param(WIDE, LIVE, ("question_mark",), id="wide-help"),
        pytest.param(WIDE, FAILED, ("colon", *"re"), id="wide-palette"),
        pytest.param(NARROW, LIVE, ("l", "slash", *"cli", "enter"), id="narrow-search"),
        pytest.param(WIDE, LIVE, ("L", "slash", *"cli", "enter"), id="wide-all-runs"),
        pytest.param(WIDE, LIVE, ("l", "K"), id="wide-kinds"),
    ],
)
def test_looks_the_same(
    snap_compare: Compare, size: tuple[int, int], run_id: str, keys: tuple[str, ...]
) -> None:
    app = app_on(busy())
    app.forms.draft = Draft(folder="/home/you/project")
    assert snap_compare(app, terminal_size=size, run_before=on_run(run_id, *keys))


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_doctor(snap_compare: Compare, size: tuple[int, int]) -> None:
    engine = busy()

    async def prepare(pilot: Pilot[None]) -> None:
        await pilot.pause()
        engine.doctor.left = ["0000000000", "0000000001"]
        await pilot.press("6")
        await pilot.pause()

    assert snap_compare(app_on(engine), terminal_size=size, run_before=prepare)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_notifications(snap_compare: Compare, size: tuple[int, int]) -> None:
    async def prepare(pilot: Pilot[None]) -> None:
        await pilot.press("5")
        await told_of(pilot, lambda: "500 Internal" in shown(cast(SwarmApp, pilot.app)))

    assert snap_compare(app_on(telling()), terminal_size=size, run_before=prepare)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_patterns(snap_compare: Compare, size: tuple[int, int]) -> None:
    engine = busy()
    texts = (("look", "ls"), ("edit", "src/dates.py, tests/test_dates.py"), ("check", "pytest -q"))
    steps = tuple(PatternStep(kind, text) for kind, text in texts)
    found = (PatternVariable("path", "src/dates.py"), PatternVariable("name", "parse_date"))
    goal, outcome = "Fix `parse_date` in src/dates.py", "2 files changed (+30 -4)"
    runs, used = ("1qj8a0k2m4", "1qj8a2c3d5"), ("1qj8a3v1n8",)
    engine.patterns = FakePatterns()
    engine.patterns.known = [
        StoredPattern(
            "p4f5a0506e",
            Pattern(goal, steps, found, outcome),
            0.0,
            True,
            runs,
            used,
            SuccessRate(1, 1),
            SuccessRate(3, 2),
        ),
        StoredPattern(
            "p30c43f79e", Pattern("[/red] Write \x1b[31mdocs", steps[:1]), 0.0, runs=runs[:1]
        ),
    ]

    async def prepare(pilot: Pilot[None]) -> None:
        await pilot.pause()
        await pilot.press("4")
        while "Goal" not in plain(app):
            await pilot.pause(0.05)

    app = app_on(engine)
    assert snap_compare(app, terminal_size=size, run_before=prepare)


def test_the_search(snap_compare: Compare) -> None:
    engine = busy()

    async def prepare(pilot: Pilot[None]) -> None:
        await pilot.pause()
        await pilot.press("ctrl+f")
        await pilot.pause()
        await pilot.press(*"the")
        while "Found 5" not in plain(app):
            await pilot.pause(0.05)

    app = app_on(engine)
    assert snap_compare(app, terminal_size=WIDE, run_before=prepare)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_files(snap_compare: Compare, size: tuple[int, int]) -> None:
    engine = busy()
    engine.folders = {
        "": [
            TreeEntry("docs", "docs", is_folder=True),
            TreeEntry("tui", "tui", is_folder=True),
            TreeEntry("current", "current", is_link=True),
            TreeEntry("README.md", "README.md", size_bytes=2_048),
        ],
        "tui": [
            TreeEntry("tui/cli.py", "cli.py", size_bytes=3_100),
            TreeEntry("tui/main.py", "main.py", size_bytes=812),
        ],
    }
    engine.measured = Changes(
        (
            FileDelta("README.md", ChangeKind.MODIFIED, 4, 1),
            FileDelta("tui/cli.py", ChangeKind.ADDED, 64, 0),
            FileDelta("tui/old.py", ChangeKind.DELETED, 0, 31),
            FileDelta("tui/main.py", ChangeKind.RENAMED, 2, 2, "tui/start.py"),
        )
    )

    async def prepare(pilot: Pilot[None]) -> None:
        await on_run(LIVE, "f")(pilot)
        assert isinstance(pilot.app, SwarmApp)
        files = screen_of(pilot.app).panes.chosen.files
        assert files is not None
        while files.line_count != 4 or not files.cursor_mark:
            await pilot.press("G")
        await pilot.press("g", "j", "right")
        while files.line_count != 7:
            await pilot.pause(0.01)
        await pilot.pause()

    assert snap_compare(app_on(engine), terminal_size=size, run_before=prepare)


def test_a_failed_run_in_the_light(snap_compare: Compare) -> None:
    app = app_on(busy(UiSettings(theme="swarm-light")))
    assert snap_compare(app, terminal_size=WIDE, run_before=on_run(FAILED))


def test_an_empty_home(snap_compare: Compare) -> None:
    app = app_on(FakeEngine())
    assert snap_compare(app, terminal_size=NARROW)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_a_paused_queue_with_marks_stalls_and_limits(
    snap_compare: Compare, size: tuple[int, int]
) -> None:
    engine = busy()
    engine.add("1qj8a5z1q1", "Translate the manual", agent=Agent.SIMULATED)
    engine.pass_through(FAILED, S.QUEUED)
    told = (
        LimitWindow("primary", 42, 300, engine.now + 5_400),
        LimitWindow("secondary", 91, 10_080, engine.now + 200_000),
    )
    engine.happen(
        LIVE,
        LimitsSeen(told),
        Notice("warning", "stalled: no sign of life for 5:00", subject=Subject.STALLED),
    )
    engine.pause = Pause("waiting for the limit to reset (RATE_LIMITED)", engine.now + 272)
    app = app_on(engine)
    prepare = on_run("1qj8a5z1q1", "space", "space", "k", "k")
    assert snap_compare(app, terminal_size=size, run_before=prepare)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_a_quiet_run_and_marked_lines(snap_compare: Compare, size: tuple[int, int]) -> None:
    engine = busy()
    done = Step("tool", "command", "completed", "pytest -q", command="pytest -q", exit_code=0)
    engine.happen(LIVE, done, after_s=4)
    engine.now += 130
    assert snap_compare(
        app_on(engine), terminal_size=size, run_before=on_run(LIVE, "l", "P", "k", "v", "k", "t")
    )


def test_codex_is_missing(snap_compare: Compare) -> None:
    engine = FakeEngine()
    error = user_error("CODEX_CLI_MISSING")
    engine.doctor.findings = [Finding("codex", CheckHealth.FAIL, error.message, error.recovery)]
    assert snap_compare(app_on(engine), terminal_size=NARROW)


def swarm(count: int) -> FakeEngine:
    """Many runs of three projects, some of which failed for two causes."""
    engine = FakeEngine()
    tasks = ("Port module", "Write tests for part", "Look into issue", "Tidy up chapter")
    for number in range(count):
        run_id = f"1qj8b{number:05}"
        engine.add(run_id, f"{tasks[number % 4]} {number}", project=f"project-{number % 3}")
        if number > count * 0.9:
            continue
        engine.pass_through(run_id, S.PREPARING, S.RUNNING)
        engine.happen(run_id, Progressed(Stage.EXECUTING, "thinking", 30), after_s=number % 7)
        match number % 5:
            case 0:
                code = "VERIFY_FAILED" if number % 4 else "USAGE_LIMIT_REACHED"
                said = "FAILED tests/test_auth.py::test_login" if number % 4 else ""
                error = user_error(code, said).info
                engine.happen(run_id, ErrorRaised(error), StatusChanged(S.FAILED))
            case 1 | 2:
                plan = tuple(PlanItem("step", place < number % 6) for place in range(6))
                engine.happen(run_id, PlanChanged(plan), ChangesMeasured(1, number, 2))
                engine.happen(run_id, Progressed(Stage.EXECUTING, "at work", 30 + number % 50))
            case _:
                engine.happen(run_id, StatusChanged(S.SUCCEEDED))
    return engine


@pytest.mark.parametrize(
    ("count", "size", "keys"),
    [
        pytest.param(200, (200, 60), ("T",), id="200-large"),
        pytest.param(12, WIDE, ("T", "space", "right"), id="12-wide"),
        pytest.param(40, NARROW, ("T",), id="40-narrow"),
    ],
)
def test_the_fleet(
    snap_compare: Compare, count: int, size: tuple[int, int], keys: tuple[str, ...]
) -> None:
    prepare = on_run("1qj8b00003", *keys)
    assert snap_compare(app_on(swarm(count)), terminal_size=size, run_before=prepare)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("keys", [("b", "g"), ("C", "g", "j", "j")], ids=["projects", "causes"])
def test_groups(snap_compare: Compare, size: tuple[int, int], keys: tuple[str, ...]) -> None:
    prepare = on_run("1qj8b00003", *keys)
    assert snap_compare(app_on(swarm(30)), terminal_size=size, run_before=prepare)


def overlapping() -> FakeEngine:
    """Two runs that change one file, one of them done; a third one was applied."""
    engine = busy()
    for run_id in (LIVE, THREADED, FAILED):
        place = {"path": f"/w/{run_id}", "kind": "worktree", "source": "/home/you/project"}
        details = {**place, "branch": f"swarm/{run_id}"}
        engine.happen(run_id, Progressed(Stage.EXECUTING, "thinking", 30, details=details))
    both = ("docs/store.md", "tui/cli.py")
    engine.happen(LIVE, ChangesMeasured(1, 64, 0, ("tui/cli.py",)))
    engine.happen(THREADED, ChangesMeasured(3, 128, 9, both), CheckpointTaken(2, "done", "ref"))
    for run_id, n in ((LIVE, 1), (THREADED, 2)):
        engine.view.learn_lines(run_id, n, {"tui/cli.py": FileLines("base")})
    applied = Applied("edits", "/home/you/project", 2, 4, engine.now)
    engine.happen(FAILED, CheckpointTaken(4, "done", "ref"), Notice("info", "applied", applied))
    engine.outcomes = {
        THREADED: ApplyResult(("docs/store.md", "tui/cli.py", "tui/new.py")),
        LIVE: ApplyResult((), (Conflict("tui/cli.py", "has uncommitted changes here"),)),
    }
    engine.points = [
        Checkpoint(0, "", "", "baseline", engine.now - 300),
        Checkpoint(1, "", "", "executing", engine.now - 90),
    ]
    return engine


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_overlaps_and_what_was_applied_are_flagged(
    snap_compare: Compare, size: tuple[int, int]
) -> None:
    app = app_on(overlapping())
    assert snap_compare(app, terminal_size=size, run_before=on_run(LIVE))


@pytest.mark.parametrize(
    ("size", "keys"),
    [
        pytest.param(WIDE, ("space", "j", "j", "space", "a"), id="wide-marks"),
        pytest.param(NARROW, ("j", "j", "a", "right", "right"), id="narrow-merge"),
        pytest.param(WIDE, ("j", "j", "i"), id="wide-details"),
        pytest.param(NARROW, ("j", "j", "i"), id="narrow-details"),
    ],
)
def test_taking_home(snap_compare: Compare, size: tuple[int, int], keys: tuple[str, ...]) -> None:
    app = app_on(overlapping())
    assert snap_compare(app, terminal_size=size, run_before=on_run(LIVE, *keys))


def test_a_window_that_is_too_small(snap_compare: Compare) -> None:
    assert snap_compare(app_on(busy()), terminal_size=(50, 12))


@pytest.mark.parametrize("keys", [(), ("n",)], ids=["runs", "new-run"])
def test_neither_colour_nor_unicode(
    snap_compare: Compare, monkeypatch: pytest.MonkeyPatch, keys: tuple[str, ...]
) -> None:
    for name, value in (("TERM", "linux"), ("LANG", "C"), ("NO_COLOR", "1")):
        monkeypatch.setenv(name, value)
    symbols.unicode_ok.cache_clear()
    app = app_on(busy())
    app.forms.draft = Draft(prompt="Do it", folder="/home/you/project")
    assert snap_compare(app, terminal_size=NARROW, run_before=on_run(FAILED, *keys))


def test_the_form_without_codex(snap_compare: Compare) -> None:
    engine = busy()
    engine.refusal = user_error("CODEX_CLI_MISSING")
    app = app_on(engine)
    app.forms.draft = Draft(folder="/home/you/project")

    async def prepare(pilot: Pilot[None]) -> None:
        await on_run(LIVE, "n")(pilot)
        while "npm install" not in plain(app):
            await asyncio.sleep(0.01)
            await pilot.pause()

    assert snap_compare(app, terminal_size=NARROW, run_before=prepare)


SIZES = {"narrow": NARROW, "wide": WIDE, "160": (160, 45), "200": (200, 60)}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_the_inbox(snap_compare: Compare, size: tuple[int, int]) -> None:
    async def prepare(pilot: Pilot[None]) -> None:
        await pilot.press("7")
        await told_of(pilot, lambda: "Asked by" in shown(cast(SwarmApp, pilot.app)))
        await pilot.press("space", "j")
        await told_of(pilot, lambda: "OUTSIDE" in shown(cast(SwarmApp, pilot.app)))

    assert snap_compare(app_on(many_kinds()), terminal_size=size, run_before=prepare)


def test_the_inbox_in_the_light(snap_compare: Compare) -> None:
    async def prepare(pilot: Pilot[None]) -> None:
        cast(SwarmApp, pilot.app).theming.switch()
        await pilot.press("7", "j")
        await told_of(pilot, lambda: "tidying up" in shown(cast(SwarmApp, pilot.app)))

    assert snap_compare(app_on(many_kinds()), terminal_size=WIDE, run_before=prepare)


def test_the_question_before_a_bulk_answer(snap_compare: Compare) -> None:
    async def prepare(pilot: Pilot[None]) -> None:
        await pilot.press("7")
        await told_of(pilot, lambda: "Asked by" in shown(cast(SwarmApp, pilot.app)))
        await pilot.press("A", "y")
        await told_of(pilot, lambda: "different things" in shown(cast(SwarmApp, pilot.app)))

    assert snap_compare(app_on(many_kinds()), terminal_size=WIDE, run_before=prepare)


def test_the_inbox_with_neither_colour_nor_unicode(
    snap_compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("TERM", "linux"), ("LANG", "C"), ("NO_COLOR", "1")):
        monkeypatch.setenv(name, value)
    symbols.unicode_ok.cache_clear()

    async def prepare(pilot: Pilot[None]) -> None:
        await pilot.press("7", "space")
        await told_of(pilot, lambda: "tidying up" in shown(cast(SwarmApp, pilot.app)))

    assert snap_compare(app_on(many_kinds()), terminal_size=NARROW, run_before=prepare)
