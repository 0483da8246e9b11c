"""The table of usage and the lines of rate-limit windows that `swarm-tui usage` prints."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from engine.domain.model import Run, Usage
from engine.domain.record import record
from engine.domain.usage import DEFAULT_ACCOUNT, LimitCycle, UsageGroup, UsageReport, UsageRow
from tui import formatting
from tui.cli.support import output
from tui.cli.support.colours import BOLD
from tui.cli.support.summaries import full_title
from tui.formatting import sign
from tui.formatting.limit_cycles import forecast_words, window_of
from tui.formatting.money import cost_cell
from tui.formatting.usage import COLUMNS, UNKNOWN, cost_of, nothing
from tui.terminal.cells import cells, clean, fit

GAP = 2
LONGEST_NAME = 200
NAME_CELLS = 24
"""Room for the name below which a column of numbers is left out."""
LEAST_BAR, MOST_BAR = 6, 30
STALE_S = 3600.0
"""Age from which on the age of a percentage is shown."""
DROPPED = ("REASONING", "TIME", "REQUESTS", "CACHED", "FRESH", "OUTPUT", "RUNS")
"""Columns left out on a narrow terminal, the first one first."""
BEHIND_BAR = ("REASONING", "TIME", "REQUESTS")
"""Columns that the bar comes before."""
OPTIONAL = ("REASONING", "REQUESTS", "TIME", "COST")
"""Columns left out where no row has anything to show there."""
Piece = tuple[str, str | None]
Line = list[Piece]


@record
class _Row:
    """A line of the table: its name, its cells, and its share of the largest."""

    name: str
    cells: Mapping[str, str]
    share: float | None = None
    colour: str | None = None


def table(report: UsageReport, runs: Mapping[str, Run]) -> list[Line]:
    """Return the lines of the table: the rows, the total and the part of other sessions."""
    by = report.query.by
    most = max((row.tokens for row in report.rows), default=0)
    rows = [
        _Row(row_name(row, by, runs), _cells(row), row.tokens / most if most else 0.0)
        for row in report.rows
    ]
    rows.append(_Row("total", _cells(report.total), colour=BOLD))
    if report.total.other != Usage() and by not in (UsageGroup.RUN, UsageGroup.BATCH):
        whole = report.total
        other = UsageRow(
            "", whole.other, cost_usd=whole.other_cost_usd, unpriced=whole.other_unpriced
        )
        rows.append(_Row("of it other sessions", _cells(other), colour="bright_black"))
    width = terminal_width()
    names = max(cells(row.name) for row in rows)
    columns = _columns(rows, min(names, NAME_CELLS) if width else names, width)
    if by is UsageGroup.RUN:
        columns.pop("RUNS", None)  # one each
    return list(_lines(str(by).upper(), rows, columns, width))


def row_name(row: UsageRow, by: UsageGroup, runs: Mapping[str, Run]) -> str:
    """Name the group of a row; a run by its id and its title."""
    if by is UsageGroup.RUN and row.key in runs:
        return f"{row.key}  {full_title(runs[row.key])}"
    return clean(row.key, LONGEST_NAME) or UNKNOWN.get(by, "unknown")


def _cells(row: UsageRow) -> dict[str, str]:
    return {column.sort.upper(): column.text(row) for column in COLUMNS}


def _columns(rows: Sequence[_Row], name_width: int, width: int) -> dict[str, int]:
    """Return the columns of numbers for which there is room, with their widths."""
    found = {
        name: GAP + max(map(cells, [_heading(name), *(row.cells[name] for row in rows)]))
        for name in rows[0].cells
        if name not in OPTIONAL or any(row.cells[name] != nothing() for row in rows)
    }
    for name in DROPPED if width else ():
        bar = GAP + LEAST_BAR if name in BEHIND_BAR else 0
        if name_width + sum(found.values()) + bar <= width:
            break
        found.pop(name, None)
    return found


def _heading(name: str) -> str:
    return "EST. COST" if name == "COST" else name


def _lines(
    name: str, rows: Sequence[_Row], columns: Mapping[str, int], width: int
) -> Iterator[Line]:
    numbers = sum(columns.values())
    names = max(cells(row.name) for row in rows)
    name_width = max(names, cells(name))
    if width:
        name_width = min(name_width, max(1, width - numbers))
    bar = min(MOST_BAR, width - name_width - numbers - GAP)
    heading = "".join(fit(_heading(one), columns[one], right=True) for one in columns)
    yield [(fit(name, name_width) + heading, "bright_black")]
    for row in rows:
        texts = "".join(fit(row.cells[one], columns[one], right=True) for one in columns)
        line: Line = [(fit(row.name, name_width) + texts, row.colour)]
        if row.share is not None and bar >= LEAST_BAR:
            line.append((" " * GAP + share_bar(row.share, bar), "blue"))
        yield line


def share_bar(share: float, width: int) -> str:
    """Draw the share of a row in the largest one; what is not nothing can be seen."""
    filled = max(1, round(share * width)) if share > 0 else 0
    return sign("━", "#") * filled


# Rate-limit windows


def cycle_lines(cycles: Sequence[LimitCycle], now: float) -> Iterator[Line]:
    """Yield a line for each rate-limit window, and one for its forecast."""
    has_others = any(cycle.account != DEFAULT_ACCOUNT for cycle in cycles)
    names = [_cycle_name(cycle, with_account=has_others) for cycle in cycles]
    name_width = max(map(cells, names), default=0)
    for name, cycle in zip(names, cycles, strict=True):
        warns = cycle.used_percent >= formatting.WARN_PERCENT
        head = f"{fit(name, name_width)}  {cycle.used_percent:>3.0f}%"
        yield [(head, "yellow" if warns else None), (_fitting(_facts(cycle, now), head), None)]
        if words := forecast_words(cycle, now):
            yield [(" " * (name_width + GAP) + words, "yellow")]


def _cycle_name(cycle: LimitCycle, *, with_account: bool) -> str:
    name = formatting.window_name(window_of(cycle))
    return f"{clean(cycle.account, 16)} {name}" if with_account else name


def _facts(cycle: LimitCycle, now: float) -> Iterator[str]:
    used = cycle.usage.input + cycle.usage.output
    has_reset = cycle.resets_at is not None and cycle.resets_at <= now
    if cycle.resets_at is not None:
        verb = "has reset" if has_reset else "resets"
        yield f"{verb} {formatting.clock_time(cycle.resets_at, now)}"
    count = nothing() if cycle.starts_at is None else formatting.tokens(used)
    yield f"{count} tokens{' since' if has_reset else ''}"
    if cycle.cost_usd is not None:
        yield cost_of(cycle)
    if each := cycle.tokens_per_percent:
        price = "" if cycle.cost_usd is None else f" and {cost_cell(cycle.cost_per_percent)}"
        yield f"{formatting.tokens(round(each))} tokens{price} per percent"
    if now - cycle.seen_at >= STALE_S:
        yield f"seen {formatting.ago(cycle.seen_at, now)}"


def _fitting(facts: Iterable[str], head: str) -> str:
    """Join the facts that have room on the line; in a pipe, all of them."""
    room, text = terminal_width(), ""
    between = f" {sign('·', '-')} "
    for fact in facts:
        if room and cells(head) + cells(text) + cells(between) + cells(fact) > room:
            break
        text += between + fact
    return text


def terminal_width() -> int:
    """Return the columns of the terminal; 0 in a pipe, where nothing is cut."""
    return shutil.get_terminal_size().columns if output.is_terminal(sys.stdout) else 0
