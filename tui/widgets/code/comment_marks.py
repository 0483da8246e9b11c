"""Comments in a diff: marks in the gutter, texts below their lines, and the marked range."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.strip import Strip

from engine.domain.review_comment import ReviewComment
from engine.engine import LocatedComment
from tui import formatting
from tui.models.code.commented_rows import (
    CommentedRows,
    SelectedLines,
    place_comments,
    select_lines,
)
from tui.models.code.document import CodeDocument, DiffRow
from tui.widgets.status.toast import app_of

if TYPE_CHECKING:
    from tui.widgets.code.code_view import CodeView

INDENT = 4
"""Columns before the text of a comment: the gutter, the sign, a gap."""


class CommentMarks:
    """The comments of one view of code, and the range that is marked in it."""

    def __init__(self, view: CodeView) -> None:
        self._view = view
        self._by_file: Mapping[str, Sequence[LocatedComment]] = {}
        self.placed = CommentedRows()
        self.anchor: int | None = None
        """The row at which a range was started."""

    def show(self, by_file: Mapping[str, Sequence[LocatedComment]]) -> bool:
        """Show these comments, by the file of the diff; return whether the shown ones changed."""
        path = self._view.path
        is_other = self.of(path) != by_file.get(path, ())
        self._by_file = by_file
        return is_other

    def of(self, path: str) -> Sequence[LocatedComment]:
        """Return the comments of a file."""
        return self._by_file.get(path, ())

    async def arranged(self, path: str, document: CodeDocument) -> CommentedRows:
        """Return the rows of a document with its comments as they are now."""
        view = self._view
        while True:
            found, arrange = self.of(path), view.arrangement
            width = view.scrollable_content_region.width or app_of(view).size.width
            placed = await asyncio.to_thread(
                _with_comments, arrange, document, found, width - INDENT - 1
            )
            if found == self.of(path):
                return placed

    def wrap(self) -> None:
        """Wrap the texts for a new width."""
        if self.placed.texts:
            work = partial(self._view.lay_out, self._view.arrangement)
            self._view.run_worker(work, group="layout", exclusive=True)

    # The cursor

    def cursor_moved(self) -> None:
        """Show what follows the cursor: the range, and the comments below its line."""
        view = self._view
        if self.anchor is not None:
            self.redraw()
        below = self.text_below(view.cursor_line)
        if below != view.cursor_line:
            view.show_line(below)
            view.show_line(view.cursor_line)

    def skip(self, line: int, start: int) -> int:
        """Return the line to move to: rows of comments are passed over."""
        rows = self.placed.rows
        if not self.placed.texts or not rows:
            return line
        line = max(0, min(line, len(rows) - 1))
        by = 1 if line >= start else -1
        found = _beyond(rows, line, by)
        return found if found is not None else _beyond(rows, line, -by) or 0

    def text_below(self, line: int) -> int:
        """Return the last row of the comments below a line; the line itself without any."""
        rows = self.placed.rows
        while self.placed.texts and line + 1 < len(rows) and rows[line + 1].note >= 0:
            line += 1
        return line

    # The range

    @property
    def range(self) -> range:
        """The rows of the marked range; empty without one."""
        if self.anchor is None:
            return range(0)
        cursor = self._view.cursor_line
        return range(min(self.anchor, cursor), max(self.anchor, cursor) + 1)

    def mark(self, anchor: int | None) -> None:
        """Start a range at a row, or end it with None."""
        self.anchor = anchor
        self.redraw()

    def redraw(self) -> None:
        """Draw the rows in view again."""
        self._view.paint.forget_strips()
        self._view.refresh(self._view.size.region)

    def selected(self) -> SelectedLines:
        """Return the lines of the range, or the one at the cursor; raises `UserError`.

        On the heading of a hunk it is the first line that changed.
        """
        rows, document = self.placed.rows, self._view.document
        marked = self.range
        if not marked and rows:
            here = self._view.cursor_line
            if rows[here].hunk >= 0:
                here = next((at for at in range(here + 1, len(rows)) if self._changed(at)), here)
                self._view.move_cursor(here)
            marked = range(here, here + 1)
        return select_lines(document, [rows[at] for at in marked])

    def _changed(self, row: int) -> bool:
        index = max(self.placed.rows[row].left, self.placed.rows[row].right)
        return index >= 0 and self._view.document.lines[index].sign != " "

    def open_comment(self) -> ReviewComment | None:
        """Return the comment on the line of the cursor that was not sent yet."""
        found = self.placed.ranges_at(self._view.cursor_line)
        waiting = [one for one in found if one.comment.is_open]
        return min(waiting, key=lambda one: one.end - one.start).comment if waiting else None

    # Drawing

    def gutter(self, line: int, *, cursor: bool) -> Segment:
        """Draw the mark of a line: the cursor, the range, a comment."""
        paint = self._view.paint
        if cursor:
            return Segment(formatting.sign("▌", "|"), paint.tone("live"))
        if self.anchor is not None and line in self.range:
            return Segment(formatting.sign("┃", ":"), paint.tone("busy"))
        found = self.placed.ranges_at(line)
        if not found:
            return Segment(" ", paint.tone("live"))
        tone = "warn" if any(one.comment.is_open for one in found) else "dim"
        return Segment(formatting.sign("┃", "*"), paint.tone(tone))

    def draw(self, note: int, width: int) -> Strip:
        """Draw a row of a comment's text."""
        paint, texts = self._view.paint, self.placed.texts
        comment, text = texts[note]
        is_first = not note or texts[note - 1].comment.n != comment.n
        tone = paint.tone("warn" if comment.is_open else "dim")
        sign = formatting.sign("✎", "#") if is_first else " "
        return paint.strip([Segment(f"  {sign} ", tone), Segment(text, tone)], width)


def _with_comments(
    arrange: Callable[[CodeDocument], Sequence[DiffRow]],
    document: CodeDocument,
    found: Sequence[LocatedComment],
    width: int,
) -> CommentedRows:
    return place_comments(arrange(document), document, found, width)


def _beyond(rows: Sequence[DiffRow], line: int, by: int) -> int | None:
    while 0 <= line < len(rows):
        if rows[line].note < 0:
            return line
        line += by
    return None
