"""Search of a log: the number and places of matches, slice of the history by slice."""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_left, bisect_right

from tui.widgets.log.event_feed import END, HistorySource

SLICE = 20_000
"""Numbers of events that one query covers."""


FIRST = 1
"""The number of the first event of a run."""


class LogSearch:
    """Matches of a text: the places of one slice, and the number of all others."""

    def __init__(self, history: HistorySource, text: str, prompt: str = "") -> None:
        self.text = text
        self.lit = pattern(text)
        self.place = 0
        """The match that the reader is at, from 1; 0 for none."""
        self._history = history
        # The prompt stands for the first event, and the store knows only the events.
        self._has_prompt = bool(self.lit and self.lit.search(prompt))
        self._counts: list[int] = []
        self._counted = 0
        self._counting = asyncio.Lock()
        self._kept: tuple[int, int, list[int]] = (-1, 0, [])

    @property
    def total(self) -> int:
        """The number of events known to match."""
        return sum(self._counts)

    async def count(self) -> None:
        """Count to the end of the stored events; raises `UserError`."""
        async with self._counting:
            last = await self._history.last()
            while self._counted < last:
                index = self._counted // SLICE
                upto = min(last, (index + 1) * SLICE)
                found = await self._matching(above=self._counted, upto=upto)
                if index == len(self._counts):
                    self._counts.append(0)
                self._counts[index] += len(found)
                self._counted = upto

    async def next(self, number: int) -> int | None:
        """Return the first match after `number`, or around the end the first of all."""
        start, count = number // SLICE, len(self._counts)
        ahead = [(index, number) for index in range(start, count)]
        for index, after in [*ahead, *((index, 0) for index in range(min(start + 1, count)))]:
            found = await self._slice(index)
            at = bisect_right(found, after)
            if at < len(found):
                return self._went(index, at, found)
        return None

    async def previous(self, number: int) -> int | None:
        """Return the last match before `number`, or around the start the last of all."""
        count = len(self._counts)
        if not count:  # the log is empty
            return None
        start = min(number // SLICE, count - 1)
        behind = [(index, number) for index in range(start, -1, -1)]
        after = ((index, END) for index in range(count - 1, start - 1, -1))
        for index, before in [*behind, *after]:
            found = await self._slice(index)
            at = bisect_left(found, before) - 1
            if at >= 0:
                return self._went(index, at, found)
        return None

    async def _matching(self, *, above: int, upto: int) -> list[int]:
        found = await self._history.matching(self.text, above=above, upto=upto)
        is_first = self._has_prompt and above < FIRST <= upto and FIRST not in found
        return [FIRST, *found] if is_first else found

    async def _slice(self, index: int) -> list[int]:
        if not self._counts[index]:
            return []
        if self._kept[:2] != (index, self._counts[index]):
            upto = min(self._counted, (index + 1) * SLICE)
            found = await self._matching(above=index * SLICE, upto=upto)
            self._counts[index] = len(found)
            self._kept = (index, len(found), found)
        return self._kept[2]

    def _went(self, index: int, at: int, found: list[int]) -> int:
        self.place = sum(self._counts[:index]) + at + 1
        return found[at]


def pattern(text: str) -> re.Pattern[str] | None:
    """Return the pattern that highlights `text` in a line; None for no text."""
    return re.compile(re.escape(text), re.IGNORECASE) if text else None
