"""The runs of which something may be left on the disk: after a year, few of all."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run
from engine.store.reading import StoreReader, decoded, rested

_ENDED = ", ".join(f"'{status.value}'" for status in sorted(FINISHED))
# A damaged record is read all the same: its workspace is looked for on the disk.
CANDIDATES = """WHERE id IN (SELECT value FROM json_each(?)) OR CASE WHEN json_valid(state)
    THEN json_type(state, '$.workspace') = 'object'
        AND coalesce(json_extract(state, '$.in_trash'), 0) = 0 ELSE 1 END ORDER BY id DESC"""
BASES_UNUSED = f"""WHERE status IN ({_ENDED}) AND CASE WHEN json_valid(spec) AND json_valid(state)
    THEN json_type(spec, '$.workspace.base_commit') = 'text'
        AND coalesce(json_type(state, '$.workspace'), 'null') = 'null' ELSE 0 END
    ORDER BY id DESC"""


async def standing_candidates(store: StoreReader, ids: Iterable[str]) -> list[Run]:
    """Return the runs with a workspace that was not deleted, and those of `ids`, newest first.

    Runs of which nothing is left are not decoded: after a year, those are nearly all.
    """
    return await decoded(await _rows(store, CANDIDATES, json.dumps(list(ids))))


async def candidates_at_rest(store: StoreReader, ids: Iterable[str]) -> list[Run]:
    """Return the same runs, those that ended at rest, for those who look at all of them at once.

    All of them whole would take 8 to 25 kB each, and the process would keep most of that.
    """
    return await rested(await _rows(store, CANDIDATES, json.dumps(list(ids))))


async def bases_unused(store: StoreReader) -> list[Run]:
    """Return the ended runs that have a commit to start from, and never got a workspace."""
    return await decoded(await _rows(store, BASES_UNUSED))


async def projects(store: StoreReader) -> dict[str, str]:
    """Return the project of each run, by its id."""
    return dict(await store._read("SELECT id, project FROM runs"))  # pyright: ignore[reportPrivateUsage]  a part of the store


async def _rows(store: StoreReader, which: str, *values: str) -> list[Any]:
    query = f"SELECT spec, state, id FROM runs {which}"
    return await store._read(query, values)  # pyright: ignore[reportPrivateUsage]  a part of the store
