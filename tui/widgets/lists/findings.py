"""Findings of the doctor: a line for each, and the fix for a problem below it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.segment import Segment
from textual.strip import Strip

from engine.doctor import CheckHealth, Finding
from tui import formatting
from tui.terminal.cells import clean, fit, wrap
from tui.widgets.base.line_view import LineView

WORD, NAME_MAX = 9, 30
_LOOKS = {
    CheckHealth.OK: ("✓", "+", "good"),
    CheckHealth.WARNING: ("!", "!", "warn"),
    CheckHealth.FAIL: ("✗", "x", "bad"),
}
Part = tuple[str, str]


class Findings(LineView):
    """The findings, laid out for the width at hand."""

    def __init__(self, *, title: str = "Doctor", empty_text: str = "") -> None:
        super().__init__(title=title, empty_text=empty_text)
        self._findings: Sequence[Finding] = ()
        self._rows: list[list[Part]] = []

    def show(self, findings: Sequence[Finding]) -> None:
        """Show these."""
        self._findings = findings
        self.styles_changed()

    def styles_changed(self) -> None:
        """Render the findings again."""
        if self.is_attached:
            width = self.scrollable_content_region.width
            self._rows = list(_rows(self._findings, width))
            self.set_lines(len(self._rows), cursor=self.cursor_line)

    def draw(self, line: int, width: int) -> Strip:
        """Draw one line."""
        cursor = line == self.cursor_line
        gutter = formatting.sign("▌", "|") if cursor else " "
        segments = [Segment(gutter, self.paint.tone("live"))]
        segments += [Segment(text, self.paint.tone(tone)) for text, tone in self._rows[line]]
        return self.paint.strip(segments, width, cursor=cursor)


def _rows(findings: Sequence[Finding], width: int) -> Iterable[list[Part]]:
    longest = max((len(clean(found.name)) for found in findings), default=0)
    name_width = min(NAME_MAX, width // 3, longest)
    indent = 2 + WORD + 1 + name_width + 2
    room = max(20, width - 2 - indent)
    for found in findings:
        glyph, plain, tone = _LOOKS[found.health]
        name = fit(clean(found.name, 100), name_width)
        head: list[Part] = [
            (f"{formatting.sign(glyph, plain)} ", tone),
            (f"{fit(found.health.value, WORD)} ", tone),
            (f"{name}  ", "dim"),
        ]
        for text in list(wrap(clean(found.message, 500), room)) or [""]:
            yield [*head, (text, "plain")]
            head = [(" " * indent, "dim")]
        for text in wrap(clean(found.recovery, 500), room):
            yield [(" " * indent, "dim"), (text, "warn")]
