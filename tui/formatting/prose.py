"""Texts of people and agents as lines: Markdown's bold without asterisks, titles apart."""

from __future__ import annotations

import re

from tui.terminal.cells import MAX_LINE, clean

MAX_LINES = 400
"""Lines of a text that are kept for showing."""

_BOLD = re.compile(r"(?<![\w*])\*\*(?=[^\s*])(.+?)(?<=[^\s*])\*\*(?![\w*])")
_TITLE = re.compile(r"\s*\*\*(?=[^\s*])(.+?)(?<=[^\s*])\*\*(?!\*)\s*(.*)")


def plain(text: str) -> str:
    """Return a line without the asterisks of Markdown's bold; other asterisks stay."""
    return _BOLD.sub(r"\1", text)


def prose(text: str) -> tuple[str, ...]:
    """Return the lines of a text, each safe to show."""
    clipped = text[: MAX_LINES * MAX_LINE].strip().splitlines()[:MAX_LINES]
    return tuple(clean(line.rstrip()) for line in clipped)


def thoughts(text: str) -> tuple[tuple[str, ...], frozenset[int]]:
    """Return the lines of an agent's reasoning, and the indexes of its titles.

    A title is bold text at the start of a line. It gets a line of its own.
    """
    lines: list[str] = []
    titles: set[int] = set()
    for line in prose(text):
        found = _TITLE.fullmatch(line)
        if found is None:
            if line or (lines and len(lines) - 1 not in titles):  # no gap below a title
                lines.append(plain(line))
            continue
        titles.add(len(lines))
        lines.append(found[1])
        if found[2]:
            lines.append(plain(found[2]))
    return tuple(lines), frozenset(titles)
