"""Templates on the command line."""

from __future__ import annotations

import json
from pathlib import Path

from typed import Swarm

from engine.config.paths import Paths

MINE = """description: Says what it is told
params:
  word: {help: the word}
prompt: "sim: say {{ word }}"
timeout: 5m
verify: test {{ word|quote }} = tree
"""


def test_a_run_from_a_template_of_ones_own(swarm: Swarm, paths: Paths) -> None:
    made = swarm("templates", "new", "mine", "--no-edit")
    file = Path(made.out.strip())
    assert (made.code, file) == (0, paths.config.parent / "templates" / "mine.yaml")
    assert swarm("templates", "check", "mine").out == "mine: ok\n"
    assert swarm("templates", "new", "mine").code == 3
    assert swarm("templates", "new", "../mine").code == 3
    file.write_text(MINE)
    base = ("run", "--empty", "--agent", "simulated", "-t", "mine")
    missing = swarm(*base)
    assert missing.code == 3 and "TEMPLATE_PARAM_MISSING" in missing.err
    done = swarm(*base, "-p", "word=tree", "--retries", "0")
    assert done.code == 0 and "says      tree" in done.out
    assert swarm(*base, "-p", "word=a'b").code == 1
    run = json.loads(swarm("ls", "--json").out)[1]
    assert (run["template"], run["title"], run["status"]) == ("mine", "mine", "succeeded")
    shown = {it["name"]: it for it in json.loads(swarm("templates", "--json").out)}
    assert shown["mine"]["achieved"]["runs"] == 2 and shown["mine"]["achieved"]["succeeded"] == 1
    assert "sim: say oak" in swarm("templates", "show", "mine", "-p", "word=oak").out


def test_a_mistake_is_told_with_its_line(swarm: Swarm, here: Path) -> None:
    (here / ".swarm" / "templates").mkdir(parents=True)
    file = here / ".swarm" / "templates" / "bad.yaml"
    file.write_text("description: d\nprompt: '{{ nope }}'\n")
    checked = swarm("templates", "check")
    assert checked.code == 1 and f"{file}:2: " in checked.out and "test: ok" in checked.out
    assert "bad" in swarm("templates").out
    assert swarm("run", "-t", "bad").code == 3


def test_a_repositorys_command_runs_only_when_it_is_trusted(swarm: Swarm, here: Path) -> None:
    (here / ".swarm" / "templates").mkdir(parents=True)
    file = here / ".swarm" / "templates" / "ours.yaml"
    file.write_text("description: d\nprompt: 'sim: say hi'\nverify: echo checked\n")
    words = ("run", "--agent", "simulated", "-t", "ours")
    refused = swarm(*words)
    assert refused.code == 3 and "TEMPLATE_NOT_TRUSTED" in refused.err
    assert "echo checked" in refused.err
    assert swarm(*words, "--trust").code == 0
    assert swarm(*words).code == 0
    file.write_text(file.read_text().replace("checked", "other"))
    assert swarm(*words).code == 3
    assert swarm("logs", "@last", "--verify").out == "$ echo checked\nchecked\n"
