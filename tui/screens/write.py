"""Dialog for text: a new prompt, a message to a thread; or a line, such as a path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Checkbox, Input, Static, TextArea

from engine.domain.errors import UserError
from engine.domain.interaction import ModeChange
from engine.domain.run_mode import UNCHANGED
from engine.domain.text import printable
from tui.screens.dialog import Dialog
from tui.screens.mode_option import ModeOption
from tui.widgets.forms.prompt_area import PromptArea
from tui.widgets.forms.segmented_control import SegmentedControl
from tui.widgets.forms.text_input import TextInput


@dataclass(slots=True)
class WriteOption:
    """A choice below the text; without a label there is none."""

    label: str = ""
    is_chosen: bool = True

    @property
    def suffices(self) -> bool:
        """Return whether there is something to send even without a text."""
        return bool(self.label) and self.is_chosen


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
    """True if the text that is typed first replaces the present one, which is selected."""
    above: str = ""
    """Lines to show above the text."""
    keys: str = "^s start · esc back"
    placeholder: str = "Describe the task"
    option: WriteOption = field(default_factory=WriteOption)
    may_be_empty: bool = False
    typed: Callable[[], None] = lambda: None
    """Called after each change of the text."""
    mode: ModeOption | None = None
    """The mode of the attempt that the text starts, where it starts one."""

    @property
    def change(self) -> ModeChange:
        """Return the chosen change of the mode."""
        return self.mode.change if self.mode else UNCHANGED

    @property
    def can_be_sent(self) -> bool:
        """Return whether there is something to send."""
        return bool(self.text.strip()) or self.may_be_empty or self.option.suffices


class WriteDialog(Dialog[str]):
    """Answers with the text once it was taken, or None; what was written stays in `writing`."""

    DEFAULT_CSS = """
    WriteDialog {
        .box { width: 92; padding: 1 2 0 2; }
        PromptArea { height: 10; margin-bottom: 0; }
        &.-quotes PromptArea { height: 7; }
        #above { height: auto; max-height: 7; color: $secondary; text-wrap: nowrap; }
        Checkbox { height: 1; margin-top: 1; padding: 0; border: none; background: $surface; }
        #hint { height: auto; min-height: 1; max-height: 4; color: $secondary; margin-top: 1; }
        #hint.-error { color: $text-error; }
        #mode { height: 1; margin-top: 1; & > Static { width: 6; color: $secondary; } }
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
                box.border_subtitle = Content(self._writing.keys)
                self.set_class(bool(self._writing.above), "-quotes")
                if self._writing.above:
                    yield Static(Content(self._writing.above), id="above")
                yield PromptArea(self._writing.text, placeholder=self._writing.placeholder)
            if option := self._writing.option.label:
                chosen = self._writing.option.is_chosen
                yield Checkbox(Content(option), chosen, compact=True)
            if mode := self._writing.mode:
                with Horizontal(id="mode"):
                    yield Static(Content("Mode"))
                    yield SegmentedControl(mode.words, mode.chosen)
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
        self._writing.typed()

    @on(Input.Changed)
    def _line_changed(self, event: Input.Changed) -> None:
        self._check(event.value)

    def _check(self, text: str) -> None:
        self._writing.text = text
        self.query_one("#send", Button).disabled = not self._writing.can_be_sent

    @on(Checkbox.Changed)
    def _chosen(self, event: Checkbox.Changed) -> None:
        self._writing.option.is_chosen = event.value
        self._check(self._writing.text)

    @on(SegmentedControl.Changed)
    def _mode_chosen(self, event: SegmentedControl.Changed) -> None:
        if self._writing.mode:
            self._writing.mode.chosen = event.segments.chosen

    @on(Input.Submitted)
    @on(Button.Pressed)
    def action_send(self) -> None:
        """Hand the text over; what speaks against it is shown here."""
        if self._writing.can_be_sent and not self._sending:
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
