"""Errors for the failures of Codex, each with a fix."""

from __future__ import annotations

import re

from engine.domain.errors import UserError, user_error
from engine.domain.text import printable

STDERR_TAIL = 600  # characters of stderr that an error quotes
MATCHED_EDGE = 8_000  # characters at either end of a text that the patterns see

# Observed messages of `codex exec` (docs/codex.md); the first that matches decides.
_TURN_FAILED = (
    ("CODEX_AUTH_FAILED", r"40[13] (?:Unauthorized|Forbidden)|\b401\b.*API key"),
    ("USAGE_LIMIT_REACHED", r"hit your usage limit|usage limit has been reached"),
    ("QUOTA_EXCEEDED", r"Quota exceeded|insufficient_quota|To use Codex with your ChatGPT plan"),
    ("RATE_LIMITED", r"\b429\b|Too Many Requests|rate limit"),
    ("CONTEXT_WINDOW_EXCEEDED", r"context window|context_length_exceeded"),
    ("API_OVERLOADED", r"high demand|overloaded|at capacity|status:? 5\d\d|\b50[0234]\b"),
    ("API_REFUSED", r"unexpected status 4\d\d|invalid_request"),
    ("API_UNREACHABLE", r"stream disconnected|error sending request|[Cc]onnection|network"),
)
_STDERR = (
    (
        "CODEX_CONFIG_INVALID",
        r"Error loading config\.toml|Error loading configuration|Model provider `.*` not found",
    ),
    ("THREAD_NOT_FOUND", r"no rollout found for thread|thread/resume failed"),
    ("CODEX_AUTH_REQUIRED", r"Not logged in"),
)

_NOT_STARTED = (126, 127)  # the shell's codes for a file that cannot be run, or is not there


def from_turn(message: str) -> UserError:
    """Return the error for the message of a `turn.failed`."""
    return _matching(_TURN_FAILED, message, message) or user_error("AGENT_CRASHED", message)


def from_exit(exit_code: int | None, stderr: str, last_error: str) -> UserError:
    """Return the error for a Codex that ended with no word about its turn."""
    tail = printable(stderr[-STDERR_TAIL * 4 :]).strip()
    found = _matching(_STDERR, stderr, tail) or _matching(_TURN_FAILED, last_error, last_error)
    if found:
        return found
    if exit_code in _NOT_STARTED:
        return user_error("CODEX_CLI_MISSING", f"Codex could not be started: {tail}")
    ended = "vanished" if exit_code is None else f"ended with exit code {exit_code}"
    said = tail[-STDERR_TAIL:] or last_error
    return user_error(
        "AGENT_CRASHED", f"Codex {ended} without a result{f': {said}' if said else '.'}"
    )


def _matching(table: tuple[tuple[str, str], ...], text: str, said: str) -> UserError | None:
    # The text may be as long as an agent wants, and some patterns take quadratic time.
    if len(text) > 2 * MATCHED_EDGE:
        text = f"{text[:MATCHED_EDGE]}\n{text[-MATCHED_EDGE:]}"
    for code, pattern in table:
        if re.search(pattern, text):
            general = user_error(code)
            message = f"{general.message.rstrip('.')}: {said[:STDERR_TAIL]}"
            return user_error(code, message)
    return None
