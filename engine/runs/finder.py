"""Runs found by the names that a user types."""

from __future__ import annotations

from collections.abc import Iterable

from engine.domain import nearest
from engine.domain.errors import UserError, user_error
from engine.domain.model import Run
from engine.domain.run_names import shortest_ends
from engine.domain.text import one_line, printable_name
from engine.store.reading import StoreReader

LAST = "@last"
AMBIGUOUS_SHOWN, NEAREST_RUNS = 5, 200
TITLE_CHARS, NAME_CHARS = 30, 100


async def find_run(store: StoreReader, name: str) -> Run:
    """Return the run that `name` means: an id, its unique beginning or end, or `@last`.

    A beginning counts before an end. Raises `UserError` RUN_NOT_FOUND or RUN_AMBIGUOUS.
    """
    if name == LAST:
        return await _last(store)
    is_id = name.isascii() and name.isalnum()
    ids = await _candidates(store, name) if is_id else []
    if not ids:
        raise await _not_found(store, name)
    runs = await store.runs(ids=ids[:AMBIGUOUS_SHOWN])
    if len(ids) > 1:
        listed = ", ".join(f"{run.id} ({one_line(run.spec.title, TITLE_CHARS)})" for run in runs)
        more = " and more" if len(ids) > AMBIGUOUS_SHOWN else ""
        raise user_error("RUN_AMBIGUOUS", f"`{name[:NAME_CHARS]}` could mean {listed}{more}.")
    return runs[0]


async def find_shortest_ends(store: StoreReader, runs: Iterable[str]) -> dict[str, str]:
    """Return for the id of each of these runs the shortest end that names it."""
    return shortest_ends(runs, await store.ids())


async def _last(store: StoreReader) -> Run:
    runs = await store.runs(limit=1)
    if not runs:
        raise user_error(
            "RUN_NOT_FOUND", "There are no runs yet.", "Start one with `swarm-tui run PROMPT`."
        )
    return runs[0]


async def _candidates(store: StoreReader, name: str) -> list[str]:
    """Return the ids that a name could mean; one where it is clear, at most one too many."""
    most = AMBIGUOUS_SHOWN + 1
    begun = await store.ids_like(name, most)
    if len(begun) == 1 or name in begun:
        return [name] if name in begun else begun
    return list(dict.fromkeys([*await store.ids_ending(name, most), *begun]))[:most]


async def _not_found(store: StoreReader, name: str) -> UserError:
    shown = printable_name(name[:NAME_CHARS])
    if name in (await store.forgotten()).runs:
        return user_error("RUN_NOT_FOUND", f"The run {shown} was forgotten.")
    known = [LAST] if name.startswith("@") else (await store.ids())[-NEAREST_RUNS:]
    meant = nearest.hint(name, known, nearest.ALMOST)
    return user_error("RUN_NOT_FOUND", f"There is no run `{shown}`.{meant}")
