"""What worked, distilled: bounded, harmless and the same each time, whatever the events say."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from support import HOSTILE

from engine.domain import pattern as patterns
from engine.domain.events import FileChange, Step
from engine.domain.model import ChangeCount, Run, RunSpec
from engine.domain.pattern import (
    MAX_LESSON,
    MAX_STEPS,
    PatternStep,
    PatternVariable,
    extract,
    id_of,
)


def run_of(prompt: str, **more: object) -> Run:
    return Run("r", RunSpec(prompt, "title", "project", **more), 0.0)


def command(text: str, code: int | None = 0) -> Step:
    phase = "completed" if code == 0 else "failed"
    return Step("tool", "command", phase, text, command=f"bash -lc {text!r}", exit_code=code)


def edit(*paths: str) -> Step:
    changes = tuple(FileChange(path, "modified") for path in paths)
    return Step("tool", "file_change", "completed", changes=changes)


def test_what_worked_in_order() -> None:
    run = run_of("Fix the 3 tests of `parse_date` in src/dates.py for 3.8-3.12", verify="make test")
    run.changes = ChangeCount(2, 30, 4)
    done = [
        Step("assistant", "message", "completed", "I begin."),
        Step("tool", "command", "started", "ls", command="ls"),
        command("ls"),
        command("pytest -q", 1),
        edit("src/dates.py"),
        edit("tests/test_dates.py", "src/dates.py"),
        command("python fix.py", 2),
        command("python gen.py"),
        command("pytest -q"),
        edit("notes.md"),
        command("pytest -q"),
    ]
    found = extract(run, done)
    assert found
    assert [(step.kind, step.text) for step in found.steps] == [
        ("look", "ls"),
        ("edit", "src/dates.py, tests/test_dates.py"),
        ("run", "python gen.py"),
        ("edit", "notes.md"),
        ("check", "pytest -q"),
        ("check", "make test"),
    ]
    assert found.outcome == "2 files changed (+30 -4), `make test` passed"
    for variable in (
        PatternVariable("number", "3"),
        PatternVariable("name", "parse_date"),
        PatternVariable("path", "src/dates.py"),
        PatternVariable("range", "3.8-3.12"),
        PatternVariable("path", "gen.py"),
    ):
        assert variable in found.variables
    told = patterns.lesson(found, 2)
    assert "2 times" in told and "5. check: pytest -q" in told and "Goal: Fix the 3 tests" in told


def test_nothing_done_is_no_pattern() -> None:
    assert (
        extract(run_of("Say hello"), [Step("assistant", "message", "completed", "hello")]) is None
    )


def test_tasks_that_differ_in_their_variables_alone_are_one() -> None:
    one = id_of("Fix bug 12 in src/a.py, see `foo`.")
    assert one == id_of("fix bug 7  in lib/deep/b.rs see `bar`")
    assert one != id_of("Fix bug 12 in src/a.py, see `foo`.", "test")
    assert one != id_of("Fix all bugs in src/a.py, see `foo`.")


text = st.one_of(st.sampled_from(HOSTILE[:-1]), st.text(max_size=60), st.just("ab/" * 3000))
steps = st.builds(
    Step,
    role=st.sampled_from(["tool", "assistant", "reasoning", ""]),
    kind=st.sampled_from(["command", "file_change", "message", "mcp", "x"]),
    phase=st.sampled_from(["started", "completed", "failed"]),
    text=text,
    command=st.none() | text,
    exit_code=st.none() | st.integers(-1, 2),
    changes=st.none()
    | st.lists(st.builds(FileChange, text, st.just("added")), max_size=9).map(tuple),
)
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


@given(text, st.lists(steps, max_size=40), st.none() | text)
def test_any_stream_gives_a_small_harmless_pattern(
    prompt: str, done: list[Step], verify: str | None
) -> None:
    found = extract(run_of(prompt, verify=verify), done)
    assert found == extract(run_of(prompt, verify=verify), done)
    assert len(id_of(prompt)) == 10
    if found is None:
        return
    assert 0 < len(found.steps) <= MAX_STEPS and found.goal
    said = [found.goal, found.outcome, *(step.text for step in found.steps)]
    said += [variable.value for variable in found.variables]
    assert all(len(one) <= 400 and not UNSAFE.search(one) for one in said)
    told = patterns.lesson(found)
    assert len(told) <= MAX_LESSON + 40
    assert told.count("</earlier-work>") == 1 and told.endswith("</earlier-work>")


def test_long_work_is_shortened_in_the_middle() -> None:
    done = [command(f"make part{n}") for n in range(300)] + [command("cat x")] * 9
    found = extract(run_of("Build it", verify="make all"), done)
    assert found and len(found.steps) == MAX_STEPS
    assert found.steps[0] == PatternStep("run", "make part0")
    assert found.steps[-1] == PatternStep("check", "make all")
