"""Activity of a run: its events of the last minutes as a line of small bars."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from tui import formatting

BAR_S, BARS = 5, 24
"""Seconds that one bar stands for, and how many bars there are at most."""

_LEVELS, _PLAIN_LEVELS = "▁▂▃▄▅▆▇█", "_.:-=+*#"
Part = tuple[str, str]


class Pulse:
    """Counts events by the time they happened; forgets what is too old to be drawn."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def beat(self, times: Iterable[float]) -> None:
        """Count events that happened at `times`, in seconds since 1970."""
        for at in times:
            bar = int(at // BAR_S)
            self._counts[bar] = self._counts.get(bar, 0) + 1
        if len(self._counts) > 2 * BARS:
            newest = sorted(self._counts)[-BARS:]
            self._counts = {bar: self._counts[bar] for bar in newest}

    def draw(self, now: float, room: int) -> list[Part]:
        """Draw at most `room` bars, the last one for now; those without an event are faint.

        Neighbours of one style are one part: each part takes Textual as long as all of this.
        """
        width = min(BARS, room)
        if width < BARS // 3:
            return []
        last = int(now // BAR_S)
        counts = [self._counts.get(bar, 0) for bar in range(last - width + 1, last + 1)]
        most = max(counts) or 1
        levels = formatting.sign(_LEVELS, _PLAIN_LEVELS)
        return [
            ("".join(levels[-(-count * (len(levels) - 1) // most)] for count in bars), style)
            for style, bars in groupby(counts, lambda count: "$primary" if count else "$panel")
        ]
