"""Formatting of usage: names of its groups, and columns of its table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from engine.domain.model import Run
from engine.domain.record import record
from engine.domain.usage import (
    FORGOTTEN_RUNS,
    OTHER_SESSIONS,
    LimitCycle,
    UsageGroup,
    UsageReport,
    UsageRow,
)
from tui.formatting.money import cost_cell
from tui.formatting.numbers import length, tokens
from tui.formatting.runs import title
from tui.formatting.symbols import sign
from tui.models.usage_options import UsageSort
from tui.terminal.cells import clean, fit

Part = tuple[str, str]
UNKNOWN = {
    UsageGroup.BATCH: "no batch",
    UsageGroup.PROJECT: "no project",
    UsageGroup.MODEL: "unknown model",
    UsageGroup.ACCOUNT: "unknown account",
}
"""Names of the groups without a key."""
NAME_ROOM, TITLE_ROOM, NAME_ENOUGH = 17, 30, 40
"""Cells that a name has at least, and a title of a run; above the last, the bar gets the room."""
BAR, BAR_MOST = 8, 40
LONGEST_NAME = 200


@record
class UsageColumn:
    """A column of the table: its order, its width, the rank of its place, and its text."""

    sort: UsageSort
    width: int
    rank: int
    text: Callable[[UsageRow], str]


def nothing() -> str:
    """Return the sign for a value that is not known."""
    return sign("–", "-")


def cost_of(used: UsageRow | LimitCycle) -> str:
    """Write the cost of a row or a window; `+`: a part of it has no known price."""
    has_more = used.cost_usd is not None and (used.unpriced.input or used.unpriced.output)
    return cost_cell(used.cost_usd) + ("+" if has_more else "")


def _counted(number: Callable[[UsageRow], int]) -> Callable[[UsageRow], str]:
    """Return the text of a number of tokens; a dash where nothing was counted."""
    return lambda row: tokens(number(row)) if row.tokens else nothing()


def _requested(number: Callable[[UsageRow], int]) -> Callable[[UsageRow], str]:
    """Return the text of a number that old usage does not have: it came without requests."""
    return lambda row: tokens(number(row)) if row.usage.requests else nothing()


COLUMNS: tuple[UsageColumn, ...] = (
    UsageColumn(UsageSort.TOKENS, 8, 0, _counted(lambda row: row.tokens)),
    UsageColumn(UsageSort.FRESH, 8, 7, _counted(lambda row: row.usage.input - row.usage.cached)),
    UsageColumn(UsageSort.CACHED, 8, 5, _counted(lambda row: row.usage.cached)),
    UsageColumn(UsageSort.OUTPUT, 8, 6, _counted(lambda row: row.usage.output)),
    UsageColumn(UsageSort.REASONING, 10, 9, _requested(lambda row: row.usage.reasoning)),
    UsageColumn(UsageSort.REQUESTS, 9, 8, _requested(lambda row: row.usage.requests)),
    UsageColumn(UsageSort.RUNS, 6, 3, lambda row: str(row.runs) if row.runs else nothing()),
    UsageColumn(
        UsageSort.TIME, 9, 4, lambda row: length(row.seconds) if row.seconds else nothing()
    ),
    UsageColumn(UsageSort.COST, 10, 1, cost_of),
)
"""The columns of numbers, in their order on the screen; low ranks stay where there is no room."""
BAR_RANK = 2


@record
class UsageColumns:
    """The columns that have room in a table of a width."""

    name_width: int
    bar_width: int
    """The width of the bar; 0: none."""
    shown: tuple[UsageColumn, ...]

    @property
    def sorts(self) -> tuple[UsageSort, ...]:
        """Return the orders by these columns."""
        return (UsageSort.NAME, *(column.sort for column in self.shown))

    def heading(self, name: str) -> str:
        """Return the names of the columns in one line."""
        texts = (fit(column.sort, column.width, right=True) for column in self.shown)
        return f" {fit(name, self.name_width)}{self.gap}{''.join(texts)}"

    @property
    def gap(self) -> str:
        """Return the room of the bar, with the space before it."""
        return " " * (self.bar_width + 1) if self.bar_width else ""

    def cells(self, row: UsageRow) -> str:
        """Return the numbers of a row."""
        texts = (fit(column.text(row), column.width, right=True) for column in self.shown)
        return "".join(texts)

    def column_at(self, x: int) -> UsageSort | None:
        """Return the order of the column at a cell of the line."""
        at = 1 + self.name_width
        if x < at:
            return UsageSort.NAME
        at += len(self.gap)
        for column in self.shown:
            if at <= x < at + column.width:
                return column.sort
            at += column.width
        return None


def columns_for(width: int, by: UsageGroup) -> UsageColumns:
    """Return the columns for a table `width` cells wide, with these groups."""
    is_of_runs = by is UsageGroup.RUN
    room = width - 1 - (TITLE_ROOM if is_of_runs else NAME_ROOM)
    columns = [one for one in COLUMNS if not (is_of_runs and one.sort is UsageSort.RUNS)]
    widths: dict[int, int] = {column.rank: column.width for column in columns}
    widths[BAR_RANK] = BAR + 1
    ranks: set[int] = set()
    for rank in sorted(widths):
        room -= widths[rank]
        if room < 0:
            break
        ranks.add(rank)
    shown = tuple(column for column in columns if column.rank in ranks)
    used = sum(widths[rank] for rank in ranks)
    name = max(1, width - 1 - used)
    if BAR_RANK not in ranks:
        return UsageColumns(name, 0, shown)
    more = max(0, min(BAR_MOST - BAR, name - NAME_ENOUGH))
    return UsageColumns(name - more, BAR + more, shown)


def share_bar(share: float, width: int) -> str:
    """Draw the share of a row in the largest one; what is not nothing can be seen."""
    filled = max(1, round(share * width)) if share > 0 else 0
    return sign("█", "#") * filled + sign("░", "-") * (width - filled)


# Names


def row_name(row: UsageRow, by: UsageGroup, runs: Mapping[str, Run], now: float) -> str:
    """Name the group of a row."""
    if row.is_other_sessions:
        return OTHER_SESSIONS
    if row.is_forgotten:
        return FORGOTTEN_RUNS
    if by in (UsageGroup.DAY, UsageGroup.WEEK) and row.starts_at is not None:
        return time_name(row.starts_at, by, now)
    if by is UsageGroup.RUN and row.key in runs:
        return title(runs[row.key])
    return clean(row.key, LONGEST_NAME) or UNKNOWN.get(by, "unknown")


def time_name(starts_at: float, by: UsageGroup, now: float) -> str:
    """Name a day or a week: `today`, `Mon 30 Nov`, `24 – 30 Nov`."""
    first, today = datetime.fromtimestamp(starts_at), datetime.fromtimestamp(now)
    last = first + timedelta(days=6, hours=12)  # half a day more than clocks are ever changed by
    end = first if by is UsageGroup.DAY else last
    year = f" {end.year}" if end.year != today.year else ""
    if by is UsageGroup.DAY:
        known = {today.date(): "today", today.date() - timedelta(days=1): "yesterday"}
        return known.get(first.date(), f"{first:%a} {first.day} {first:%b}{year}")
    month = "" if first.month == last.month else f" {first:%b}"
    return f"{first.day}{month} {sign('–', '-')} {last.day} {last:%b}{year}"


def notes(report: UsageReport, *, without_others: bool) -> Iterator[str]:
    """Yield what is to know about the numbers of a table, the most important first."""
    total = report.total
    if without_others:
        yield "without other sessions"
    elif report.is_reading:
        progress = report.sessions
        share = f": {progress.read} of {progress.found} files" if progress.found else ""
        yield f"other sessions are still being read{share}"
    elif report.sessions.problem:
        yield "some other sessions could not be read: the doctor names them"
    other = total.other.input + total.other.output
    if other:
        yield f"{tokens(other)} of other sessions"
    if total.cost_usd is not None:
        yield "~ estimate at list prices"
        if total.unpriced.input or total.unpriced.output:
            yield "+ models without a price"


def fitting_notes(found: Sequence[str], room: int) -> str:
    """Join the notes that have room."""
    text = ""
    for note in found:
        longer = f"{text} · {note}" if text else note
        if len(longer) > room:
            break
        text = longer
    return text


def row_text(row: UsageRow, name: str) -> str:
    """Return the exact numbers of a row for the clipboard, separated by tabs."""
    usage = row.usage
    numbers = (usage.input, usage.cached, usage.output, usage.reasoning, usage.requests)
    price = "" if row.cost_usd is None else f"{row.cost_usd:.6f}"
    return "\t".join([name, *map(str, numbers), str(row.runs), f"{row.seconds:.0f}", price])
