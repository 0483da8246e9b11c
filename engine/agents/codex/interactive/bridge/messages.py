"""Messages to the agent, until it has read them."""

from __future__ import annotations

from collections.abc import Collection

Message = tuple[str, str]
"""Id and text of a message."""
SENT, READ = "it is on its way to the agent", "it was read"


class Messages:
    """Messages that wait for a turn of their own, for one that begins, or to be read.

    Codex drops what an interrupt overtakes: it is kept here, and read at the beginning of the next
    turn, in the order in which it was sent.
    """

    def __init__(self) -> None:
        self._prompt = ""
        self._next: list[Message] = []
        """The next turn begins with all of these."""
        self._of_interrupts: list[Message] = []
        """They follow what their interrupt overtakes."""
        self._waiting: list[Message] = []
        """Each gets a turn of its own."""
        self._early: list[Message] = []
        self._in_flight: dict[str, str] = {}
        self._first = ""
        """The message that the present turn began with."""
        self._unread: list[str] = []
        self._known: set[str] = set()
        self._withdrawn: set[str] = set()

    @property
    def _kept(self) -> list[Message]:
        return [*self._early, *self._next, *self._of_interrupts, *self._waiting]

    @property
    def undelivered(self) -> list[str]:
        """The ids of all messages that the agent has not read."""
        return [*self._unread, *self._in_flight, *(name for name, _ in self._kept)]

    @property
    def are_waiting(self) -> bool:
        """Return whether there is a message for another turn."""
        return bool(self._next or self._of_interrupts or self._waiting)

    def begin(self, name: str, text: str) -> None:
        """Keep the prompt: the first of all messages."""
        self._prompt = name
        self._known.add(name)
        self._next.append((name, text))

    def add(self, name: str, text: str) -> None:
        """Keep a message for a turn of its own, behind all others."""
        self._known.add(name)
        self._waiting.append((name, text))

    def add_of_interrupt(self, name: str, text: str) -> None:
        """Keep a message with which the agent goes on after an interrupt."""
        self._known.add(name)
        self._of_interrupts.append((name, text))

    def add_next(self, name: str, text: str) -> None:
        """Keep a message for the next turn, before those that get a turn of their own."""
        self._known.add(name)
        self._next.append((name, text))

    def hold(self, name: str, text: str) -> None:
        """Keep a message for the turn that is about to begin."""
        self._known.add(name)
        self._early.append((name, text))

    def release(self) -> list[Message]:
        """Return the messages for the turn that has begun."""
        early, self._early = self._early, []
        return early

    def next(self) -> Message:
        """Return the message that the next turn begins with, which is sent now."""
        if self._next:
            (first, *rest), self._next = self._next, []
        elif self._of_interrupts:
            (first, *rest), self._of_interrupts = self._of_interrupts, []
        else:
            first, rest = self._waiting.pop(0), []
        self._early[:0] = rest
        self._first = first[0]
        self.send(*first)
        return first

    def send(self, name: str, text: str) -> None:
        """Take note that a message is sent."""
        self._known.add(name)
        self._in_flight[name] = text

    def deliver(self, name: str) -> None:
        """Take note that the agent has read a message."""
        self._in_flight.pop(name, None)

    def return_unread(self, name: str) -> bool:
        """Keep a message that was not accepted for the next turn; False if it was read."""
        text = self._in_flight.pop(name, None)
        if text is None:
            return False
        self._next.append((name, text))
        return True

    def end_turn(self, *, is_interrupted: bool) -> None:
        """Keep what was sent into the turn and not read: the next turn begins with it.

        A prompt that was interrupted before it was read does not begin again by itself.
        """
        if not is_interrupted and self._in_flight.pop(self._first, None) is not None:
            self._unread.append(self._first)
        overtaken = [*self._in_flight.items(), *self._early]
        self._next = [*overtaken, *self._next, *self._of_interrupts]
        self._in_flight.clear()
        self._early.clear()
        self._of_interrupts.clear()
        if not self._waiting and [name for name, _ in self._next] == [self._prompt]:
            self._next.clear()
            self._unread.append(self._prompt)

    def withdraw(self, name: str) -> str:
        """Remove a message; return why the agent gets it all the same, or an empty text."""
        if self.remove([name]):
            return ""
        if name in self._in_flight:
            return SENT
        if name in self._known:
            return READ
        self._withdrawn.add(name)
        return ""

    def is_withdrawn(self, name: str) -> bool:
        """Return whether a message was withdrawn before it came."""
        return name in self._withdrawn

    def remove(self, names: Collection[str]) -> list[str]:
        """Remove messages that wait; return the ids of those that there were."""
        found = [name for name, _ in self._kept if name in names]
        for held in (self._early, self._next, self._of_interrupts, self._waiting):
            held[:] = [one for one in held if one[0] not in names]
        return found
