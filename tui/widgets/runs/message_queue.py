"""The messages to one or several agents, each with its state; those that wait can be withdrawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from rich.segment import Segment
from textual.binding import BindingType
from textual.message import Message
from textual.strip import Strip

from engine.domain.events import Event
from engine.domain.interaction import MessageChanged, MessagePhase
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run
from tui import commands, formatting
from tui.formatting.messages import message_state
from tui.terminal.cells import clean, crop, fit
from tui.widgets.base.line_view import MOVES, LineView
from tui.widgets.status.toast import app_of, tell

SHOWN = 5
"""Messages that are visible at a time."""
KEPT = 50
"""Messages that are read or withdrawn, and still shown."""
STATE, NAME = 40, 16


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message, and the run that it is for."""

    run: Run
    message: MessageChanged

    @property
    def key(self) -> tuple[str, str]:
        """The ids of the run and of the message."""
        return self.run.id, self.message.message

    @property
    def is_waiting(self) -> bool:
        """Return whether it can be withdrawn: the agent has not got it."""
        is_queued = self.message.phase is MessagePhase.QUEUED
        return is_queued and self.run.status not in FINISHED


class MessageQueue(LineView):
    """List of messages, the latest last."""

    BINDINGS: ClassVar[list[BindingType]] = [*MOVES, *commands.bindings("queue")]
    DEFAULT_CSS = """
    MessageQueue { height: 1; border: none; &:focus { border: none; } }
    """

    class WithdrawRequested(Message):
        """The user wants to withdraw a message."""

        def __init__(self, run: str, message: str) -> None:
            super().__init__()
            self.run, self.message = run, message

    def __init__(self) -> None:
        super().__init__()
        self._items: list[QueuedMessage] = []
        self._done: dict[tuple[str, str], MessageChanged] = {}
        """Messages that are read or withdrawn, which the runs do not know any more."""
        self._has_names = False

    @property
    def chosen(self) -> QueuedMessage | None:
        """The message under the cursor."""
        return self._items[self.cursor_line] if self._items else None

    def hear(self, events: Iterable[Event]) -> None:
        """Keep messages of shown runs that are closed now: their runs forget them."""
        known = {item.key: item.message for item in self._items}
        for event in events:
            body = event.body
            if not isinstance(body, MessageChanged):
                continue
            key = (event.run, body.message)
            is_done = body.phase in (MessagePhase.DELIVERED, MessagePhase.WITHDRAWN)
            if is_done and key in known:
                self._done[key] = replace(known[key], phase=body.phase)
                if len(self._done) > KEPT:
                    del self._done[next(iter(self._done))]

    def forget(self) -> None:
        """Show no message that is read or withdrawn: other runs are written to."""
        self._done.clear()

    def show(self, runs: Sequence[Run]) -> None:
        """Show the messages to these runs."""
        by_id = {run.id: run for run in runs}
        items = [
            QueuedMessage(by_id[key[0]], message)
            for key, message in self._done.items()
            if key[0] in by_id
        ]
        items += [QueuedMessage(run, message) for run in runs for message in run.messages]
        is_at_end = self.cursor_line >= len(self._items) - 1
        self._items, self._has_names = items, len(runs) > 1
        self.display = bool(items)
        self.styles.height = max(1, min(SHOWN, len(items)))
        self.paint.forget_strips()
        cursor = len(items) - 1 if is_at_end else min(self.cursor_line, len(items) - 1)
        self.set_lines(len(items), cursor=cursor)
        self.show_line(self.cursor_line)

    def action_withdraw(self) -> None:
        """Withdraw the message under the cursor, if the agent has not got it."""
        # The key is never greyed: it would cancel the run then.
        chosen = self.chosen
        if chosen and chosen.is_waiting:
            self.post_message(self.WithdrawRequested(*chosen.key))
        else:
            tell(app_of(self), "Only a queued message can be withdrawn.", is_warning=True)

    def draw(self, line: int, width: int) -> Strip:
        """Draw one message."""
        item = self._items[line]
        cursor = line == self.cursor_line and self.has_focus
        words, tone = message_state(item.run, item.message)
        state = min(STATE, width // 2)
        parts = [
            Segment(formatting.sign("▌ ", "| ") if cursor else "  ", self.paint.tone("live")),
            Segment(f"{fit(words, state)} ", self.paint.tone(tone)),
        ]
        room = width - state - 3
        if self._has_names:
            name = min(NAME, room // 3)
            parts.append(
                Segment(
                    f"{formatting.fit_title(formatting.title(item.run), name)} ",
                    self.paint.tone("dim"),
                )
            )
            room -= name + 1
        text = clean(" ".join(item.message.text.split()))
        parts.append(Segment(crop(text, room), self.paint.tone("plain")))
        return self.paint.strip(parts, width, cursor=cursor)
