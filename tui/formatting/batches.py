"""Formatting of batches: progress in one line, and the results of their runs, the best first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from engine.domain.batch import Batch, BatchSummary
from engine.domain.budget import amount_words
from engine.domain.cost import RunCost, estimate_text, no_cost
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run, Status
from engine.domain.ranking import RankedTask, is_candidate
from tui.formatting.money import cost_cell
from tui.formatting.numbers import bar_parts, changed, lasted, length, tokens
from tui.formatting.runs import decision, glyph, tone, word
from tui.formatting.symbols import sign
from tui.terminal.cells import clean, crop, fit

Part = tuple[str, str]
BAR = 24
COLUMNS = {"": 4, "run": 10, "status": 11, "changes": 12, "files": 5, "tokens": 7, "took": 7}
COST, COST_CELLS = "cost", 8
"""The column that is added where the price of any model is known."""
TITLE = 24
"""Cells that a title needs at least: where there are fewer, columns are left out."""
LEFT_OUT = (COST, "files", "took", "run", "tokens")
"""Columns that are left out where there is no room, in this order."""


def counted(so_far: BatchSummary) -> list[Part]:
    """Write how many runs have which status, the good ones first."""
    known: list[Status] = [Status.SUCCEEDED, *Status, *(so_far.counts or {})]
    order = dict.fromkeys(known)
    return [
        (f"{so_far.of(status)} {word(status)}", tone(status))
        for status in order
        if so_far.of(status)
    ]


def figures(swarm: Batch, so_far: BatchSummary) -> list[Part]:
    """Write pass rate, tokens, budget, estimated cost and the time that is left."""
    parts: list[Part] = []
    if so_far.pass_rate is not None:
        rate = so_far.pass_rate
        look = "good" if rate == 1 else "bad" if rate < 0.5 else "warn"
        parts.append((f"{rate:.0%} passed", look))
    used = f"{tokens(so_far.tokens)} tokens" if so_far.tokens else ""
    budget, is_over = swarm.budget, False
    if budget and budget.is_tokens:
        used = f"{tokens(so_far.tokens)} of {tokens(int(budget.amount))} tokens"
        is_over = so_far.tokens > budget.amount
    if used:
        parts.append((used, "bad" if is_over else "dim"))
    if cost := estimate_text(so_far.cost):
        parts.append((cost, "dim"))
    if budget and not budget.is_tokens:
        parts.append((f"budget {amount_words(budget.amount, budget.unit)}", "dim"))
    if so_far.finished_at is not None and so_far.started_at is not None:
        parts.append((length(so_far.finished_at - so_far.started_at), "dim"))
    elif so_far.left_s is not None:
        parts.append((f"about {length(so_far.left_s)} left", "dim"))
    return parts


def joined(parts: Iterable[Part]) -> list[Part]:
    """Put dots between parts."""
    found: list[Part] = []
    for part in parts:
        found += [(" · ", "dim"), part] if found else [part]
    return found


def progress(so_far: BatchSummary, width: int = BAR) -> list[Part]:
    """Write how far a batch is: bar and counts."""
    before, full, after = bar_parts(so_far.percent, width)
    good = so_far.live == 0 and so_far.pass_rate == 1
    bar = [(before, "dim"), (full, "good" if good else "live"), (after, "dim")]
    percent = (f" {so_far.percent:>3}%  ", "plain")
    return [*bar, percent, *joined(counted(so_far))]


def standing(swarm: Batch, so_far: BatchSummary, width: int = BAR) -> list[Part]:
    """Write where a batch stands: bar, counts, figures."""
    told = [(" · ", "dim"), *joined(figures(swarm, so_far))]
    return [*progress(so_far, width), *(told if len(told) > 1 else [])]


def heading(swarm: Batch, so_far: BatchSummary) -> list[Part]:
    """Write what a batch is."""
    template = f"template {swarm.template}" if swarm.template else ""
    runs = f"{so_far.runs} run{'' if so_far.runs == 1 else 's'}"
    said = " · ".join(clean(text, 200) for text in (template, swarm.made_of, runs) if text)
    return [(swarm.id, "plain"), (f"  {said}", "dim")]


def columns(width: int, *, has_cost: bool = False) -> list[tuple[str, int]]:
    """Return the columns that have room beside the title, each with its width."""
    every = COLUMNS | ({COST: COST_CELLS} if has_cost else {})
    out = 0
    while True:
        found = [(name, cells) for name, cells in every.items() if name not in LEFT_OUT[:out]]
        if out == len(LEFT_OUT) or sum(cells + 2 for _, cells in found) + TITLE <= width:
            return found
        out += 1


def heads(found: Sequence[RankedTask], width: int, cost: RunCost) -> str:
    """Write the names of the columns of `ranked`."""
    shown = columns(width, has_cost=_has_cost(found, cost))
    return "".join(fit(name, cells + 2) for name, cells in shown) + "title"


def _has_cost(found: Sequence[RankedTask], cost: RunCost) -> bool:
    return any(cost(run) is not None for task in found for run in task.runs)


def row(
    run: Run,
    place: int,
    now: float,
    shown: Sequence[tuple[str, int]],
    cost_usd: float | None,
    *,
    won: bool,
    ranked: bool,
) -> list[Part]:
    """Write the outcome of a run of a batch in these columns."""
    used = run.usage.input + run.usage.output
    texts = {
        "": (f"{sign('★', '*') if won else ' '}{place if ranked else '':>2}", "good"),
        "run": (run.id, "plain"),
        "status": (f"{glyph(run.status)} {word(run.status)}", tone(run.status)),
        "changes": (changed(run) or "-", "plain"),
        "files": ("-" if run.has_unknown_changes else str(run.changes.files or "-"), "plain"),
        "tokens": (tokens(used) if used else "-", "dim"),
        "took": (lasted(run, now), "dim"),
        COST: (cost_cell(cost_usd), "dim"),
    }
    parts = [(fit(texts[name][0], cells + 2), texts[name][1]) for name, cells in shown]
    why = f"  {run.error.code}" if run.error else ""
    made = decision(run)
    decided = [(f"{made[0]}  ", made[1])] if made else []
    return [*parts, *decided, (clean(run.spec.title, 200), "plain"), (why, "bad")]


def given(task: RankedTask) -> str:
    """Return the parameters of a task's runs as text."""
    said = ", ".join(f"{name}={clean(value, 60)}" for name, value in task.given.items())
    return crop(said, 120) or "the same task"


def ranked(
    found: Sequence[RankedTask], now: float, width: int, cost: RunCost = no_cost
) -> Iterator[tuple[list[Part], Run | None]]:
    """Write all runs, the best of each task first, under what they were given; with each its run.

    Where no task has several runs, there is nothing to rank.
    """
    several = any(len(task.runs) > 1 for task in found)
    shown = columns(width, has_cost=_has_cost(found, cost))
    for task in found:
        if several and len(found) > 1:
            yield [(given(task), "live")], None
        for place, run in enumerate(task.runs, start=1):
            won = several and run is task.winner
            is_ranked = several and run.status in FINISHED and (won or is_candidate(run))
            yield row(run, place, now, shown, cost(run), won=won, ranked=is_ranked), run
