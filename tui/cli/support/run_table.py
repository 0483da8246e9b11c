"""The table of runs that `swarm-tui ls` prints."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field
from typing import TYPE_CHECKING

from engine.domain.account import account_name
from engine.domain.activity import clock, ordinal
from engine.domain.causes import UNSUCCESSFUL, cause
from engine.domain.cost import RunCost, no_cost
from engine.domain.hosts import host_of
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run, Status
from engine.domain.record import record
from engine.domain.text import one_line
from tui import formatting
from tui.cli.support import output, waiting
from tui.cli.support.colours import BOLD, COLOURS
from tui.cli.support.listing import STANDS, time_of
from tui.cli.support.summaries import full_title
from tui.terminal.cells import cells, clean, crop, fit

if TYPE_CHECKING:
    from engine.engine import SupervisionState
    from tui.cli.support.waiting import QueueWait

ASKED = ("TOKENS", "COST", "MODEL", "ACCOUNT", "NODE", "TAGS")
"""Columns that are shown only where they are asked for."""
HEADINGS = (
    *("ID", "STATUS", "DONE", "ELAPSED", "CHANGES", "TOKENS", "COST", "PR", "AGE", "PROJECT"),
    *("MODEL", "ACCOUNT", "NODE", "TAGS", "TITLE", "NOTE"),
)
DROPPED = ("DONE", "PR", "PROJECT", "ELAPSED", "CHANGES")
"""Columns left out on a narrow terminal, the first one first."""
OPTIONAL = ("NOTE", "PR")
"""Columns left out where no run has anything to show there."""
TITLE_CELLS, NOTE_CELLS = 18, 20
"""Room for title and note below which another column is left out."""
GAP = 2

Piece = tuple[str, str | None]


@record
class TableContext:
    """The time and the state of the queue that a table shows, and the ends of ids that suffice."""

    now: float
    waits: Mapping[str, QueueWait]
    supervision: SupervisionState | None = None
    ends: Mapping[str, str] = field(default_factory=dict[str, str])
    columns: frozenset[str] = frozenset()
    """The columns that were asked for, in lower case."""
    cost: RunCost = no_cost
    depths: Mapping[str, int] = field(default_factory=dict[str, int])
    """Levels by which each run stands below a listed run."""

    def time_of(self, run: Run) -> float:
        """Return the time up to which a run is known."""
        return time_of(run, self.now, self.supervision)


def table(runs: Sequence[Run], context: TableContext) -> Iterable[Iterable[Piece]]:
    """Return the lines of the table, each made of pieces with their colours."""
    rows = [_cells(run, context) for run in runs]
    asked = {name.upper() for name in context.columns}
    left_out = {name for name in ASKED if name not in asked}
    shown = _columns(rows, _terminal_width(), left_out)
    widths = _widths(rows, shown)
    heading = {name: name for name in HEADINGS}
    yield [(_padded(heading, name, widths), "bright_black") for name in shown]
    for run, row in zip(runs, rows, strict=True):
        colour = COLOURS.get(formatting.tone(run.status))
        end = context.ends.get(run.id, "")
        yield [
            piece
            for name in shown
            for piece in _pieces(name, _padded(row, name, widths), colour, len(run.id), end)
        ]


def _cells(run: Run, context: TableContext) -> dict[str, str]:
    wait = context.waits.get(run.id)
    return {
        "ID": run.id,
        "STATUS": formatting.word(run.status),
        "DONE": ordinal(wait.position) if wait else f"{run.percent}%",
        "ELAPSED": _elapsed(run, context),
        "CHANGES": formatting.changed(run) or "-",
        "PR": formatting.request_cell(run)[0],
        "AGE": formatting.age(context.now - run.created_at),
        "PROJECT": crop(clean(run.spec.project), 24) or "-",
        "TITLE": formatting.branch(context.depths.get(run.id, 0)) + full_title(run),
        "NOTE": note(run, context.time_of(run), wait),
        **_asked_cells(run, context),
    }


def _asked_cells(run: Run, context: TableContext) -> dict[str, str]:
    """Return the cells of the columns that are not always shown."""
    used = run.usage.input + run.usage.output
    usd = context.cost(run) if "cost" in context.columns else None
    return {
        "TOKENS": formatting.tokens(used) if used else "-",
        "COST": "-" if usd is None else formatting.cost_cell(usd),
        "MODEL": crop(clean(run.model or run.spec.model or ""), 24) or "-",
        "ACCOUNT": crop(clean(account_name(run)), 24) or "-",
        "NODE": crop(clean(host_of(run)), 24),
        "TAGS": crop(clean(" ".join(run.tags)), 40) or "-",
    }


def note(run: Run, now: float, wait: QueueWait | None) -> str:
    """Return the user's decision and the outcome of a run, or else the user's note."""
    said = _outcome(run, now, wait)
    made = None if run.applied else formatting.decision(run)
    found = [part for part in (made[0] if made else "", said) if part]
    if not found and run.note:
        return f"{formatting.note_mark()} {clean(one_line(run.note))}"
    return " · ".join(found)


def _outcome(run: Run, now: float, wait: QueueWait | None) -> str:
    """Return the cause of a failure, what a run does or waits for, or what came of it."""
    if run.status in UNSUCCESSFUL:
        return clean(cause(run))
    if run.applied:
        return "applied" if run.is_applied else "applied, changed since"
    if run.pushed and run.status in FINISHED:
        return clean(f"pushed to {run.pushed.remote} {run.pushed.branch}")
    if run.status is Status.SUCCEEDED:
        return one_line(run.result or "")
    return clean(one_line(waiting.doing(run, now, wait)))


def _elapsed(run: Run, context: TableContext) -> str:
    """Return the time since the start, or down to it; marked where it stands still."""
    start = max(run.not_before or 0.0, run.spec.not_before or 0.0)
    if run.status is Status.QUEUED and start > context.now:
        return f"-{clock(start - context.now)}"
    state = context.supervision
    mark = STANDS if state and state.stands(run) else ""
    return formatting.lasted(run, context.time_of(run)) + mark


def _columns(
    rows: Sequence[Mapping[str, str]], width: int, left_out: AbstractSet[str]
) -> list[str]:
    """Return the columns to show: on a terminal, those for which there is room."""
    shown = [name for name in HEADINGS if name not in left_out]
    for name in OPTIONAL:
        if not any(row[name] for row in rows):
            shown.remove(name)
    for name in filter(shown.__contains__, DROPPED if width else ()):
        if width - sum(_natural(rows, shown).values()) >= _least(rows, shown):
            break
        shown.remove(name)
    return shown


def _natural(rows: Sequence[Mapping[str, str]], shown: Iterable[str]) -> dict[str, int]:
    """Return the width of each column but the title and the note, with the gap behind it."""
    return {
        name: max(map(cells, [name, *(row[name] for row in rows)])) + GAP
        for name in shown
        if name not in ("TITLE", "NOTE")
    }


def _least(rows: Sequence[Mapping[str, str]], shown: Sequence[str]) -> int:
    """Return the room that title and note need before another column may stay."""
    return sum(
        min(most, max((cells(row[name]) for row in rows), default=0)) + GAP
        for name, most in (("TITLE", TITLE_CELLS), ("NOTE", NOTE_CELLS))
        if name in shown
    )


def _widths(rows: Sequence[Mapping[str, str]], shown: Sequence[str]) -> dict[str, int]:
    """Return the width of each column; 0 for a last one that is not cut, in a pipe."""
    natural, width = _natural(rows, shown), _terminal_width()
    titles = max(map(cells, ["TITLE", *(row["TITLE"] for row in rows)])) + GAP
    if not width:
        return {**natural, "TITLE": titles if "NOTE" in shown else 0, "NOTE": 0}
    room = max(10, width - sum(natural.values()))
    if "NOTE" not in shown:
        return {**natural, "TITLE": room}
    notes = max(cells(row["NOTE"]) for row in rows)
    title = min(titles, max(room // 2, room - notes))
    return {**natural, "TITLE": title, "NOTE": max(1, room - title)}


def _padded(row: Mapping[str, str], name: str, widths: Mapping[str, int]) -> str:
    width = widths[name]
    if not width:
        return row[name]
    if name == "NOTE" or (name == "TITLE" and "NOTE" not in widths):
        return crop(row[name], width)
    return fit(row[name], width - GAP) + " " * GAP


def _pieces(name: str, text: str, colour: str | None, id_length: int, end: str) -> list[Piece]:
    """Return a cell with its colours: of an id, the end that suffices stands out."""
    if name == "STATUS":
        return [(text, colour)]
    if name != "ID" or not end:
        return [(text, None)]
    start = id_length - len(end)
    return [
        (text[:start], "bright_black"),
        (text[start:id_length], BOLD),
        (text[id_length:], None),
    ]


def _terminal_width() -> int:
    """Return the columns of the terminal; 0 in a pipe, where nothing is cut."""
    if not output.is_terminal(sys.stdout):
        return 0
    import shutil

    return shutil.get_terminal_size().columns
