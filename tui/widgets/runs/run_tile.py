"""One run as a tile of the fleet view: as much of it as its size allows."""

from __future__ import annotations

from collections.abc import Sequence

from engine.domain import lifecycle
from engine.domain.activity import clock, elapsed_s
from engine.domain.model import Run, Status
from tui import formatting
from tui.terminal.cells import clean, crop, fit
from tui.widgets.runs.run_activity import Part, RowContext, words

SIZES = ((5, 34), (4, 28), (2, 22), (1, 19))
"""The rows of a tile, and the cells it needs then; from three rows on the last one stays empty."""
WIDEST = 56
"""Cells a tile is at most meant to take."""


def best_grid(count: int, width: int, height: int) -> tuple[int, int]:
    """Return the columns and rows of the tiles: the largest with which all can be seen.

    Where none are small enough for that, the smallest.
    """
    for tall, least in SIZES:
        most = max(1, width // least)
        across = min(most, max(1, -(-width // WIDEST), -(-count * tall // max(1, height))))
        if -(-count // across) * tall <= height:
            return across, tall
    return max(1, width // SIZES[-1][1]), SIZES[-1][0]


def tile_row(
    run: Run, moment: RowContext, lately: Sequence[int], row: int, tall: int, width: int
) -> list[Part]:
    """Write one row of a tile, at most `width` cells."""
    if tall == 1:
        return _brief(run, width)
    rows = (_name, _progress, _activity, _figures)
    if row >= min(len(rows), tall - (tall > 2)):
        return []
    return _figures(run, moment, width, lately) if row == 3 else rows[row](run, moment, width)


def _mark() -> str:
    return formatting.sign("…", "~")


def _percent(run: Run) -> str:
    figure = formatting.figure(run)
    return f"{formatting.sign('···', '...') if figure is None else f'{figure}%':>4}"


def _brief(run: Run, width: int) -> list[Part]:
    said = f" {_percent(run)}" if run.status in lifecycle.ACTIVE else ""
    title = formatting.fit_title(formatting.title(run), width - 2 - len(said), _mark())
    tone = formatting.run_tone(run)
    return [(f"{formatting.run_glyph(run)} ", tone), (title, "plain"), (said, tone)]


def _name(run: Run, moment: RowContext, width: int) -> list[Part]:
    label = formatting.tag(run)
    room = width - 2 - (len(label) + 1 if label else 0)
    title = formatting.fit_title(formatting.title(run), room, _mark())
    parts = [(f"{formatting.run_glyph(run)} ", formatting.run_tone(run)), (title, "plain")]
    return [*parts, (f" {label}", "dim")] if label else parts


def _progress(run: Run, moment: RowContext, width: int) -> list[Part]:
    tone = formatting.run_tone(run)
    if run.status is Status.QUEUED or run.status in lifecycle.FINISHED:
        time = clock(elapsed_s(run, moment.now)) if run.started_at is not None else ""
        return [(fit(f"  {formatting.word(run.status)}", width - 6), tone), (f" {time:>5}", "dim")]
    before, full, after = formatting.bar_parts(formatting.figure(run), width - 7, beat=moment.beat)
    return [("  ", "dim"), (before, "dim"), (full, tone), (after, "dim"), (_percent(run), "dim")]


def _activity(run: Run, moment: RowContext, width: int) -> list[Part]:
    text = clean(words(run, moment.now, moment.wait), 300)
    tone = "bad" if run.status is Status.FAILED else "dim"
    return [("  ", "dim"), (crop(text, width - 2, _mark()), tone)]


def _figures(run: Run, moment: RowContext, width: int, lately: Sequence[int] = ()) -> list[Part]:
    spent = run.usage.input + run.usage.output
    figures = (
        clock(elapsed_s(run, moment.now)) if run.status in lifecycle.ACTIVE else "",
        formatting.tokens(spent) if spent else "",
        formatting.changed(run),
    )
    said = "  ".join(filter(None, figures))
    said = crop(said, max(0, width - 12), _mark())
    room = max(0, width - 4 - len(said))
    line = formatting.sparkline(lately[-room:]) if room else ""
    return [("  ", "dim"), (said, "dim"), ("  ", "dim"), (line, "live")]
