"""The run templates, a line each: whose they are, and what they have achieved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.segment import Segment
from textual.message import Message
from textual.strip import Strip

from engine.domain.model import TemplateStats
from engine.engine import Template
from tui import formatting
from tui.formatting.numbers import length, tokens
from tui.terminal.cells import clean, fit, wrap
from tui.widgets.base.line_view import LineView

NAME, LAYER, RUNS, RATE, TIME, TOKENS = 16, 10, 9, 4, 7, 7


class TemplateList(LineView):
    """The templates, with a cursor on one."""

    class TemplateSelected(Message):
        """The cursor is on another template."""

    def __init__(self) -> None:
        super().__init__(title="Templates", empty_text="Reading the templates …")
        self._templates: Sequence[Template] = ()
        self._achieved: Mapping[str, TemplateStats] = {}

    @property
    def chosen(self) -> Template | None:
        """The template the cursor is on."""
        return self._templates[self.cursor_line] if self._templates else None

    def show(self, templates: Sequence[Template], achieved: Mapping[str, TemplateStats]) -> None:
        """Show these, the cursor on the one it was on."""
        name = self.chosen.name if self.chosen else ""
        self._templates, self._achieved = templates, achieved
        names = [each.name for each in templates]
        place = names.index(name) if name in names else min(self.cursor_line, len(names) - 1)
        self.paint.forget_strips()
        self.set_lines(len(templates), cursor=place)
        self.post_message(self.TemplateSelected())

    def cursor_moved(self) -> None:
        """Notify the screen of the template under the cursor."""
        self.post_message(self.TemplateSelected())

    def draw(self, line: int, width: int) -> Strip:
        """Draw one template."""
        template, cursor = self._templates[line], line == self.cursor_line
        gutter = formatting.sign("▌", "|") if cursor else " "
        name_tone = "bad" if template.problem else "plain"
        segments = [
            Segment(gutter, self.paint.tone("live")),
            Segment(f"{fit(clean(template.name, 80), NAME)} ", self.paint.tone(name_tone)),
            Segment(f"{fit(template.layer.value, LAYER)} ", self.paint.tone("dim")),
        ]
        if template.problem:
            segments.append(Segment("cannot be used", self.paint.tone("bad")))
        else:
            segments += [
                Segment(text, self.paint.tone(tone)) for text, tone in self._figures(template)
            ]
        return self.paint.strip(segments, width, cursor=cursor)

    def _figures(self, template: Template) -> list[tuple[str, str]]:
        done = self._achieved.get(template.name)
        if not done:
            return [("not used yet", "dim")]
        rate = f"{100 * done.succeeded / done.ended:.0f}%" if done.ended else ""
        tone = "good" if done.succeeded == done.ended else "warn"
        time = length(done.median_s) if done.median_s is not None else ""
        used = tokens(round(done.median_tokens)) if done.median_tokens is not None else ""
        runs = f"{done.runs} run{'' if done.runs == 1 else 's'}"
        return [
            (f"{runs:>{RUNS}} ", "plain"),
            (f"{rate:>{RATE}} ", tone),
            (f"{time:>{TIME}} ", "dim"),
            (f"{used:>{TOKENS}}", "dim"),
        ]


class TemplateText(LineView):
    """A template as its runs get it, or what is wrong with it."""

    def __init__(self) -> None:
        super().__init__(title="Preview")
        self._text: Sequence[tuple[str, str]] = ()
        self._rows: list[tuple[str, str]] = []

    def show(self, title: str, text: Sequence[tuple[str, str]]) -> None:
        """Show lines of text, each with its tone."""
        self.set_title(title)
        self._text = text
        self.styles_changed()
        self.scroll_to(y=0, animate=False, force=True)

    def styles_changed(self) -> None:
        """Render the text again."""
        if self.is_attached:
            room = max(10, self.scrollable_content_region.width - 2)
            self._rows = [
                (row, tone)
                for text, tone in self._text
                for row in list(wrap(clean(text, 2000), room)) or [""]
            ]
            self.set_lines(len(self._rows), cursor=0)

    def draw(self, line: int, width: int) -> Strip:
        """Draw one line."""
        text, tone = self._rows[line]
        return self.paint.strip([Segment(f" {text}", self.paint.tone(tone))], width)
