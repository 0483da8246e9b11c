"""The text of a comment that was typed and not saved yet, as it is stored."""

from __future__ import annotations

from engine.domain.record import record
from engine.domain.review_comment import ReviewComment

MOST_CHARACTERS = 100_000
"""Length above which a text is not stored."""


@record
class UnsavedComment:
    """A text for some lines (a comment with the number 0), or in place of a comment's text."""

    place: str
    """The name of the lines or of the comment: each has one unsaved text."""
    comment: ReviewComment
    """The comment as it was when the text was begun."""
    text: str


def place_of(comment: ReviewComment) -> str:
    """Return the name of a comment, or of the lines that a new one is about."""
    if comment.n:
        return str(comment.n)
    lines = (comment.first, comment.last, "old" if comment.is_old else "new", comment.since)
    return " ".join(map(str, (*lines, comment.path_bytes or comment.path)))
