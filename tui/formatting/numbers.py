"""Numbers, sizes and lengths of time as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from engine.domain.activity import clock, elapsed_s, took
from engine.domain.lifecycle import FINISHED
from engine.domain.model import ChangeCount, Run
from tui.formatting.symbols import sign, unicode_ok


def tokens(number: int) -> str:
    """Write a number of tokens as `950`, `12.3k`, `1.2M`."""
    if number < 1000:
        return str(number)
    value = number / 1000
    for unit in "kMG":
        if value < 999.95:
            return f"{value:.1f}{unit}"
        value /= 1000
    return f"{value:.1f}T"


def age(seconds: float) -> str:
    """Write a length of time in its largest unit only: `42s`, `5m`, `3h`, `2d`, `9w`."""
    for unit_s, name, below in ((1, "s", 60), (60, "m", 60), (3600, "h", 24), (86400, "d", 14)):
        count = max(0, int(seconds // unit_s))
        if count < below:
            return f"{count}{name}"
    return f"{int(seconds // 604800)}w"


def lasted(run: Run, now: float) -> str:
    """Return how long a run's attempt takes up to `now`, or took."""
    seconds = elapsed_s(run, now)
    return took(seconds) if run.status in FINISHED else length(seconds)


def length(seconds: float) -> str:
    """Write a length of time as `0:42`, `1:02:03`, and from a hundred hours on as `5d`."""
    return clock(seconds) if seconds < 360_000 else age(seconds)


def ago(at: float, now: float) -> str:
    """Write how long ago something was: `just now`, `5m ago`."""
    return "just now" if now - at < 1 else f"{age(now - at)} ago"


def changes(count: ChangeCount) -> str:
    """Write a change summary as `+120 −8`, or nothing where nothing changed."""
    if not (count.files or count.insertions or count.deletions):
        return ""
    return f"+{count.insertions} {sign('−', '-')}{count.deletions}"


def changed(run: Run) -> str:
    """Write what a run changed as `changes` does, or that it is unknown."""
    return "unknown" if run.has_unknown_changes else changes(run.changes)


def bar_parts(
    percent: float | None, width: int, *, unicode: bool | None = None, beat: int = 0
) -> tuple[str, str, str]:
    """Return a bar as three parts: empty before, filled, and empty after.

    Without a percentage the filled part is a short piece that moves with `beat`.
    """
    full, empty = ("━", "─") if (unicode_ok() if unicode is None else unicode) else ("#", "-")
    if percent is None:
        piece = min(width, max(1, width // 3))
        start = beat % max(1, width - piece + 1)
        return empty * start, full * piece, empty * (width - start - piece)
    filled = round(width * min(100.0, max(0.0, percent)) / 100)
    return "", full * filled, empty * (width - filled)


def bar(percent: float | None, width: int, unicode: bool | None = None, *, beat: int = 0) -> str:
    """Draw a bar of `width` cells; `unicode` None asks the terminal."""
    return "".join(bar_parts(percent, width, unicode=unicode, beat=beat))


def sparkline(numbers: Sequence[int]) -> str:
    """Draw numbers as bars, one cell each, in proportion to the largest; nothing is a dot."""
    bars = "▁▂▃▄▅▆▇█" if unicode_ok() else ".-=#"
    most = max(numbers, default=0)
    return "".join(
        bars[max(0, -(-number * len(bars) // most) - 1)] if number else sign("·", " ")
        for number in numbers
    )


def time_of_day(at: float) -> str:
    """Write a time as `12:34:56`, in the user's own zone."""
    return datetime.fromtimestamp(at).strftime("%H:%M:%S")
