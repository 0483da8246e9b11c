"""Question before several requests are answered together: all of them, each whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widgets import Button, Static

from engine.domain.interaction import Decision
from engine.domain.text import printable
from tui.formatting.request_text import TextRow, essential_rows, laid_out, oddities
from tui.models.open_requests import RequestGroup
from tui.screens.dialog import Dialog
from tui.widgets.lists.request_view import TextView
from tui.widgets.status.toast import app_of

ACTIONS = {
    Decision.APPROVE: ("y", "Approve"),
    Decision.DENY: ("n", "Deny"),
    Decision.STOP: ("x", "Stop the turns of"),
}


class AllRequests(TextView):
    """All requests below each other."""

    def __init__(self, groups: Sequence[RequestGroup]) -> None:
        super().__init__()
        self._groups = groups

    def rows(self, width: int) -> Sequence[TextRow]:
        """Return each request with its number and its runs."""
        return list(laid_out(list(self._all()), width))

    def _all(self) -> Iterator[TextRow]:
        for number, group in enumerate(self._groups, 1):
            if number > 1:
                yield TextRow("")
            count = len(group.open)
            times = f" · {count} requests" if count > 1 else ""
            kind = group.request.kind.value if group.request.kind else "request"
            yield TextRow(f"{number} of {len(self._groups)} · {kind}{times}", "live")
            yield from essential_rows(group.request)


class BulkAnswerDialog(Dialog[bool]):
    """Answers with True for the key of the command that asks, or None for `esc`."""

    DEFAULT_CSS = """
    BulkAnswerDialog {
        .box { width: 110; height: 90%; }
        #unread { color: $warning; display: none; }
        AllRequests { height: 1fr; margin-top: 1; }
        #odd { color: $warning; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "leave", show=False)]

    def __init__(self, groups: Sequence[RequestGroup], decision: Decision, text: str = "") -> None:
        super().__init__()
        self._groups, self._text = groups, text
        self._key, self._label = ACTIONS[decision]
        self._has_to_be_read = decision is Decision.APPROVE

    def compose(self) -> ComposeResult:
        """Show the requests between the question and its answers."""
        count = sum(len(group.open) for group in self._groups)
        noun = "request" if count == 1 else "requests"
        odd = sum(bool(oddities(group.request)) for group in self._groups)
        with Vertical(classes="box") as box:
            box.border_subtitle = Content("j k scroll · esc back")
            distinct = len(self._groups)
            which = f" that ask for {distinct} different things" if distinct > 1 else ""
            key = f" {self._key} works at the end." if self._has_to_be_read else ""
            yield Static(Content(f"{self._label} {count} {noun}{which}? Read all of it.{key}"))
            if self._text:
                yield Static(Content(f"With the message: {printable(self._text, 400)}"))
            if odd:
                needs = "needs" if odd == 1 else "need"
                yield Static(Content(f"{odd} of them {needs} a second look."), id="odd")
            yield AllRequests(self._groups)
            yield Static(id="unread")
            with Container(classes="buttons -beside"):
                yield Button(
                    Content(f"[{self._key}] {self._label} {count}"), id="answer", compact=True
                )
                yield Button(Content("[esc] Keep"), id="keep", compact=True)

    def on_mount(self) -> None:
        """Focus the requests: the keys of lists scroll them."""
        self.query_one(AllRequests).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer."""
        if event.button.id == "answer":
            self._answer()
        else:
            self.dismiss(None)

    def on_key(self, event: events.Key) -> None:
        """Answer by the key of the command."""
        if event.key == self._key:
            event.stop()
            self._answer()

    def _answer(self) -> None:
        """Answer, unless something that would be approved has not been on the screen."""
        shown = self.query_one(AllRequests)
        if not shown.is_painted:  # typed ahead of what it answers
            return
        if self._has_to_be_read and not shown.is_read:
            self._show_unread(shown)
        else:
            self.dismiss(True)

    def _show_unread(self, shown: AllRequests) -> None:
        """Show how much is unread; a toast that covers it is dismissed."""
        app_of(self).clear_notifications()
        read = min(shown.painted_to, shown.essential)
        hint = self.query_one("#unread", Static)
        hint.display = True
        text = f"Nothing is approved: {read} of {shown.essential} lines were on the screen."
        hint.update(Content(f"{text} Scroll to the end."))
