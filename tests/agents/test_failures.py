"""Codex's ways to fail, in the words of docs/codex.md: each gives its own code."""
# ruff: noqa: E501  Codex's own sentences, whole

from __future__ import annotations

import pytest
from support import HOSTILE

from engine.agents.codex.failures import from_exit, from_turn
from engine.agents.simulated.trouble import FAILURES

URL = "http://127.0.0.1:8500/v1/responses"
TURNS = [
    ("CODEX_AUTH_FAILED", f"unexpected status 401 Unauthorized: Incorrect API key provided, url: {URL}"),
    ("RATE_LIMITED", "exceeded retry limit, last status: 429 Too Many Requests"),
    ("RATE_LIMITED", "rate limit exceeded: slow down"),
    ("QUOTA_EXCEEDED", "Quota exceeded. Check your plan and billing details."),
    ("QUOTA_EXCEEDED", "To use Codex with your ChatGPT plan, upgrade to Plus: https://chatgpt.com/explore/plus."),
    ("USAGE_LIMIT_REACHED", "You’ve hit your usage limit. Upgrade to Pro (https://chatgpt.com/explore/pro), visit https://chatgpt.com/settings/usage to purchase more credits or try again at 3:50 PM."),
    ("USAGE_LIMIT_REACHED", "You’ve hit your usage limit. Visit https://chatgpt.com/settings/usage to purchase more credits or try again at Nov 25th, 2026 2:50 PM."),
    ("USAGE_LIMIT_REACHED", "You’ve hit your usage limit. To get more access now, send a request to your admin or try again at 2:51 PM."),
    ("USAGE_LIMIT_REACHED", "You’ve hit your usage limit. Try again later."),
    ("API_OVERLOADED", "We’re currently experiencing high demand, which may cause temporary errors."),
    ("API_OVERLOADED", f"unexpected status 503 Service Unavailable: BODY, url: {URL}"),
    ("API_OVERLOADED", f"unexpected status 502 Bad Gateway: BODY, url: {URL}"),
    ("API_OVERLOADED", "Selected model is at capacity. Please try a different model."),
    ("API_UNREACHABLE", "stream disconnected before completion: stream closed before response.completed"),
    ("API_UNREACHABLE", "stream disconnected before completion: idle timeout waiting for SSE"),
    ("API_UNREACHABLE", "stream disconnected before completion: something else"),
    ("API_UNREACHABLE", "Connection failed: error sending request"),
    ("CONTEXT_WINDOW_EXCEEDED", "Codex ran out of room in the model's context window. Start a new thread or clear earlier history before retrying."),
    ("CODEX_AUTH_FAILED", f"unexpected status 403 Forbidden: BODY, url: {URL}"),
    ("API_REFUSED", f"unexpected status 404 Not Found: BODY, url: {URL}"),
    ("AGENT_CRASHED", '{"error": {"message": "no"}}'),
]  # fmt: skip
EXITS = [
    ("CODEX_CONFIG_INVALID", "Error loading config.toml:\n/home/x/config.toml:3:8: bad"),
    ("CODEX_CONFIG_INVALID", "Error loading config.toml: unknown variant `odd`\nin `sandbox_mode`\n"),
    ("CODEX_CONFIG_INVALID", "Error: Model provider `nope` not found\n\nStack backtrace:\n 0: x"),
    ("THREAD_NOT_FOUND", "Error: thread/resume: thread/resume failed: no rollout found for thread id 0 (code -32600)\n\nStack backtrace:\n 0: <unknown>"),
    ("CODEX_AUTH_REQUIRED", "Not logged in"),
    ("AGENT_CRASHED", "thread 'main' panicked at x.rs:1:1:\nboom"),
    ("AGENT_CRASHED", ""),
]  # fmt: skip


@pytest.mark.parametrize(("code", "text"), TURNS)
def test_a_failed_turn_has_this_code(code: str, text: str) -> None:
    error = from_turn(text)
    assert error.code == code
    assert text.rstrip(".") in error.message
    assert error.recovery


@pytest.mark.parametrize("cause", FAILURES)
def test_what_the_simulated_agent_says_is_known(cause: str) -> None:
    assert from_turn(FAILURES[cause]).code != "AGENT_CRASHED"


@pytest.mark.parametrize(("code", "stderr"), EXITS)
def test_an_exit_without_a_word_has_this_code(code: str, stderr: str) -> None:
    error = from_exit(1, stderr, "")
    assert error.code == code
    assert stderr.strip().splitlines()[-1:] == [] or stderr.split("\n")[0][:40] in error.message


def test_an_exit_without_any_reason_says_the_exit_code_and_the_end_of_stderr() -> None:
    error = from_exit(101, "start\n" * 5000 + "the very end", "")
    assert "exit code 101" in error.message
    assert error.message.endswith("the very end")
    assert len(error.message) < 1000


def test_an_exit_after_an_error_line_has_that_reason() -> None:
    assert from_exit(1, "", "Reconnecting... 5/5 (error sending request)").code == "API_UNREACHABLE"


@pytest.mark.parametrize("exit_code", [126, 127])
def test_a_file_that_cannot_be_run_is_a_missing_codex(exit_code: int) -> None:
    error = from_exit(exit_code, "/bin/sh: 1: /no/codex: not found", "")
    assert error.code == "CODEX_CLI_MISSING"
    assert "not found" in error.message


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:12]))
def test_hostile_stderr_is_quoted_safely(text: str) -> None:
    message = from_exit(1, text, "").message
    assert "\x1b" not in message
    assert len(message) < 1000
