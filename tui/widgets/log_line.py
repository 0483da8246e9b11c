"""One line of the log: time, sign, kind and text, in columns that fit the width."""

from __future__ import annotations

from collections.abc import Iterator

from rich.segment import Segment

from tui import show
from tui.cells import crop, fit
from tui.widgets.event_window import Entry, Row
from tui.widgets.line_view import LineView

WITH_TIME, WITH_KIND = 44, 96
"""From these widths on a line has room for its time, and for its kind in words."""

KIND = 8

_LOUD = frozenset({"dim", "bad", "warn"})
"""Tones that colour the text too; the others colour the sign alone."""


def text_width(width: int) -> int:
    """Give the cells that are left for the text of a line `width` cells wide."""
    return max(8, width - _indent(width) - 1)


def _indent(width: int) -> int:
    time = 9 if width >= WITH_TIME else 0
    kind = KIND + 1 if width >= WITH_KIND else 0
    return 2 + time + 2 + kind


def segments(
    view: LineView, entry: Entry, row: Row, width: int, *, cursor: bool
) -> Iterator[Segment]:
    """Draw one row of an event."""
    yield Segment(show.sign("▌ ", "| ") if cursor else "  ", view.look("live"))
    line = entry.line
    if row.hangs:
        rule = "" if line.prose else show.sign("│ ", "| ")
        yield Segment(" " * (_indent(width) - 2 - len(rule)) + rule, view.look("faint"))
    else:
        if width >= WITH_TIME:
            yield Segment(f"{show.time_of_day(entry.at)} ", view.look("faint"))
        yield Segment(f"{line.glyph} ", view.look(line.tone))
        if width >= WITH_KIND:
            yield Segment(f"{fit(line.kind, KIND)} ", view.look("dim"))
    tone = row.tone if row.tone in _LOUD else "plain"
    yield Segment(crop(row.text, text_width(width), show.sign("…", "~")), view.look(tone))
