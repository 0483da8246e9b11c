"""Patterns on the command line: learned, shown, told to a run, shared and removed."""

from __future__ import annotations

from pathlib import Path

import msgspec
from typed import Swarm

from tui.cli import json

TASK = "Make it in a/b.txt\nsim: command 'make it' takes=0 output=done\nsim: write b.txt hello"


def test_from_one_run_to_the_next(swarm: Swarm, simulated: Swarm, here: Path) -> None:
    assert swarm("patterns", "--json").json == []
    assert simulated(TASK).code == 0
    (known,) = swarm("patterns", "--json").json
    msgspec.convert([known], json.DOCUMENTS["patterns"])
    assert known["goal"] == "Make it in a/b.txt" and known["id"] in swarm("patterns").out
    assert [step["text"] for step in known["steps"]] == ["make it", "b.txt"]
    assert simulated("sim: say hi", "--learn-from", "@last").code == 0
    shown = swarm("show", "@last", "--json").json
    assert shown["learn_from"] == known["id"] and "1. run: make it" in shown["lesson"]
    assert shown["prompt"] == "sim: say hi" and "hints" in swarm("show", "@last").out
    used = swarm("patterns", "show", known["id"][:6], "--json").json
    assert used["used_by"] == [shown["id"]] and used["with_it"] == {"ended": 1, "succeeded": 1}
    assert "1 of 1 succeeded (100%)" in swarm("patterns", "show", known["id"]).out
    exported = swarm("patterns", "export", known["id"], "-o", "mine.yaml")
    assert (exported.code, exported.out) == (0, "")
    assert "removed" in swarm("patterns", "rm", known["id"]).out
    refused = simulated("sim: say hi", "--learn-from", known["id"])
    assert refused.code == 3 and "PATTERN_NOT_FOUND" in refused.err
    assert swarm("patterns", "undo").code == 0
    file = here / "mine.yaml"
    file.write_text(file.read_text().replace("make it", "make them"))
    assert swarm("patterns", "import", "mine.yaml", "--json").json["is_edited"]
    assert "make them" in swarm("patterns", "export", known["id"]).out
    file.write_text('goal: x\nsteps:\n  - {kind: run, text: "\\e[31m"}\n')
    bad = swarm("patterns", "import", "mine.yaml")
    assert bad.code == 3 and "mine.yaml:3:" in bad.err and "PATTERN_INVALID" in bad.err
    assert swarm("patterns", "edit", known["id"]).code == 3
    assert swarm("patterns", "show").code == 2


def test_every_run_of_a_batch_learns(swarm: Swarm, simulated: Swarm) -> None:
    assert simulated(TASK).code == 0
    asked = ("sim: say hi", "--count", "2", "--empty", "--agent", "simulated")
    assert swarm("batch", *asked, "--name", "two", "--learn-from", "@last").code == 0
    learned = swarm("ls", "--batch", "two", "--json").json
    assert ["make it" in run["lesson"] for run in learned] == [True, True]
