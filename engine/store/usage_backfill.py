"""SQL that fills the ledger of usage from the runs and events of earlier versions, once.

Runs differ in what is left of them. Their events have the times at which tokens were used; the rest
counts at the last event of the run. Damaged rows are left out: no migration fails for them.
"""

from __future__ import annotations

from engine.domain.lifecycle import FINISHED
from engine.domain.model import Agent, Status
from engine.domain.numeric import MAX_COUNT
from engine.domain.usage import DEFAULT_ACCOUNT, SIMULATED, SLOT_S

_NAMES = {
    "input": "input_tokens",
    "cached": "cached_input_tokens",
    "output": "output_tokens",
    "reasoning": "reasoning_output_tokens",
    "requests": "requests",
}
_ENDED = ", ".join(f"'{status.value}'" for status in sorted(FINISHED))
_SIMULATED = f"json_extract(r.spec, '$.agent') = '{Agent.SIMULATED.value}'"
_STATE = "CASE WHEN json_valid(r.state) THEN r.state ELSE '{}' END"
_MODEL = f"""CASE WHEN {_SIMULATED} THEN '{SIMULATED}' ELSE CAST(coalesce(
    nullif(json_extract({_STATE}, '$.model'), ''), json_extract(r.spec, '$.model'), '')
    AS TEXT) END"""
_ACCOUNT = f"""CAST(coalesce(nullif(json_extract({_STATE}, '$.account'), ''),
    json_extract(r.spec, '$.account'),
    CASE WHEN {_SIMULATED} THEN '{SIMULATED}' ELSE '{DEFAULT_ACCOUNT}' END) AS TEXT)"""
_ADD = f"""INSERT INTO usage_slots
    (run, slot, model, account, project, {", ".join(_NAMES)}, seconds)"""
_SUM_UP = f"""ON CONFLICT (run, slot, model, account) DO UPDATE SET
    {", ".join(f"{name} = {name} + excluded.{name}" for name in (*_NAMES, "seconds"))}"""


def _count(column: str, path: str) -> str:
    """Return the SQL of a count in JSON: 0 for what is not one."""
    bounded = f"min(max(json_extract({column}, '{path}'), 0), {MAX_COUNT})"
    return f"""CASE json_type({column}, '{path}')
        WHEN 'integer' THEN CAST({bounded} AS INTEGER) ELSE 0 END"""


def _place(at: str) -> str:
    """Return the SQL of the columns of a run's row at a time that are not summed up."""
    return f"CAST(max({at}, 0) / {SLOT_S} AS INTEGER), {_MODEL}, {_ACCOUNT}, r.project"


def _real(column: str, path: str) -> str:
    """Return the SQL of a number in JSON: NULL for what is not one."""
    return f"""CASE WHEN json_type({column}, '{path}') IN ('integer', 'real')
        THEN json_extract({column}, '{path}') END"""


_LAST_EVENT = f"coalesce({_real(_STATE, '$.last_event_at')}, 0)"
_MISSING = {name: f"{_count(_STATE, f'$.usage.{name}')} - coalesce(k.{name}, 0)" for name in _NAMES}
SETTLE = f"""{_ADD} SELECT r.id, {_place(_LAST_EVENT)},
    {", ".join(_MISSING.values())}, 0
    FROM runs r LEFT JOIN (SELECT run,
        {", ".join(f"CAST(total({name}) AS INTEGER) AS {name}" for name in _NAMES)}
        FROM usage_slots GROUP BY run) k ON k.run = r.id
    WHERE json_valid(r.spec) AND json_valid(r.state)
        AND ({" OR ".join(f"{missing} <> 0" for missing in _MISSING.values())}) {_SUM_UP}"""
"""Adds what the ledger lacks of the usage of runs; nothing where it has all.

An engine of an earlier version may still be supervising: it writes no ledger.
"""

BACKFILL = (
    # One scan of all events: what most of them hold is not read.
    """CREATE TEMP TABLE reported AS SELECT run, seq, at, attempt, type, data FROM events
        WHERE (type IN ('usage', 'limits', 'status')
            OR (type = 'notice' AND instr(data, '"skipped_s":'))) AND json_valid(data)""",
    # Tokens: the difference between one event and the next.
    f"""CREATE TEMP TABLE used AS SELECT run, seq, at,
        {", ".join(f"{_count('data', f'$.{key}')} AS {name}" for name, key in _NAMES.items())}
        FROM reported WHERE type = 'usage'""",
    f"""{_ADD} SELECT r.id, {_place("u.at")},
        {", ".join(f"sum(u.{name})" for name in _NAMES)}, 0
        FROM (SELECT run, at,
            {", ".join(f"{name} - lag({name}, 1, 0) OVER one AS {name}" for name in _NAMES)}
            FROM used WINDOW one AS (PARTITION BY run ORDER BY seq)) u
        JOIN runs r ON r.key = u.run
        WHERE json_valid(r.spec) AND NOT EXISTS (SELECT 1 FROM usage_slots k WHERE k.run = r.id)
        GROUP BY 1, 2""",
    SETTLE,
    # Time: an attempt ends by its last status, or when the next one is queued.
    f"""CREATE TEMP TABLE tried AS SELECT run, attempt,
        min(CASE WHEN status = '{Status.PREPARING.value}' THEN at END) AS began,
        coalesce(max(CASE WHEN status IN ({_ENDED}) THEN at END),
            lead(min(at)) OVER (PARTITION BY run ORDER BY attempt)) AS ended,
        coalesce(sum(skipped), 0) AS skipped
        FROM (SELECT run, attempt, at, json_extract(data, '$.status') AS status,
            {_real("data", "$.skipped_s")} AS skipped
            FROM reported WHERE type IN ('status', 'notice'))
        GROUP BY run, attempt""",
    f"""{_ADD} SELECT r.id, {_place("t.ended")}, 0, 0, 0, 0, 0,
        sum(max(t.ended - t.began - t.skipped, 0))
        FROM tried t JOIN runs r ON r.key = t.run
        WHERE t.began IS NOT NULL AND t.ended IS NOT NULL AND json_valid(r.spec)
        GROUP BY 1, 2 {_SUM_UP}""",
    # Limits: the last sample of each minute.
    f"""INSERT OR IGNORE INTO limit_samples
        (account, name, at, used_percent, window_minutes, resets_at)
        SELECT {_ACCOUNT}, json_extract(w.value, '$.name'), max(t.at),
            {_real("w.value", "$.used_percent")},
            CASE json_type(w.value, '$.window_minutes') WHEN 'integer'
                THEN json_extract(w.value, '$.window_minutes') END,
            {_real("w.value", "$.resets_at")}
        FROM reported t JOIN runs r ON r.key = t.run, json_each(t.data, '$.windows') w
        WHERE t.type = 'limits' AND json_valid(r.spec) AND w.type = 'object'
            AND json_type(w.value, '$.name') = 'text'
            AND {_real("w.value", "$.used_percent")} IS NOT NULL
        GROUP BY 1, 2, CAST(t.at / 60 AS INTEGER)""",
    "DROP TABLE reported",
    "DROP TABLE used",
    "DROP TABLE tried",
)
