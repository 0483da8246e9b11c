"""Queries of the database, on a connection that never writes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import coroutine
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from engine import store as modules
from engine.domain.batch import Batch
from engine.domain.events import Event, Step
from engine.domain.kinds import USUAL, EventKind
from engine.domain.lifecycle import FINISHED
from engine.domain.model import AttemptRequest, Run, TemplateStats
from engine.domain.projection import WHOLE
from engine.store import batches, codec
from engine.store.database_errors import read_rows, translated
from engine.store.presence import DatabaseLocation

if TYPE_CHECKING:
    import sqlite3

    from engine.domain.pattern import StoredPattern, SuccessRate
    from engine.domain.search import SearchHit, SearchWord
    from engine.store.history import EventHistory
    from engine.store.patterns import PatternReader
    from engine.store.usage_reading import UsageReader

DECODED = 500
"""Runs that are decoded at a time: about 4 ms, in which no key is read."""
RESTED = 128
"""Runs that are put to rest at a time, which takes about as long."""
_EVENT = "e.id, r.id, e.seq, e.at, e.attempt, e.type, e.data"
# Its family is found by the index; which of these are below it stands in their specs.
_BELOW = """top = coalesce((SELECT top FROM runs WHERE id = ?), ?)
    AND EXISTS (SELECT 1 FROM json_each(spec, '$.ancestors') WHERE value = ?)"""
_LIKE = "(id >= ? AND id < ? OR substr(id, -?) = ?)"
_FORGOTTEN_SINCE = "SELECT key, run FROM forgotten_runs WHERE key > ? ORDER BY key"


T = TypeVar("T")


class ReadingConnection(Protocol):
    """A connection that does one piece of work after the other: on its thread, or on this one."""

    def do(self, work: Callable[[sqlite3.Connection], T], /) -> Awaitable[T]:
        """Do a piece of work with SQLite."""
        ...


class ForgottenSince(NamedTuple):
    """Runs that were forgotten since a number, and the number to ask with next."""

    runs: tuple[str, ...]
    last: int


def _usage(reader: StoreReader) -> UsageReader:
    return modules.usage_reading.UsageReader(reader._read)  # pyright: ignore[reportPrivateUsage]  a part of the class


def _patterns(reader: StoreReader) -> PatternReader:
    return modules.patterns.PatternReader(reader._read)  # pyright: ignore[reportPrivateUsage]  a part of the class


class StoreReader:
    """Reader of the database, without changes."""

    usage = cached_property(_usage)
    pattern_reader = cached_property(_patterns)

    def __init__(self, reader: ReadingConnection) -> None:
        self._reader = reader

    async def cursor(self, run: str, attempt: int) -> str | None:
        """Return the attempt's place in its spool file, as it was last stored."""
        query = "SELECT cursor FROM attempts JOIN runs ON key = run WHERE id = ? AND n = ?"
        rows = await self._read(query, (run, attempt))
        return rows[0][0] if rows else None

    async def cursors(self, run: str, before: int = 2**31) -> list[str]:
        """Return the cursors of the attempts before attempt `before`, the latest first."""
        query = (
            "SELECT cursor FROM attempts JOIN runs ON key = run"
            " WHERE id = ? AND n < ? AND cursor IS NOT NULL ORDER BY n DESC"
        )
        return [row[0] for row in await self._read(query, (run, before))]

    async def last_changes(self) -> dict[str, float | None]:
        """Return when each run changed last, in seconds since 1970; None for those not finished."""
        at = "CASE WHEN json_valid(state) THEN json_extract(state, '$.last_event_at') ELSE 0 END"
        finished = ", ".join(f"'{status}'" for status in FINISHED)
        query = f"SELECT id, CASE WHEN status IN ({finished}) THEN {at} END FROM runs"
        return dict(await self._read(query))

    async def achieved(self) -> dict[str, TemplateStats]:
        """Return the statistics of each template's runs."""
        return modules.achieved.achieved(await self._read(modules.achieved.ACHIEVED))

    async def ask(self, run: str, attempt: int) -> AttemptRequest | None:
        """Return the request of an attempt; None: the run's prompt, from its start."""
        query = "SELECT ask FROM attempts JOIN runs ON key = run WHERE id = ? AND n = ?"
        rows = await self._read(query, (run, attempt))
        return codec.ask_from(rows[0][0]) if rows and rows[0][0] else None

    async def runs(
        self,
        *,
        ids: Iterable[str] = (),
        statuses: Iterable[str] = (),
        project: str | None = None,
        batch: str | None = None,
        below: str | None = None,
        like: str = "",
        older_than: str | None = None,
        limit: int = -1,
    ) -> list[Run]:
        """Return the runs that match, newest first; nothing given matches all.

        `like` is the beginning or the end of their ids.
        """
        one_of = {"id": [*ids], "status": [*statuses]}
        one_of |= {"project": [project] if project else [], "batch": [batch] if batch else []}
        wanted: dict[str, Sequence[str | int]] = {
            f"{name} IN ({','.join('?' * len(found))})": found for name, found in one_of.items()
        }
        wanted[_BELOW] = [below] * 3 if below else []
        wanted[_LIKE] = [like, f"{like}~", len(like), like] if like else []
        wanted["id < ?"] = [older_than] if older_than else []
        clauses = [clause for clause, found in wanted.items() if found]
        where = f"WHERE {' AND '.join(clauses)}" if clauses else ""
        values = [value for found in wanted.values() for value in found]
        rows = await self._read(
            f"SELECT spec, state, id FROM runs {where} ORDER BY id DESC LIMIT ?", (*values, limit)
        )
        return await decoded(rows)

    async def batches(self, ids: Iterable[str] = ()) -> list[Batch]:
        """Return the batches named, or all, newest first."""
        return batches.read(await self._read(*batches.query(list(ids))))

    async def ids(self) -> list[str]:
        """Return the ids of all runs, the oldest first."""
        return [row[0] for row in await self._read("SELECT id FROM runs ORDER BY id", ())]

    async def ids_like(self, prefix: str, limit: int) -> list[str]:
        """Return the newest run ids that start with `prefix`."""
        query = "SELECT id FROM runs WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT ?"
        return [row[0] for row in await self._read(query, (prefix, prefix + "~", limit))]

    async def ids_ending(self, end: str, limit: int) -> list[str]:
        """Return the newest run ids that end with `end`."""
        query = "SELECT id FROM runs WHERE substr(id, -?) = ? ORDER BY id DESC LIMIT ?"
        return [row[0] for row in await self._read(query, (len(end), end, limit))]

    async def events(
        self,
        run: str,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int = -1,
        kinds: Sequence[str] = (),
    ) -> list[Event]:
        """Return a run's events in order: those after `after`, or the last ones before `before`.

        `kinds` are the types wanted; none named means all.
        """
        condition, value = ("seq > ?", after) if before is None else ("seq < ?", before)
        if kinds:
            condition += f" AND type IN ({','.join('?' * len(kinds))})"
        order = "ASC" if before is None else "DESC"
        rows = await self._read(
            "SELECT seq, at, attempt, type, data FROM events"
            f" WHERE run = (SELECT key FROM runs WHERE id = ?) AND {condition}"
            f" ORDER BY seq {order} LIMIT ?",
            (run, value, *kinds, limit),
        )
        events = [codec.event_from(run, *row) for row in rows]
        return events if before is None else events[::-1]

    async def events_between(self, above: int, limit: int) -> tuple[list[Event], int]:
        """Return the next events of all runs above id `above`, and the last id among them."""
        rows = await self._read(
            f"SELECT {_EVENT} FROM events e JOIN runs r ON r.key = e.run"
            " WHERE e.id > ? ORDER BY e.id LIMIT ?",
            (above, limit),
        )
        return [codec.event_from(*row[1:]) for row in rows], rows[-1][0] if rows else above

    def history(self, run: str | None, kind: EventKind = USUAL) -> EventHistory:
        """Return a reader of the events of a run, or of all; only events read cost time."""
        return modules.history.EventHistory(self._read, run, kind)

    async def search(
        self,
        wanted: Iterable[SearchWord],
        *,
        project: str | None = None,
        statuses: Sequence[str] = (),
        limit: int,
    ) -> list[SearchHit]:
        """Return the latest places where all of the words are, as far as the index has come."""
        return await modules.search.search(
            self._read, wanted, project=project, statuses=statuses, limit=limit
        )

    async def search_behind(self) -> int:
        """Return the number of events that are not in the index yet."""
        return await modules.search.behind(self._read)

    async def patterns(self, ids: Sequence[str] = ()) -> list[StoredPattern]:
        """Return stored patterns, named ones or all, with the success of their runs."""
        found = await modules.patterns.known(self._read, ids)
        used = await modules.patterns.used(self._read) if found else {}
        nobody: tuple[tuple[str, ...], SuccessRate] = ((), modules.patterns.SuccessRate())
        return [
            replace(one, used_by=runs, with_it=rate)
            for one in found
            for runs, rate in (used.get(one.id, nobody),)
        ]

    async def steps(self, run: str) -> list[Step]:
        """Return a run's last steps that have ended, without their outputs."""
        return await modules.patterns.steps(self._read, run)

    async def last_id(self) -> int:
        """Return the id of the newest event of all."""
        return (await self._read("SELECT coalesce(max(id), 0) FROM events"))[0][0]

    async def forgotten(self, since: int = 0) -> ForgottenSince:
        """Return the runs that were forgotten since the number of an earlier answer."""
        rows = await self._read(_FORGOTTEN_SINCE, (since,))
        return ForgottenSince(tuple(row[1] for row in rows), rows[-1][0] if rows else since)

    log: Path | None = None
    """SQLite's log, which every change of anybody is written to."""

    def touched(self) -> tuple[int, int] | None:
        """Return when the log was written last, and its size: one call of the system, no question.

        Two changes within a tick of the clock may look like one: ask for `version` once more then.
        """
        try:
            info = self.log.stat() if self.log else None
        except OSError:
            return None
        return (info.st_mtime_ns, info.st_size) if info else None

    async def settings(self) -> dict[str, str]:
        """Return the settings that all processes share."""
        return dict(await self._read("SELECT name, value FROM settings"))

    place: DatabaseLocation | None = None
    """Location at which the open files of the database must be: all else is not the database."""

    async def _read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        if self.place:
            self.place.check()
        with translated():
            return await self._reader.do(lambda db: read_rows(db, query, values))


async def pages(store: StoreReader) -> AsyncIterator[list[Run]]:
    """Return all runs, newest first, a page at a time; after the first, at rest where they ended.

    Those are made ready in a thread.
    """
    import asyncio  # late: a list of runs does without

    last, resting = "~", False  # after all ids
    query = "SELECT spec, state, id FROM runs WHERE id < ? ORDER BY id DESC LIMIT ?"
    while rows := await store._read(query, (last, WHOLE)):  # pyright: ignore[reportPrivateUsage]  a part of the store
        if resting:
            yield await asyncio.to_thread(modules.resting.at_rest, rows)
        else:
            yield codec.runs_from(rows)
        if len(rows) < WHOLE:
            return
        last, resting = rows[-1][2], True


def at_rest(runs: Sequence[Run]) -> Sequence[Run]:
    """Return runs as later pages have them: those that ended at rest."""
    return modules.resting.put_to_rest(runs)


async def decoded(rows: Sequence[Any]) -> list[Run]:
    """Return the runs of rows, decoded a few at a time: between them, keys get their turn."""
    runs = codec.runs_from(rows[:DECODED])
    for first in range(DECODED, len(rows), DECODED):
        await _turn()
        runs += codec.runs_from(rows[first : first + DECODED])
    return runs


async def rested(rows: Sequence[Any]) -> list[Run]:
    """Return the runs of rows as `decoded` does, those that ended at rest: of very many runs."""
    runs: list[Run] = []
    for first in range(0, len(rows), RESTED):
        runs += modules.resting.at_rest(rows[first : first + RESTED])
        await _turn()
    return runs


@coroutine
def _turn() -> Generator[None]:
    """Yield to the event loop once, as `asyncio.sleep(0)` does; a list imports no asyncio."""
    yield
