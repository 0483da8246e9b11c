"""`doctor`: what is well, what is not, and what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typed import Swarm

from engine.config.paths import Paths
from engine.execution.local import process_marks

CHECKS = {
    "auth.credentials": {"status": "ok", "summary": "logged in"},
    "network.reach": {"status": "ok", "summary": "reachable"},
}


@pytest.fixture
def codex(tmp_path: Path) -> Path:
    """A Codex that knows its version and what its own doctor says."""
    path = tmp_path / "codex"
    (tmp_path / "checks.json").write_text(json.dumps({"checks": CHECKS}))
    path.write_text(
        f'#!/bin/sh\ncase "$1" in --version) echo codex-cli 0.163.0;;'
        f" *) cat {tmp_path}/checks.json;; esac\n"
    )
    path.chmod(0o755)
    return path


def _by_name(told: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {finding["name"]: finding for finding in told["findings"]}


def test_all_is_well(swarm: Swarm, codex: Path) -> None:
    done = swarm("doctor", "--codex-bin", str(codex), "--json", TERM="xterm")
    assert (done.code, done.err, done.out.count("\n")) == (0, "", 1)
    assert done.json["ok"] is True
    found = _by_name(done.json)
    assert {"codex", "git", "database", "disk", "settings", "terminal", "orphans"} <= found.keys()
    assert found["codex"]["message"] == f"Codex 0.163.0 at {codex}"
    assert "codex interactive" not in found
    assert all(
        finding.keys() == {"name", "health", "message", "recovery"} for finding in found.values()
    )
    lines = swarm("doctor", "--codex-bin", str(codex)).out.splitlines()
    assert sum(line.startswith("✓ ok") for line in lines) >= 6


def test_codex_that_is_too_old_for_interactive_runs_is_a_warning(swarm: Swarm, codex: Path) -> None:
    codex.write_text(codex.read_text().replace("0.163.0", "0.162.9"))
    done = swarm("doctor", "--codex-bin", str(codex), "--json")
    found = _by_name(done.json)["codex interactive"]
    assert (done.code, found["health"]) == (0, "warning")
    assert found["message"] == "Interactive runs need Codex 0.163 or newer."


def test_a_missing_codex_is_a_failure_with_a_way_out(swarm: Swarm) -> None:
    done = swarm("doctor", "--codex-bin", "/nowhere/codex")
    assert done.code == 1
    place = next(n for n, line in enumerate(done.out.splitlines()) if line.startswith("✗ fail"))
    assert "npm install -g @openai/codex" in done.out.splitlines()[place + 1]
    told = swarm("doctor", "--codex-bin", "/nowhere/codex", "--json")
    assert (told.code, told.json["ok"]) == (1, False)
    assert _by_name(told.json)["codex"]["health"] == "fail"


def test_a_login_that_does_not_hold_is_a_failure(swarm: Swarm, codex: Path) -> None:
    failed = {"status": "fail", "summary": "no login", "remediation": "Run `codex login`."}
    (codex.parent / "checks.json").write_text(json.dumps({"checks": {"auth.credentials": failed}}))
    done = swarm("doctor", "--codex-bin", str(codex), "--json")
    found = _by_name(done.json)["codex auth.credentials"]
    assert (done.code, found["health"], found["recovery"]) == (1, "fail", "Run `codex login`.")


def test_wrong_settings_are_a_finding(swarm: Swarm, codex: Path, paths: Paths) -> None:
    paths.config.write_text("slotz: 3\n")
    done = swarm("doctor", "--codex-bin", str(codex), "--json")
    found = _by_name(done.json)
    assert (done.code, found["settings"]["health"]) == (1, "fail")
    assert "Did you mean `slots`?" in found["settings"]["message"]
    assert found["database"]["health"] == "ok"


def test_a_home_that_cannot_be_used_is_a_finding(swarm: Swarm, paths: Paths) -> None:
    paths.home.write_text("not a folder")
    done = swarm("doctor", "--json")
    assert (done.code, done.json["ok"]) == (1, False)
    (home,) = [finding for finding in done.json["findings"] if finding["name"] == "home"]
    assert (home["health"], bool(home["recovery"])) == ("fail", True)


def test_orphans_are_found_and_ended(
    simulated: Swarm, swarm: Swarm, codex: Path, paths: Paths
) -> None:
    simulated("sim: say x")
    folder = paths.attempt(swarm("show", "@last", "--json").json["id"], 1)
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(300)"],
        env={**os.environ, process_marks.MARK: process_marks.mark(folder)},
        start_new_session=True,
    ) as orphan:
        words = ("doctor", "--codex-bin", str(codex), "--json")
        found = _by_name(swarm(*words).json)["orphans"]
        assert found["health"] == "warning"
        assert "--end-orphans" in found["recovery"]
        done = swarm(*words, "--end-orphans")
        assert (done.json["ended_orphans"], orphan.wait()) == (1, -15)
        assert _by_name(done.json)["orphans"]["health"] == "ok"
        assert swarm(*words[:-1], "--end-orphans").out.startswith("ended what 0 runs had left")


def test_a_sandbox_that_cannot_start_is_a_failure_with_its_reason(
    swarm: Swarm, codex: Path
) -> None:
    said = codex.read_text().replace(
        "case", 'if [ "$1" = sandbox ]; then echo "bwrap: no namespaces" >&2; exit 1; fi; case', 1
    )
    codex.write_text(said)
    done = swarm("doctor", "--codex-bin", str(codex), "--json")
    found = _by_name(done.json)["codex sandbox"]
    assert (done.code, found["health"]) == (1, "fail")
    assert "bwrap: no namespaces" in found["message"]
    assert found["recovery"]
