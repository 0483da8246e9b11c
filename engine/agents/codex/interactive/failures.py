"""Errors for the failures of an interactive attempt: Codex's own codes first, then its texts."""

from __future__ import annotations

import re
from typing import Any, cast

from engine.agents.codex import failures
from engine.agents.codex.interactive.wire import WireError
from engine.domain.errors import UserError, user_error
from engine.domain.text import printable

_SAID = 600
_CODES = {
    "contextWindowExceeded": "CONTEXT_WINDOW_EXCEEDED",
    "usageLimitExceeded": "USAGE_LIMIT_REACHED",
    "rateLimitExceeded": "RATE_LIMITED",
    "serverOverloaded": "API_OVERLOADED",
    "internalServerError": "API_OVERLOADED",
    "unauthorized": "CODEX_AUTH_FAILED",
    "badRequest": "API_REFUSED",
    "modelNotFound": "API_REFUSED",
}
_STATUSES = {401: "CODEX_AUTH_FAILED", 403: "CODEX_AUTH_FAILED", 429: "RATE_LIMITED"}
# One code of Codex stands for two errors: its text distinguishes them.
_QUOTA = re.compile(r"Quota exceeded|insufficient_quota|To use Codex with your ChatGPT plan")
_NOT_OPENED = (
    ("CODEX_CONFIG_INVALID", r"failed to load configuration|Model provider `.*` not found"),
    ("THREAD_NOT_FOUND", r"no rollout found for thread"),
    ("THREAD_BUSY", r"already has an active writer"),
)


def error_code(error: WireError) -> str:
    """Return the error code that Codex's own stands for; empty where its text decides."""
    if _QUOTA.search(error.message[:8000]):
        return "QUOTA_EXCEEDED"
    info = error.codex_error_info
    if isinstance(info, str):
        return _CODES.get(info, "")
    details = cast("dict[str, Any]", info).values() if isinstance(info, dict) else ()
    for detail in details:
        if isinstance(detail, dict):
            return _STATUSES.get(cast("dict[str, Any]", detail).get("httpStatusCode") or 0, "")
    return ""


def from_turn(code: str, message: str) -> UserError:
    """Return the error of a failed turn; without a code, its message decides as for exec."""
    if not code:
        return failures.from_turn(message)
    general = user_error(code)
    return user_error(code, f"{general.message.rstrip('.')}: {message[:_SAID]}")


def from_end(exit_code: int | None, stderr: str, last_error: str, ended: str) -> UserError:
    """Return the error of an attempt without a finished turn; `ended` is the bridge's reason."""
    for code, pattern in _NOT_OPENED:
        if re.search(pattern, ended[:8000]):
            general = user_error(code)
            said = printable(ended, _SAID)
            return user_error(code, f"{general.message.rstrip('.')}: {said}")
    return failures.from_exit(exit_code, stderr, last_error or ended)
