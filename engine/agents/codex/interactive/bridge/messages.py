"""Messages to the agent, until it has read them."""

from __future__ import annotations

from collections.abc import Collection

Message = tuple[str, str]
"""Its id and its text."""


class Messages:
    """Messages that wait for a turn of their own, or for one that begins, or to be read."""

    def __init__(self) -> None:
        self._waiting: list[Message] = []
        self._early: list[Message] = []
        self._in_flight: dict[str, str] = {}
        self._first = ""
        """The message that the present turn began with."""
        self._unread: list[str] = []

    @property
    def undelivered(self) -> list[str]:
        """The ids of all messages that the agent has not read."""
        held = (*self._in_flight.items(), *self._early, *self._waiting)
        return [*self._unread, *(name for name, _ in held)]

    @property
    def are_waiting(self) -> bool:
        """Return whether there is a message for another turn."""
        return bool(self._waiting)

    def add(self, name: str, text: str, place: int | None = None) -> None:
        """Keep a message for a turn of its own, behind all others or at a place."""
        self._waiting.insert(len(self._waiting) if place is None else place, (name, text))

    def hold(self, name: str, text: str) -> None:
        """Keep a message for the turn that is about to begin."""
        self._early.append((name, text))

    def release(self) -> list[Message]:
        """Return the messages for the turn that has begun."""
        early, self._early = self._early, []
        return early

    def next(self) -> Message:
        """Return the message of the next turn, which is sent now."""
        name, text = self._waiting.pop(0)
        self._first = name
        self.send(name, text)
        return name, text

    def send(self, name: str, text: str) -> None:
        """Take note that a message is sent."""
        self._in_flight[name] = text

    def deliver(self, name: str) -> None:
        """Take note that the agent has read a message."""
        self._in_flight.pop(name, None)

    def return_unread(self, name: str) -> bool:
        """Keep a message that was not accepted for the next turn; False if it was read."""
        text = self._in_flight.pop(name, None)
        if text is None:
            return False
        self.add(name, text, 0)
        return True

    def end_turn(self) -> None:
        """Keep what was steered into the turn and not read for the next one: Codex drops it.

        A turn that was interrupted before it read its own message does not begin again.
        """
        if self._in_flight.pop(self._first, None) is not None:
            self._unread.append(self._first)
        self._waiting[:0] = [*self._in_flight.items(), *self._early]
        self._in_flight.clear()
        self._early.clear()

    def remove(self, names: Collection[str]) -> list[str]:
        """Remove waiting messages; return the ids of those that there were."""
        found = [name for name, _ in (*self._waiting, *self._early) if name in names]
        self._waiting = [one for one in self._waiting if one[0] not in names]
        self._early = [one for one in self._early if one[0] not in names]
        return found
