"""The line at the bottom in which a message to agents is written, and the messages sent before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from textual import events, getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static, TextArea

from engine.domain.events import Event
from engine.domain.interaction import DeliveryTime
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run
from tui import commands, formatting
from tui.formatting.questions import counted
from tui.keymap import is_own_key
from tui.terminal.cells import crop
from tui.widgets.base.containers import TransparentVertical
from tui.widgets.base.key_order import settled
from tui.widgets.forms.prompt_area import PromptArea
from tui.widgets.runs.message_queue import MessageQueue
from tui.widgets.status.toast import focus_now

NOW = "enter now · ^n after turn · ^x interrupt · esc"
RESUMES = "enter resumes it · esc"
TITLE = 20
"""Cells for the title of the run."""


@dataclass(frozen=True, slots=True)
class MessageRequest:
    """A text to send; with `interrupts`, the present turn ends first."""

    text: str
    delivery: DeliveryTime
    interrupts: bool = False


class MessageReceiver(Protocol):
    """Receiver of what the user asks for in the line."""

    def send(self, wanted: MessageRequest) -> None:
        """Send a message."""
        ...

    def withdraw(self, run_id: str, message: str) -> None:
        """Withdraw a message."""
        ...

    def close(self) -> None:
        """Close the line."""
        ...


class MessageArea(PromptArea):
    """A line to write that grows with what is pasted into it; `enter` sends it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "send", "send now", show=False)]
    DEFAULT_CSS = """
    MessageArea { height: auto; min-height: 1; max-height: 5; margin: 0; }
    """

    def __init__(self, send: Callable[[], None]) -> None:
        super().__init__("", placeholder="A message to the agent")
        self._send = send

    def action_send(self) -> None:
        """Send the message now."""
        self._send()  # at once: a posted message would send what was typed after the key, too

    def on_hide(self, event: events.Hide) -> None:
        """Keep the focus where the line is open again: this reports that it was closed before."""
        if self.parent is not None and self.parent.display:
            event.prevent_default()


class MessageBar(TransparentVertical):
    """Line for a message to the chosen runs; what was typed stays until it was sent."""

    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("message")
    DEFAULT_CSS = """
    MessageBar {
        height: auto;
        & > #heading { height: 1; padding: 0 1; background: $surface; text-wrap: nowrap; }
    }
    """

    heading = getters.query_one("#heading", Static)
    area = getters.query_one(MessageArea)
    queue = getters.query_one(MessageQueue)

    def __init__(self, receiver: MessageReceiver) -> None:
        super().__init__()
        self._receiver = receiver
        self.runs: tuple[str, ...] = ()
        """The ids of the runs that the message is for."""
        self._headed = ("", "")

    def compose(self) -> ComposeResult:
        """Compose the line between its heading and the queue."""
        yield Static(id="heading")
        yield MessageArea(self._send_now)
        yield MessageQueue()

    def open(self, runs: Sequence[Run], draft: str) -> None:
        """Write to these runs, going on with a draft."""
        self.runs = tuple(run.id for run in runs)
        self.queue.forget()
        self.area.text = draft
        self.area.move_cursor(self.area.document.end)
        self.display = True
        self.show(runs)
        focus_now(self.area)

    def close(self) -> str:
        """Close it, and return what was typed."""
        text = self.text
        self.display = False
        self.runs = ()
        return text

    @property
    def text(self) -> str:
        """The text in the line."""
        return self.area.text

    def show(self, runs: Sequence[Run], happened: Iterable[Event] = ()) -> None:
        """Show the runs as they are now, and the state of their messages."""
        self.queue.hear(happened)
        self.queue.show(runs)
        if self.queue.has_focus and not self.queue.display:
            focus_now(self.area)
        ended = sum(run.status in FINISHED for run in runs)
        one = len(runs) == 1
        whom = crop(formatting.title(runs[0]), TITLE) if one else counted(len(runs), "run")
        if ended == len(runs):
            has = "has" if one else "have"
            self._set_title(f"{whom} {has} ended", RESUMES)
        else:
            resumed = f", {ended} ended: resumed with it" if ended else ""
            self._set_title(f"Message to {whom}{resumed}", NOW)

    def _set_title(self, title: str, keys: str) -> None:
        text = (title, keys.replace("·", formatting.sign("·", "-")))
        if text != self._headed:
            self._headed = text
            parts = ((title, "bold"), "  ", (text[1], "$secondary"))
            self.heading.update(Content.assemble(*parts), layout=False)

    def sent(self, text: str) -> None:
        """Take what was sent out of the line; what was typed meanwhile stays."""
        typed = self.area.text
        if typed.startswith(text):
            self.area.text = typed[len(text) :]
            self.area.move_cursor(self.area.document.end)

    # Keys

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Return whether a key is a command of the line, which comes before all others."""
        del character
        return is_own_key(self, self._bindings, key)

    def _send_now(self) -> None:
        self._request(DeliveryTime.NOW)

    # The app carries these keys out, while letters typed before them may still be on their way.

    async def action_after(self) -> None:
        """Send the message: the agent reads it after this turn."""
        await settled(self)
        self._request(DeliveryTime.AFTER_TURN)

    async def action_interrupt(self) -> None:
        """End the turn: the agent goes on with the message at once."""
        await settled(self)
        self._request(DeliveryTime.NOW, interrupts=True)

    def _request(self, delivery: DeliveryTime, *, interrupts: bool = False) -> None:
        if self.text.strip():
            self._receiver.send(MessageRequest(self.text, delivery, interrupts))

    def action_pane(self) -> None:
        """Go to the messages, or back to the line."""
        has_messages = self.queue.display and not self.queue.has_focus
        focus_now(self.queue if has_messages else self.area)

    async def action_leave(self) -> None:
        """Close the line; what was typed is kept."""
        await settled(self)
        self._receiver.close()

    @on(MessageQueue.WithdrawRequested)
    def _withdraw(self, event: MessageQueue.WithdrawRequested) -> None:
        event.stop()
        self._receiver.withdraw(event.run, event.message)

    @on(TextArea.Changed)
    def _typed(self, event: TextArea.Changed) -> None:
        event.stop()
