"""A place found in the history, as a line with its words marked."""

from __future__ import annotations

from collections.abc import Iterator

from engine.domain.search import SearchHit
from tui.terminal.cells import cells, clean, crop

WHAT = {
    "file_change": "edit",
    "web_search": "search",
    "mcp": "tool",
    "other": "tool",
}


def hit_word(hit: SearchHit) -> str:
    """Return the kind of a hit in a word."""
    return WHAT.get(hit.what, hit.what)


def hit_parts(hit: SearchHit, room: int) -> Iterator[tuple[str, bool]]:
    """Return a hit in at most `room` cells, in parts: found words, and text between them."""
    start = _start(hit, room)
    if start:
        room -= 1
        yield "…", False
    at = start
    for begin, end in (*hit.marks, (len(hit.text), len(hit.text))):
        for piece, is_found in (
            (hit.text[at : max(at, begin)], False),
            (hit.text[begin:end], True),
        ):
            text = clean(piece)
            if cells(text) > room:
                yield crop(text, room), is_found
                return
            room -= cells(text)
            if text:
                yield text, is_found
        at = max(at, end)


def _start(hit: SearchHit, room: int) -> int:
    """Return the offset to begin at, so that the first found word is visible."""
    if not hit.marks or cells(clean(hit.text[: hit.marks[0][1]])) < room:
        return 0
    return max(0, hit.marks[0][0] - room // 3)
