"""Message for windows without room for anything else."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from tui.formatting.symbols import sign
from tui.widgets.status.toast import app_of

COLUMNS, ROWS = 60, 15
"""The smallest window in which everything can be done."""


class TooSmall(Widget):
    """Size of the window, and the size that is needed."""

    DEFAULT_CSS = """
    TooSmall {
        display: none; width: 1fr; height: 1fr;
        content-align: center middle; text-align: center; color: $warning;
    }
    """

    def render(self) -> Content:
        """Write it for the window as it is."""
        width, height = app_of(self).size
        by = sign("×", "x")
        return Content(f"Too small: {width} {by} {height}.\nswarm-tui needs {COLUMNS} {by} {ROWS}.")
