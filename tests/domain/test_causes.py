"""Runs that failed for the same reason say the same."""

from __future__ import annotations

import pytest

from engine.domain.causes import cause, general
from engine.domain.errors import user_error
from engine.domain.model import ErrorInfo, Run, RunSpec, Status


def failed(error: ErrorInfo | None, reason: str = "") -> Run:
    spec = RunSpec("p", "t", "shop")
    return Run("r1", spec, 0, status=Status.FAILED, error=error, reason=reason)


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("USAGE_LIMIT_REACHED", "", "usage limit reached"),
        ("USAGE_LIMIT_REACHED", "You've hit it. Try again at 3:42 PM.", "usage limit reached"),
        ("RUN_TIMED_OUT", "The run reached its time limit of 5:00.", "run timed out"),
        ("AGENT_CRASHED", "", "agent crashed"),
        (
            "AGENT_CRASHED",
            "Codex ended with exit code 7 without a result: boom at /home/a/b1/x.py",
            "agent crashed: Codex ended with exit code … without a result: boom at x.py",
        ),
        (
            "VERIFY_FAILED",
            "`make test` failed:\nFAILED tests/api/test_auth.py::test_login - assert 1 == 2\n",
            "tests failed in test_auth",
        ),
        ("VERIFY_FAILED", "npm test:\n FAIL  src/login.test.ts > x", "tests failed in login.test"),
        ("VERIFY_FAILED", "go test:\n    --- FAIL: TestLogin (0.00s)", "tests failed in TestLogin"),
        ("VERIFY_FAILED", "make: *** [all] Error 2", "verify failed: make: *** [all] Error …"),
        ("A_NEW_CODE", "What it says", "a new code"),
    ],
)
def test_cause(code: str, message: str, expected: str) -> None:
    info = (
        ErrorInfo(code, message, "", "") if code == "A_NEW_CODE" else user_error(code, message).info
    )
    assert cause(failed(info)) == expected


def test_what_differs_from_run_to_run_is_left_out() -> None:
    assert general("Run 1qj8a0k2m4 failed: id 3f2504e0-4f89-11d3-9a0c-0305e82c3301 at 12:30") == (
        "Run … failed: id … at …"
    )
    assert general("see https://example.com/a?b=1 and C:\\x\\y.py") == "see … and y.py"


def test_without_an_error_the_reason_says_it() -> None:
    assert cause(failed(None, "the queue was closed")) == "the queue was closed"
    assert cause(failed(None)) == "no reason given"


@pytest.mark.parametrize("message", ["\x1b[31mred\x1b]52;c;aGk=\x07", "a/" * 500_000, "\x00\n", ""])
def test_hostile_messages_become_one_short_harmless_line(message: str) -> None:
    said = cause(failed(ErrorInfo("VERIFY_FAILED", message, "", "")))
    assert len(said) < 200
    assert said.isprintable()
