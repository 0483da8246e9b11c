"""The columns of the run list: what each says of a run, and which find room."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from engine.domain import lifecycle
from engine.domain.activity import activity, clock, elapsed_s
from engine.domain.model import Run
from tui import show
from tui.cells import cells, clean, crop, fit

type_part = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Moment:
    """What a row depends on besides its run: the time, and the place in the queue."""

    now: float
    position: int | None = None

    @property
    def beat(self) -> int:
        """A count of seconds, for what moves."""
        return int(self.now)


Part = tuple[str, str]
"""A text and its tone."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its least and best width, how early it goes when there is no room, its cells.

    `stretch` columns share what is left over. A cell's parts together fill the width given.
    """

    name: str
    least: int
    best: int
    leaves: int
    cell: Callable[[Run, Moment, int], list[Part]]
    stretch: int = 0


def _status(run: Run, moment: Moment, width: int) -> list[Part]:
    word = f" {show.word(run.status)}" if width > 2 else ""
    return [(fit(f"{show.glyph(run.status)}{word}", width, mark=_mark()), show.tone(run.status))]


def _title(run: Run, moment: Moment, width: int) -> list[Part]:
    label = show.label(run)
    if not label:
        return [(fit(show.title(run), width, mark=_mark()), "plain")]
    title = crop(show.title(run), width - len(label) - 1, _mark())
    return [(f"{title} ", "plain"), (fit(label, width - cells(title) - 1), "dim")]


def _project(run: Run, moment: Moment, width: int) -> list[Part]:
    return [(fit(clean(run.spec.project, 200), width, mark=_mark()), "dim")]


def _progress(run: Run, moment: Moment, width: int) -> list[Part]:
    figure = show.figure(run)
    text = f"{'' if figure is None else f'{figure}%':>4}"
    room = width - 5
    if run.status not in lifecycle.ACTIVE:
        over = run.status in lifecycle.FINISHED
        return [(fit(text if over else "", width, right=True), "dim")]
    if room < 4:
        return [(fit(text if text.strip() else _mark(), width, right=True), "live")]
    before, full, after = show.bar_parts(figure, room, beat=moment.beat)
    tone = show.tone(run.status)
    return [(before, "dim"), (full, tone), (after, "dim"), (f" {text}", "dim")]


def _activity(run: Run, moment: Moment, width: int) -> list[Part]:
    text = clean(activity(run, moment.now, moment.position), 300)
    return [(fit(text, width, mark=_mark()), "dim")]


def _elapsed(run: Run, moment: Moment, width: int) -> list[Part]:
    text = "" if run.started_at is None else clock(elapsed_s(run, moment.now))
    live = run.status in lifecycle.ACTIVE
    return [(fit(text, width, right=True), "plain" if live else "dim")]


def _tokens(run: Run, moment: Moment, width: int) -> list[Part]:
    spent = run.usage.input + run.usage.output
    return [(fit(show.tokens(spent) if spent else "", width, right=True), "dim")]


def _changes(run: Run, moment: Moment, width: int) -> list[Part]:
    text = show.changes(run.changes)
    if not text:
        return [(" " * width, "dim")]
    if len(text) > width:
        added, removed = run.changes.insertions, run.changes.deletions
        text = f"+{show.tokens(added)} {show.sign('−', '-')}{show.tokens(removed)}"
    added, _, removed = fit(text, width, right=True, mark=_mark()).rpartition(" ")
    return [(added, "good"), (f" {removed}", "bad")]


def _age(run: Run, moment: Moment, width: int) -> list[Part]:
    return [(fit(show.age(moment.now - run.created_at), width, right=True), "dim")]


def _attempt(run: Run, moment: Moment, width: int) -> list[Part]:
    text = f"#{run.attempt}" if run.attempt > 1 else ""
    return [(fit(text, width, right=True), "warn")]


def _mark() -> str:
    return show.sign("…", "~")


COLUMNS: dict[str, Column] = {
    column.name: column
    for column in (
        Column("status", 1, 13, 9, _status),
        Column("title", 16, 24, 10, _title, stretch=3),
        Column("project", 8, 14, 2, _project),
        Column("progress", 4, 14, 7, _progress),
        Column("activity", 14, 20, 3, _activity, stretch=4),
        Column("elapsed", 7, 7, 8, _elapsed),
        Column("tokens", 6, 6, 1, _tokens),
        Column("changes", 9, 11, 5, _changes),
        Column("age", 3, 3, 4, _age),
        Column("attempt", 2, 3, 6, _attempt),
    )
}
"""Every column that `ui.columns` may name."""

GAP = 2


def lay_out(names: Iterable[str], width: int) -> list[tuple[Column, int]]:
    """Choose the columns that find room in `width` cells, in the order asked for, with widths."""
    chosen = [COLUMNS[name] for name in dict.fromkeys(names) if name in COLUMNS]
    if not any(column.stretch for column in chosen):
        chosen.append(COLUMNS["title"])
    while len(chosen) > 1 and _total([column.least for column in chosen]) > width:
        chosen.remove(min(chosen, key=lambda column: column.leaves))
    widths = [column.least for column in chosen]
    # What matters most is the first to get its best width, all or nothing: half a word is none.
    for index in sorted(range(len(chosen)), key=lambda index: -chosen[index].leaves):
        more = chosen[index].best - widths[index]
        if _total(widths) + more <= width:
            widths[index] += more
    _stretch(chosen, widths, width - _total(widths))
    return list(zip(chosen, widths, strict=True))


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _stretch(chosen: Sequence[Column], widths: list[int], spare: int) -> None:
    shares = sum(column.stretch for column in chosen)
    left = spare
    for index, column in enumerate(chosen):
        share = spare * column.stretch // shares
        widths[index] += share
        left -= share
    first = next(index for index, column in enumerate(chosen) if column.stretch)
    widths[first] += left
