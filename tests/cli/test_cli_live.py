"""The live view: several runs, little colour, little room, all of the output."""

from __future__ import annotations

import re

import pytest
from pseudo import Opener
from typed import Swarm

from engine.domain.model import Run, RunSpec
from tui.cli.support.run_names import RunNames


@pytest.fixture
def two(simulated: Swarm, swarm: Swarm) -> list[str]:
    """The ids of a run that succeeded and one that failed, oldest first."""
    simulated("Good\nsim: write a.txt x\nsim: say fine")
    simulated("Bad\nsim: fail quota")
    return swarm("ls", "-q").out.split()[::-1]


def test_several_runs_end_in_few_lines(terminal: Opener, two: list[str]) -> None:
    shown = terminal("watch", *two)
    assert shown.end() == 1
    end = shown.text.splitlines()[-7:]
    assert re.fullmatch(rf"✓ {two[0]} succeeded after (0:\d\d|0\.\ds) · Good \(simulated\)", end[0])
    assert re.fullmatch(rf"✗ {two[1]} failed after (0:\d\d|0\.\ds) · Bad \(simulated\)", end[1])
    assert end[2].startswith("  QUOTA_EXCEEDED: The account's quota is used up")
    assert end[-3:] == [
        "1 succeeded · 1 failed",
        f"  next: swarm-tui retry {two[1]}",
        f"  next: swarm-tui apply {two[0]}",
    ]
    assert re.search(r"Good +.*says.*fine", shown.raw.decode())  # it may have scrolled away


def test_runs_of_one_title_are_named_by_id() -> None:
    def run(run_id: str, title: str) -> Run:
        return Run(run_id, RunSpec("p", title, "x"), 0.0)

    long = "The same for more than eighteen"
    runs = [run("a1", "One"), run("b2", long), run("c3", f"{long} cells"), run("d4", "")]
    names = RunNames(runs)
    shown = [names.short(run.id).rstrip() for run in runs]
    assert shown == ["One", "eighteen", "eighteen cells", "d4"]
    assert len({names.colour(run.id) for run in runs}) == 4


def test_the_pipe_tells_the_same_end(swarm: Swarm, two: list[str]) -> None:
    done = swarm("watch", *two)
    lines = done.out.splitlines()
    assert lines[-3:] == [
        "1 succeeded · 1 failed",
        f"  next: swarm-tui retry {two[1]}",
        f"  next: swarm-tui apply {two[0]}",
    ]
    assert all(line.startswith((*two, " ")) for line in lines[:-3])


def test_full_output_on_a_terminal(terminal: Opener) -> None:
    script = r"sim: command make takes=0 output='one\ntwo\nthree\nfour\nfive'"
    shown = terminal("run", "--empty", "--agent", "simulated", script)
    assert shown.end() == 0
    assert "… 2 lines before" in shown.text
    assert "two" not in shown.text.split()
    full = terminal("watch", "--full", "@last")
    assert full.end() == 0
    assert {"one", "two", "three", "four", "five"} <= set(full.text.split())


@pytest.mark.parametrize("words", [["--no-color"], []])
def test_a_live_view_without_colours(terminal: Opener, words: list[str]) -> None:
    env = {} if words else {"NO_COLOR": "1"}
    shown = terminal("run", *words, "--empty", "--agent", "simulated", "sim: fail quota", **env)
    assert shown.end() == 1
    assert "╭─ QUOTA_EXCEEDED ─" in shown.text
    colours = {
        code for codes in re.findall(rb"\x1b\[([\d;]*)m", shown.raw) for code in codes.split(b";")
    }
    assert not colours - {b"", b"0", b"1", b"2", b"22", b"39", b"49"}


def test_a_panel_where_there_is_only_ascii(terminal: Opener) -> None:
    shown = terminal("show", "nobody", TERM="linux")
    assert shown.end() == 3
    assert "+- RUN_NOT_FOUND -" in shown.text


def test_columns_are_honoured(terminal: Opener, simulated: Swarm, swarm: Swarm) -> None:
    simulated("sim: say x", "--title", "long " * 30)
    shown = terminal("ls", COLUMNS="70")
    assert shown.end() == 0
    assert max(map(len, shown.text.splitlines())) <= 70
    assert "long " * 25 in swarm("ls", COLUMNS="70").out  # in a pipe nothing is cut
