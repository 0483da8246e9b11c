"""Stored events of one run, or of all: page by page, and searched slice by slice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from engine.domain.events import Event
from engine.domain.kinds import USUAL, EventKind
from engine.store import codec

Read = Callable[[str, Sequence[Any]], Awaitable[list[Any]]]
_EVENT = "r.id, e.seq, e.at, e.attempt, e.type, e.data"
SLICE = 20_000
"""Numbers that one question covers where most events may have to be passed over."""

_END = 2**62
_NO_WORDS = "'role', 'kind', 'phase', 'change', 'level', 'stage', 'status', 'previous', 'type'"

# The end of a step stands for its beginning, in a log and so in what is found there.
ENDED = """NOT (e.type = 'step' AND json_extract(e.data, '$.phase') = 'started' AND EXISTS (
    SELECT 1 FROM events l WHERE l.run = e.run AND l.seq > e.seq AND l.seq <= e.seq + 32
    AND l.type = 'step' AND json_extract(l.data, '$.phase') <> 'started'
    AND json_extract(l.data, '$.kind') = json_extract(e.data, '$.kind')
    AND json_extract(l.data, '$.command') IS json_extract(e.data, '$.command')))"""


class EventHistory:
    """The events of a run in order of seq, or those of all runs in the order they were stored.

    Each event comes with its number: its seq, or its place among all runs' events.
    """

    def __init__(self, read: Read, run: str | None = None, kind: EventKind = USUAL) -> None:
        self.run, self.kind = run, kind
        self._read = read
        self._number = "e.id" if run is None else "e.seq"
        self._where, self._values = _sorts(kind)
        if run is not None:
            self._where = f"e.run = (SELECT key FROM runs WHERE id = ?) AND {self._where}"
            self._values = [run, *self._values]

    async def page(
        self, *, after: int = 0, before: int | None = None, limit: int
    ) -> list[tuple[int, Event]]:
        """Return the first `limit` events numbered above `after`, or the last ones below `before`.

        The events are read slice by slice, so that other readers get their turn.
        """
        found: list[tuple[int, Event]] = []
        for above, upto in await self._slices(after, before):
            wanted = limit - len(found)
            rows = await self._rows(above, upto, wanted, backwards=before is not None)
            found += [(row[0], codec.event_from(*row[1:])) for row in rows]
            if len(rows) == wanted:
                break
        return found if before is None else found[::-1]

    async def _slices(self, after: int, before: int | None) -> list[tuple[int, int]]:
        """Return the stretches to look through, in their order: above a number, up to another."""
        if not self.kind.sorts:
            return [(after, _END) if before is None else (0, before - 1)]
        last = await self.last()
        first, last = (after, last) if before is None else (0, min(before - 1, last))
        slices = [(above, min(above + SLICE, last)) for above in range(first, last, SLICE)]
        return slices if before is None else slices[::-1]

    async def _rows(self, above: int, upto: int, limit: int, *, backwards: bool) -> list[Any]:
        return await self._read(
            f"SELECT {self._number}, {_EVENT} FROM events e JOIN runs r ON r.key = e.run"
            f" WHERE {self._where} AND {self._number} > ? AND {self._number} <= ?"
            f" ORDER BY {self._number} {'DESC' if backwards else 'ASC'} LIMIT ?",
            (*self._values, above, upto, limit),
        )

    async def matching(self, text: str, *, above: int, upto: int) -> list[int]:
        """Return the numbers, above `above` up to `upto`, of the events that contain `text`.

        Case makes no difference, in ASCII. The work is that of the events between the two.
        """
        import json

        written = json.dumps(text, ensure_ascii=False)[1:-1]
        rows = await self._read(
            f"SELECT {self._number} FROM events e WHERE {self._where}"
            f" AND {self._number} > ? AND {self._number} <= ?"
            " AND e.data LIKE ? ESCAPE '!' AND EXISTS (SELECT 1 FROM json_tree(e.data) t"
            f" WHERE t.type = 'text' AND coalesce(t.key, '') NOT IN ({_NO_WORDS})"
            f" AND t.atom LIKE ? ESCAPE '!') AND {ENDED} ORDER BY {self._number}",
            (*self._values, above, upto, _like(written), _like(text)),
        )
        return [row[0] for row in rows]

    async def last(self) -> int:
        """Return the number of the newest event of any kind; 0 where there is none."""
        whose = "" if self.run is None else " WHERE e.run = (SELECT key FROM runs WHERE id = ?)"
        values = () if self.run is None else (self.run,)
        rows = await self._read(f"SELECT max({self._number}) FROM events e{whose}", values)
        return rows[0][0] or 0

    async def times(self, limit: int) -> list[float]:
        """Return when the latest `limit` events of a run happened, the newest first."""
        rows = await self._read(
            "SELECT at FROM events WHERE run = (SELECT key FROM runs WHERE id = ?)"
            " ORDER BY seq DESC LIMIT ?",
            (self.run, limit),
        )
        return [row[0] for row in rows]


def _sorts(kind: EventKind) -> tuple[str, list[Any]]:
    clauses: list[str] = []
    values: list[Any] = []
    for sort in kind.sorts:
        clause = "e.type = ?"
        values.append(sort.type)
        if sort.field:
            marks = ",".join("?" * len(sort.values))
            clause += f" AND json_extract(e.data, '$.{sort.field}') IN ({marks})"
            values += sort.values
            if sort.field == "kind":
                clause += " AND json_extract(e.data, '$.role') = 'tool'"
        clauses.append(f"({clause})")
    return (f"({' OR '.join(clauses)})" if clauses else "1"), values


def _like(text: str) -> str:
    for special in "!%_":
        text = text.replace(special, f"!{special}")
    return f"%{text}%"
