"""One line of the run list: cursor, mark, and the columns that found room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.segment import Segment

from engine.domain.model import Run
from tui import formatting
from tui.widgets.base.line_view import LineView
from tui.widgets.runs.run_activity import RowContext
from tui.widgets.runs.run_columns import Column

MARGIN = 3
"""Cells of a line that no column takes: cursor and mark before them, a space after."""


def segments(
    view: LineView,
    columns: Sequence[tuple[Column, int]],
    run: Run,
    moment: RowContext,
    *,
    cursor: bool,
    marked: bool,
) -> Iterator[Segment]:
    """Draw the line of a run."""
    yield Segment(formatting.sign("▌", "|") if cursor else " ", view.paint.tone("live"))
    yield Segment(formatting.sign("◆", "*") if marked else " ", view.paint.tone("warn"))
    for index, (column, cells) in enumerate(columns):
        if index:
            yield Segment(" " * column.gap)
        for text, tone in column.cell(run, moment, cells):
            style = view.paint.tone(tone)
            if cursor and column.name == "title":
                style += view.paint.strong()
            if text:
                yield Segment(text, style)
