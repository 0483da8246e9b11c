"""How a batch looks: where it stands in a line, and what its runs have come to, the best first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from engine.domain.activity import elapsed_s
from engine.domain.batch import Standing, Swarm
from engine.domain.model import Run, Status
from engine.domain.ranking import Task
from tui.cells import clean, crop, fit
from tui.show.figures import bar_parts, changes, length, tokens
from tui.show.runs import glyph, tone, word
from tui.show.terminal import sign

Part = tuple[str, str]
BAR = 24
HEADS = ("", "run", "status", "changes", "files", "tokens", "took")
WIDTHS = (4, 10, 11, 12, 5, 7, 7)


def counted(so_far: Standing) -> list[Part]:
    """Write how many runs have which status, the good ones first."""
    order = (Status.SUCCEEDED, *(status for status in Status if status is not Status.SUCCEEDED))
    return [
        (f"{so_far.of(status)} {word(status)}", tone(status))
        for status in order
        if so_far.of(status)
    ]


def figures(swarm: Swarm, so_far: Standing) -> list[Part]:
    """Write pass rate, tokens, budget and the time that is left."""
    parts: list[Part] = []
    if so_far.pass_rate is not None:
        rate = so_far.pass_rate
        look = "good" if rate == 1 else "bad" if rate < 0.5 else "warn"
        parts.append((f"{rate:.0%} passed", look))
    used = f"{tokens(so_far.tokens)} tokens" if so_far.tokens else ""
    if swarm.budget_tokens is not None:
        used = f"{tokens(so_far.tokens)} of {tokens(swarm.budget_tokens)} tokens"
    is_over = swarm.budget_tokens is not None and so_far.tokens > swarm.budget_tokens
    if used:
        parts.append((used, "bad" if is_over else "dim"))
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


def standing(swarm: Swarm, so_far: Standing, width: int = BAR) -> list[Part]:
    """Write where a batch stands: bar, counts, figures."""
    before, full, after = bar_parts(so_far.percent, width)
    good = so_far.live == 0 and so_far.pass_rate == 1
    bar = [(before, "dim"), (full, "good" if good else "live"), (after, "dim")]
    percent = (f" {so_far.percent:>3}%  ", "plain")
    return [*bar, percent, *joined([*counted(so_far), *figures(swarm, so_far)])]


def heading(swarm: Swarm, so_far: Standing) -> list[Part]:
    """Write what a batch is."""
    template = f"template {swarm.template}" if swarm.template else ""
    runs = f"{so_far.runs} run{'' if so_far.runs == 1 else 's'}"
    said = " · ".join(clean(text, 200) for text in (template, swarm.made_of, runs) if text)
    return [(swarm.id, "strong"), (f"  {said}", "dim")]


def heads() -> str:
    """Write the names of the columns of `row`."""
    return (
        "  ".join(fit(text, width) for text, width in zip(HEADS, WIDTHS, strict=True)) + "  title"
    )


def row(run: Run, place: int, now: float, *, won: bool, ranked: bool) -> list[Part]:
    """Write how a run of a batch came off."""
    star = f"{sign('★', '*') if won else ' '}{place if ranked else '':>2}"
    used = run.usage.input + run.usage.output
    cells = (
        (star, "good" if won else "dim"),
        (run.id, "plain"),
        (f"{glyph(run.status)} {word(run.status)}", tone(run.status)),
        (changes(run.changes) or "-", "plain"),
        (str(run.changes.files or "-"), "plain"),
        (tokens(used) if used else "-", "dim"),
        (length(elapsed_s(run, now)), "dim"),
    )
    parts: list[Part] = []
    for (text, look), width in zip(cells, WIDTHS, strict=True):
        parts.append((fit(text, width) + "  ", look))
    why = f"  {run.error.code}" if run.error else ""
    return [*parts, (clean(run.spec.title, 200), "plain"), (why, "bad")]


def given(task: Task) -> str:
    """Say what the runs of a task were given."""
    said = ", ".join(f"{name}={clean(value, 60)}" for name, value in task.given.items())
    return crop(said, 120) or "the same task"


def ranked(found: Sequence[Task], now: float) -> Iterator[tuple[list[Part], Run | None]]:
    """Write all runs, the best of each task first, under what they were given; with each its run.

    Where no task has several runs, there is nothing to rank.
    """
    several = any(len(task.runs) > 1 for task in found)
    for task in found:
        if several and len(found) > 1:
            yield [(given(task), "live")], None
        for place, run in enumerate(task.runs, start=1):
            won = several and run is task.winner
            yield row(run, place, now, won=won, ranked=several), run
