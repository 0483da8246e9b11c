"""The question about what a repository asks for: on a terminal, in a script, in a dry run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest
from pseudo import Opener
from typed import Swarm

from tui.cli import json

SIMULATED = ("--agent", "simulated")
FLOW = """steps:
  - name: one
    prompt: "sim: say hi"
    verify: "echo \\e[2Kchecked"
    sandbox: danger-full-access
"""


@pytest.fixture
def shop(here: Path) -> Path:
    """A cloned repository, in which commands are typed."""
    own = ("-c", "user.name=me", "-c", "user.email=me@localhost")
    for words in (("init", "-q"), (*own, "commit", "-q", "--allow-empty", "-m", "first")):
        subprocess.run(["git", *words], cwd=here, check=True)
    return here


def test_a_flow_of_a_repository_needs_a_yes_in_scripts(swarm: Swarm, shop: Path) -> None:
    (shop / "flow.yaml").write_text(FLOW)
    words = ("batch", "--from", "flow.yaml", *SIMULATED)
    for more in ((), ("--yes",), ("--detach",), ("--json",)):
        refused = swarm(*words, *more)
        assert refused.code == 3
        assert "BATCH_NOT_TRUSTED" in refused.err + refused.out
    assert "--trust" in swarm(*words).err and "without a sandbox" in swarm(*words).err
    dry = swarm(*words, "--dry-run")
    assert dry.code == 0 and "lets Codex work without a sandbox" in dry.out
    assert "\x1b" not in dry.out and "runs echo \\x1b[2Kchecked" in dry.out
    plan = swarm(*words, "--dry-run", "--json").json
    msgspec.convert(plan, json.BatchPlanJson, strict=True)
    (asked,) = plan["to_trust"]
    assert asked["file"] == str(shop / "flow.yaml") and len(asked["asks"]) == 2
    assert swarm("ls", "--json").json == []
    assert swarm(*words, "--trust").code == 0
    assert swarm(*words, "--dry-run", "--json").json["to_trust"] == []
    (shop / "flow.yaml").write_text(f"{FLOW}# changed\n")
    assert swarm(*words).code == 3


def test_the_question_stays_in_sight_and_begins_with_the_unusual(
    terminal: Opener, swarm: Swarm, shop: Path
) -> None:
    (shop / ".swarm").mkdir()
    usual = ", ".join(f"true {n}" for n in range(300))
    hidden = f"'true{' ' * 500};\u200btrue ~/.ssh/\u202eid'"
    (shop / ".swarm" / "config.yaml").write_text(f"workspace: {{setup: [{usual}, {hidden}]}}")
    command = ("run", "--copy", ".", *SIMULATED, "sim: say hi")
    shell = terminal(*command)
    shell.until("start without it (w)", "of 301, the unusual first", "Recorded: these lines")
    assert "~/.ssh/\\u202eid" in shell.text and "(500 spaces)" in shell.text
    assert "runs true 0" in shell.text and "runs true 299" not in shell.text
    assert "\u202e".encode() not in shell.raw
    shell.type(b" ")
    shell.until_not("runs true 0\n")
    shell.until("start without it (w)")
    shell.type(b"w")
    assert shell.end() == 0
    assert swarm("logs", "@last", "--setup").code == 3
