"""Headings of the run list: above the columns, and above each group of runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.segment import Segment

from engine.domain.model import Status
from tui import formatting
from tui.models.grouped_runs import RunGroup
from tui.models.list_options import URGENCY, Grouping, ListOptions
from tui.models.older_runs import OLDER
from tui.terminal.cells import cells, clean, crop, fit
from tui.widgets.base.line_view import LineView
from tui.widgets.runs.run_activity import Part
from tui.widgets.runs.run_columns import Column

BAR = 10
"""Cells of the bar in a group's heading."""
_NAMELESS = {
    Grouping.BATCH: "no batch",
    Grouping.PROJECT: "no project",
    Grouping.TAGS: "no tags",
}


def column_heads(
    view: LineView, columns: Sequence[tuple[Column, int]], selection: ListOptions
) -> Iterator[Segment]:
    """Return the names of the columns; an arrow shows the direction of the order."""
    yield Segment("  ")
    sort = selection.sort
    upward = sort.is_upward != selection.is_reversed
    arrow = formatting.sign("▲", "^") if upward else formatting.sign("▼", "v")
    for index, (column, width) in enumerate(columns):
        if index:
            yield Segment(" " * column.gap)
        is_it = column.name == sort.column
        text = column.heading(width, arrow if is_it else "")
        yield Segment(text, view.paint.tone("busy" if is_it else "faint"))


def column_at(columns: Sequence[tuple[Column, int]], x: int) -> str | None:
    """Return the name of the column at cell `x` of a line."""
    start = 2
    for index, (column, width) in enumerate(columns):
        start += column.gap if index else 0
        if start <= x < start + width:
            return column.name
        start += width
    return None


def name_of(group: RunGroup, grouping: Grouping) -> str:
    """Return the property that the runs of a group share."""
    name = clean(group.name, 200).strip() or _NAMELESS.get(grouping, "none")
    return (
        f"{len(group)} {formatting.sign('×', 'x')} {name}" if grouping is Grouping.CAUSE else name
    )


def counts(group: RunGroup, grouping: Grouping) -> list[Part]:
    """Return the number of runs of each status, the most urgent first."""
    parts: list[Part] = []
    if grouping is Grouping.STATUS:
        return [(f" {len(group)}", "dim")]
    if grouping is not Grouping.CAUSE:
        for status in (*URGENCY, *(group.statuses.keys() - URGENCY.keys())):
            if number := group.statuses[status]:
                parts.append((f" {formatting.glyph(status)} {number}", formatting.tone(status)))
    return parts


def progress(group: RunGroup, width: int) -> list[Part]:
    """Return the average progress of the group's runs as a bar."""
    before, full, after = formatting.bar_parts(group.percent, width - 5)
    tone = "good" if group.percent == 100 and not group.needy else "live"
    return [(before, "dim"), (full, tone), (after, "dim"), (f"{group.percent:>4}%", "dim")]


def figures(group: RunGroup, grouping: Grouping) -> list[Part]:
    """Return the figures of a batch: the share that passed, the tokens, the time left."""
    if grouping is not Grouping.BATCH or not group.name:
        return []
    rate, left_s = group.pass_rate, group.left_s
    parts: list[Part] = []
    if rate is not None:
        parts.append((f" {rate:.0%} passed ", "good" if rate == 1 else "warn"))
    if group.tokens:
        parts.append((f" {formatting.tokens(group.tokens)} ", "dim"))
    if left_s is not None:
        parts.append((f" {formatting.sign('≈', '~')}{formatting.length(left_s)} left ", "dim"))
    return parts


def lead(group: RunGroup, grouping: Grouping, width: int, *, is_folded: bool) -> list[Part]:
    """Return the group's name after a sign that shows whether it is folded."""
    if group.name == OLDER:
        return _older(group, width, is_folded=is_folded)
    arrow = formatting.sign("▸", "+") if is_folded else formatting.sign("▾", "-")
    tone = "plain"
    text = name_of(group, grouping)
    if grouping is Grouping.STATUS:
        status = Status.read(group.name)
        text, tone = f"{formatting.glyph(status)} {text}", formatting.tone(status)
    return [(f"{arrow} ", "dim"), (crop(text, width - 2, formatting.sign("…", "~")), tone)]


def _older(group: RunGroup, width: int, *, is_folded: bool) -> list[Part]:
    arrow = formatting.sign("…", "~") if is_folded else formatting.sign("▾", "-")
    text = f"{len(group)} older applied run{'' if len(group) == 1 else 's'}"
    hint = f"  enter {'shows' if is_folded else 'hides'} them"
    parts = [(f"{arrow} ", "dim"), (crop(text, width - 2, formatting.sign("…", "~")), "dim")]
    return [*parts, (hint, "faint")] if len(text) + len(hint) + 2 <= width else parts


def line(group: RunGroup, grouping: Grouping, width: int, *, is_folded: bool) -> list[Part]:
    """Return a heading as one line, `width` cells wide."""
    if group.name == OLDER:
        return _older(group, width, is_folded=is_folded)
    tail = counts(group, grouping)
    bar = [] if grouping in (Grouping.CAUSE, Grouping.STATUS) else progress(group, BAR + 5)
    right = sum(cells(text) for text, _ in tail)
    parts = lead(group, grouping, width, is_folded=is_folded)
    room = width - sum(cells(text) for text, _ in parts)
    if right + BAR + 8 > room:
        bar = []
    if right + 2 > room:
        parts = lead(group, grouping, max(8, width - right - 2), is_folded=is_folded)
        room = width - sum(cells(text) for text, _ in parts)
    if right > room:
        tail, right = [], 0
    gap = room - right - sum(cells(text) for text, _ in bar)
    shown = figures(group, grouping)
    while shown and sum(cells(text) for text, _ in shown) + 2 > gap:
        shown.pop()
    gap -= sum(cells(text) for text, _ in shown)
    return [*parts, *tail, (" " * gap, "dim"), *shown, *bar]


def tile_row(
    group: RunGroup, grouping: Grouping, row: int, width: int, *, is_folded: bool
) -> list[Part]:
    """Return one row of a heading as a tile."""
    match row:
        case 0:
            return lead(group, grouping, width, is_folded=is_folded)
        case 1:
            return counts(group, grouping) or [
                (f" {len(group)} run{'' if len(group) == 1 else 's'}", "dim")
            ]
        case 2 if grouping is not Grouping.CAUSE:
            return progress(group, width)
        case _:
            return [(fit("", width), "dim")]
