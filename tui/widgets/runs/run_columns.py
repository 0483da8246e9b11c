"""The columns of the run list: what each says of a run, and which find room."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Sequence

from engine.config.settings import UiSettings
from engine.domain import lifecycle
from engine.domain.activity import activity, clock, elapsed_s, ordinal
from engine.domain.lifecycle import is_stalled
from engine.domain.model import Pause, Run, Status, Usage
from engine.domain.record import record
from tui import formatting
from tui.terminal.cells import clean, fit


@record
class QueuePosition:
    """What a queued run waits for: its place, from 1, other runs, a pause of the queue."""

    position: int | None = None
    after: tuple[str, ...] = ()
    pause: Pause | None = None


@record
class RowContext:
    """What a row depends on besides its run: the time, and what it waits for."""

    now: float
    wait: QueuePosition = QueuePosition()

    @property
    def beat(self) -> int:
        """A count of seconds, for what moves."""
        return int(self.now)


WORDY = 28
"""Cells from which a title leaves room for the word of its flag."""

Part = tuple[str, str]
"""A text and its tone."""


@record
class Column:
    """A column: its least and best width, how early it goes when there is no room, its cells.

    With `good` cells it says most of what there is to say: it gets them before others their best.
    `stretch` columns share what is left over. A cell's parts together fill the width given. `has`
    says whether a run has anything to show there: a column that is empty for all is left out.
    `is_extra` ones are shown where nothing else is the narrower for it. `head` is its heading.
    """

    name: str
    least: int
    best: int
    leaves: int
    cell: Callable[[Run, RowContext, int], list[Part]]
    stretch: int = 0
    has: Callable[[Run], bool] | None = None
    head: str = ""
    is_number: bool = False
    is_extra: bool = False
    good: int = 0

    def heading(self, width: int, arrow: str = "") -> str:
        """Write the heading, `width` cells wide; the arrow stays whatever has room."""
        text = self.head or self.name
        room = width - len(arrow)
        short = text if len(text) <= room else text[:room] if room > 1 else ""
        return fit(f"{short}{arrow}", width, right=self.is_number)


def _status(run: Run, moment: RowContext, width: int) -> list[Part]:
    word = f" {formatting.word(run.status)}" if width > 2 else ""
    return [
        (
            fit(f"{formatting.glyph(run.status)}{word}", width, mark=_mark()),
            formatting.run_tone(run),
        )
    ]


def _title(run: Run, moment: RowContext, width: int) -> list[Part]:
    flag = formatting.flag(run)
    if flag is None:
        return [(fit(formatting.title(run), width, mark=_mark()), "plain")]
    glyph, word, tone = flag
    word = f" {word}" if width >= WORDY else ""
    title = fit(formatting.title(run), width - 2 - len(word), mark=_mark())
    return [(f"{glyph} ", tone), (title, "plain"), (word, tone)]


def _tag(run: Run, moment: RowContext, width: int) -> list[Part]:
    return [(fit(formatting.tag(run), width), "dim")]


def _project(run: Run, moment: RowContext, width: int) -> list[Part]:
    return [(fit(clean(run.spec.project, 200), width, mark=_mark()), "dim")]


def _progress(run: Run, moment: RowContext, width: int) -> list[Part]:
    figure = formatting.figure(run)
    text = f"{'' if figure is None else f'{figure}%':>4}"
    room = width - 5
    if run.status is Status.QUEUED and moment.wait.position:
        return [(fit(ordinal(moment.wait.position), width, right=True, mark=_mark()), "dim")]
    if run.status not in lifecycle.ACTIVE:
        over = run.status in lifecycle.FINISHED
        return [(fit(text if over else "", width, right=True), "dim")]
    if room < 4:
        return [(fit(text if text.strip() else _mark(), width, right=True), "live")]
    before, full, after = formatting.bar_parts(figure, room, beat=moment.beat)
    tone = formatting.run_tone(run)
    return [(before, "dim"), (full, tone), (after, "dim"), (f" {text}", "dim")]


def _activity(run: Run, moment: RowContext, width: int) -> list[Part]:
    text = clean(words(run, moment.now, moment.wait), 300)
    return [(fit(text, width, mark=_mark()), "dim")]


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


def words(run: Run, now: float, wait: QueuePosition) -> str:
    """Say what a run is doing, or what it waits for."""
    if is_stalled(run):
        return run.stalled
    return activity(run, now, wait.position, after=wait.after, pause=wait.pause)


def _mark() -> str:
    return formatting.sign("…", "~")


def _has_tokens(run: Run) -> bool:
    return run.usage != Usage()


def _is_changed(run: Run) -> bool:
    changed = run.changes
    return run.has_unknown_changes or bool(changed.files or changed.insertions or changed.deletions)


COLUMNS: dict[str, Column] = {
    column.name: column
    for column in (
        Column("status", 1, 13, 9, _status, good=11),
        Column("tag", 3, 3, 10, _tag, has=lambda run: bool(formatting.tag(run)), head=" "),
        Column("title", 18, 20, 11, _title, stretch=3),
        Column("project", 8, 14, 2, _project, is_extra=True),
        Column("progress", 4, 11, 8, _progress),
        Column("activity", 14, 24, 3, _activity, stretch=4, is_extra=True),
        Column("elapsed", 5, 5, 7, _elapsed, head="time", is_number=True),
        Column("tokens", 6, 6, 1, _tokens, has=_has_tokens, is_number=True, is_extra=True),
        Column("changes", 9, 11, 5, _changes, has=_is_changed, head="+/-", is_number=True),
        Column("age", 3, 4, 4, _age, is_number=True, is_extra=True),
        Column("attempt", 2, 3, 6, _attempt, has=lambda run: run.attempt > 1, head="try"),
    )
}
"""Every column that `ui.columns` may name."""

DEFAULT_COLUMNS = UiSettings().columns
GAP = 2


def columns_of(names: Iterable[str]) -> list[Column]:
    """Give the columns asked for, in that order, and those that are there whenever they are filled.

    A simulated run is labelled wherever it is shown, and that a run was retried is worth knowing.
    """
    chosen = [name for name in dict.fromkeys(names) if name in COLUMNS]
    if "title" not in chosen:
        chosen.insert(int(chosen[:1] == ["status"]), "title")
    for name, place in (("tag", int(chosen[0] == "status")), ("attempt", len(chosen) + 1)):
        if name not in chosen:
            chosen.insert(place, name)
    return [COLUMNS[name] for name in chosen]


def checked_columns(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Give the names in `ui.columns` that can be used, and what is wrong with the rest."""
    names = list(names)
    problems: list[str] = []
    for name in dict.fromkeys(names):
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, n=1, cutoff=0.4)
            known = f"Did you mean {near[0]}?" if near else f"There are {', '.join(COLUMNS)}."
            problems.append(f"ui.columns: there is no column {clean(name, 40)}. {known}")
    usable = [name for name in dict.fromkeys(names) if name in COLUMNS]
    return usable or list(DEFAULT_COLUMNS), problems


def lay_out(columns: Iterable[Column], width: int) -> list[tuple[Column, int]]:
    """Choose the columns that find room in `width` cells, in the order given, with widths."""
    columns = list(columns)
    kept = _with_words([column for column in columns if not column.is_extra], width)
    while len(kept) > 1 and _total([column.least for column in kept]) > width:
        kept.remove(min(kept, key=lambda column: column.leaves))
    widths = _widened(kept, width)
    if all(widths[column.name] == column.best for column in kept):
        for column in sorted(columns, key=lambda column: -column.leaves):
            more = widths | {column.name: column.best}
            if column.is_extra and _total(more.values()) <= width:
                widths = more
    chosen = [column for column in columns if column.name in widths]
    cells = [widths[column.name] for column in chosen]
    _stretch(chosen, cells, width - _total(cells))
    return list(zip(chosen, cells, strict=True))


def _widened(kept: Sequence[Column], width: int) -> dict[str, int]:
    """Give each its least width or more: what matters most is the first to get its best.

    All or nothing: half a word is none.
    """
    widths = {column.name: column.least for column in kept}
    wishes = [(column.name, max(column.least, column.good)) for column in kept]
    first = sorted(kept, key=lambda column: -column.leaves)
    for name, wish in (*wishes, *((column.name, column.best) for column in first)):
        better = widths | {name: wish}
        if _total(better.values()) <= width:
            widths = better
    return widths


def _with_words(columns: list[Column], width: int) -> list[Column]:
    """Leave out what matters less than the word of the status, where that makes room for it."""
    fewer = sorted(columns, key=lambda column: column.leaves)

    def least() -> int:
        return _total([max(one.least, one.good) for one in fewer])

    while fewer and fewer[0].leaves < COLUMNS["progress"].leaves and least() > width:
        fewer.pop(0)
    return [one for one in columns if one in fewer] if least() <= width else columns


def _total(widths: Collection[int]) -> int:
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
