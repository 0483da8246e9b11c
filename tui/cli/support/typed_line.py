"""A line that is typed key by key, where the terminal itself neither edits nor shows it."""

from __future__ import annotations

from enum import Enum

_ENTER, _BACK, _ESCAPE, _CLEAR = b"\r\n", b"\x7f\x08", b"\x1b", b"\x15"
LIMIT_BYTES = 65_536


class LineState(Enum):
    """The states of a line: it goes on, was sent with enter, or was left with esc."""

    OPEN = "open"
    SENT = "sent"
    LEFT = "left"


class TypedLine:
    """The text of a line, from the bytes of its keys."""

    def __init__(self) -> None:
        self._typed = b""

    @property
    def text(self) -> str:
        """The text; an unfinished character is not part of it yet."""
        return self._typed.decode("utf-8", "ignore")

    def feed(self, key: bytes) -> LineState:
        """Act on one byte of a key."""
        if key in _ENTER:
            return LineState.SENT
        if key == _ESCAPE:
            return LineState.LEFT
        if key in _BACK:
            self._typed = self.text[:-1].encode()
        elif key == _CLEAR:
            self._typed = b""
        elif key >= b" " and len(self._typed) < LIMIT_BYTES:
            self._typed += key
        return LineState.OPEN
