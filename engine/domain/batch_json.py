"""A batch as the JSON object of the public contract, and its results as they are exported."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, cast

from engine.domain.activity import elapsed_s
from engine.domain.batch import Batch, BatchSummary
from engine.domain.budget import budget_json
from engine.domain.cost import DIGITS, RunCost, cost_json, estimate_text
from engine.domain.csv_text import csv_text
from engine.domain.events import iso
from engine.domain.model import Run, Status
from engine.domain.ranking import RankedTask, tasks
from engine.domain.run_json import result_of, run_json
from engine.domain.text import one_line, printable_name

MOST_FIELDS = 50
"""Fields of results that become columns."""
FORMATS = ("md", "csv", "json")
COLUMNS = (
    "rank",
    "run",
    "title",
    "status",
    "error",
    "files",
    "insertions",
    "deletions",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "elapsed_s",
    "attempts",
)
# With the colon, the at sign and the dot: bare addresses become links where they are whole.
_MARKDOWN = re.compile(r"[\\|`\[\]!@]|:(?=//)|(?<=mailto):|(?<=xmpp):", re.IGNORECASE)
_WWW = re.compile(r"(?i)\b(www)\.")


def batch_json(swarm: Batch, so_far: BatchSummary) -> dict[str, Any]:
    """Return a batch as a JSON object."""
    counts = so_far.counts or {}
    return {
        "id": swarm.id,
        "name": swarm.name,
        "template": swarm.template,
        "made_of": swarm.made_of,
        "created_at": iso(swarm.created_at),
        "started_at": _iso(so_far.started_at),
        "finished_at": _iso(so_far.finished_at),
        "runs": so_far.runs,
        "live": so_far.live,
        "counts": {status.value: counts.get(status, 0) for status in Status},
        "progress": so_far.percent,
        "pass_rate": so_far.pass_rate and round(so_far.pass_rate, 4),
        "tokens": {
            "input": so_far.usage.input,
            "cached_input": so_far.usage.cached,
            "output": so_far.usage.output,
            "reasoning": so_far.usage.reasoning,
            "requests": so_far.usage.requests,
        },
        "cost_usd": cost_json(so_far.cost.usd),
        "unpriced_runs": so_far.cost.unpriced,
        "budget": int(swarm.budget.amount) if swarm.budget and swarm.budget.is_tokens else None,
        "budget_limit": budget_json(swarm.budget),
        "left_s": None if so_far.left_s is None else round(so_far.left_s, 1),
    }


def results_json(
    swarm: Batch, so_far: BatchSummary, runs: Sequence[Run], now: float, cost: RunCost
) -> dict[str, Any]:
    """Return a batch with its tasks, and their runs, the best first."""
    return {
        **batch_json(swarm, so_far),
        "tasks": [
            {
                "given": task.given,
                "winner": task.winner.id if task.winner else None,
                "runs": [run_json(run, now, cost=cost) for run in task.runs],
            }
            for task in tasks(runs)
        ],
    }


def export(
    kind: str,
    swarm: Batch,
    so_far: BatchSummary,
    runs: Sequence[Run],
    now: float,
    cost: RunCost,
) -> str:
    """Write a batch's results as `md`, `csv` or `json`."""
    if kind == "json":
        return json.dumps(results_json(swarm, so_far, runs, now, cost), indent=2) + "\n"
    found = tasks(runs)
    names = list(dict.fromkeys(name for task in found for name in task.given))
    results = {run.id: _fields(result_of(run)) for run in runs}
    fields = list(dict.fromkeys(name for each in results.values() for name in each))[:MOST_FIELDS]
    rows = [
        [
            *(task.given.get(name, "") for name in names),
            *_row(place, run, now, cost),
            *(results[run.id].get(name, "") for name in fields),
        ]
        for task in found
        for place, run in enumerate(task.runs, start=1)
    ]
    heads = [*names, *COLUMNS, *fields]
    return csv_text(heads, rows) if kind == "csv" else _markdown(swarm, so_far, found, heads, rows)


def _fields(result: object) -> dict[str, str]:
    """Return the columns of a run's result: one for each field, or one if it is not an object."""
    if result is None:
        return {}
    if not isinstance(result, dict):
        return {"result": json.dumps(result)}
    pairs = cast("dict[str, object]", result).items()
    return {
        f"result.{name}": value if isinstance(value, str) else json.dumps(value)
        for name, value in pairs
    }


def _row(place: int, run: Run, now: float, cost: RunCost) -> list[str]:
    values = (
        place,
        run.id,
        run.spec.title,
        run.status.value,
        run.error.code if run.error else "",
        *_changes(run),
        run.usage.input,
        run.usage.output,
        _money(cost(run)),
        round(elapsed_s(run, now), 1),
        run.attempt,
    )
    return [str(value) for value in values]


def _money(usd: float | None) -> str:
    """Write a cost without an exponent; nothing where it is unknown."""
    return "" if usd is None else f"{usd:.{DIGITS}f}"


def _changes(run: Run) -> tuple[int, int, int] | tuple[str, str, str]:
    if run.has_unknown_changes:
        return "unknown", "unknown", "unknown"
    return run.changes.files, run.changes.insertions, run.changes.deletions


def _markdown(
    swarm: Batch,
    so_far: BatchSummary,
    found: Sequence[RankedTask],
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
) -> str:
    ended = ", ".join(f"{n} {status}" for status, n in sorted((so_far.counts or {}).items()) if n)
    rate = "" if so_far.pass_rate is None else f", {so_far.pass_rate:.0%} passed"
    estimate = estimate_text(so_far.cost)
    cost = f", {estimate}" if estimate else ""
    winners = [(task.given, task.winner) for task in found if task.winner and len(task.runs) > 1]
    lines = [
        f"# {_cell(swarm.id)}",
        "",
        f"{so_far.runs} runs: {ended}{rate}; {so_far.tokens} tokens{cost}.",
        "",
    ]
    for given, best in winners:
        said = ", ".join(f"{name}={value}" for name, value in given.items())
        lines.append(f"- best{f' of {_cell(said)}' if said else ''}: {best.id if best else ''}")
    lines += [""] if winners else []
    lines.append(f"| {' | '.join(map(_cell, heads))} |")
    lines.append(f"|{'---|' * len(heads)}")
    lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Return one cell of a Markdown table: no image is loaded from it, nothing in it is a link."""
    safe = printable_name(one_line(text, 300)).replace("&", "&amp;").replace("<", "&lt;")
    safe = _MARKDOWN.sub(r"\\\g<0>", safe)
    return _WWW.sub(r"\1\\.", safe)


def _iso(at: float | None) -> str | None:
    return None if at is None else iso(at)
