"""Lines of code in their colours, drawn as segments of an exact width."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style

from tui import formatting
from tui.models.code.document import CodeDocument
from tui.terminal.cells import cells, crop
from tui.widgets.code.code_colours import CodeColours

if TYPE_CHECKING:
    from tui.widgets.base.line_view import LineView

_GROUNDS = {"+": "added", "-": "removed", " ": "ground"}
_TONES = {"+": "good", "-": "bad", " ": "faint"}


class CodeLinePainter:
    """Painter of the lines of one document, with their numbers, for a view."""

    def __init__(self, view: LineView, colours: CodeColours) -> None:
        self._view = view
        self._colours = colours
        self.document = CodeDocument()
        self.digits = 1
        """The width of a line number."""
        self.shift = 0
        """The columns that are scrolled out of view on the left."""

    def begin(self, document: CodeDocument, *, keeps_shift: bool) -> None:
        """Draw another document from now on."""
        if not keeps_shift:
            self.shift = 0
        self.document = document
        self.digits = max(2, len(str(document.last_number)))

    def side(self, index: int, width: int, side: str) -> list[Segment]:
        """Draw one side of a row; -1 for a side without a line."""
        if index < 0:
            return [Segment(" " * width, self._style("plain", "none"))]
        return self.line(index, width, self.numbers(index, side))

    def numbers(self, index: int, *sides: str) -> str:
        """Return the line numbers of these sides, `old` or `new`."""
        line = self.document.lines[index]
        found = (line.old if side == "old" else line.new for side in sides)
        return " ".join(f"{number or '':>{self.digits}}" for number in found)

    def line(self, index: int, width: int, numbers: str | None = None) -> list[Segment]:
        """Draw a line with its numbers, exactly `width` cells wide."""
        line = self.document.lines[index]
        ground = _GROUNDS[line.sign]
        if numbers is None:
            numbers = self.numbers(index, "new") if self.document.is_numbered else ""
        sign = f" {line.sign} " if self.document.is_diff else "  "
        head = [
            Segment(numbers, self._style("faint", ground)),
            Segment(sign, self._style(_TONES[line.sign], ground)),
        ]
        room = max(0, width - len(numbers) - len(sign))
        text = self.document.shown(index)[self.shift :]
        shown = crop(text, room, formatting.sign("…", "~"))
        tail = " no line end" if line.is_cut and cells(shown) + 12 <= room else ""
        gap = " " * max(0, room - cells(shown) - len(tail))
        end = [Segment(tail, self._style("faint", ground)), Segment(gap, self._style("", ground))]
        return [*head, *self._words(index, shown, ground), *end]

    def _words(self, index: int, text: str, ground: str) -> list[Segment]:
        """Draw a line's text in its colours, what changed in it on a ground of its own."""
        looks = [("plain", ground)] * len(text)
        for start, end, tone in self._colours.of(index):
            for at in range(max(0, start - self.shift), min(end - self.shift, len(text))):
                looks[at] = (tone, ground)
        for start, end in self.document.changed_words(index):
            for at in range(max(0, start - self.shift), min(end - self.shift, len(text))):
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
        style = self._view.paint.styles.get(key)
        if style is None:
            style = self._view.paint.tone(tone or "plain")
            if ground != "ground":
                full = self._view.get_component_rich_style(f"line--{ground}")
                style += Style(bgcolor=full.bgcolor, bold=full.bold)
            self._view.paint.styles[key] = style
        return style
