"""The spool: lines of the server as they came, and the bridge's own."""

from __future__ import annotations

import json
import os
import time

from .json_values import Json, as_dict, decode

STDOUT = 1
OUTPUT = b'"item/commandExecution/outputDelta"'
REPEATED = (
    b'"account/rateLimits/updated"',
    b'"thread/tokenUsage/updated"',
    b'"turn/diff/updated"',
)
"""Methods whose lines are left out where they repeat the last one of the method."""
_HEAD = 100
"""Bytes of a line in which its method stands."""
JOINED_S = 0.1
JOINED_CHARACTERS = 16_384
LIVE_CHARACTERS = 262_144
"""Characters of a command's output that are passed on whole: the completed item has all of it."""
LATE_S, LATE_CHARACTERS = 1.0, 1_024
"""After them, so often its end is passed on, and so much of that: a person sees that it works."""


class Spool:
    """Writer of one attempt's stdout; every method raises OSError where that fails.

    A command can write 10,000 times a second. Its output is joined before it is written.
    """

    def __init__(self, handle: int = STDOUT) -> None:
        self._handle = handle
        self._last: dict[bytes, Json] = {}
        self._item = ""
        self._parts: list[str] = []
        self._length = 0
        self._since = 0.0
        self._skipped = 0
        self._written: dict[str, int] = {}

    def add(self, line: bytes) -> None:
        """Write a line of the server, joined with others or left out if it repeats the last."""
        head = line[:_HEAD]
        if OUTPUT in head and self._join(line):
            return
        if any(method in head and self._is_repeated(method, line) for method in REPEATED):
            return
        self.flush()
        self._write(line)

    def note(self, subject: str, **fields: object) -> None:
        """Write a line of the bridge's own."""
        self.flush()
        self._note(subject, fields)

    def wait_s(self, limit_s: float) -> float:
        """Return how long output may wait to be joined, at most `limit_s` seconds."""
        if not self._parts:
            return limit_s
        return min(limit_s, max(0.0, self._since + self._pause_s - time.monotonic()))

    def flush_due(self) -> None:
        """Write joined output that has waited for long enough."""
        if self._parts and time.monotonic() - self._since >= self._pause_s:
            self.flush()

    def flush(self) -> None:
        """Write joined output."""
        if self._parts:
            text = _whole("".join(self._parts))
            skipped = {"skipped": self._skipped} if self._skipped else {}
            self._parts, self._length, self._skipped = [], 0, 0
            self._note("output", {"item": self._item, "text": text, **skipped})

    @property
    def _is_late(self) -> bool:
        """Return whether so much of the command's output was written that only its end is."""
        return self._written.get(self._item, 0) >= LIVE_CHARACTERS

    @property
    def _pause_s(self) -> float:
        return LATE_S if self._is_late else JOINED_S

    def _note(self, subject: str, fields: dict[str, object]) -> None:
        line = {"bridge": subject, "at": round(time.time(), 3), **fields}
        self._write(json.dumps(line, ensure_ascii=True).encode())

    def _join(self, line: bytes) -> bool:
        """Keep a piece of a command's output for later; False if it is not one."""
        params = _params(line)
        item, text = params.get("itemId"), params.get("delta")
        if not isinstance(item, str) or not isinstance(text, str):
            return False
        is_full = self._length + len(text) > JOINED_CHARACTERS
        if item != self._item or (is_full and not self._is_late):
            self.flush()
        self._since = self._since if self._parts else time.monotonic()
        self._item = item
        self._parts.append(text)
        self._length += len(text)
        if self._is_late:
            self._shorten()
        else:
            self._written[item] = self._written.get(item, 0) + len(text)
            if self._is_late:
                self.flush()  # what is whole stays whole
        return True

    def _shorten(self) -> None:
        """Keep the end alone of output that waits."""
        if self._length > LATE_CHARACTERS:
            end = "".join(self._parts)[-LATE_CHARACTERS:]
            self._skipped += self._length - len(end)
            self._parts, self._length = [end], len(end)

    def _is_repeated(self, method: bytes, line: bytes) -> bool:
        before, self._last[method] = self._last.get(method), _params(line)
        return self._last[method] == before

    def _write(self, line: bytes) -> None:
        data = memoryview(line + b"\n")
        while data:
            data = data[os.write(self._handle, data) :]


def _params(line: bytes) -> Json:
    return as_dict(as_dict(decode(line)).get("params"))


def _whole(text: str) -> str:
    """Return a text whose halves of characters are joined, as far as both are there."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
