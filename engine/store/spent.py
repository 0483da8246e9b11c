"""Tokens of the latest runs that ended, from the database: no run is decoded for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engine.domain.model import Status, Usage
from engine.domain.usage import SpentRun

MOST_RUNS = 5000
_OF_SPEC = ("agent", "template", "model")
_TOKENS = ("input", "cached", "output")
SPENT = f"""SELECT id, project, json_extract(state, '$.model'),
    {", ".join(f"json_extract(spec, '$.{name}')" for name in _OF_SPEC)},
    {", ".join(f"json_extract(state, '$.usage.{name}')" for name in _TOKENS)}
    FROM runs WHERE status IN ('{Status.SUCCEEDED}', '{Status.FAILED}')
    AND json_valid(spec) AND json_valid(state) ORDER BY key DESC LIMIT {MOST_RUNS}"""


def spent(rows: Iterable[tuple[Any, ...]]) -> list[SpentRun]:
    """Return the runs of the rows of `SPENT` that used tokens, the latest first."""
    found = (
        SpentRun(
            run,
            str(agent or ""),
            str(template or ""),
            str(model or ""),
            project,
            Usage(*map(_count, counts)),
            str(billed or model or ""),
        )
        for run, project, billed, agent, template, model, *counts in rows
    )
    return [one for one in found if one.tokens]


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0
