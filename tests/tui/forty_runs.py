"""Forty runs of every kind, on the fake engine."""

from __future__ import annotations

from dataclasses import replace

from fake_engine import FakeEngine, S

from engine.config.settings import UiSettings
from engine.domain.errors import user_error
from engine.domain.events import (
    ChangesMeasured,
    CheckpointTaken,
    ErrorRaised,
    Notice,
    PlanChanged,
    Progressed,
    StatusChanged,
    Step,
)
from engine.domain.model import Agent, Applied, PlanItem, RunSpec, Stage
from engine.domain.reasons import Subject

CHECK_FAILED = """`pytest -q` failed with exit 1:
FAILED tests/test_dates.py::test_leap_year - AssertionError: assert 28 == 29
FAILED tests/test_dates.py::test_month - ValueError: month must be in 1..12
2 failed, 55 passed in 3.41s"""
LIVE = "1qj8b09000"
FAILED = "1qj8b06000"
OLD_TITLES = (
    "Rename the settings module",
    "Remove the unused helpers",
    "Add type hints to the store",
    "Speed up the search index",
    "Document the webhooks",
)
WAITING_TITLES = ("Translate the manual", "Check all links", "Write release notes", "Tidy up")


def forty_runs(ui: UiSettings | None = None) -> FakeEngine:
    """Return an engine with 40 runs: every status, overlaps, applied ones, old and new."""
    engine = FakeEngine(ui)
    _applied(engine)
    _failed(engine)
    _to_review(engine)
    _live(engine)
    for number, title in enumerate(WAITING_TITLES):
        engine.add(f"1qj8c{number:02}000", title, project="docs")
    waiting = RunSpec("Publish it", "Publish the package", "demo", after=("1qj8c02000",))
    engine._create("1qj8c09000", waiting)
    engine.now += 5
    return engine


def _applied(engine: FakeEngine) -> None:
    for number in range(20):
        run_id, title = f"1qj8a{number:02}000", OLD_TITLES[number % len(OLD_TITLES)]
        engine.add(run_id, f"{title} ({number})", project="engine")
        _begin(engine, run_id)
        engine.happen(
            run_id,
            Step("assistant", "message", "completed", f"Done: {title.lower()}.\n\nAll tests pass."),
            ChangesMeasured(2, 12 + number * 7, number),
            CheckpointTaken(1, "done", "refs/1"),
            StatusChanged(S.SUCCEEDED),
            after_s=200 + number,
        )
        taken = Applied("edits", "/home/you/project", 2, 1, engine.now)
        engine.happen(run_id, Notice("info", "applied", taken), after_s=400)


def _begin(engine: FakeEngine, run_id: str) -> None:
    engine.pass_through(run_id, S.PREPARING)
    place = {"path": f"/w/{run_id}", "kind": "worktree", "source": "/home/you/project"}
    engine.happen(run_id, Progressed(Stage.WORKSPACE_CLONED, "ready", 20, place))
    engine.pass_through(run_id, S.RUNNING)
    engine.happen(run_id, Progressed(Stage.EXECUTING, "thinking", 30, {"thread_id": "thread"}))


def _failed(engine: FakeEngine) -> None:
    failures = (
        ("Fix the date parser", "VERIFY_FAILED", CHECK_FAILED),
        ("Review the whole repository", "QUOTA_EXCEEDED", ""),
        ("Update the dependencies", "API_UNREACHABLE", ""),
    )
    for number, (title, code, message) in enumerate(failures):
        run_id = f"1qj8b{6 + number:02}000"
        engine.add(run_id, title)
        _begin(engine, run_id)
        error = user_error(code, message or None).info
        engine.happen(run_id, ErrorRaised(error), ChangesMeasured(1, 31, 4), after_s=83)
        engine.happen(run_id, StatusChanged(S.FAILED, reason=code))
    engine.add("1qj8b05000", "Compress the log files")
    _begin(engine, "1qj8b05000")
    engine.happen("1qj8b05000", StatusChanged(S.INTERRUPTED, reason="its process is gone"))


def _to_review(engine: FakeEngine) -> None:
    for number in range(5):
        run_id = f"1qj8b1{number}000"
        batch = "1qj8batch0" if number < 3 else None
        engine.add(run_id, f"Port the store to async, try {number + 1}", batch=batch)
        _begin(engine, run_id)
        said = "The store is asynchronous now; `Store.runs` takes a limit."
        engine.happen(
            run_id,
            Step("assistant", "message", "completed", said),
            ChangesMeasured(7, 495 + number, 120),
            StatusChanged(S.SUCCEEDED),
            after_s=260,
        )
    known = engine.view.runs["1qj8b14000"]
    engine.view.runs["1qj8b14000"] = replace(known, overlaps=1)
    engine.add("1qj8b20000", "Rewrite everything at once")
    _begin(engine, "1qj8b20000")
    engine.pass_through("1qj8b20000", S.CANCELLING)
    engine.happen("1qj8b20000", StatusChanged(S.CANCELLED, reason="cancelled by the user"))
    engine.add("1qj8b21000", "Answer a question about the code", agent=Agent.SIMULATED)
    _begin(engine, "1qj8b21000")
    answer = Step("assistant", "message", "completed", "`fold` is called once a batch of events.")
    engine.happen("1qj8b21000", answer, StatusChanged(S.SUCCEEDED), after_s=33)


def _live(engine: FakeEngine) -> None:
    titles = ("Port the command line to click", "Write the user guide", "Refactor the parser")
    for number, title in enumerate(titles):
        engine.add(f"1qj8b0{9 - number}000" if number == 0 else f"1qj8b3{number}000", title)
    _begin(engine, LIVE)
    steps = ("Look at the project", "Write cli.py", "Check it", "Sum up")
    plan = PlanChanged(tuple(PlanItem(text, n < 2) for n, text in enumerate(steps)))
    engine.happen(LIVE, plan, ChangesMeasured(1, 64, 0), Progressed(Stage.EXECUTING, "", 55))
    command = "pytest -q tests/cli/test_options.py"
    engine.happen(LIVE, Step("tool", "command", "started", command, command=command), after_s=30)
    _begin(engine, "1qj8b31000")
    words = "I read the three chapters; the first one lacks the installation."
    engine.happen("1qj8b31000", Step("assistant", "message", "completed", words), after_s=2)
    _begin(engine, "1qj8b32000")
    engine.add("1qj8b33000", "Find the memory leak", agent=Agent.SIMULATED)
    _begin(engine, "1qj8b33000")
    stalled = Notice("warning", "stalled: no sign of life for 5:00", subject=Subject.STALLED)
    engine.happen("1qj8b33000", stalled, after_s=3)
