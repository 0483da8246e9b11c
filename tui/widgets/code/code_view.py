"""Code to read: a file, or a diff below or beside itself; only what is in view is drawn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui import formatting
from tui.models.code.document import CodeDocument, DiffRow, side_by_side, unified
from tui.terminal.cells import cells, clean, crop
from tui.widgets.base.line_view import LineView
from tui.widgets.code.code_colours import CodeColours

NEAR = 100
"""Rows that are searched for a line number near the reader's place."""
SIDEWAYS = 16
"""Columns that one step to the side goes."""

Arrangement = Callable[[CodeDocument], list[DiffRow]]
_GROUNDS = {"+": "added", "-": "removed", " ": "ground"}
_TONES = {"+": "good", "-": "bad", " ": "faint"}


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
        self._document = CodeDocument()
        self._rows: Sequence[DiffRow] = ()
        self._hunk_rows: list[int] | None = None
        self._path = ""
        self._digits = 1
        self._shift = 0
        self.arrangement: Arrangement = unified
        """How a diff is laid out."""
        self._colours = CodeColours(self, self._seen, self._coloured)

    # What is shown

    @property
    def document(self) -> CodeDocument:
        """The shown document."""
        return self._document

    @property
    def path(self) -> str:
        """The path of what is shown."""
        return self._path

    def clear(self, text: str = "") -> None:
        """Show nothing but words."""
        self._take("", CodeDocument(), ())
        self.empty_text = text
        self.set_lines(0, cursor=0, top=0)

    async def show(self, path: str, document: CodeDocument, *, empty_text: str = "") -> None:
        """Show a document; the reader stays where they are if it is the same file as before."""
        rows = await asyncio.to_thread(self.arrangement, document)
        here, top = self._number_at(self.cursor_line), self._number_at(self.scroll_offset.y)
        stays = path == self._path
        self._take(path, document, rows)
        self.empty_text = empty_text
        line = self._row_of(here) if stays else 0
        self.set_lines(len(rows), cursor=line, top=self._row_of(top) if stays else 0)

    async def lay_out(self, arrangement: Arrangement) -> None:
        """Place the same lines in another layout; the line in view stays in view."""
        self.arrangement = arrangement
        document = self._document
        rows = await asyncio.to_thread(arrangement, document)
        from_top = self.cursor_line - self.scroll_offset.y
        line = await asyncio.to_thread(_place, rows, self._rows, self.cursor_line)
        if document is self._document:
            self._rows, self._hunk_rows = rows, None
            self.paint.forget_strips()
            self.set_lines(len(rows), cursor=line, top=line - from_top)

    def _take(self, path: str, document: CodeDocument, rows: Sequence[DiffRow]) -> None:
        if path != self._path:
            self._shift = 0
        self._path, self._document, self._rows = path, document, rows
        self._hunk_rows = None
        self._digits = max(2, len(str(document.last_number)))
        self._colours.begin(path, document)
        self.paint.forget_strips()

    def _number_at(self, row: int) -> int:
        """Return the line number in the new file of a row."""
        for shown in self._rows[row : row + NEAR]:
            if shown.right >= 0:
                return self._document.lines[shown.right].new
        return 0

    def _row_of(self, number: int) -> int:
        if number <= 1:
            return 0
        lines = self._document.lines
        rows = enumerate(self._rows)
        return next((n for n, row in rows if row.right >= 0 and lines[row.right].new >= number), 0)

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

    def go_to(self, row: int) -> None:
        """Put the cursor on a row, and the row on top."""
        self.move_cursor(row)
        self.scroll_to(y=min(row, self.max_scroll_y), animate=False, force=True)

    def step_sideways(self, by: int) -> None:
        """Show what lies further to the right (1) or the left (-1)."""
        self._shift = max(0, self._shift + by * SIDEWAYS)
        self.paint.forget_strips()
        self.refresh(self.size.region)

    # Drawing

    def draw(self, line: int, width: int) -> Strip:
        """Draw one row."""
        cursor = line == self.cursor_line
        key = (line, width, cursor)
        return self.paint.kept(key) or self.paint.keep(
            key, self._draw(self._rows[line], width, cursor=cursor)
        )

    def _draw(self, row: DiffRow, width: int, *, cursor: bool) -> Strip:
        gutter = Segment(formatting.sign("▌", "|") if cursor else " ", self.paint.tone("live"))
        if row.hunk >= 0:
            heading = crop(clean(self._document.hunks[row.hunk].heading), width - 1)
            parts = [gutter, Segment(heading, self.paint.tone("busy"))]
            return self.paint.strip(parts, width, cursor=cursor)
        if not self._document.is_diff:
            return self.paint.strip(
                [gutter, *self._line(row.right, width - 1)], width, cursor=cursor
            )
        if self.arrangement is not side_by_side or self._document.is_one_sided:
            index = row.left if row.right < 0 else row.right
            numbers = self._numbers(index, "old", "new")
            return self.paint.strip([gutter, *self._line(index, width - 1, numbers)], width)
        half = (width - 2) // 2
        bar = Segment(formatting.sign("│", "|"), self.paint.tone("faint"))
        left = self._side(row.left, half, "old")
        right = self._side(row.right, width - 2 - half, "new")
        return self.paint.strip([gutter, *left, bar, *right], width)

    def _side(self, index: int, width: int, side: str) -> list[Segment]:
        if index < 0:
            return [Segment(" " * width, self._style("plain", "none"))]
        return self._line(index, width, self._numbers(index, side))

    def _numbers(self, index: int, *sides: str) -> str:
        line = self._document.lines[index]
        found = (line.old if side == "old" else line.new for side in sides)
        return " ".join(f"{number or '':>{self._digits}}" for number in found)

    def _line(self, index: int, width: int, numbers: str | None = None) -> list[Segment]:
        """Draw a line with its numbers, exactly `width` cells wide."""
        line = self._document.lines[index]
        ground = _GROUNDS[line.sign]
        if numbers is None:
            numbers = self._numbers(index, "new") if self._document.is_numbered else ""
        sign = f" {line.sign} " if self._document.is_diff else "  "
        head = [
            Segment(numbers, self._style("faint", ground)),
            Segment(sign, self._style(_TONES[line.sign], ground)),
        ]
        room = max(0, width - len(numbers) - len(sign))
        text = self._document.shown(index)[self._shift :]
        shown = crop(text, room, formatting.sign("…", "~"))
        tail = " no line end" if line.is_cut and cells(shown) + 12 <= room else ""
        gap = " " * max(0, room - cells(shown) - len(tail))
        end = [Segment(tail, self._style("faint", ground)), Segment(gap, self._style("", ground))]
        return [*head, *self._words(index, shown, ground), *end]

    def _words(self, index: int, text: str, ground: str) -> list[Segment]:
        """Draw a line's text in its colours, what changed in it on a ground of its own."""
        looks = [("plain", ground)] * len(text)
        for start, end, tone in self._colours.of(index):
            for at in range(max(0, start - self._shift), min(end - self._shift, len(text))):
                looks[at] = (tone, ground)
        for start, end in self._document.changed_words(index):
            for at in range(max(0, start - self._shift), min(end - self._shift, len(text))):
                looks[at] = (looks[at][0], f"{ground}-word")
        parts: list[Segment] = []
        at = 0
        for look, some in groupby(looks):
            length = sum(1 for _ in some)
            parts.append(Segment(text[at : at + length], self._style(*look)))
            at += length
        return parts

    def _style(self, tone: str, ground: str) -> Style:
        """Return the style of text of a tone on a background."""
        key = f"{tone} on {ground}"
        style = self.paint.styles.get(key)
        if style is None:
            style = self.paint.tone(tone or "plain")
            if ground != "ground":
                full = self.get_component_rich_style(f"line--{ground}")
                style += Style(bgcolor=full.bgcolor, bold=full.bold)
            self.paint.styles[key] = style
        return style

    def _seen(self) -> set[int]:
        """Return the lines in view."""
        rows = [self._rows[number] for number in self.visible_lines()]
        return {index for row in rows for index in row[:2] if index >= 0}

    def _coloured(self) -> None:
        self.paint.forget_strips()
        self.refresh(self.size.region)


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
