"""A scroll bar that is drawn again only where it would look otherwise than it does."""

from __future__ import annotations

from math import ceil
from typing import Self

from textual.geometry import Region
from textual.scrollbar import ScrollBar
from textual.widget import Widget

EIGHTHS = 8
"""The steps of a cell that Textual draws the ends of the bar with."""


class QuietScrollBar(ScrollBar):
    """Textual's bar, without the ten redraws a second that a growing log causes."""

    _seen: object = None

    def refresh(
        self,
        *regions: Region,
        repaint: bool = True,
        layout: bool = False,
        recompose: bool = False,
    ) -> Self:
        """Draw the bar, unless it looks as it did."""
        if repaint and not (regions or layout or recompose):
            look = self._look()
            if look == self._seen:
                return self
            self._seen = look
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def notify_style_update(self) -> None:
        """Draw the bar again in the theme's new colours."""
        self._seen = None
        super().notify_style_update()

    def _look(self) -> object:
        """Return all that the drawing depends on, as coarse as it is drawn."""
        size, lines, page = self.size.height, self.window_virtual_size, self.window_size
        parent = self.parent
        colours = None
        if isinstance(parent, Widget):
            colours = (parent.styles.scrollbar_color, parent.styles.scrollbar_background)
        if not size or not page or page >= lines:
            return (size, colours)
        thumb = max(1.0, page * size / lines)
        start = int((size - thumb) * self.position / (lines - page) * EIGHTHS)
        is_lit = (self.mouse_over, self.grabbed is not None)
        return (size, colours, start, start + ceil(thumb * EIGHTHS), is_lit)
