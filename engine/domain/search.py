"""Search in the history of all runs: words and hits."""

from __future__ import annotations

import re
from itertools import islice

from engine.domain.errors import user_error
from engine.domain.model import Status
from engine.domain.record import record
from engine.domain.text import printable

MAX_TEXT = 400
"""Characters of what is looked for."""
MAX_WORDS = 16
LONGEST, BEFORE = 320, 120
"""Characters of what is shown of a place, and of those before the first word found there."""
ON, OFF = "\x02", "\x03"
"""Marks around each word found, in the store's text."""

_PIECE = re.compile(r'"([^"]*)"?(\*?)|(\S+)')
_SPACE = re.compile(r"\s+")


@record
class SearchWord:
    """A word or a phrase; with `is_start`, words that begin so are meant too."""

    text: str
    is_start: bool = False


@record
class SearchHit:
    """An event that matches a search; `seq` 1 and `what` prompt: the run's prompt.

    `marks` are the positions of the words in `text`, from and to.
    """

    run: str
    title: str
    project: str
    status: Status
    seq: int
    at: float
    what: str
    text: str
    marks: tuple[tuple[int, int], ...]


@record
class SearchResult:
    """The latest places first; `more`: there are others, `behind`: events not looked through."""

    hits: tuple[SearchHit, ...] = ()
    more: bool = False
    behind: int = 0


def words(text: str, *, as_typed: bool = False) -> tuple[SearchWord, ...]:
    """Read what the user looks for: words, `"a phrase"`, `begin*`; all have to be there.

    `as_typed`: the last word may go on. Raises `UserError` where there is nothing to look for.
    """
    text = printable(text[:MAX_TEXT])
    found: list[SearchWord] = []
    for piece in islice(_PIECE.finditer(text), MAX_WORDS):
        phrase, star, word = piece.groups()
        said = word.rstrip("*") if word else phrase
        is_start = bool(star) if word is None else word.endswith("*")
        if any(char.isalnum() for char in said):
            found.append(SearchWord(said, is_start))
    if not found:
        raise user_error(
            "INPUT_INVALID", "There is no word to look for.", "Type a word with letters or digits."
        )
    if as_typed and text[-1:].isalnum():
        found[-1] = SearchWord(found[-1].text, is_start=True)
    return tuple(found)


def pattern(wanted: tuple[SearchWord, ...]) -> re.Pattern[str]:
    """Return the pattern that highlights the words in a line."""
    parts = [r"[\W_]+".join(map(re.escape, re.findall(r"[^\W_]+", word.text))) for word in wanted]
    return re.compile("|".join(part for part in parts if part) or r"(?!)", re.IGNORECASE)


def marked(raw: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return a place as one safe line of bounded length, and where the words found stand in it."""
    text, began = "", -1
    marks: list[tuple[int, int]] = []
    for part in re.split(f"([{ON}{OFF}])", _SPACE.sub(" ", raw).strip()):
        if part == ON:
            began = len(text)
        elif part == OFF and began >= 0:
            marks.append((began, len(text)))
            began = -1
        elif part not in (ON, OFF):
            text += _SPACE.sub(" ", printable(part))
    return _cut(text, marks)


def _cut(text: str, marks: list[tuple[int, int]]) -> tuple[str, tuple[tuple[int, int], ...]]:
    first = marks[0][0] if marks else 0
    start = first - BEFORE if first > BEFORE else 0
    head = "…" if start else ""
    tail = "…" if len(text) - start > LONGEST else ""
    shift = len(head) - start
    end = min(len(text), start + LONGEST)
    kept = tuple((a + shift, min(b, end) + shift) for a, b in marks if start <= a < end)
    return head + text[start:end] + tail, kept
