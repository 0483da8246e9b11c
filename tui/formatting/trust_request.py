"""Settings that a repository asks for, cut into pages that leave the question visible."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.domain.text import printable_name

if TYPE_CHECKING:
    from engine.engine import Consent

LONGEST, END = 200, 60
"""Characters that are shown of one line, and how many of them are its end."""
AS_YOU = "Its commands run as you, outside Codex's sandbox."
_SPACES = re.compile(r" {4,}")


def heading(consent: Consent) -> str:
    """Return the first line of the question."""
    return f"{printable_name(consent.file)} is not trusted as it is now. It"


def shortened(line: str) -> str:
    """Return a line of a question, its beginning and its end where it is too long to be shown."""
    line = _SPACES.sub(lambda found: f" ({len(found[0])} spaces) ", line)
    if len(line) <= LONGEST:
        return line
    left_out = len(line) - LONGEST
    return f"{line[: LONGEST - END]} … ({left_out} characters) … {line[-END:]}"


def pages(consent: Consent, rows: int, columns: int) -> list[list[str]]:
    """Cut what is asked for into pages of at most so many rows; no page is empty."""
    found: list[list[str]] = [[]]
    used = 0
    for line in map(shortened, consent.lines()):
        needs = -(-(len(line) + 2) // max(columns, 20))
        if found[-1] and used + needs > rows:
            found.append([])
            used = 0
        found[-1].append(line)
        used += needs
    return found


def place(all_pages: Sequence[Sequence[str]], number: int) -> str:
    """Return which lines a page shows of how many, or nothing where there is one page."""
    if len(all_pages) == 1:
        return ""
    first = sum(map(len, all_pages[:number])) + 1
    last = first + len(all_pages[number]) - 1
    return f"{first} to {last} of {sum(map(len, all_pages))}, the unusual first"
