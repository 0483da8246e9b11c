"""Questions before something that is hard to take back: the one dialog for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widgets import Button, Static

from engine.domain.record import record
from tui.commands import key_name
from tui.screens.dialog import Dialog
from tui.widgets.status.toast import app_of

KEEP = "keep"
"""The id of the answer that changes nothing: that of `esc`."""
ROOM = 70
"""Columns for the answers; where they need more, each has a line of its own."""


@record
class ConfirmChoice:
    """An answer: its id, its key, its label. Its key is the key of the command that asks."""

    id: str
    key: str
    label: str
    is_danger: bool = False

    @property
    def text(self) -> str:
        """The key and the label, as the dialog shows them."""
        return f"[{key_name(self.key)}] {self.label}"


class ConfirmDialog(Dialog[str]):
    """One sentence and its answers: answers with the id of the choice, or None for `esc`.

    `enter` is the answer that has the focus: at first `default`, else the one that changes nothing.
    """

    DEFAULT_CSS = """
    ConfirmDialog {
        #details { color: $secondary; margin-top: 1; }
        .buttons.-stacked { layout: vertical; height: auto; align-horizontal: left; }
        .buttons.-stacked Button { margin-left: 0; }
    }
    """

    def __init__(
        self,
        question: str,
        choices: Sequence[ConfirmChoice],
        *,
        details: Sequence[str] = (),
        keep: str = "Keep",
        default: str = KEEP,
        title: str = "",
    ) -> None:
        super().__init__()
        self._question, self._details, self._title = question, details, title
        self._choices = [*choices, ConfirmChoice(KEEP, "escape", keep)]
        self._default = default

    def compose(self) -> ComposeResult:
        """Show the question above its answers."""
        with Vertical(classes="box") as box:
            box.border_title = Content(self._title)
            yield Static(Content(self._question), id="question")
            details = Static(Content("\n".join(self._details)), id="details")
            details.display = bool(self._details)
            yield details
            needed = sum(len(choice.text) + 6 for choice in self._choices)
            is_stacked = needed > min(ROOM, app_of(self).size.width - 6)
            with Container(classes="buttons -stacked" if is_stacked else "buttons -beside"):
                for choice in self._choices:
                    yield Button(
                        Content(choice.text),
                        id=choice.id,
                        classes="-danger" if choice.is_danger else None,
                        compact=True,
                    )

    def on_mount(self) -> None:
        """Focus the answer of `enter`."""
        self.query_one(f"#{self._default}", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer."""
        self.dismiss(None if event.button.id == KEEP else event.button.id)

    def on_key(self, event: events.Key) -> None:
        """Answer by the key of a choice; move between them with the arrows."""
        for choice in self._choices[:-1]:
            if event.key == choice.key:
                event.stop()
                self.dismiss(choice.id)
                return
        if event.key in ("left", "up"):
            self.focus_previous()
        elif event.key in ("right", "down"):
            self.focus_next()


def confirm(
    app: App[None],
    question: str,
    choice: ConfirmChoice,
    act: Callable[[], object],
    *,
    details: Sequence[str] = (),
    keep: str = "Keep",
) -> None:
    """Ask a question with one answer besides `esc`, and act on that answer."""

    def answered(answer: str | None) -> None:
        if answer is not None:
            act()

    app.push_screen(ConfirmDialog(question, [choice], details=details, keep=keep), answered)


class ExitDialog(Dialog[None]):
    """A notice of what the program waits for before it ends; `q` ends it without waiting."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,ctrl+q", "stop_waiting", show=False)]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._heading, self._text = title, text

    def compose(self) -> ComposeResult:
        """Show the text."""
        with Vertical(classes="box") as box:
            box.border_title = Content(self._heading)
            box.border_subtitle = Content("q quit without waiting")
            yield Static(Content(self._text))

    def action_leave(self) -> None:
        """Stay: there is no way back."""

    def action_stop_waiting(self) -> None:
        """End the program now."""
        app_of(self).exit()
