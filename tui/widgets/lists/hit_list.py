"""Hits in the history, a line each: the run, the kind of text, and the found words marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip

from engine.domain.search import SearchHit
from tui import formatting
from tui.terminal.cells import clean, fit
from tui.widgets.base.line_view import LineView

AGE, WHAT = 3, 9
TITLE_MIN, TITLE_MAX = 14, 34


class HitList(LineView):
    """The places, with a cursor on one."""

    @dataclass
    class HitOpened(Message):
        """The reader wants to see a place."""

        hit: SearchHit

    def __init__(self, *, empty_text: str = "") -> None:
        super().__init__(title="Found", empty_text=empty_text)
        self._hits: Sequence[SearchHit] = ()
        self._now = 0.0

    @property
    def chosen(self) -> SearchHit | None:
        """The place the cursor is on."""
        return self._hits[self.cursor_line] if self._hits else None

    def show(self, hits: Sequence[SearchHit], now: float, *, keep: bool) -> None:
        """Show these; the cursor goes to the first, or with `keep` stays on its place."""
        here = (self.chosen.run, self.chosen.seq) if keep and self.chosen else None
        self._hits, self._now = hits, now
        places = [(hit.run, hit.seq) for hit in hits]
        line = places.index(here) if here in places else 0
        self.set_lines(len(hits), cursor=line, top=None if keep else 0)
        self.show_line(line)

    def draw(self, line: int, width: int) -> Strip:
        """Draw one place."""
        hit, cursor = self._hits[line], line == self.cursor_line
        title_width = max(TITLE_MIN, min(TITLE_MAX, width // 4))
        gutter = formatting.sign("▌", "|") if cursor else " "
        age = formatting.age(self._now - hit.at)
        segments = [
            Segment(gutter, self.paint.tone("live")),
            Segment(
                f"{formatting.sign(formatting.glyph(hit.status), '*')} ",
                self.paint.tone(formatting.tone(hit.status)),
            ),
            Segment(f"{formatting.fit_title(clean(hit.title, 200), title_width)} "),
            Segment(f"{age:>{AGE}} ", self.paint.tone("faint")),
            Segment(f"{fit(formatting.hit_word(hit), WHAT)} ", self.paint.tone("dim")),
        ]
        room = width - 1 - sum(segment.cell_length for segment in segments)
        plain = self.paint.tone("plain")
        for text, is_found in formatting.hit_parts(hit, room):
            segments.append(Segment(text, self.paint.lit() if is_found else plain))
        return self.paint.strip(segments, width, cursor=cursor)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the click is; a double click opens."""
        line = self.line_at(event)
        if line is None:
            return
        self.move_cursor(line)
        if event.chain == 2 and self.chosen:
            self.post_message(self.HitOpened(self.chosen))
