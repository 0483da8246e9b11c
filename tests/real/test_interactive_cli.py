"""An interactive run of the real Codex from the command line alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bridge_run import escalated
from house import ROOT, House
from loopback import LoopbackServer, codex_binary, message

from engine.execution.supervisor_status import read_holder

SWARM = (sys.executable, str(ROOT / "swarm_tui.py"))
LIMIT_S = 60


@pytest.fixture
def here(lab: Path, house: House) -> Path:
    """Make the folder in which commands are typed."""
    folder = lab / "garden"
    folder.mkdir()
    return folder


def _swarm(here: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SWARM, *words], text=True, capture_output=True, cwd=here, timeout=LIMIT_S, check=False
    )


def _json(here: Path, *words: str) -> Any:
    done = _swarm(here, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def run(here: Path, server: LoopbackServer, lab: Path) -> Iterator[str]:
    """Start a run in the background that asks for a hostile command, and return its id."""
    wish = escalated(f"touch {lab}/written #\u202e\nsecond-line", "I \x1b[31mneed it")
    prompt = server.script("a", [wish], [message("then this")], [message("done")])
    words = ("run", "--interactive", "--empty", "--detach", "--codex-bin", codex_binary())
    started = _json(here, *words, "--agent", "codex", prompt)
    assert (started["interactive"], started["status"]) == (True, "queued")
    waited = _swarm(here, "wait", started["id"], "--needs-input")
    assert waited.returncode == 75
    assert "needs you: run `touch" in waited.stderr
    yield str(started["id"])
    _swarm(here, "cancel", started["id"], "--kill")  # an agent that still asks waits for ever
    _swarm(here, "wait", started["id"])


def test_request_is_shown_whole_and_visible(here: Path, run: str) -> None:
    (request,) = _json(here, "inbox")
    assert (request["run"], request["kind"], request["cwd"]) == (run, "command", ".")
    assert "\\u202e\nsecond-line" in request["command"]
    shown = _swarm(here, "inbox").stdout
    assert request["id"] in shown
    assert "command (2 lines): /bin/bash -lc 'touch" in shown
    assert "\\u202e⏎second-line" in shown
    assert "reason given by the agent: I need it" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert _swarm(here, "cancel", run, "--kill").returncode == 0
    assert _swarm(here, "wait", run).returncode == 130
    assert _json(here, "inbox") == []


def test_request_is_denied_with_a_message_and_the_run_ends_well(
    here: Path, run: str, server: LoopbackServer, lab: Path
) -> None:
    request = f"{run}:1:0"
    refused = _swarm(here, "approve", run)
    assert (refused.returncode, "Not the id of a request" in refused.stderr) == (3, True)
    assert _swarm(here, "send", run, "--after-turn", "one more thing").returncode == 0
    assert _json(here, "show", run)["messages"][0]["text"] == "one more thing"
    denied = _swarm(here, "deny", request, "write into the workspace")
    assert (denied.returncode, denied.stdout) == (0, f"{request} denied\n")
    again = _swarm(here, "approve", request)
    assert (again.returncode, "not open any more" in again.stderr) == (3, True)
    assert _swarm(here, "wait", run, "--needs-input").returncode == 0
    assert not (lab / "written").exists()
    said = str(server.requests[-1].body["input"])
    assert said.index("write into the workspace") < said.index("one more thing")
    log = _swarm(here, "logs", run, "--json").stdout.splitlines()
    events = [json.loads(line) for line in log]
    phases = [event["phase"] for event in events if event["type"] == "input_request"]
    assert phases == ["raised", "answered", "applied"]


def test_killed_supervisor_loses_no_request(here: Path, run: str, house: House) -> None:
    holder = read_holder(house.paths.lock)
    assert holder.pid
    os.kill(holder.pid, signal.SIGKILL)
    (request,) = _json(here, "inbox")
    assert _swarm(here, "send", run, "--after-turn", "one more thing").returncode == 0
    assert _swarm(here, "deny", request["id"], "no").returncode == 0
    assert _swarm(here, "wait", run).returncode == 0
    log = _swarm(here, "logs", run, "--json").stdout.splitlines()
    events = [json.loads(line) for line in log]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    phases = [event["phase"] for event in events if event["type"] == "input_request"]
    assert phases == ["raised", "answered", "applied"]
