"""Texts in the border of a log: the choice of its contents, the search, and the reader's state."""

from __future__ import annotations

from rich.segment import Segment
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip

from tui import formatting
from tui.terminal.cells import cells, clean, crop
from tui.widgets.base.line_view import LineView

MAX_TEXT = 300


def joined(*texts: str) -> str:
    """Return the texts that are not empty, with a dot between them."""
    return f" {formatting.sign('·', '-')} ".join(text for text in texts if text)


class LogStatus:
    """The texts of one log; a view without a border has them over its last line."""

    def __init__(self, view: LineView) -> None:
        self._view = view
        self._shown = self._choice = ""
        self.note = ""
        """A text that stays before all others, such as a search."""

    def name_choice(self, title: str, choice: str) -> None:
        """Show in the title which events the log contains."""
        self._choice = choice
        self._view.set_title(joined(title, choice))

    def show(self, text: str) -> None:
        """Write `text` into the lower border, or over the last line where there is none."""
        view, shown = self._view, clean(text, MAX_TEXT)
        if shown == self._shown:
            return
        self._shown = shown
        view.border_subtitle = Content(shown) if text else None
        view.refresh(Region(0, view.size.height - 1, view.size.width, 1))

    def over(self, strip: Strip, y: int) -> Strip:
        """Return the row at `y` of a view, with the texts over the last one without a border."""
        view = self._view
        text = joined(self._choice, self._shown)
        if not text or y < view.page - 1 or view.styles.border_bottom[0]:
            return strip
        width = view.scrollable_content_region.width
        text = f" {crop(text, width - 2)} "
        style = view.paint.tone("warn") + view.paint.ground(cursor=True)
        return Strip([*strip.crop(0, width - cells(text)), Segment(text, style)], width)
