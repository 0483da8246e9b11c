"""Results of the runs of each template, from the database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engine.domain.model import Status, TemplateStats
from engine.domain.numeric import MAX_COUNT

MOST_RUNS = 20_000
ACHIEVED = f"""SELECT json_extract(spec, '$.template') AS template, status,
    json_extract(state, '$.finished_at') - json_extract(state, '$.started_at')
        - coalesce(json_extract(state, '$.skipped_s'), 0),
    coalesce(json_extract(state, '$.usage.input') + json_extract(state, '$.usage.output'), 0)
    FROM runs WHERE template IS NOT NULL ORDER BY key DESC LIMIT {MOST_RUNS}"""


def achieved(rows: Iterable[tuple[Any, ...]]) -> dict[str, TemplateStats]:
    """Sum the rows of `ACHIEVED` up, by template."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for template, *rest in rows:
        found.setdefault(template, []).append(tuple(rest))
    return {template: _summed(runs) for template, runs in found.items()}


def _summed(runs: list[tuple[Any, ...]]) -> TemplateStats:
    from statistics import median

    good = [run for run in runs if run[0] == Status.SUCCEEDED]
    ended = len(good) + sum(run[0] == Status.FAILED for run in runs)
    seconds = [run[1] for run in good if run[1] is not None]
    tokens = [min(run[2], MAX_COUNT) for run in good if run[2] is not None]
    return TemplateStats(
        len(runs),
        ended,
        len(good),
        median(seconds) if seconds else None,
        median(tokens) if tokens else None,
    )
