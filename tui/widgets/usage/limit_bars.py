"""The present cycles of the rate-limit windows of every account."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.strip import Strip

from engine.domain.usage import LimitCycle
from tui.formatting.limit_cycles import Line, Reserve, cycle_lines
from tui.widgets.base.line_view import LineView

NONE_KNOWN = "No limits known: agents report them as they work; an API key has none."
FRAME = 2
SHARE = 3
"""The limits have at most one of so many lines of the screen."""


class LimitBars(LineView, can_focus=False):
    """A bar for each window: its use, its reset, and what was used in it."""

    DEFAULT_CSS = "LimitBars { height: 3; }"

    def __init__(self, reserve: Reserve) -> None:
        super().__init__(title="Limits", empty_text=" ")
        self._lines: list[Line] = []
        self._shown: tuple[Sequence[LimitCycle], float] = ((), 0.0)
        self._reserve = reserve

    def show(self, cycles: Sequence[LimitCycle], now: float) -> None:
        """Show these cycles as they are now."""
        self._shown = cycles, now
        self.empty_text = NONE_KNOWN
        self.styles_changed()

    def styles_changed(self) -> None:
        """Render the lines again."""
        cycles, now = self._shown
        width = self.scrollable_content_region.width
        self._lines = cycle_lines(cycles, now, width, self._reserve) if width > 0 else []
        most = max(2, self.screen.size.height // SHARE - FRAME)  # pyright: ignore[reportUnknownMemberType]  the library's type is partial
        height = FRAME + max(1, min(len(self._lines), most))
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height
        self.set_lines(len(self._lines), cursor=0)

    def draw(self, line: int, width: int) -> Strip:
        """Draw one line."""
        parts = [Segment(text, self.paint.tone(tone)) for text, tone in self._lines[line]]
        return self.paint.strip(parts, width)
