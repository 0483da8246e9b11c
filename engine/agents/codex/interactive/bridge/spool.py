"""The spool: lines of the server as they came, and the bridge's own."""

from __future__ import annotations

import json
import os
import time

from .json_values import Json, as_dict, decode

STDOUT = 1
OUTPUT = b'"item/commandExecution/outputDelta"'
LIMITS = b'"account/rateLimits/updated"'
_HEAD = 100
"""Bytes of a line in which its method stands."""
JOINED_S = 0.1
JOINED_CHARACTERS = 16_384
LIVE_CHARACTERS = 262_144
"""Characters of a command's output that are passed on live: the completed item has all of it."""


class Spool:
    """Writer of one attempt's stdout; every method raises OSError where that fails.

    A command can write 10,000 times a second. Its output is joined before it is written.
    """

    def __init__(self, handle: int = STDOUT) -> None:
        self._handle = handle
        self._limits: Json | None = None
        self._item = ""
        self._parts: list[str] = []
        self._length = 0
        self._since = 0.0
        self._written: dict[str, int] = {}

    def add(self, line: bytes) -> None:
        """Write a line of the server, joined with others or left out if it repeats the last."""
        head = line[:_HEAD]
        if OUTPUT in head and self._join(line):
            return
        if LIMITS in head and self._is_repeated(line):
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
        return min(limit_s, max(0.0, self._since + JOINED_S - time.monotonic()))

    def flush_due(self) -> None:
        """Write joined output that has waited for long enough."""
        if self._parts and time.monotonic() - self._since >= JOINED_S:
            self.flush()

    def flush(self) -> None:
        """Write joined output."""
        if self._parts:
            parts, self._parts, self._length = self._parts, [], 0
            self._note("output", {"item": self._item, "text": "".join(parts)})

    def _note(self, subject: str, fields: dict[str, object]) -> None:
        line = {"bridge": subject, "at": round(time.time(), 3), **fields}
        self._write(json.dumps(line, ensure_ascii=True).encode())

    def _join(self, line: bytes) -> bool:
        """Keep a piece of a command's output for later; False if it is not one."""
        params = _params(line)
        item, text = params.get("itemId"), params.get("delta")
        if not isinstance(item, str) or not isinstance(text, str):
            return False
        if item != self._item or self._length + len(text) > JOINED_CHARACTERS:
            self.flush()
        written = self._written.get(item, 0)
        if written < LIVE_CHARACTERS:
            self._since = self._since if self._parts else time.monotonic()
            self._item = item
            self._parts.append(text)
            self._length += len(text)
            self._written[item] = written + len(text)
        return True

    def _is_repeated(self, line: bytes) -> bool:
        before, self._limits = self._limits, _params(line)
        return self._limits == before

    def _write(self, line: bytes) -> None:
        data = memoryview(line + b"\n")
        while data:
            data = data[os.write(self._handle, data) :]


def _params(line: bytes) -> Json:
    return as_dict(as_dict(decode(line)).get("params"))
