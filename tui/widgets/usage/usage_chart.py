"""Usage over time as a chart: tokens, cost, or cached tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.segment import Segment
from textual.content import Content
from textual.strip import Strip

from engine.domain.usage import UsageRow
from tui.formatting.chart import bars, moment, time_axis
from tui.formatting.money import cost_cell
from tui.formatting.numbers import tokens
from tui.formatting.symbols import sign
from tui.formatting.usage import fitting_notes
from tui.models.usage_options import ChartValue
from tui.widgets.base.line_view import LineView

NUMBERS: dict[ChartValue, Callable[[UsageRow], float]] = {
    ChartValue.TOKENS: lambda row: row.tokens,
    ChartValue.COST: lambda row: row.cost_usd or 0.0,
    ChartValue.CACHED: lambda row: row.usage.cached,
}
TITLES = {
    ChartValue.TOKENS: "Tokens",
    ChartValue.COST: "Estimated cost",
    ChartValue.CACHED: "Cached tokens",
}
SCALE = 9
"""Cells left of the bars: the scale and the axis."""


class UsageChart(LineView, can_focus=False):
    """A chart that fills its place; only its lines in view are drawn."""

    DEFAULT_CSS = "UsageChart { height: 25%; min-height: 6; border-subtitle-color: $secondary; }"

    def __init__(self) -> None:
        super().__init__(title="Tokens")
        self._points: Sequence[UsageRow] = ()
        self._value = ChartValue.TOKENS
        self._now = 0.0
        self._described = ""
        self._notes: Sequence[str] = ()
        self._rows: list[str] = []

    @property
    def columns(self) -> int:
        """Return the number of bars that have room."""
        return max(1, self.scrollable_content_region.width - SCALE)

    def show(
        self, points: Sequence[UsageRow], value: ChartValue, now: float, described: str
    ) -> None:
        """Show these points, oldest first; `described` are the options in words."""
        self._points, self._value, self._now = points, value, now
        self._described = described
        self.styles_changed()

    def show_notes(self, notes: Sequence[str]) -> None:
        """Show notes about the numbers, as many as have room."""
        self._notes = notes
        self.border_subtitle = Content(fitting_notes(notes, self.size.width - 4))

    def styles_changed(self) -> None:
        """Draw the chart again for its present size."""
        height = self.scrollable_content_region.height
        self._rows = self._drawn(self.columns, height - 1) if height > 1 and self._points else []
        self.set_title(self._title())
        self.show_notes(self._notes)
        self.set_lines(len(self._rows), cursor=0)

    def _drawn(self, width: int, height: int) -> list[str]:
        numbers = self._numbers
        begin, end = _start(self._points[0]), _end(self._points[-1])
        rows = bars(numbers, width, height)
        labels = [""] * height
        labels[0] = self._text(max(numbers))
        if height > 2:
            labels[height // 2] = self._text(max(numbers) * (height - height // 2) / height)
        side = sign("│", "|")
        scaled = [f"{label:>{SCALE - 2}}{side} " for label in labels]
        is_now = _start(self._points[-1]) <= self._now <= end
        axis = " " * SCALE + time_axis(begin, end, width, is_now=is_now)
        return [*(f"{left}{row}" for left, row in zip(scaled, rows, strict=True)), axis]

    @property
    def _numbers(self) -> list[float]:
        return [NUMBERS[self._value](point) for point in self._points]

    def _text(self, number: float) -> str:
        if not number:
            return ""
        return cost_cell(number) if self._value is ChartValue.COST else tokens(round(number))

    def _title(self) -> str:
        title = TITLES[self._value]
        if not self._points:
            return f"{title} · {self._described}" if self._described else title
        first, last = self._points[0], self._points[-1]
        step = _end(first) - _start(first)
        most = max(self._points, key=NUMBERS[self._value])
        title += f" per {_length(step)} · {self._described}"
        if NUMBERS[self._value](most):
            at = moment(_start(most), _end(last) - _start(first))
            title += f" · most {self._text(NUMBERS[self._value](most))}, {at}"
        elif self._value is ChartValue.COST:
            title += " · no price known"
        return title

    def draw(self, line: int, width: int) -> Strip:
        """Draw one line."""
        text = self._rows[line]
        is_axis = line == len(self._rows) - 1
        parts = [
            Segment(text[:SCALE], self.paint.tone("dim")),
            Segment(text[SCALE:], self.paint.tone("dim" if is_axis else "live")),
        ]
        return self.paint.strip(parts, width)


def _start(point: UsageRow) -> float:
    return point.starts_at or 0.0


def _end(point: UsageRow) -> float:
    return point.ends_at or _start(point)


def _length(seconds: float) -> str:
    """Write a step as `day`, `7 days`, `hour`, `3 hours`, `10 minutes`."""
    for unit_s, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        count = round(seconds / unit_s)
        if count >= 1 and abs(seconds - count * unit_s) < unit_s / 2:
            return name if count == 1 else f"{count} {name}s"
    return "step"
