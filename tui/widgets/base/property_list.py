"""Facts by name, one below the other, each as long as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.segment import Segment
from textual.strip import Strip

from tui import formatting
from tui.terminal.cells import clean, fit, wrap
from tui.widgets.base.line_view import LineView

NAME = 12
MAX_LINES = 200
"""Lines of one fact that are shown; all of it is copied."""


@dataclass(frozen=True, slots=True)
class Property:
    """A name, a text of any length, and where `enter` leads: to a checkpoint, or to a run."""

    name: str
    text: str
    tone: str = "plain"
    checkpoint: int | None = None
    run: str | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    fact: Property
    name: str
    text: str


class PropertyList(LineView):
    """The facts, laid out for the width at hand."""

    def __init__(self, *, title: str = "", id: str | None = None) -> None:
        super().__init__(title=title, id=id)
        self._facts: Sequence[Property] = ()
        self._rows: list[_Row] = []

    def show(self, facts: Sequence[Property]) -> None:
        """Show these; the reader stays where they are."""
        if facts != self._facts:
            self._facts = facts
            self.styles_changed()

    @property
    def fact(self) -> Property | None:
        """The fact that the cursor is on."""
        return self._rows[self.cursor_line].fact if self._rows else None

    def styles_changed(self) -> None:
        """Render the facts again."""
        if self.is_attached and (width := self.scrollable_content_region.width):
            self._rows = [row for fact in self._facts for row in _rows(fact, width)]
            self.set_lines(len(self._rows), cursor=self.cursor_line)

    def draw(self, line: int, width: int) -> Strip:
        """Draw one line."""
        cursor, row = line == self.cursor_line, self._rows[line]
        gutter = formatting.sign("▌", "|") if cursor else " "
        segments = [
            Segment(gutter, self.paint.tone("live")),
            Segment(fit(row.name, NAME + 1), self.paint.tone("dim")),
            Segment(row.text, self.paint.tone(row.fact.tone)),
        ]
        return self.paint.strip(segments, width, cursor=cursor)


def _rows(fact: Property, width: int) -> Iterator[_Row]:
    name = fact.name
    for text in fact.text.splitlines()[:MAX_LINES] or [""]:
        for part in list(wrap(clean(text), width - NAME - 3)) or [""]:
            yield _Row(fact, name, part)
            name = ""
