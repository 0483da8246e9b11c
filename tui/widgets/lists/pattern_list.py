"""The patterns, a line each: how often it worked, how often it was used, and what for."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.message import Message
from textual.strip import Strip

from engine.domain.pattern import StoredPattern
from tui import formatting
from tui.terminal.cells import clean, crop
from tui.widgets.base.line_view import LineView

NOTHING = "No patterns yet: successful runs create them. i imports one from a file."


class PatternList(LineView):
    """The patterns, with a cursor on one."""

    class PatternSelected(Message):
        """The cursor is on another pattern."""

    def __init__(self) -> None:
        super().__init__(title="Patterns", empty_text=NOTHING)
        self._patterns: Sequence[StoredPattern] = ()

    @property
    def chosen(self) -> StoredPattern | None:
        """The pattern the cursor is on."""
        return self._patterns[self.cursor_line] if self._patterns else None

    def show(self, patterns: Sequence[StoredPattern], choose: str | None = None) -> None:
        """Show these, the cursor on the one named, or on the one it was on."""
        id = choose or (self.chosen.id if self.chosen else "")
        self._patterns = patterns
        ids = [each.id for each in patterns]
        place = ids.index(id) if id in ids else min(self.cursor_line, len(ids) - 1)
        self.set_lines(len(patterns), cursor=place)
        self.show_line(self.cursor_line)
        self.set_title(f"Patterns {len(patterns)}" if patterns else "Patterns")
        self.post_message(self.PatternSelected())

    def cursor_moved(self) -> None:
        """Notify the screen of the pattern under the cursor."""
        self.post_message(self.PatternSelected())

    def draw(self, line: int, width: int) -> Strip:
        """Draw one pattern."""
        known, cursor = self._patterns[line], line == self.cursor_line
        gutter = formatting.sign("▌", "|") if cursor else " "
        runs, used = len(known.runs), len(known.used_by)
        is_good = known.with_it.succeeded == known.with_it.ended
        segments = [
            Segment(gutter, self.paint.tone("live")),
            Segment(f"{formatting.sign('✓', '+')}{runs:<3}", self.paint.tone("good")),
            Segment(f"{f'used {used}' if used else '':<8}", self.paint.tone("dim")),
            Segment(
                f"{formatting.rate(known.with_it):>4} ",
                self.paint.tone("good" if is_good else "warn"),
            ),
        ]
        room = width - 1 - sum(segment.cell_length for segment in segments)
        segments.append(
            Segment(crop(clean(known.pattern.goal, 400), room), self.paint.tone("plain"))
        )
        return self.paint.strip(segments, width, cursor=cursor)
