"""The end of what a running command printed, bounded, line by line and safe to show."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence

from tui.terminal.cells import clean

MAX_CHARACTERS = 65_536
MAX_LINES = 1_000
"""Beyond either, the earliest lines are dropped."""
_UNFINISHED = re.compile("\x1b(?:\\[[0-?]*[ -/]*|[\\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)$")
"""The beginning of an escape sequence whose end has not come yet."""


class OutputTail:
    """The last lines of a command's output; what it costs to add to it depends on that alone."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque()
        self._kept = 0
        self._parts: list[str] = []
        """The pieces of the last line, which has no end yet."""
        self._length = 0
        self._is_cut = False

    @property
    def size(self) -> int:
        """The number of characters that are kept."""
        return self._kept + self._length

    @property
    def is_cut(self) -> bool:
        """Return whether earlier lines were dropped."""
        return self._is_cut

    @property
    def line_count(self) -> int:
        """The number of lines, the unfinished one included."""
        return len(self._lines) + bool(self._unfinished())

    def last(self, count: int) -> Sequence[str]:
        """Return the last `count` lines, safe to show."""
        last = self._unfinished()
        count -= bool(last)
        first = max(0, len(self._lines) - count)
        lines = [self._lines[place] for place in range(first, len(self._lines))]
        return [*lines, last] if last else lines

    def add(self, text: str) -> None:
        """Add a further piece of the output; it may end within a line or a sequence."""
        if len(text) > MAX_CHARACTERS:
            text, self._is_cut = text[-MAX_CHARACTERS:], True
        head, *lines = text.split("\n")
        self._continue(head)
        if not lines:
            return
        whole = [self._whole(), *lines[:-1]]
        self._is_cut |= len(whole) > MAX_LINES
        for line in whole[-MAX_LINES:]:
            self._push(shown_line(line))
        self._continue(lines[-1])

    def _continue(self, text: str) -> None:
        """Lengthen the last line; of one that is too long, the end is kept."""
        if text:
            self._parts.append(text)
            self._length += len(text)
        if self._length > MAX_CHARACTERS:
            end = "".join(self._parts)[-MAX_CHARACTERS // 2 :]
            self._parts, self._length, self._is_cut = [end], len(end), True
        self._trim()

    def _whole(self) -> str:
        line = "".join(self._parts)
        self._parts, self._length = [], 0
        return line

    def _push(self, line: str) -> None:
        self._lines.append(line)
        self._kept += len(line) + 1
        self._trim()

    def _trim(self) -> None:
        while self._lines and (self.size > MAX_CHARACTERS or len(self._lines) > MAX_LINES):
            self._kept -= len(self._lines.popleft()) + 1
            self._is_cut = True

    def _unfinished(self) -> str:
        return shown_line(_UNFINISHED.sub("", "".join(self._parts)))


def shown_line(line: str) -> str:
    """Return a line as a terminal leaves it: text behind a carriage return replaces the line."""
    return clean(line.rstrip("\r").rpartition("\r")[2].rstrip())
