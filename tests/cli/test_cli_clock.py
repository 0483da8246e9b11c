"""The clock of the machine moves while a command supervises a run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typed import Starter, Swarm

DAY_S = 86_400
MOVED_CLOCK = """
import os, time
real = time.time
def moved():
    try:
        with open(os.environ["CLOCK_OFFSET"]) as file:
            return real() + float(file.read() or 0)
    except (KeyError, OSError, ValueError):
        return real()
time.time = moved
"""


@pytest.fixture
def offset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file whose number of seconds is added to the clock of every command."""
    (tmp_path / "python").mkdir()
    (tmp_path / "python" / "sitecustomize.py").write_text(MOVED_CLOCK)
    path = tmp_path / "offset"
    path.write_text("0")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "python"))
    monkeypatch.setenv("CLOCK_OFFSET", str(path))
    return path


def move(offset: Path, seconds: float) -> None:
    new = offset.with_suffix(".new")
    new.write_text(str(seconds))
    new.replace(offset)


def test_a_run_with_a_limit_ends_well_while_the_clock_moves(
    start: Starter, swarm: Swarm, here: Path, offset: Path
) -> None:
    run = start(
        "run", "--empty", "--agent", "simulated", "--timeout", "10m",
        "--verify", f"until [ -e {here}/go ]; do sleep 0.05; done", "sim: say begins",
    )  # fmt: skip
    run.until(type="status", status="verifying")
    move(offset, DAY_S)
    run.until(type="notice", text="the clock was moved forward by 24:00:00")
    move(offset, -DAY_S)
    run.until(type="notice", text="the clock was moved back by 48:00:00")
    (here / "go").touch()
    assert run.end() == 0
    shown = swarm("show", "@last", "--json").json
    assert shown["status"] == "succeeded"
    assert 0 <= shown["elapsed_s"] < 60


AGES = (
    "ls", "show @last --json", "batch show @last", "batch report @last", "search hello", "patterns",
    "du", "cleanup --older-than 1d --dry-run", "cleanup --codex --dry-run",
)  # fmt: skip
NEGATIVE = re.compile(r'(^|[\s\[:"])-\d', re.MULTILINE)


def test_no_age_is_negative_after_the_clock_was_set_back(swarm: Swarm, offset: Path) -> None:
    move(offset, 400 * DAY_S)
    words = ("--empty", "--agent", "simulated", "hello\nsim: write a.txt x")
    assert swarm("batch", "--count", "2", *words).code == 0
    assert swarm("cleanup", "@last", "--including-unsaved", "--force").code == 0
    move(offset, 0)
    for line in AGES:
        done = swarm(*line.split())
        assert (done.code, done.err) == (0, ""), line
        assert not NEGATIVE.search(done.out), line
    assert swarm("cleanup", "--undo").code == 0
