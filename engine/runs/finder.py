"""Runs found by the names that a user types."""

from __future__ import annotations

from engine.domain import nearest
from engine.domain.errors import user_error
from engine.domain.model import Run
from engine.domain.text import printable_name
from engine.store.reading import StoreReader

AMBIGUOUS_SHOWN, NEAREST_RUNS = 8, 200


async def find_run(store: StoreReader, name: str) -> Run:
    """Return the run that `name` means: a unique prefix of its id, or `@last`.

    Raises `UserError` RUN_NOT_FOUND or RUN_AMBIGUOUS.
    """
    shown = printable_name(name[:100])
    if name == "@last":
        runs = await store.runs(limit=1)
        if not runs:
            raise user_error(
                "RUN_NOT_FOUND",
                "There are no runs yet.",
                "Start one with `swarm-tui run PROMPT`.",
            )
        return runs[0]
    is_id = name.isascii() and name.isalnum()
    ids = await store.ids_like(name, AMBIGUOUS_SHOWN + 1) if is_id else []
    if not ids:
        known = [run.id for run in await store.runs(limit=NEAREST_RUNS)]
        known = ["@last"] if name.startswith("@") else known
        meant = nearest.hint(name, known, nearest.ALMOST)
        raise user_error("RUN_NOT_FOUND", f"There is no run `{shown}`.{meant}")
    if len(ids) > 1:
        listed = ", ".join(ids[:AMBIGUOUS_SHOWN])
        more = " and more" if len(ids) > AMBIGUOUS_SHOWN else ""
        raise user_error("RUN_AMBIGUOUS", f"`{shown}` could mean {listed}{more}.")
    return (await store.runs(ids=ids))[0]
