"""Causes of failed runs in words, the same for the same cause."""

from __future__ import annotations

import re

from engine.domain.errors import entry_of
from engine.domain.late_pattern import LatePattern
from engine.domain.model import ErrorInfo, Run, Status
from engine.domain.text import one_line

UNSUCCESSFUL = frozenset({Status.FAILED, Status.INTERRUPTED})
"""Statuses of runs that ended without success and were not cancelled."""

_LOOKED_AT = 4_000  # characters of a message
_SAID = 80

# What test runners write of a file whose tests failed: pytest, Jest and Vitest, Go.
_TESTS = (
    LatePattern(r"^(?:FAILED|ERROR) +(?:\S*/)?([\w.-]+?)(?:\.\w+)?(?:::|\s|$)", re.M),
    LatePattern(r"^ *(?:FAIL|❯) +(?:\S*/)?([\w.-]+?)(?:\.\w+)?(?:\s|$)", re.M),
    LatePattern(r"^ *--- FAIL: (\w+)", re.M),
)

_VARIABLE = LatePattern(
    r"https?://\S+"
    r"|(?:[A-Za-z]:)?(?:[\w.~@+-]*[/\\])+(?=[\w.-])"  # the folders of a path; its name is enough
    r"|\b[0-9a-f]{8}-[0-9a-f-]{27}\b"
    r"|\b(?=\w*\d)[0-9a-z]{7,}\b"  # ids and hashes
    r"|\b0x[0-9a-f]+\b"
    r"|\d+(?:[.,:]\d+)*",
    re.IGNORECASE,
)


def cause(run: Run) -> str:
    """Return the cause of a failure in a few words.

    For example `usage limit reached` or `tests failed in test_auth`.
    """
    if run.error is None:
        return one_line(run.reason, _SAID) or "no reason given"
    return _of_error(run.error)


def _of_error(error: ErrorInfo) -> str:
    words = error.code.lower().replace("_", " ")
    entry = entry_of(error.code)
    if not entry.has_detail or error.message == entry.message:
        return words
    text = error.message[:_LOOKED_AT]
    for pattern in _TESTS:
        if found := pattern.compiled.search(text):
            return f"tests failed in {one_line(found[1], _SAID)}"
    return f"{words}: {general(text)}"


def general(message: str) -> str:
    """Return the first line of a message without the parts that differ from run to run."""
    text = one_line(message)
    return one_line(_VARIABLE.compiled.sub(_without, text), _SAID).rstrip(" .:,")


def _without(found: re.Match[str]) -> str:
    return "" if found[0].endswith(("/", "\\")) else "…"
