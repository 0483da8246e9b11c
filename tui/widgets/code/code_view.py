"""Code to read: a file, or a diff below or beside itself; only what is in view is drawn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.strip import Strip

from tui import formatting
from tui.models.code.commented_rows import CommentedRows
from tui.models.code.document import CodeDocument, DiffRow, side_by_side, unified
from tui.terminal.cells import clean, crop
from tui.widgets.base.line_view import LineView
from tui.widgets.code.code_colours import CodeColours
from tui.widgets.code.code_line_painter import CodeLinePainter
from tui.widgets.code.comment_marks import CommentMarks

NEAR = 100
"""Rows that are searched for a line number near the reader's place."""
SIDEWAYS = 16
"""Columns that one step to the side goes."""

Arrangement = Callable[[CodeDocument], list[DiffRow]]


class CodeView(LineView):
    """View of one document; colours appear when they are ready, and delay nothing."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"tone--{name}" for name in ("comment", "keyword", "string", "number")),
        *(f"line--{name}" for name in ("added", "removed", "added-word", "removed-word", "none")),
    }
    DEFAULT_CSS = """
    CodeView {
        & > .tone--comment { color: $secondary; }
        & > .tone--keyword { color: $primary; }
        & > .tone--string { color: $success; }
        & > .tone--number { color: $warning; }
        & > .line--added { background: $success 12%; }
        & > .line--added-word { background: $success 34%; text-style: bold; }
        & > .line--removed { background: $error 12%; }
        & > .line--removed-word { background: $error 36%; text-style: bold; }
        & > .line--none { background: $panel 30%; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: Sequence[DiffRow] = ()
        self._hunk_rows: list[int] | None = None
        self._path = ""
        self.arrangement: Arrangement = unified
        """Arrangement of a diff."""
        self._colours = CodeColours(self, self._seen, self._coloured)
        self._painter = CodeLinePainter(self, self._colours)
        self.marks = CommentMarks(self)

    # What is shown

    @property
    def document(self) -> CodeDocument:
        """The shown document."""
        return self._painter.document

    @property
    def path(self) -> str:
        """The path of what is shown."""
        return self._path

    def clear(self, text: str = "") -> None:
        """Show nothing but words."""
        self._take("", CodeDocument(), CommentedRows())
        self.empty_text = text
        self.set_lines(0, cursor=0, top=0)

    def forget_place(self) -> None:
        """Begin the next document at its first line, also a file of the same name."""
        self._path = ""

    def row_of_line(self, index: int) -> int | None:
        """Return the row that shows a line of the document."""
        rows = enumerate(self._rows)
        return next((n for n, row in rows if index >= 0 and index in row[:2]), None)

    async def show(self, path: str, document: CodeDocument, *, empty_text: str = "") -> None:
        """Show a document; the reader stays where they are if it is the same file as before."""
        placed = await self.marks.arranged(path, document)
        before, rows = self.document, self._rows
        here, top = (_number_at(rows, before, n) for n in (self.cursor_line, self.scroll_offset.y))
        stays = path == self._path
        self._take(path, document, placed)
        self.empty_text = empty_text
        line = self.marks.skip(_row_of(placed.rows, document, here) if stays else 0, 0)
        top = _row_of(placed.rows, document, top) if stays else 0
        self.set_lines(len(placed.rows), cursor=line, top=top)

    async def lay_out(self, arrangement: Arrangement) -> None:
        """Place the same lines in another layout; the line in view stays in view."""
        self.arrangement = arrangement
        path, document = self._path, self.document
        placed = await self.marks.arranged(path, document)
        rows = placed.rows
        from_top = self.cursor_line - self.scroll_offset.y
        line = await asyncio.to_thread(_place, rows, self._rows, self.cursor_line)
        if document is self.document:
            self._set_rows(placed)
            self.paint.forget_strips()
            self.set_lines(len(rows), cursor=line, top=line - from_top)

    def _set_rows(self, placed: CommentedRows) -> None:
        self._rows, self._hunk_rows = placed.rows, None
        self.marks.placed, self.marks.anchor = placed, None

    def _take(self, path: str, document: CodeDocument, placed: CommentedRows) -> None:
        self._painter.begin(document, keeps_shift=path == self._path)
        self._path = path
        self._set_rows(placed)
        self._colours.begin(path, document)
        self.paint.forget_strips()

    # Moving

    @property
    def hunk_rows(self) -> list[int]:
        """The rows of the hunks' headings."""
        if self._hunk_rows is None:
            self._hunk_rows = [n for n, row in enumerate(self._rows) if row.hunk >= 0]
        return self._hunk_rows

    def step_hunk(self, by: int) -> bool:
        """Go to the next hunk (1) or the one before (-1); return whether there is one."""
        rows = self.hunk_rows
        if by > 0:
            wanted = next((row for row in rows if row > self.cursor_line), None)
        else:
            wanted = next((row for row in reversed(rows) if row < self.cursor_line), None)
        if wanted is None:
            return False
        self.go_to(wanted)
        return True

    def move_cursor(self, line: int) -> None:
        """Put the cursor on a line; the comments below it are in view, too."""
        super().move_cursor(self.marks.skip(line, self.cursor_line))
        self.marks.cursor_moved()

    def go_to(self, row: int) -> None:
        """Put the cursor on a row, and the row on top."""
        self.move_cursor(row)
        self.scroll_to(y=min(row, self.max_scroll_y), animate=False, force=True)

    def step_sideways(self, by: int) -> None:
        """Show what lies further to the right (1) or the left (-1)."""
        self._painter.shift = max(0, self._painter.shift + by * SIDEWAYS)
        self.paint.forget_strips()
        self.refresh(self.size.region)

    # Drawing

    def draw(self, line: int, width: int) -> Strip:
        """Draw one row."""
        cursor = line == self.cursor_line
        key = (line, width, cursor)
        return self.paint.kept(key) or self.paint.keep(key, self._draw(line, width, cursor=cursor))

    def _draw(self, line: int, width: int, *, cursor: bool) -> Strip:
        row = self._rows[line]
        if row.note >= 0:
            return self.marks.draw(row.note, width)
        gutter = self.marks.gutter(line, cursor=cursor)
        if row.hunk >= 0:
            heading = crop(clean(self.document.hunks[row.hunk].heading), width - 1)
            parts = [gutter, Segment(heading, self.paint.tone("busy"))]
            return self.paint.strip(parts, width, cursor=cursor)
        if not self.document.is_diff:
            return self.paint.strip(
                [gutter, *self._painter.line(row.right, width - 1)], width, cursor=cursor
            )
        if self.arrangement is not side_by_side or self.document.is_one_sided:
            index = row.left if row.right < 0 else row.right
            numbers = self._painter.numbers(index, "old", "new")
            return self.paint.strip([gutter, *self._painter.line(index, width - 1, numbers)], width)
        half = (width - 2) // 2
        bar = Segment(formatting.sign("│", "|"), self.paint.tone("faint"))
        left = self._painter.side(row.left, half, "old")
        right = self._painter.side(row.right, width - 2 - half, "new")
        return self.paint.strip([gutter, *left, bar, *right], width)

    def resized(self) -> None:
        """Wrap the comments for the new width."""
        super().resized()
        self.marks.wrap()

    def _seen(self) -> set[int]:
        """Return the lines in view."""
        rows = [self._rows[number] for number in self.visible_lines()]
        return {index for row in rows for index in row[:2] if index >= 0}

    def _coloured(self) -> None:
        self.paint.forget_strips()
        self.refresh(self.size.region)


def _number_at(rows: Sequence[DiffRow], document: CodeDocument, row: int) -> int:
    """Return the line number in the new file of a row."""
    for shown in rows[row : row + NEAR]:
        if shown.right >= 0:
            return document.lines[shown.right].new
    return 0


def _row_of(rows: Sequence[DiffRow], document: CodeDocument, number: int) -> int:
    """Return the first row with a line number in the new file, or a later one."""
    if number <= 1:
        return 0
    lines = document.lines
    shown = enumerate(rows)
    return next((n for n, row in shown if row.right >= 0 and lines[row.right].new >= number), 0)


def _place(rows: Sequence[DiffRow], others: Sequence[DiffRow], number: int) -> int:
    """Return the row that shows the same as row `number` of the others."""
    if number >= len(others):
        return 0
    return next((n for n, row in enumerate(rows) if _same(row, others[number])), 0)


def _same(one: DiffRow, other: DiffRow) -> bool:
    """Return whether two rows show the same line, or heading."""
    if one.hunk >= 0 or other.hunk >= 0:
        return one.hunk == other.hunk
    return bool(({one.left, one.right} & {other.left, other.right}) - {-1})
