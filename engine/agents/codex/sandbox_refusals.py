"""Commands that Codex's sandbox could not start, known by the shape of their output.

The samples that the tests hold were printed by the real Codex on Linux (docs/codex.md):
bubblewrap's single line, with exit code 1, or a panic of Codex's own helper, with exit code 101.
"""

from __future__ import annotations

import re

from engine.domain.text import one_line

SEARCHED, REASON_LIMIT = 4_000, 400  # characters of an output: a refusal is all there is, and short
MARKERS = (b"bwrap: ", b"panicked at linux-sandbox/", b"sandbox-exec: ")
"""Every refusal contains one of these, also inside a line of JSON."""

_WHOLE = re.compile(r"\s*((?:bwrap|sandbox-exec): [^\n]+)\s*")
_PANIC = re.compile(
    r"(?:^|\n|\")thread '[^'\n]*'[^\n]{0,40} panicked at linux-sandbox/[^\n]*\n([^\n]+)"
)
_QUOTED = re.compile(r"(?:^|\n|\")((?:bwrap|sandbox-exec): [^\n\"]+)")


def refusal(output: str) -> str:
    """Return why the sandbox could not start a command, from its whole output; empty if it did."""
    text = output[:SEARCHED]
    if panic := _PANIC.search(text):
        return one_line(panic[1], REASON_LIMIT)
    whole = _WHOLE.fullmatch(text)
    return one_line(whole[1], REASON_LIMIT) if whole else ""


def refusal_within(text: str) -> str:
    """Return why the sandbox could not start a command, from what a model was answered.

    There the output has a header, or is quoted by the model's own program.
    """
    text = text[:SEARCHED].replace("\\n", "\n")
    found = _PANIC.search(text) or _QUOTED.search(text)
    return one_line(found[1], REASON_LIMIT) if found else ""
