"""Runs removed with all rows of theirs. Their ids stay, so that nothing brings them back.

Other processes learn of it from the table of these ids: each has a number, which only grows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from engine.domain.errors import user_error
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run
from engine.store import codec, comment_drafts, outbox, search, usage_ledger
from engine.store.presence import NEWEST_FORGOTTEN

_NOTE_NEWEST = f"""INSERT OR REPLACE INTO settings
    SELECT '{NEWEST_FORGOTTEN}', max(run) FROM forgotten_runs"""
_ENDED = ",".join(f"'{status.value}'" for status in sorted(FINISHED))
_ROWS = (
    "DELETE FROM events WHERE run = ?",
    "DELETE FROM attempts WHERE run = ?",
    "DELETE FROM runs WHERE key = ?",
)

Check = Callable[[Sequence[Run], Sequence[Run]], None]
"""Raises `UserError` if runs may not be forgotten; the second argument are those not ended."""


def forget(db: sqlite3.Connection, ids: Sequence[str], at: float, check: Check) -> None:
    """Remove all rows of these runs, in the present transaction; raises what `check` raises."""
    found = _runs(db, f"id IN ({','.join('?' * len(ids))})", ids)
    for missing in set(ids) - {run.id for _, run in found}:
        raise user_error("RUN_NOT_FOUND", f"There is no run {missing}.")
    going = [run for _, run in found]
    check(going, [run for _, run in _runs(db, f"status NOT IN ({_ENDED})")])
    for key, run in found:
        search.forget(db, "run = ?", (key,))
        search.forget_prompt(db, key)
        for statement in _ROWS:
            db.execute(statement, (key,))
        db.execute("DELETE FROM pattern_runs WHERE run = ?", (run.id,))
        comment_drafts.forget(db, run.id)
        outbox.withdraw(db, run.id)
        insert = "INSERT INTO forgotten_runs (run, at) VALUES (?, ?)"
        usage_ledger.forget(db, run.id, db.execute(insert, (run.id, at)).lastrowid or 0)
    db.execute(_NOTE_NEWEST)
    search.step_back(db)
    for batch in {run.spec.batch for run in going if run.spec.batch}:
        db.execute(
            "DELETE FROM batches WHERE id = ?1 AND NOT EXISTS"
            " (SELECT 1 FROM runs WHERE batch = ?1)",
            (batch,),
        )


def settle(runs: Sequence[str], put_back: Callable[[str], None], db: sqlite3.Connection) -> None:
    """Call `put_back` for those of the runs that are here, in the present transaction."""
    for run in runs:
        if db.execute("SELECT 1 FROM runs WHERE id = ?", (run,)).fetchone():
            put_back(run)


def _runs(db: sqlite3.Connection, where: str, values: Sequence[str] = ()) -> list[tuple[int, Run]]:
    rows = db.execute(f"SELECT key, id, spec, state FROM runs WHERE {where}", values)
    return [(key, codec.run_from(spec, state, run_id)) for key, run_id, spec, state in rows]
