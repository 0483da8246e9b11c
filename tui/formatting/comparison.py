"""Formatting of runs side by side: a row for each property, a column for each run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, zip_longest
from typing import TYPE_CHECKING

from engine.domain.cost import RunCost
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run, Status
from engine.domain.ranking import CheckOutcome, Merit, RankedTask, check_outcome, is_candidate
from engine.domain.text import printable_name
from tui.formatting.money import cost_cell
from tui.formatting.numbers import changed, lasted, tokens
from tui.formatting.runs import decision, glyph, title, tone, word
from tui.formatting.symbols import sign
from tui.terminal.cells import clean, wrap

if TYPE_CHECKING:
    from engine.engine import FileDelta

Part = tuple[str, str]
Row = tuple[str, list[Part]]
"""The name of a row, and its cell of each run."""
MESSAGE_LINES = 4
"""Lines of an agent's last message that are shown."""
MESSAGE_CHARACTERS = 2000

MERITS = {
    Merit.APPLIED: "applied",
    Merit.CHECK_PASSED: "check passed",
    Merit.ONLY_CANDIDATE: "only one that was not rejected",
    Merit.ONLY_SUCCESS: "only one that succeeded",
    Merit.ONLY_KNOWN: "only one with known changes",
    Merit.ONLY_CHANGE: "only one with changes",
    Merit.SMALLEST_CHANGE: "smallest change",
    Merit.FEWEST_FILES: "fewest files",
    Merit.FEWEST_TOKENS: "fewest tokens",
    Merit.SAME_AS_NEXT: "same as the next one",
}
CHECKS: dict[CheckOutcome | None, Part] = {
    None: ("-", "dim"),
    CheckOutcome.PASSED: ("passed", "good"),
    CheckOutcome.FAILED: ("failed", "bad"),
    CheckOutcome.NOT_RUN: ("not run", "dim"),
}


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """The changed files of a run, each with its number of lines, and its last message."""

    files: Mapping[str, str] = field(default_factory=dict[str, str])
    message: str = ""
    problem: str = ""
    """Reason why its files could not be read."""


Compared = Mapping[str, ComparedRun]
"""The known facts of each run, by its id."""


def lines_of(files: Iterable[FileDelta]) -> dict[str, str]:
    """Return the paths of changed files, each with its number of changed lines."""
    return {
        printable_name(file.path): "binary"
        if file.binary
        else f"+{file.insertions} {sign('−', '-')}{file.deletions}"
        for file in files
    }


def merit_words(task: RankedTask) -> str:
    """Return why the best run is the best, or why there is none yet."""
    if task.winner:
        return ", ".join(MERITS[merit] for merit in task.merits)
    live = sum(run.status not in FINISHED for run in task.runs)
    if live:
        return f"no best yet: {live} still at work"
    if not any(map(is_candidate, task.runs)):
        return "no best: all were rejected"
    return "no best: none has succeeded"


def fact_rows(
    task: RankedTask,
    runs: Sequence[Run],
    compared: Compared,
    now: float,
    width: int,
    cost: RunCost,
) -> list[Row]:
    """Write the properties of some runs of a task in cells of `width`, all but their files."""
    best = task.winner
    known = [compared.get(run.id, ComparedRun()) for run in runs]
    heads = [(f"{run.id} {sign('★', '*')}" if run is best else run.id, "plain") for run in runs]
    return [
        ("", heads),
        *_lines("best", [_why(task) if run is best else [] for run in runs], width, "good"),
        *_lines("title", [[clean(title(run), 200)] for run in runs], width, "dim"),
        ("status", [_status(run) for run in runs]),
        ("check", [CHECKS[check_outcome(run)] for run in runs]),
        ("changes", [(changed(run) or "-", "plain") for run in runs]),
        ("files", [(_files(run), "plain") for run in runs]),
        ("tokens", [(tokens(run.usage.input + run.usage.output), "dim") for run in runs]),
        *_costs(runs, cost),
        ("time", [(lasted(run, now), "dim") for run in runs]),
        *_lines("message", [one.message.splitlines() for one in known], width, "plain"),
        *_lines("", [[one.problem] if one.problem else [] for one in known], width, "bad"),
    ]


def _costs(runs: Sequence[Run], cost: RunCost) -> list[Row]:
    """Write the estimated costs of runs in a row; none where no price is known."""
    known = [cost(run) for run in runs]
    if all(usd is None for usd in known):
        return []
    return [("cost", [(cost_cell(usd), "dim") for usd in known])]


def file_row(path: str, runs: Sequence[Run], compared: Compared) -> Row:
    """Write how many lines of a file each run changed."""
    return clean(path), [_file_cell(path, run, compared) for run in runs]


def _file_cell(path: str, run: Run, compared: Compared) -> Part:
    known = compared.get(run.id, ComparedRun())
    if not known.problem:
        return known.files.get(path, ""), "good"
    return "in the trash" if run.in_trash else "unknown", "dim"


def paths_of(compared: Compared) -> list[str]:
    """Return the files that any of the runs changed."""
    return sorted({path for one in compared.values() for path in one.files})


def _why(task: RankedTask) -> list[str]:
    return [merit_words(task)] if task.merits else []


def _status(run: Run) -> Part:
    made = decision(run)
    decided = f" {made[0]}" if made else ""
    code = f" {run.error.code}" if run.error and run.status is not Status.SUCCEEDED else ""
    return f"{glyph(run.status)} {word(run.status)}{decided}{code}", tone(run.status)


def _files(run: Run) -> str:
    return "-" if run.has_unknown_changes else str(run.changes.files)


def _lines(name: str, texts: Sequence[Iterable[str]], width: int, look: str) -> list[Row]:
    """Write a text of each run in as many rows as the longest needs; none where all are empty."""
    wrapped = [list(islice(_wrapped(text, width), MESSAGE_LINES + 1)) for text in texts]
    cut = [
        lines if len(lines) <= MESSAGE_LINES else [*lines[: MESSAGE_LINES - 1], "…"]
        for lines in wrapped
    ]
    rows = zip_longest(*cut, fillvalue="")
    return [
        ("" if place else name, [(text, look) for text in row]) for place, row in enumerate(rows)
    ]


def _wrapped(text: Iterable[str], width: int) -> Iterable[str]:
    for line in text:
        if said := clean(line, MESSAGE_CHARACTERS).strip():
            yield from wrap(said, width)
