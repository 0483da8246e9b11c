"""Dialog for the questions of an agent, or the form of an MCP server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Static

from engine.domain.answers import Values
from engine.domain.errors import UserError
from engine.domain.interaction import InputRequest, RequestKind
from engine.domain.text import escaped, printable
from tui.screens.dialog import Dialog
from tui.widgets.forms.answer_fields import AnswerField, OptionChoice


class AnswerForm(Dialog[None]):
    """Questions with their options; `send` gets the values, and may refuse them."""

    DEFAULT_CSS = """
    AnswerForm {
        .box { width: 92; padding: 1 2 0 2; }
        VerticalScroll { height: auto; max-height: 70%; scrollbar-size-vertical: 1; }
        #words { color: $accent; margin-bottom: 1; }
        #hint { height: auto; color: $secondary; }
        #hint.-error { color: $text-error; }
        .buttons { margin: 1 0; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s,ctrl+enter", "send", show=False)]

    def __init__(
        self, request: InputRequest, times: int, send: Callable[[Values], Awaitable[object]]
    ) -> None:
        super().__init__()
        self._request, self._times, self._receiver = request, times, send
        self._fields = [AnswerField(field) for field in request.fields]
        self._sending = False

    def compose(self) -> ComposeResult:
        """Show the words of the agent or the server above the questions."""
        request = self._request
        is_form = request.kind is RequestKind.FORM
        with Vertical(classes="box") as box:
            runs = f" of {self._times} runs" if self._times > 1 else ""
            box.border_title = Content(f"Form{runs}" if is_form else f"Question{runs}")
            box.border_subtitle = Content("^s send · tab next · esc back")
            words = Static(Content(escaped(request.reason)), id="words")
            words.display = bool(request.reason)
            if request.server:
                yield Static(Content(f"MCP server: {escaped(request.server)}"), id="server")
            yield words
            with VerticalScroll(can_focus=False):
                yield from self._fields
            yield Static(id="hint")
            with Horizontal(classes="buttons"):
                yield Button(Content("Send the answer"), id="send", compact=True)

    def on_mount(self) -> None:
        """Begin with the first question."""
        if self._fields:
            self._fields[0].first.focus()
        else:
            self.query_one("#send", Button).focus()

    @on(OptionChoice.OptionSelected)
    def _chosen(self, event: OptionChoice.OptionSelected) -> None:
        if isinstance(event.option_list, OptionChoice):
            event.option_list.choose(event.option_index)

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        """Go to the next question; the last one sends the answer."""
        places = [n for n, field in enumerate(self._fields) if field.line is event.input]
        if places and places[0] + 1 < len(self._fields):
            self._fields[places[0] + 1].first.focus()
        else:
            self.action_send()

    @on(Button.Pressed)
    def action_send(self) -> None:
        """Hand over the values; what speaks against them is shown here."""
        if not self._sending:
            self._sending = True
            self.run_worker(self._send, group="send")

    async def _send(self) -> None:
        values = {field.field.name: field.values for field in self._fields if field.values}
        try:
            await self._receiver(values)
        except UserError as error:
            hint = self.query_one("#hint", Static)
            hint.add_class("-error")
            hint.update(Content(f"{printable(error.message)} {printable(error.recovery)}"))
        else:
            self.dismiss()
        finally:
            self._sending = False
