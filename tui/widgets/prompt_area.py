"""A few lines of text to write, plain whatever is pasted into it."""

from __future__ import annotations

from textual import events
from textual.widgets import TextArea

from engine.domain.text import printable


class PromptArea(TextArea):
    """Takes text without what could act on a terminal; `tab` leaves it."""

    DEFAULT_CSS = """
    PromptArea {
        height: 8; padding: 0 1; background: $panel; margin-bottom: 1;
        scrollbar-size-vertical: 1;
    }
    """

    def __init__(self, text: str, *, placeholder: str, id: str | None = None) -> None:
        super().__init__(
            printable(text),
            id=id,
            compact=True,
            show_line_numbers=False,
            highlight_cursor_line=False,
            tab_behavior="focus",
            placeholder=placeholder,
        )

    async def _on_paste(self, event: events.Paste) -> None:
        # Terminals paste the end of a line as a carriage return.
        event.text = printable("\n".join(event.text.splitlines()))
