"""The panes by name, where only one of them has room."""

from __future__ import annotations

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget


class PaneTabs(Widget):
    """One line of pane names, the shown one lit."""

    DEFAULT_CSS = """
    PaneTabs { height: 1; padding: 0 1; text-wrap: nowrap; color: $secondary; }
    """

    class PaneSelected(Message):
        """A pane's name was clicked."""

        def __init__(self, pane: str) -> None:
            super().__init__()
            self.pane = pane

    def __init__(self, panes: tuple[str, ...]) -> None:
        super().__init__()
        self.panes = panes
        self.shown = panes[0]
        self._note = ""

    def light(self, pane: str) -> None:
        """Light the name of `pane`."""
        self.shown = pane
        self.refresh()

    def note(self, text: str) -> None:
        """Write a few words at the end of the line."""
        if text != self._note:
            self._note = text
            self.refresh()

    def render(self) -> Content:
        """Draw the names."""
        parts: list[Content | tuple[str, str]] = []
        for pane in self.panes:
            lit = pane == self.shown
            style = "bold $background on $accent" if lit else "$secondary"
            parts += [(f" {pane} ", style), ("  ", "")]
        left = Content.assemble(*parts, ("[ ]", "$faint"))
        room = max(0, self.size.width - left.cell_length - 2)
        note = Content.styled(self._note, "$secondary").truncate(room, ellipsis=True)
        gap = max(1, self.size.width - left.cell_length - note.cell_length)
        return Content.assemble(left, " " * gap, note)

    def on_click(self, event: events.Click) -> None:
        """Post the pane that was clicked."""
        offset = event.get_content_offset(self)
        at = 0
        for pane in self.panes:
            if offset is not None and at <= offset.x < at + len(pane) + 2:
                self.post_message(self.PaneSelected(pane))
            at += len(pane) + 4
