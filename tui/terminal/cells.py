"""Text measured in terminal cells: made harmless, cut, padded and wrapped."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from rich.cells import cell_len, set_cell_size

from engine.domain.late_pattern import LatePattern
from engine.domain.text import INVISIBLE, printable, printable_name

MAX_LINE = 2_000
"""Characters of one line that are formatted: a log may hold lines of 1 MB."""

# Terminals disagree about how wide these make what they join or modify, which would push the
# rest of the row aside: joiners, variation selectors, fillers, skin tones.
_JOINERS = LatePattern(f"[{INVISIBLE}\U0001f3fb-\U0001f3ff]")
_PILED_UP = LatePattern(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]{2})"
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+"
)

# Of those, what fonts are chosen by: of no meaning in code, unlike the rest.
_SELECTORS = LatePattern("[\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]")
TAB = 4


def clean(text: str, limit: int = MAX_LINE) -> str:
    """Return the first `limit` characters of `text` as one harmless line of predictable width."""
    cut = len(text) > limit
    text = text[:limit]
    if not (text.isascii() and text.isprintable()):
        text = printable(text).replace("\t", "    ").replace("\n", " ")
        if not text.isascii():
            text = unicodedata.normalize("NFC", _JOINERS.compiled.sub("", text))
            text = _PILED_UP.compiled.sub(r"\1", text)
    return f"{text}…" if cut else text


def code(text: str, limit: int = MAX_LINE) -> str:
    """Return the first `limit` characters of a line of code, harmless and with nothing hidden.

    Control and invisible characters are written as escapes; tabs extend to the next stop.
    """
    cut = len(text) > limit
    text = text[:limit]
    if not (text.isascii() and text.isprintable()):
        text = printable_name(_SELECTORS.compiled.sub("", text.expandtabs(TAB)))
        if not text.isascii():
            text = _JOINERS.compiled.sub(lambda found: ascii(found[0])[1:-1], text)
            text = _PILED_UP.compiled.sub(r"\1", text)
    return f"{text}…" if cut else text


def cells(text: str) -> int:
    """Return the number of cells that clean text takes up."""
    return len(text) if text.isascii() else cell_len(text)


def crop(text: str, width: int, mark: str = "…") -> str:
    """Cut clean text to at most `width` cells; what was cut is replaced by `mark`, one cell."""
    if width <= 0:
        return ""
    if text.isascii():
        return text if len(text) <= width else text[: width - 1].rstrip(" ") + mark
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip(" ") + mark


def fit(text: str, width: int, *, right: bool = False, mark: str = "…") -> str:
    """Cut or pad clean text to exactly `width` cells."""
    text = crop(text, width, mark)
    gap = " " * max(0, width - cell_len(text))
    return gap + text if right else text + gap


def wrap(text: str, width: int) -> Iterator[str]:
    """Return clean text in lines of at most `width` cells, broken between words where possible."""
    width = max(2, width)
    while text:
        if len(text) * 2 <= width or cell_len(text) <= width:
            yield text
            return
        end = _reach(text, width)
        space = text.rfind(" ", 1, end + 1)
        if space > end // 2:
            end = space
        yield text[:end].rstrip(" ")
        text = text[end:].lstrip(" ")


def _reach(text: str, width: int) -> int:
    if text.isascii():
        return width
    used = 0
    for index, char in enumerate(text):
        used += cell_len(char)
        if used > width:
            return max(1, index)
    return len(text)
