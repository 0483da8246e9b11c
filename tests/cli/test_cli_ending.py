"""The end of a run as it is told: files as a tree, and what to type next."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from typed import Swarm

from engine.domain.errors import user_error
from engine.domain.events import Event, FileChange, StatusChanged, Step, status_change
from engine.domain.interaction import InterruptPhase, TurnInterrupt
from engine.domain.model import ChangeCount, Run, RunSpec, Status, Workspace, WorkspaceKind
from engine.domain.reasons import Cause
from engine.domain.stamp import stamp
from tui.cli.support.changed_tree import TreeLeaf, tree
from tui.cli.support.follow import RunFollower
from tui.cli.support.live_view import LiveView
from tui.cli.support.summaries import next_steps, together


def _run(status: Status, kind: str = "worktree", code: str | None = None, files: int = 1) -> Run:
    run = Run("0f3", RunSpec("p", "t", "x"), 0.0, status=status)
    run.changes = ChangeCount(files, files, 0)
    run.workspace = Workspace("/w", WorkspaceKind(kind))
    run.error = user_error(code).info if code else None
    return run


@pytest.mark.parametrize(
    ("run", "steps"),
    [
        (_run(Status.SUCCEEDED), "diff apply resume"),
        (_run(Status.SUCCEEDED, "copy"), "diff apply resume"),
        (_run(Status.SUCCEEDED, "in-place"), "diff resume"),
        (_run(Status.SUCCEEDED, files=0), "show"),
        (_run(Status.FAILED, code="API_OVERLOADED"), "logs diff retry"),
        (_run(Status.FAILED, code="BUDGET_EXCEEDED", files=0), "logs"),
        (_run(Status.INTERRUPTED, files=0), "logs retry"),
        (_run(Status.CANCELLED, files=0), "retry"),
    ],
)
def test_what_to_type_next(run: Run, steps: str) -> None:
    ends = {"resume": " MESSAGE"}  # it is refused without one
    assert next_steps(run) == [
        f"swarm-tui {step} 0f3{ends.get(step, '')}" for step in steps.split()
    ]


def test_a_crash_is_explained_by_its_stderr() -> None:
    run = _run(Status.FAILED, code="AGENT_CRASHED")
    assert next_steps(run)[0] == "swarm-tui logs 0f3 --stderr"


def test_several_runs_in_few_lines() -> None:
    good, bad = _run(Status.SUCCEEDED), _run(Status.FAILED)
    assert together({"a": good, "b": bad}) == [
        "1 succeeded · 1 failed",
        "  next: swarm-tui retry 0f3",
        "  next: swarm-tui apply 0f3",
    ]
    assert together(dict.fromkeys("abcdefgh", bad)) == ["8 failed"]


def test_files_below_their_folders() -> None:
    leaves = [
        TreeLeaf("src/b.py", "modified", "+3 −1"),
        TreeLeaf("README.md", "added", "+10 −0"),
        TreeLeaf("src/deep/er/c.py", "deleted", "+0 −7"),
        TreeLeaf("src/a\x1b.py", "added"),
        TreeLeaf("tests/b.py", "added"),
    ]
    assert tree(leaves, 9) == [
        "A README.md   +10 −0",
        "  src/",
        "A   a\\x1b.py",
        "M   b.py      +3 −1",
        "    deep/",
        "      er/",
        "D       c.py  +0 −7",
        "  tests/",
        "A   b.py",
    ]
    assert tree(leaves, 1) == ["A README.md  +10 −0", "… and 4 more"]


@pytest.mark.parametrize("full", [False, True])
def test_many_edited_files_are_a_tree(capsys: pytest.CaptureFixture[str], full: bool) -> None:
    run = _run(Status.RUNNING)
    changes = tuple(FileChange(f"src/{number:02}.py", "added") for number in range(20))
    event = Event("0f3", 1, 0.0, 1, Step("tool", "file_change", "completed", changes=changes))
    engine = SimpleNamespace(lookout=SimpleNamespace(since=None))
    view = LiveView(RunFollower(engine, [run]), full=full)  # type: ignore[arg-type]  a parameter of the test
    view.show([event], {"0f3": run})
    lines = [line[20:].rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[:4] == ["20 files", "  src/", "A   00.py", "A   01.py"]
    assert lines[-1] == ("A   19.py" if full else "… and 8 more")


def test_each_further_attempt_begins_with_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    run = _run(Status.RUNNING)
    engine = SimpleNamespace(lookout=SimpleNamespace(since=None))
    view = LiveView(RunFollower(engine, [run]))  # type: ignore[arg-type]  a parameter of the test
    run.status, run.attempt, run.seq = Status.RUNNING, 1, 3
    again = (Status.PREPARING, Status.RUNNING, Status.INTERRUPTED)
    events, run = stamp(
        run,
        [
            TurnInterrupt("i", InterruptPhase.REQUESTED),
            StatusChanged(Status.INTERRUPTED),
            status_change(Status.QUEUED, Cause.RETRY),
            *map(StatusChanged, again),
            status_change(Status.QUEUED, Cause.RESUME),
        ],
        1.0,
    )
    view.show(events, {"0f3": run})
    lines = [line[11:].split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["you", "interrupt", "requested"],
        ["attempt", "2", "·", "queued", "·", "retry"],
        ["attempt", "3", "·", "queued", "·", "resume"],
    ]


MANY = "sim: command make takes=0 output='" + r"\n".join(f"line {n}" for n in range(500)) + "'"


def test_output_is_folded_unless_it_is_wanted_in_full(simulated: Swarm, swarm: Swarm) -> None:
    folded = simulated(MANY).out
    assert "line 499" in folded
    assert "line 490" not in folded
    assert "… 497 lines before" in folded
    for full in (swarm("watch", "@last", "--full").out, swarm("logs", "@last").out):
        lines = [line.strip() for line in full.splitlines()]
        assert [line for line in lines if line.startswith("line ")] == [
            f"line {number}" for number in range(500)
        ]


def test_the_end_tells_the_files(simulated: Swarm) -> None:
    lines = simulated(r"sim: write src/a.py one\ntwo" + "\nsim: write b.txt x").out.splitlines()
    end = [line for line in lines if line.startswith("    ") and "+" in line]
    assert end == ["    A b.txt   +1 −0", "    A   a.py  +2 −0"]
    assert "    src/" in "\n".join(lines)
