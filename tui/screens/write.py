"""Dialog for text: a new prompt, a message to a thread; or a line, such as a path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Static, TextArea

from engine.domain.errors import UserError
from engine.domain.text import printable
from tui.screens.dialog import Dialog
from tui.widgets.forms.prompt_area import PromptArea
from tui.widgets.forms.text_input import TextInput


@dataclass(slots=True)
class WriteRequest:
    """Request for text: labels, the text so far, and the receiver."""

    heading: str
    text: str
    hint: str
    button: str
    send: Callable[[str], Awaitable[object]]
    """May refuse with a `UserError`."""
    is_line: bool = False
    """A name or a path, which `enter` hands over, not a text of several lines."""
    replaces: bool = False
    """Whether what is typed first replaces the text, which is selected."""


class WriteDialog(Dialog[str]):
    """Answers with the text once it was taken, or None; what was written stays in `writing`."""

    DEFAULT_CSS = """
    WriteDialog {
        .box { width: 92; padding: 1 2 0 2; }
        PromptArea { height: 10; margin-bottom: 0; }
        #hint { height: auto; min-height: 1; max-height: 4; color: $secondary; margin-top: 1; }
        #hint.-error { color: $text-error; }
        .buttons { margin: 0 0 1 0; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s,ctrl+enter", "send", "send")]

    def __init__(self, writing: WriteRequest) -> None:
        super().__init__()
        self._writing = writing
        self._sending = False

    def compose(self) -> ComposeResult:
        """Compose the dialog."""
        with Vertical(classes="box") as box:
            box.border_title = Content(self._writing.heading)
            if self._writing.is_line:
                box.border_subtitle = Content("enter done · esc back")
                yield TextInput(self._writing.text)
            else:
                box.border_subtitle = Content("^s start · esc back")
                yield PromptArea(self._writing.text, placeholder="Describe the task")
            yield Static(Content(self._writing.hint), id="hint")
            with Horizontal(classes="buttons"):
                yield Button(Content(self._writing.button), id="send", compact=True)

    def on_mount(self) -> None:
        """Begin at the end of what is there."""
        if self._writing.is_line:
            line = self.query_one(TextInput)
            line.focus()
            line.cursor_position = len(line.value)
        else:
            area = self.query_one(PromptArea)
            area.focus()
            area.move_cursor(area.document.end)
            if self._writing.replaces:
                area.select_all()
        self._check(self._writing.text)

    @on(TextArea.Changed)
    def _text_changed(self, event: TextArea.Changed) -> None:
        self._check(event.text_area.text)

    @on(Input.Changed)
    def _line_changed(self, event: Input.Changed) -> None:
        self._check(event.value)

    def _check(self, text: str) -> None:
        self._writing.text = text
        self.query_one("#send", Button).disabled = not text.strip()

    @on(Input.Submitted)
    @on(Button.Pressed)
    def action_send(self) -> None:
        """Hand the text over; what speaks against it is shown here."""
        if self._writing.text.strip() and not self._sending:
            self._sending = True
            self.run_worker(self._send, group="send")

    async def _send(self) -> None:
        try:
            await self._writing.send(self._writing.text)
        except UserError as error:
            hint = self.query_one("#hint", Static)
            hint.add_class("-error")
            way_out = (f"\n{printable(error.recovery)}", "$secondary")
            hint.update(Content.assemble(printable(error.message), way_out))
        else:
            self.dismiss(self._writing.text)
        finally:
            self._sending = False
