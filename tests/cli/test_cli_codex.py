"""The thread of a run in interactive Codex, which is a script here that plays runs, too."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from pseudo import Opener
from typed import ROOT, Swarm

PROGRAM = """\
#!{python}
import json, os, sys
from pathlib import Path
simulated = {simulated!r}
if sys.argv[1] == "exec":
    os.execv({python!r}, [{python!r}, "-I", "-S", simulated, *sys.argv[1:]])
if sys.argv[1] != "resume":
    raise SystemExit(print("codex-cli 0.169.0"))
seen = {{"argv": sys.argv[1:], "cwd": os.getcwd(), "env": dict(os.environ)}}
Path({told!r}).write_text(json.dumps(seen))
Path("inside.txt").write_text("inside")
(rollout,) = Path(os.environ["CODEX_HOME"]).rglob(f"rollout-*{{sys.argv[-1]}}.jsonl")
usage = dict(input_tokens=9000, cached_input_tokens=0, output_tokens=90)
info = dict(total_token_usage=usage, last_token_usage=usage, model_context_window=1000)
line = dict(type="event_msg", payload=dict(type="token_count", info=info, rate_limits=None))
with rollout.open("a") as file:
    file.write(json.dumps(line) + "\\n")
print("THIS IS CODEX", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """The file in which the script notes how it was started."""
    return tmp_path / "told"


@pytest.fixture
def fake(tmp_path: Path, told: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a Codex that is a script."""
    program = tmp_path / "bin" / "codex"
    program.parent.mkdir()
    simulated = str(ROOT / "engine" / "agents" / "simulated" / "__main__.py")
    text = PROGRAM.format(python=sys.executable, simulated=simulated, told=str(told))
    program.write_text(text)
    program.chmod(0o755)
    (tmp_path / "codex-home").mkdir()
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex-home"))
    return program


@pytest.fixture
def run_id(swarm: Swarm, fake: Path) -> str:
    """The id of a run of that Codex which has ended."""
    words = ("run", "--empty", "--codex-bin", str(fake), "--json")
    done = swarm(*words, "sim: write a.txt a")
    assert done.code == 0, done.out
    return done.events[0]["run"]


def shown(inside: Swarm, run: str) -> dict[str, Any]:
    """Return the run object."""
    return inside("show", run, "--json").json


def test_the_thread_goes_on_and_its_changes_and_tokens_are_recorded(
    inside: Swarm, terminal: Opener, told: Path, run_id: str
) -> None:
    before = shown(inside, run_id)
    opened = terminal("codex", run_id)
    opened.until("THIS IS CODEX")
    for words in (["resume", run_id, "x"], ["retry", run_id], ["send", run_id, "x"]):
        refused = inside(*words, "--detach") if words[0] != "send" else inside(*words)
        assert (refused.code, "THREAD_IN_USE" in refused.err) == (3, True)
    second = terminal("codex", run_id)
    second.until("THREAD_IN_USE")
    assert second.end() == 3
    opened.type(b"\n")
    opened.until("are recorded")
    assert opened.end() == 0
    now = shown(inside, run_id)
    assert now["status"] == "succeeded"
    assert now["changes"]["files"] == before["changes"]["files"] + 1
    assert now["checkpoint"] == before["checkpoint"] + 1
    assert now["tokens"]["input"] == 9000
    phases = [
        one["phase"]
        for one in inside("logs", run_id, "--json").events
        if one["type"] == "thread_session"
    ]
    assert phases == ["opened", "closed"]
    seen = json.loads(told.read_text())
    words = seen["argv"]
    assert words[:5] == ["resume", "-s", "workspace-write", "-a", "on-request"]
    assert words[-1] == before["thread_id"]
    assert seen["cwd"] == before["workspace"]["path"]
    assert seen["env"]["SWARM_RUN"] == run_id
    assert seen["env"]["CODEX_HOME"] == os.environ["CODEX_HOME"]
    assert "SWARM_HOME" not in seen["env"]


def test_a_killed_program_releases_the_thread(
    inside: Swarm, swarm: Swarm, terminal: Opener, run_id: str
) -> None:
    opened = terminal("codex", run_id)
    opened.until("THIS IS CODEX")
    os.kill(opened.pid, signal.SIGKILL)
    opened.hang_up()
    done = swarm("resume", run_id, "sim: write b.txt b")
    assert done.code == 0, done.err
    assert shown(inside, run_id)["changes"]["files"] == 3


def _always(*_: object) -> bool:
    return True


@pytest.fixture
def at_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patch the check for a terminal: commands in this process find one."""
    monkeypatch.setattr("tui.cli.support.output.is_terminal", _always)


@pytest.mark.usefixtures("at_terminal")
def test_what_cannot_be_opened_is_refused_by_name(
    inside: Swarm, swarm: Swarm, told: Path, run_id: str
) -> None:
    def refusal(run: str) -> str:
        refused = inside("codex", run)
        assert refused.code == 3
        return refused.err

    assert "WORKSPACE_MISSING" not in refusal("nobody")
    simulated = swarm("run", "--empty", "--agent", "simulated", "--json", "sim: say hi")
    assert "is simulated" in refusal(simulated.events[0]["run"])
    assert inside("cleanup", "--including-unsaved", "--force").code == 0
    assert "WORKSPACE_MISSING" in refusal(run_id)
    assert not told.exists()


@pytest.mark.usefixtures("at_terminal")
def test_a_live_run_and_one_without_a_thread_are_refused(
    inside: Swarm, swarm: Swarm, fake: Path, told: Path
) -> None:
    assert inside("pause").code == 0
    words = ("run", "--empty", "--codex-bin", str(fake), "--detach")
    queued = swarm(*words, "sim: say hi").out.strip()
    refused = inside("codex", queued)
    assert (refused.code, "is queued: its thread is in use" in refused.err) == (3, True)
    assert inside("cancel", queued).code == 0
    refused = inside("codex", queued)
    assert (refused.code, "WORKSPACE_MISSING" in refused.err) == (3, True)
    assert not told.exists()


def test_without_a_terminal_nothing_is_opened(inside: Swarm, told: Path, run_id: str) -> None:
    refused = inside("codex", run_id)
    assert (refused.code, "NOT_A_TERMINAL" in refused.err) == (3, True)
    assert not told.exists()
