"""The run object: the same keys for every run, whatever became of it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from run_streams import SPEC

from engine.domain.activity import activity
from engine.domain.model import Agent, ErrorInfo, Pause, Run, Status, Workspace, WorkspaceKind
from engine.domain.run_json import run_json

PROMISED = """
    id title project batch status progress activity prompt forked_from template
    created_at started_at
    finished_at elapsed_s attempt attempts thread_id model sandbox workspace tokens changes error
    exit_code
"""
# A simulated run is labelled so wherever it is shown; the rest is for those who wait.
MORE = {"agent", "queue", "checkpoint", "limits", "applied"}
KEYS = {
    *PROMISED.split(),
    *MORE,
    "push",
    "expensive",
    "update",
    "pull_request",
    "comments",
    "reviewed_files",
    "tags",
    "note",
    "is_dismissed",
    "is_archived",
    "interactive",
    "approvals",
    "attempt_prompt",
    "input_requests",
    "messages",
    "waited_s",
    "model_used",
    "learn_from",
    "lesson",
    "result",
    "cause",
    "waiting_for",
    "account",
    "host",
    "cost_usd",
    "budget_limit",
    "parent",
}


def test_a_fresh_run_has_all_keys() -> None:
    told = run_json(Run("abc", SPEC, 1_750_000_000.0), 1_750_000_001.0, 3)
    assert told.keys() == KEYS
    assert told["status"] == "queued"
    assert told["activity"] == "waiting for a slot (3rd)"
    assert told["created_at"] == "2025-06-15T15:06:40.000Z"
    assert told["agent"] == "codex"
    for key in ("started_at", "finished_at", "workspace", "error", "exit_code", "thread_id"):
        assert told[key] is None


def test_a_queued_run_tells_what_it_waits_for() -> None:
    spec = replace(SPEC, priority=2, not_before=1_750_000_060.0)
    told = run_json(
        Run("abc", spec, 1_750_000_000.0), 1_750_000_001.0, 1, after=["xyz"], pause=Pause("lunch")
    )
    assert told["queue"] == {
        "position": 1,
        "priority": 2,
        "after": ["xyz"],
        "not_before": "2025-06-15T15:07:40.000Z",
        "ignores_pace": False,
        "pause": {
            "reason": "lunch",
            "waiting_for": "user",
            "until": None,
            "agent": None,
            "account": None,
        },
    }


@pytest.mark.parametrize(
    ("not_before", "after", "pause", "said"),
    [
        (None, (), None, "waiting for a slot (2nd)"),
        (None, ("a", "b"), None, "waiting for a, b (2nd)"),
        (160.0, ("a",), None, "waiting for its time, starts in 1:00"),
        (160.0, (), Pause("lunch", 130.0), "waiting for its time, starts in 1:00"),
        (110.0, (), Pause("lunch", 130.0), "the queue is paused: lunch, goes on in 0:30 (2nd)"),
        (160.0, (), Pause("lunch"), "the queue is paused: lunch (2nd)"),
        (None, (), Pause("over", 99.0), "waiting for a slot (2nd)"),
    ],
)
def test_what_holds_a_run_the_longest_is_said(
    not_before: float | None, after: tuple[str, ...], pause: Pause | None, said: str
) -> None:
    run = Run("abc", replace(SPEC, not_before=not_before), 1.0)
    assert activity(run, 100.0, 2, after=after, pause=pause) == said


def test_a_failed_run_has_all_keys_too() -> None:
    error = ErrorInfo("RATE_LIMITED", "Too much.", "Wait.", "docs")
    run = Run(
        "abc", replace(SPEC, agent=Agent.SIMULATED), 1.0, Status.FAILED, "RATE_LIMITED", 9, 2,
        started_at=2.0, finished_at=3.5, percent=55, exit_code=1, error=error,
        workspace=Workspace("/w", WorkspaceKind.COPY, "/s"),
    )  # fmt: skip
    told = run_json(run, 99.0)
    assert told.keys() == KEYS
    assert told["workspace"] == {
        "path": "/w",
        "cwd": "",
        "host": "local",
        "base": None,
        "kind": "copy",
        "source": "/s",
        "branch": None,
        "in_trash": False,
    }
    assert told["tokens"] == dict.fromkeys(
        ("input", "cached_input", "output", "reasoning", "requests"), 0
    )
    assert told["changes"] == {"files": 0, "insertions": 0, "deletions": 0}
    assert told["error"]["code"] == "RATE_LIMITED"
    assert (told["attempt"], told["attempts"], told["elapsed_s"]) == (2, 2, 1.5)
    assert (told["progress"], told["exit_code"], told["agent"]) == (55, 1, "simulated")
    assert json.loads(json.dumps(told)) == told
