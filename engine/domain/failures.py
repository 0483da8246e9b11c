"""The cause of a failed run in one line, beginning with the part that matters."""

from __future__ import annotations

import re

from engine.domain.late_pattern import LatePattern
from engine.domain.model import ErrorInfo, Run
from engine.domain.text import one_line, printable

MAX_READ = 8_000
"""Characters of a message that are searched for a summary."""
MAX_LINE = 300

# The line in which a test runner sums up: pytest, Jest and Vitest, cargo, unittest, Go.
_SUMMARIES = (
    LatePattern(r"^[=\s]*(\d+ (?:failed|errors?)\b[^=\n]*?)(?: in [\d.:]+m?s?.*)?[=\s]*$", re.M),
    LatePattern(r"^\s*Tests:?\s+(\d+ failed.*)$", re.M),
    LatePattern(r"^test result: FAILED\. (.*?)(?:; finished in .*)?$", re.M),
    LatePattern(r"^FAILED \((.+)\)\s*$", re.M),
    LatePattern(r"^\s*--- (FAIL: \S+)", re.M),
)
_CHECK = "VERIFY_FAILED"


def failure(run: Run) -> str:
    """Return the cause of an unsuccessful end in one line; empty where none is known."""
    return headline(run.error) if run.error else one_line(run.reason, MAX_LINE)


def headline(error: ErrorInfo) -> str:
    """Return an error in one line, for example `Check failed: 2 failed, 55 passed`."""
    if error.code != _CHECK:
        return one_line(error.message, MAX_LINE)
    return f"Check failed: {_check_summary(error.message)}"


def failure_text(error: ErrorInfo) -> str:
    """Return an error as running text that begins with its headline."""
    first = headline(error)
    text = " ".join(printable(error.message[:MAX_READ]).split())
    return text if text.startswith(first) else f"{first} · {text}"


def _check_summary(message: str) -> str:
    text = printable(message[-MAX_READ:])
    for pattern in _SUMMARIES:
        if found := [*pattern.compiled.finditer(text)]:
            return one_line(found[-1][1], MAX_LINE).rstrip(" .=")
    lines = [line for line in text.splitlines() if line.strip()]
    command = one_line(message, MAX_LINE).rstrip(":")
    last = one_line(lines[-1], MAX_LINE) if len(lines) > 1 else ""
    return f"{last} ({command})" if last else command
