"""One line to type: calm, and plain whatever is pasted into it."""

from __future__ import annotations

from textual import events
from textual.widgets import Input

from engine.domain.text import one_line
from tui.widgets.base.key_order import carry_out

COMPACT = "-textual-compact"
"""The class that `compact` adds: a field that has it already is not styled once more when made."""
LETTERS = {
    "slash": "/",
    "plus": "+",
    "minus": "-",
    "at": "@",
    "backslash": "\\",
    "underscore": "_",
}
"""Keys that Textual finds no letter for, as Unicode has other names for them."""


class TextInput(Input):
    """An input without a frame, whose cursor does not blink."""

    DEFAULT_CSS = """
    TextInput {
        width: 1fr; height: 1; border: none; padding: 0 1; background: $panel;
        & > .input--placeholder { color: $secondary; }
        &:disabled { color: $secondary; background: $surface; }
        &.-wrong { color: $text-error; text-style: underline; }
    }
    """

    def __init__(
        self, value: str = "", *, placeholder: str = "", id: str | None = None, limit: int = 4_000
    ) -> None:
        super().__init__(
            one_line(value, limit),
            placeholder=placeholder,
            id=id,
            classes=COMPACT,
            compact=True,
            max_length=limit,
        )
        self.cursor_blink = False

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Keep every letter in the field, also one that is a command elsewhere, such as `-`."""
        return super().check_consume_key(key, character or LETTERS.get(key))

    async def _on_key(self, event: events.Key) -> None:
        await carry_out(self, self._bindings, event)

    def _on_paste(self, event: events.Paste) -> None:
        event.text = one_line(event.text, self.max_length or 4_000)  # then the input takes it
