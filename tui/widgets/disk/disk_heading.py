"""The names of the columns of what takes room."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from tui.widgets.disk.disk_tree import DiskTree


class DiskHeading(Widget):
    """One line above the list, in line with its columns."""

    DEFAULT_CSS = """
    DiskHeading { height: 1; padding: 0 1; text-wrap: nowrap; color: $secondary; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._text = ""

    def name_columns(self, places: DiskTree) -> None:
        """Name the columns of `places` as they are now."""
        text = places.heading(places.scrollable_content_region.width)
        if text != self._text:
            self._text = text
            self.refresh()

    def render(self) -> Content:
        """Draw the names."""
        return Content(self._text)
