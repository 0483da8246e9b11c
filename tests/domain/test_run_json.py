"""The run object: the same keys for every run, whatever became of it."""

from __future__ import annotations

import json
from dataclasses import replace

from run_streams import SPEC

from engine.domain.model import Agent, ErrorInfo, Run, Status, Workspace, WorkspaceKind
from engine.domain.run_json import run_json

PROMISED = """
    id title project batch status progress activity prompt template created_at started_at
    finished_at elapsed_s attempt attempts thread_id model sandbox workspace tokens changes error
    exit_code
"""
KEYS = {*PROMISED.split(), "agent"}  # a simulated run is labelled so wherever it is shown


def test_a_fresh_run_has_all_keys() -> None:
    told = run_json(Run("abc", SPEC, 1_750_000_000.0), 1_750_000_001.0, 3)
    assert told.keys() == KEYS
    assert told["status"] == "queued"
    assert told["activity"] == "waiting for a slot (3rd)"
    assert told["created_at"] == "2025-06-15T15:06:40.000Z"
    assert told["agent"] == "codex"
    for key in ("started_at", "finished_at", "workspace", "error", "exit_code", "thread_id"):
        assert told[key] is None


def test_a_failed_run_has_all_keys_too() -> None:
    error = ErrorInfo("RATE_LIMITED", "Too much.", "Wait.", "docs")
    run = Run(
        "abc", replace(SPEC, agent=Agent.SIMULATED), 1.0, Status.FAILED, "RATE_LIMITED", 9, 2,
        started_at=2.0, finished_at=3.5, percent=55, exit_code=1, error=error,
        workspace=Workspace("/w", WorkspaceKind.COPY, "/s"),
    )  # fmt: skip
    told = run_json(run, 99.0)
    assert told.keys() == KEYS
    assert told["workspace"] == {"path": "/w", "kind": "copy", "source": "/s", "branch": None}
    assert told["tokens"] == {"input": 0, "cached": 0, "output": 0}
    assert told["changes"] == {"files": 0, "insertions": 0, "deletions": 0}
    assert told["error"]["code"] == "RATE_LIMITED"
    assert (told["attempt"], told["attempts"], told["elapsed_s"]) == (2, 2, 1.5)
    assert (told["progress"], told["exit_code"], told["agent"]) == (55, 1, "simulated")
    assert json.loads(json.dumps(told)) == told
