"""The receivers, and the deliveries to one of them, a line each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from rich.segment import Segment
from textual.message import Message
from textual.strip import Strip

from engine.domain.messages import Delivery
from engine.engine import ReceiverStatus
from tui import formatting
from tui.terminal.cells import clean, fit
from tui.widgets.base.line_view import LineView

NAME, STATE, TIME, TOPIC = 14, 9, 8, 14
LOOKS = {
    "ok": ("✓", "+", "good"),
    "delivered": ("✓", "+", "good"),
    "failing": ("!", "!", "warn"),
    "waiting": ("…", ".", "warn"),
    "parked": ("✗", "x", "bad"),
}
"""The sign and tone of each state of a receiver or a delivery."""
Item = TypeVar("Item", ReceiverStatus, Delivery)


class DeliverySelected(Message):
    """The cursor is on another receiver or delivery."""


class _Items(LineView, Generic[Item]):
    """A list with a cursor on one of its items."""

    def __init__(self, *, title: str, empty_text: str) -> None:
        super().__init__(title=title, empty_text=empty_text)
        self._items: Sequence[Item] = ()

    @property
    def chosen(self) -> Item | None:
        """The item under the cursor."""
        return self._items[self.cursor_line] if self._items else None

    def show(self, items: Sequence[Item]) -> None:
        """Show these, the cursor on the one it was on."""
        if items == self._items:
            return
        before = self.chosen and self.key(self.chosen)
        keys = [self.key(item) for item in items]
        place = keys.index(before) if before in keys else min(self.cursor_line, len(keys) - 1)
        self._items = items
        self.paint.forget_strips()
        self.set_lines(len(items), cursor=place)
        self.show_line(self.cursor_line)
        self.post_message(DeliverySelected())

    def cursor_moved(self) -> None:
        """Notify the screen of the item under the cursor."""
        self.post_message(DeliverySelected())

    def key(self, item: Item) -> str:
        """Return the key that identifies an item."""
        raise NotImplementedError

    def parts(self, item: Item) -> list[tuple[str, str]]:
        """Return an item's line in pieces, each with its tone."""
        raise NotImplementedError

    def draw(self, line: int, width: int) -> Strip:
        """Draw one item."""
        cursor = line == self.cursor_line
        segments = [Segment(formatting.sign("▌", "|") if cursor else " ", self.paint.tone("live"))]
        segments += [
            Segment(text, self.paint.tone(tone)) for text, tone in self.parts(self._items[line])
        ]
        return self.paint.strip(segments, width, cursor=cursor)


def _state(state: str) -> tuple[str, str]:
    glyph, plain, tone = LOOKS.get(state, ("?", "?", "dim"))
    return f"{formatting.sign(glyph, plain)} {fit(state, STATE)} ", tone


class ReceiverList(_Items[ReceiverStatus]):
    """List of the receivers of notifications, and the state of each."""

    def key(self, item: ReceiverStatus) -> str:
        """Return its name."""
        return item.name

    def parts(self, item: ReceiverStatus) -> list[tuple[str, str]]:
        """Return name, state, number of pending messages, and the address."""
        counts = {"waiting": item.waiting, "parked": item.parked}
        left = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        unsigned = "" if item.is_signed or item.is_for_people else "not signed  "
        return [
            (f"{fit(clean(item.name, 80), NAME)} ", "plain"),
            _state(item.condition.value),
            (f"{left}  " if left else "", "warn"),
            (unsigned, "warn"),
            (clean(item.address, 200), "dim"),
        ]


class DeliveryList(_Items[Delivery]):
    """List of the deliveries: messages, times and answers."""

    def key(self, item: Delivery) -> str:
        """Return the message and its receiver."""
        return f"{item.message} {item.receiver}"

    def parts(self, item: Delivery) -> list[tuple[str, str]]:
        """Return time, event, subject, state and answer."""
        tries = f" ({item.tries} tries)" if item.tries > 1 else ""
        said = clean(item.answer.text, 300) if item.answer else ""
        return [
            (f"{fit(formatting.time_of_day(item.at), TIME)} ", "dim"),
            (f"{fit(clean(item.topic, 40), TOPIC)} ", "plain"),
            _state(item.state.value),
            (f"{fit(clean(item.subject, 80), 11)} ", "dim"),
            (f"{said}{tries}", "plain"),
        ]
