"""The columns of the run list: the cell of a run in each, and the choice of those with room."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence

from engine.config.settings import UiSettings
from engine.domain import lifecycle
from engine.domain.account import account_name, has_account
from engine.domain.activity import clock, elapsed_s, ordinal
from engine.domain.attention import Attention, attention_of
from engine.domain.cost import has_price
from engine.domain.hosts import host_of, is_remote
from engine.domain.model import Run, Status
from engine.domain.pull_request import current_url
from engine.domain.record import record
from tui import formatting
from tui.terminal.cells import cells, clean, fit
from tui.widgets.runs.run_activity import Part, RowContext, row_activity


@record
class Column:
    """A column: its least and best width, and its cells.

    `leaves` ranks columns: the lowest is dropped first where there is no room. `grows` ranks their
    best widths: the lowest is the first to get it. `stretch` columns share the rest. A cell's parts
    together fill its width. `has` returns whether a run has anything to show there: a column that
    is empty for all runs is left out.
    """

    name: str
    least: int
    best: int
    leaves: int
    cell: Callable[[Run, RowContext, int], list[Part]]
    grows: int = 9
    stretch: int = 0
    has: Callable[[Run], bool] | None = None
    head: str = ""
    is_number: bool = False
    gap: int = 2
    """Cells before it, unless it is the first."""

    def heading(self, width: int, arrow: str = "") -> str:
        """Return the heading, `width` cells wide; the arrow stays even where the text is cut."""
        text = self.head or self.name
        room = width - len(arrow)
        short = text if len(text) <= room else text[:room] if room > 1 else ""
        return fit(f"{short}{arrow}", width, right=self.is_number)


def _status(run: Run, moment: RowContext, width: int) -> list[Part]:
    word = f" {formatting.run_word(run)}" if width > 2 else ""
    text = fit(f"{formatting.run_glyph(run)}{word}", width, mark=_mark())
    return [(text, formatting.run_tone(run))]


def _title(run: Run, moment: RowContext, width: int) -> list[Part]:
    """Return the title, before it the branch of a child, behind it marks that take no column.

    They are the number of the attempt, the factor of an expensive run, `sim`, the mark of a note,
    and the tags that have room.
    """
    again = f" #{run.attempt}" if run.attempt > 1 else ""
    spend = f" {formatting.spend_mark(run)}" if run.spend_flag else ""
    label = f" {formatting.tag(run)}" if formatting.tag(run) else ""
    note = f" {formatting.note_mark()}" if run.note else ""
    marks = [(again, "warn"), (spend, "warn"), (label, "dim"), (note, "busy")]
    branch = (formatting.branch(moment.depth), "dim")
    room = width - len(branch[0]) - sum(len(text) for text, _ in marks)
    title = formatting.title(run)
    tone = "dim" if attention_of(run) is Attention.DONE else "plain"
    if cells(title) > room:
        return [branch, (formatting.fit_title(title, room, _mark()), tone), *marks]
    tags = formatting.tags_in(run, room - cells(title))
    gap = " " * (room - cells(title) - cells(tags))
    return [branch, (title, tone), *marks, (tags, "dim"), (gap, "dim")]


def _project(run: Run, moment: RowContext, width: int) -> list[Part]:
    return [(fit(clean(run.spec.project, 200), width, mark=_mark()), "dim")]


def _progress(run: Run, moment: RowContext, width: int) -> list[Part]:
    figure = formatting.figure(run)
    text = f"{'' if figure is None else f'{figure}%':>4}"
    room = width - 5
    if run.status is Status.QUEUED and moment.wait.position:
        return [(fit(ordinal(moment.wait.position), width, right=True, mark=_mark()), "dim")]
    if run.status not in lifecycle.ACTIVE:
        is_partial = run.status in lifecycle.FINISHED and run.status is not Status.SUCCEEDED
        return [(fit(text if is_partial else "", width, right=True), "dim")]
    if room < 4:
        return [(fit(text if text.strip() else _mark(), width, right=True), "live")]
    before, full, after = formatting.bar_parts(figure, room, beat=moment.beat)
    tone = formatting.run_tone(run)
    return [(before, "dim"), (full, tone), (after, "dim"), (f" {text}", "dim")]


def _activity(run: Run, moment: RowContext, width: int) -> list[Part]:
    (text, tone), time = row_activity(run, moment)
    time = f"  {time}" if time and len(time) + 2 < width // 2 else ""
    said = clean(text, 300)
    room = width - len(time)
    if cells(said) > room:
        return [(fit(said, room, mark=_mark()), tone), (time, "dim")]
    return [(said, tone), (fit(time, width - cells(said)), "dim")]


def _elapsed(run: Run, moment: RowContext, width: int) -> list[Part]:
    seconds = elapsed_s(run, moment.now)
    text = "" if run.started_at is None else clock(seconds)
    if len(text) > width:
        minutes = int(seconds) // 60
        text = f"{minutes // 60}h{minutes % 60:02}"
    live = run.status in lifecycle.ACTIVE
    return [(fit(text, width, right=True), "plain" if live else "dim")]


def _tokens(run: Run, moment: RowContext, width: int) -> list[Part]:
    spent = run.usage.input + run.usage.output
    return [(fit(formatting.tokens(spent) if spent else "", width, right=True), "dim")]


def _cost(run: Run, moment: RowContext, width: int) -> list[Part]:
    """Return the estimated cost; a dash where tokens were used and no price is known (yet)."""
    text = formatting.cost_cell(moment.cost(run)) if has_price(run) else ""
    return [(fit(text, width, right=True), "dim")]


def _account(run: Run, moment: RowContext, width: int) -> list[Part]:
    return [(fit(clean(account_name(run), 40), width, mark=_mark()), "dim")]


def _node(run: Run, moment: RowContext, width: int) -> list[Part]:
    return [(fit(clean(host_of(run), 40), width, mark=_mark()), "dim")]


def _changes(run: Run, moment: RowContext, width: int) -> list[Part]:
    if run.has_unknown_changes:
        return [(fit("unknown", width, right=True, mark=_mark()), "warn")]
    text = formatting.changes(run.changes)
    if not text:
        return [(" " * width, "dim")]
    if len(text) > width:
        added, removed = run.changes.insertions, run.changes.deletions
        text = (
            f"+{formatting.tokens(added)} {formatting.sign('−', '-')}{formatting.tokens(removed)}"
        )
    added, _, removed = fit(text, width, right=True, mark=_mark()).rpartition(" ")
    return [(added, "good"), (f" {removed}", "bad")]


def _age(run: Run, moment: RowContext, width: int) -> list[Part]:
    return [(fit(formatting.age(moment.now - run.created_at), width, right=True), "dim")]


def _attempt(run: Run, moment: RowContext, width: int) -> list[Part]:
    text = f"#{run.attempt}" if run.attempt > 1 else ""
    return [(fit(text, width, right=True), "warn")]


def _pull_request(run: Run, moment: RowContext, width: int) -> list[Part]:
    text, tone = formatting.request_cell(run)
    return [(fit(text, width, mark=_mark()), tone)]


def _flag(run: Run, moment: RowContext, width: int) -> list[Part]:
    sign, tone = formatting.flag(run) or ("", "dim")
    return [(fit(sign, width), tone)]


def _mark() -> str:
    return formatting.sign("…", "~")


def _has_tokens(run: Run) -> bool:
    return run.used_tokens > 0


def _is_changed(run: Run) -> bool:
    changed = run.changes
    return run.has_unknown_changes or bool(changed.files or changed.insertions or changed.deletions)


COLUMNS: dict[str, Column] = {
    column.name: column
    for column in (
        Column("status", 1, 13, 10, _status, grows=5, head=" "),
        Column("title", 20, 32, 11, _title, grows=1, stretch=1, gap=1),
        Column("project", 8, 14, 2, _project, grows=6),
        Column("activity", 24, 40, 9, _activity, grows=0, stretch=4),
        Column("progress", 4, 11, 6, _progress, grows=2),
        Column("elapsed", 5, 5, 7, _elapsed, head="time", is_number=True),
        Column("tokens", 6, 6, 1, _tokens, has=_has_tokens, is_number=True),
        Column("cost", 7, 8, 1, _cost, has=has_price, grows=8, is_number=True),
        Column("account", 7, 12, 2, _account, has=has_account, grows=8),
        Column("node", 5, 12, 2, _node, has=is_remote, grows=8),
        Column("changes", 9, 11, 5, _changes, grows=3, has=_is_changed, head="+/-", is_number=True),
        Column("age", 3, 4, 3, _age, grows=4, is_number=True),
        Column("attempt", 2, 3, 4, _attempt, has=lambda run: run.attempt > 1, head="try"),
        Column("pr", 6, 14, 0, _pull_request, has=lambda run: bool(current_url(run)), grows=7),
        Column(
            "flag",
            1,
            1,
            8,
            _flag,
            has=lambda run: formatting.flag(run) is not None,
            head=" ",
            gap=1,
        ),
    )
}
"""Every column that `ui.columns` may name."""

DEFAULT_COLUMNS = UiSettings().columns
RETIRED = frozenset({"tag"})
"""Columns of earlier versions: accepted, and shown elsewhere now."""


def columns_of(names: Iterable[str]) -> list[Column]:
    """Return the columns named, in that order; the title and the flag at the end always count."""
    chosen = [name for name in dict.fromkeys(names) if name in COLUMNS]
    if "title" not in chosen:
        chosen.insert(int(chosen[:1] == ["status"]), "title")
    if "flag" not in chosen:
        chosen.append("flag")
    return [COLUMNS[name] for name in chosen]


def checked_columns(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the names in `ui.columns` that can be used, and a sentence on each of the others."""
    names = [name for name in names if name not in RETIRED]
    problems: list[str] = []
    for name in dict.fromkeys(names):
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, n=1, cutoff=0.4)
            known = f"Did you mean {near[0]}?" if near else f"There are {', '.join(COLUMNS)}."
            problems.append(f"ui.columns: there is no column {clean(name, 40)}. {known}")
    usable = [name for name in dict.fromkeys(names) if name in COLUMNS]
    return usable or list(DEFAULT_COLUMNS), problems


def lay_out(columns: Iterable[Column], width: int) -> list[tuple[Column, int]]:
    """Choose the columns that have room in `width` cells, in the order given, with widths."""
    kept = list(columns)
    while len(kept) > 1 and gaps(kept) + sum(column.least for column in kept) > width:
        kept.remove(min(kept, key=lambda column: column.leaves))
    sizes = _widened(kept, width - gaps(kept))
    _stretch(kept, sizes, width - gaps(kept) - sum(sizes))
    return list(zip(kept, sizes, strict=True))


def gaps(columns: Sequence[Column]) -> int:
    """Return the cells between columns."""
    return sum(column.gap for column in columns[1:])


def _widened(kept: Sequence[Column], room: int) -> list[int]:
    """Return the least width of each column, or its best: half a word is of no use."""
    widths = {column.name: column.least for column in kept}
    for column in sorted(kept, key=lambda column: column.grows):
        spare = room - sum(widths.values())
        wanted = column.best - column.least
        if column.stretch:
            widths[column.name] += max(0, min(wanted, spare))
        elif wanted <= spare:
            widths[column.name] = column.best
    return [widths[column.name] for column in kept]


def _stretch(chosen: Sequence[Column], widths: list[int], spare: int) -> None:
    shares = sum(column.stretch for column in chosen)
    left = spare
    for index, column in enumerate(chosen):
        share = spare * column.stretch // shares
        widths[index] += share
        left -= share
    first = next(index for index, column in enumerate(chosen) if column.stretch)
    widths[first] += left
