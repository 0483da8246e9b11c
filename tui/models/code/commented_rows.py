"""Comments placed in the rows of a diff, and the lines that a new comment is about."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from engine.domain.errors import UserError, user_error
from engine.domain.review_comment import ReviewComment
from engine.domain.text import printable
from engine.engine import LocatedComment
from tui.models.code.document import CodeDocument, DiffRow
from tui.terminal.cells import clean, wrap

MOST_ROWS = 8
"""Rows of one comment that a diff shows; the list of comments shows all."""
MORE = "… C shows all of it"
MOVED = "not on a line shown here"


class SelectedLines(NamedTuple):
    """Lines of a file that a comment is about, and their texts; old ones are removed lines."""

    is_old: bool
    first: int
    last: int
    texts: tuple[str, ...]


class CommentText(NamedTuple):
    """One row of a comment's text."""

    comment: ReviewComment
    text: str


class CommentedRange(NamedTuple):
    """The rows of the lines that a comment is about, the last one included."""

    start: int
    end: int
    comment: ReviewComment


@dataclass(slots=True)
class CommentedRows:
    """Rows of a diff with those of the comments among them."""

    rows: Sequence[DiffRow] = ()
    texts: list[CommentText] = field(default_factory=list[CommentText])
    ranges: list[CommentedRange] = field(default_factory=list[CommentedRange])

    def ranges_at(self, row: int) -> list[CommentedRange]:
        """Return the ranges that a row is in."""
        return [one for one in self.ranges if one.start <= row <= one.end]

    def row_of(self, n: int) -> int | None:
        """Return the row to go to for a comment."""
        for one in self.ranges:
            if one.comment.n == n:
                return one.end
        rows = enumerate(self.rows)
        return next(
            (at for at, row in rows if row.note >= 0 and self.texts[row.note].comment.n == n), None
        )


class _Side:
    """The line numbers of one side of a diff, in the order of its rows."""

    def __init__(self, rows: Sequence[DiffRow], document: CodeDocument, *, is_old: bool) -> None:
        lines = document.lines
        self._lines: list[int] = []
        self._rows: list[int] = []
        self._numbers: list[int] = []
        self._document = document
        for at, row in enumerate(rows):
            index = row.left if is_old else row.right
            number = 0 if index < 0 else lines[index].old if is_old else lines[index].new
            if number:
                self._numbers.append(number)
                self._rows.append(at)
                self._lines.append(index)

    def find(self, first: int, last: int) -> tuple[int, int] | None:
        """Return the first and the last row with these lines; None where none is shown."""
        start, stop = bisect_left(self._numbers, first), bisect_right(self._numbers, last)
        return (self._rows[start], self._rows[stop - 1]) if start < stop else None

    def text(self, number: int) -> str | None:
        """Return the text of a line as a comment quotes it."""
        place = bisect_left(self._numbers, number)
        if place == len(self._numbers) or self._numbers[place] != number:
            return None
        return quotable(self._document.lines[self._lines[place]].text)


def quotable(text: str) -> str:
    """Return a line as a comment quotes it."""
    return printable(text.removesuffix("\r"))


def place_comments(
    rows: Sequence[DiffRow], document: CodeDocument, found: Sequence[LocatedComment], width: int
) -> CommentedRows:
    """Return the rows with the text of each comment below its lines.

    Those without a line in this diff are at the end.
    """
    if not found:
        return CommentedRows(rows)
    sides = _Side(rows, document, is_old=False), _Side(rows, document, is_old=True)
    places = {one.comment.n: _find_rows(one, *sides) for one in found}
    below: dict[int, list[LocatedComment]] = {}
    for one in found:
        place = places[one.comment.n]
        below.setdefault(place[1] if place else len(rows), []).append(one)
    return _inserted(rows, below, places, width)


def _find_rows(one: LocatedComment, new: _Side, old: _Side) -> tuple[int, int] | None:
    comment, line = one.comment, one.line
    count = comment.last - comment.first
    if line is not None:
        shown = (old if comment.is_old else new).find(line, line + count)
        if shown or comment.is_old:
            return shown
    # Lines that the agent has replaced since are on the other side.
    quoted = comment.quoted.split("\n")[0]
    is_same = quoted == old.text(comment.first)
    return old.find(comment.first, comment.last) if is_same and not comment.is_old else None


def _inserted(
    rows: Sequence[DiffRow],
    below: Mapping[int, Sequence[LocatedComment]],
    places: Mapping[int, tuple[int, int] | None],
    width: int,
) -> CommentedRows:
    done = CommentedRows()
    made: list[DiffRow] = []
    moved_to: dict[int, int] = {}
    """The new places of the rows that comments are about."""
    wanted = {row for place in places.values() if place for row in place}
    for at, row in enumerate(rows):
        if at in wanted:
            moved_to[at] = len(made)
        made.append(row)
        _append(done, made, below.get(at, ()), width)
    _append(done, made, below.get(len(rows), ()), width, MOVED)
    for each in below.values():
        for one in each:
            if place := places[one.comment.n]:
                start, end = moved_to[place[0]], moved_to[place[1]]
                done.ranges.append(CommentedRange(start, end, one.comment))
    done.rows = made
    return done


def _append(
    done: CommentedRows,
    made: list[DiffRow],
    found: Sequence[LocatedComment],
    width: int,
    note: str = "",
) -> None:
    for one in found:
        for text in comment_lines(one.comment, width, note):
            made.append(DiffRow(-1, -1, note=len(done.texts)))
            done.texts.append(CommentText(one.comment, text))


def comment_lines(comment: ReviewComment, width: int, note: str = "") -> list[str]:
    """Return the text of a comment in lines of a width, at most a few of them."""
    marks = ["" if comment.is_open else "sent", f"{comment.place}, {note}" if note else ""]
    marked = "".join(f"{mark} · " for mark in marks if mark)
    lines = list(islice(_wrapped(f"{marked}{comment.text}", width), MOST_ROWS + 1))
    return lines if len(lines) <= MOST_ROWS else [*lines[: MOST_ROWS - 1], MORE]


def _wrapped(text: str, width: int) -> Iterator[str]:
    for line in text.split("\n"):
        yield from wrap(clean(line), width) if line.strip() else [""]


def select_lines(document: CodeDocument, rows: Sequence[DiffRow]) -> SelectedLines:
    """Return the lines of some rows that follow each other; raises `UserError`."""
    lines = document.lines
    if any(row.hunk >= 0 for row in rows[1:]):
        raise _no_lines("The range goes beyond its hunk.", "Mark lines that follow each other.")
    new = [lines[row.right] for row in rows if row.right >= 0 and lines[row.right].new]
    old = [lines[row.left] for row in rows if row.left >= 0 and lines[row.left].old]
    if new:
        texts = tuple(line.text.removesuffix("\r") for line in new)
        return SelectedLines(False, new[0].new, new[-1].new, texts)
    if old:
        texts = tuple(line.text.removesuffix("\r") for line in old)
        return SelectedLines(True, old[0].old, old[-1].old, texts)
    raise _no_lines("There is no line to comment on here.", "Choose a line of a text file.")


def _no_lines(message: str, recovery: str) -> UserError:
    return user_error("INPUT_INVALID", message, recovery)
