"""Room for a line to type in, which is mounted when it is opened first: most are never opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tui.widgets.status.toast import focus_now

if TYPE_CHECKING:
    from tui.widgets.forms.text_input import TextInput


class InputSlot:
    """The text input of a pane, at its end; below it a hint, while one types."""

    def __init__(
        self, pane: Callable[[], Widget], make: Callable[[], TextInput], hint: str = ""
    ) -> None:
        self._pane, self._make, self._hint_text = pane, make, hint
        self._input: TextInput | None = None
        self._hint: Static | None = None

    @property
    def text(self) -> str:
        """The text that was typed."""
        return self._input.value if self._input else ""

    @property
    def is_open(self) -> bool:
        """Return whether the input is shown."""
        return self._input is not None and self._input.display

    @property
    def has_focus(self) -> bool:
        """Return whether the next keys go into the input."""
        return self._input is not None and self._input.has_focus

    def open(self) -> None:
        """Show the input, and focus it."""
        focused = self._create()
        self._set_shown(True, hint=True)
        focus_now(focused)

    def _create(self) -> TextInput:
        if self._input is None:
            self._input = self._make()
            self._hint = Static(Content(self._hint_text)) if self._hint_text else None
            self._pane().mount(self._input, *([self._hint] if self._hint else []))
        return self._input

    def fill(self, text: str) -> None:
        """Show the input with a text, without its focus."""
        self._create().value = text
        self.leave()

    def leave(self) -> None:
        """Show the input only as long as it has a text."""
        self._set_shown(bool(self.text))

    def close(self) -> None:
        """Hide the input; its text stays."""
        self._set_shown(False)

    def clear(self) -> None:
        """Remove the text."""
        if self._input:
            self._input.value = ""

    def show_problem(self, text: str) -> None:
        """Show what is wrong with the text in place of the hint; empty: the hint again."""
        if self._hint:
            self._hint.update(Content(text or self._hint_text))
            self._hint.set_class(bool(text), "-problem")

    def _set_shown(self, is_shown: bool, *, hint: bool = False) -> None:
        if self._input:
            self._input.display = is_shown
        if self._hint:
            self._hint.display = hint
