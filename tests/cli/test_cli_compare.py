"""Runs compared on the command line: side by side, and one workspace against another."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import repos
from typed import Swarm

from tui.cli import json as shapes


@pytest.fixture
def three(swarm: Swarm, here: Path) -> list[str]:
    """The ids of three runs on one repository, the oldest first."""
    here.rmdir()
    repos.repository(here)
    for text in ("one", "two", "three"):
        lines = f"Work\nsim: write a.txt {text}\nsim: say I wrote {text}."
        assert swarm("run", "--agent", "simulated", "--title", text, lines).code == 0
    return swarm("ls", "-q").out.split()[::-1]


def test_a_run_is_compared_with_another_by_lines(
    inside: Swarm, here: Path, three: list[str]
) -> None:
    first, second, _ = three
    done = inside("diff", second, "--against", first)
    assert (done.code, done.err) == (0, "")
    assert "-one\n" in done.out.replace("\r", "") and "+two\n" in done.out
    assert inside("diff", second, "--against", second).out == ""
    assert inside("diff", second, "sub/b.txt", "--against", first).out == ""
    stat = inside("diff", second, "--against", first, "--stat").out
    assert "a.txt" in stat and "1 file, +1 −1" in stat
    told = inside("diff", second, "--against", first, "--json").json
    msgspec.convert(told, shapes.DiffJson, strict=True)
    assert [file["path"] for file in told["changes"]] == ["a.txt"]
    assert (here / "a.txt").read_text() == "one\ntwo\nthree\n"


def test_what_cannot_be_compared_is_named(inside: Swarm, three: list[str]) -> None:
    first, second, _ = three
    both = inside("diff", second, "--against", first, "--checkpoint", "1")
    assert (both.code, "--against compares workspaces" in both.err) == (2, True)
    assert inside("diff", second, "--against", "nobody").code == 3
    assert inside("cleanup", first, "--including-unsaved", "--force").code == 0
    gone = inside("diff", second, "--against", first)
    assert gone.code == 3
    assert first in gone.err


def test_runs_stand_side_by_side_with_the_best_and_its_reason(
    inside: Swarm, three: list[str]
) -> None:
    done = inside("compare", *three)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "3 runs: fewest tokens" or lines[0] == "3 runs: same as the next one"
    head = next(line for line in lines if "★" in line)
    assert all(run in head for run in three)
    assert "I wrote two." in done.out and "a.txt" in done.out
    told = inside("compare", *three, "--json").json
    msgspec.convert(told, list[shapes.ComparisonJson], strict=True)
    assert [len(each["runs"]) for each in told] == [3]
    assert told[0]["winner"] == told[0]["runs"][0]["run"]
    assert {run["last_message"] for run in told[0]["runs"]} == {
        f"I wrote {text}." for text in ("one", "two", "three")
    }
    alone = inside("compare", three[0])
    assert (alone.code, "the only one of its task" in alone.err) == (3, True)
