"""A line of the log: run, time, sign, kind and text, in columns that fit the width."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.segment import Segment
from rich.style import Style

from engine.domain.record import record
from tui import formatting
from tui.terminal.cells import crop, fit
from tui.widgets.base.line_view import LineView
from tui.widgets.log.log_runs import LogRuns
from tui.widgets.log.run_colours import run_style
from tui.widgets.log.window_entry import TITLE, LogRow, WindowEntry

WITH_TIME, WITH_KIND = 44, 96
"""Widths from which on a line has room for its time, and for its kind in words."""

KIND, NAME, SHORT_NAME, TIME = 8, 14, 9, 8
TIMES = ("clock", "since", "off")
"""The time of a line: the time of day, the time since the run was made, or none."""

_LOUD = frozenset({"dim", "bad", "warn"})
"""Tones that colour the text, too; the others colour only the sign."""


@record
class LogStyle:
    """The look of the lines of a log: their columns, and highlighted words."""

    times: str = TIMES[0]
    runs: LogRuns | None = None
    """Names, colours and times of runs."""
    has_names: bool = False
    """True if each line names its run."""
    lit: re.Pattern[str] | None = None

    def text_width(self, width: int) -> int:
        """Return the cells that are left for the text of a line `width` cells wide."""
        return max(8, width - self.indent(width) - 1)

    def indent(self, width: int) -> int:
        """Return the cells before the text."""
        time = TIME + 1 if self.has_time(width) else 0
        name = self.name_width(width) + 1 if self.has_names else 0
        kind = KIND + 1 if width >= WITH_KIND else 0
        return 2 + time + name + 2 + kind

    def name_width(self, width: int) -> int:
        """Return the cells for the name of the run."""
        return NAME if width >= WITH_KIND else SHORT_NAME

    def has_time(self, width: int) -> bool:
        """Return whether the time is shown, and has room."""
        return width >= WITH_TIME and self.times != "off"

    def time(self, entry: WindowEntry) -> str:
        """Return the time of an event as text."""
        if self.times == "since" and self.runs:
            since = entry.at - self.runs.began_at(entry.run)
            return fit(f"+{formatting.length(since)}", TIME, right=True)
        return formatting.time_of_day(entry.at)


def segments(
    view: LineView, look: LogStyle, entry: WindowEntry, row: LogRow, width: int, *, bar: str
) -> Iterator[Segment]:
    """Draw a row of an event; `bar` is the tone of the bar before it, if it has one."""
    yield Segment(formatting.sign("▌ ", "| ") if bar else "  ", view.paint.tone(bar or "plain"))
    line = entry.line
    if row.hangs:
        rule = "" if line.prose else formatting.sign("│ ", "| ")
        yield Segment(" " * (look.indent(width) - 2 - len(rule)) + rule, view.paint.tone("faint"))
    else:
        if look.has_names and look.runs:
            name = fit(look.runs.name(entry.run), look.name_width(width))
            yield Segment(f"{name} ", run_style(view, look.runs.number(entry.run)))
        if look.has_time(width):
            yield Segment(f"{look.time(entry)} ", view.paint.tone("faint"))
        yield Segment(f"{line.glyph} ", view.paint.tone(line.tone))
        if width >= WITH_KIND:
            yield Segment(f"{fit(line.kind, KIND)} ", view.paint.tone("dim"))
    style = view.paint.tone(row.tone if row.tone in _LOUD else "plain")
    if row.tone == TITLE:
        style += view.paint.strong()
    text = crop(row.text, look.text_width(width), formatting.sign("…", "~"))
    yield from _lit(text, look.lit, style, view)


def _lit(text: str, lit: re.Pattern[str] | None, style: Style, view: LineView) -> Iterator[Segment]:
    at = 0
    for found in lit.finditer(text) if lit else ():
        yield Segment(text[at : found.start()], style)
        yield Segment(found.group(), view.paint.lit())
        at = found.end()
    yield Segment(text[at:], style)
