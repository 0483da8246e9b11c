"""A chart of numbers over time, drawn with blocks, or with ASCII characters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tui.formatting.symbols import unicode_ok

BLOCKS, PLAIN = " ▁▂▃▄▅▆▇█", " .:#"
"""Cells from empty to full."""
GAP_FROM = 3
"""Bars of so many cells have a gap between them."""
LABEL_GAP = 14
"""Cells from one label of the time axis to the next, at least."""
DAY_S = 86400


def bars(numbers: Sequence[float], width: int, height: int) -> list[str]:
    """Return the rows of a bar chart, the top one first; the largest number has full height."""
    cells = BLOCKS if unicode_ok() else PLAIN
    full = len(cells) - 1
    most = max(numbers, default=0.0)
    levels = [_level(number, most, height * full) for number in numbers]
    columns = [_column(x, width, levels) for x in range(width)]
    return [
        "".join(cells[max(0, min(full, level - full * below))] for level in columns)
        for below in range(height - 1, -1, -1)
    ]


def _level(number: float, most: float, top: int) -> int:
    """Return the height of a bar; a number above 0 can be seen."""
    return max(1, round(number / most * top)) if number > 0 else 0


def _column(x: int, width: int, levels: Sequence[int]) -> int:
    count = len(levels)
    place = x * count // width
    is_gap = count * GAP_FROM <= width and (x + 1) * count // width != place
    return 0 if is_gap or place >= count else levels[place]


def time_axis(begin: float, end: float, width: int, *, is_now: bool) -> str:
    """Return the labels below a chart: times within a day or two, else dates.

    `is_now`: the last step of the chart is the present one.
    """
    count = max(1, min(6, width // LABEL_GAP))
    line = [" "] * width
    for place in range(count):
        at = begin + (end - begin) * place / count
        _write(line, place * width // count, moment(at, end - begin))
    last = "now" if is_now else moment(end, end - begin)
    _write(line, width - len(last), last)
    return "".join(line)


def _write(line: list[str], start: int, text: str) -> None:
    for place, letter in enumerate(text, max(0, start)):
        if place < len(line):
            line[place] = letter


def moment(at: float, length_s: float) -> str:
    """Write a time of a chart so long: `14:00`, `Mon 14:00` or `30 Nov`."""
    then = datetime.fromtimestamp(at)
    if length_s <= DAY_S:
        return f"{then:%H:%M}"
    return f"{then:%a %H:%M}" if length_s <= 2 * DAY_S else f"{then.day} {then:%b}"
