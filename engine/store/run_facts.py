"""Facts about all runs that a query finds: after a year, to decode all of them takes a second."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from engine.domain.model import Run
from engine.store.reading import StoreReader, decoded

_FORK_THREADS = """SELECT value FROM runs, json_each(
        CASE WHEN json_valid(spec) THEN spec ELSE '{}' END, '$.fork.threads')
    WHERE runs.id > ? AND runs.id <= ?"""
_TAGS = """SELECT DISTINCT value FROM runs, json_each(
    CASE WHEN json_valid(state) THEN state ELSE '{}' END, '$.tags') WHERE type = 'text'"""
_WITH_PULL_REQUEST = """SELECT spec, state, id FROM runs WHERE CASE WHEN json_valid(state)
    THEN json_type(state, '$.pull_request') = 'object' OR json_type(state, '$.pushed') = 'object'
    ELSE 0 END ORDER BY id DESC"""


class ForkedThreads(NamedTuple):
    """Threads that forks are made of, and the newest run that was asked."""

    threads: frozenset[str] = frozenset()
    newest: str = ""


async def projects(store: StoreReader) -> list[str]:
    """Return the projects of all runs."""
    rows = await _read(store, "SELECT DISTINCT project FROM runs ORDER BY project")
    return list(_strings(row[0] for row in rows))


async def tags(store: StoreReader) -> list[str]:
    """Return the tags of all runs."""
    return sorted(_strings(row[0] for row in await _read(store, _TAGS)))


async def with_pull_requests(store: StoreReader) -> list[Run]:
    """Return the runs that were pushed or have a pull request, newest first."""
    return await decoded(await _read(store, _WITH_PULL_REQUEST))


async def forked_threads(store: StoreReader, known: ForkedThreads) -> ForkedThreads:
    """Add the threads of forks that were started since `known`: no run becomes a fork later."""
    newest = max([known.newest, *await store.ids_like("", 1)])
    rows = await _read(store, _FORK_THREADS, (known.newest, newest))
    return ForkedThreads(known.threads.union(_strings(row[0] for row in rows)), newest)


async def _read(store: StoreReader, query: str, values: Sequence[str] = ()) -> list[Any]:
    return await store._read(query, values)  # pyright: ignore[reportPrivateUsage]  a part of the store


def _strings(values: Iterable[object]) -> Iterable[str]:
    """Return the texts among values of rows, some of which may be damaged."""
    return (value for value in values if isinstance(value, str))
