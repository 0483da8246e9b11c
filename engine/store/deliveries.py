"""The messages on their way: what is due, what came of it, what was given up."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from engine.domain.messages import Delivery, DeliveryResult, DeliveryState
from engine.domain.record import record
from engine.store import codec, newer
from engine.store.shrinking import WriteTransaction

WINDOW = 500
"""Of the messages that wait for one receiver, how many of the oldest are looked at."""
GONE = 410
"""The status code of a receiver that wants nothing more, ever."""

_COLUMNS = (
    "m.id, m.topic, m.at, m.subject, d.receiver, d.state, d.tries, d.due, d.tried_at, d.answer"
)
# Hint, because SQLite would rather go through all deliveries of a receiver.
_WAITING, _PARKED = (f"deliveries INDEXED BY deliveries_{what}" for what in ("waiting", "parked"))
_JOINED = "deliveries d JOIN messages m ON m.key = d.message"
# Of a subject only the first that waits: the others are not to overtake it.
_FIRST = f"""SELECT min(d.message), {_COLUMNS}, m.payload FROM (
        SELECT * FROM {_WAITING} WHERE receiver = ? AND state = 'waiting'
        ORDER BY message LIMIT {WINDOW}
    ) d JOIN messages m ON m.key = d.message GROUP BY m.subject ORDER BY min(d.message)"""

_GONE = f"(state = 'parked' AND json_extract(answer, '$.code') IS {GONE})"

Read = Callable[[str, Sequence[Any]], Awaitable[list[Any]]]


@record
class DueDelivery:
    """A delivery that is next, with what is to be sent."""

    delivery: Delivery
    payload: str


@record
class ReceiverSummary:
    """The state of one receiver: its waiting and failed deliveries, whether it is gone."""

    waiting: int = 0
    parked: int = 0
    is_gone: bool = False


class Deliveries:
    """All deliveries of a home, from all its processes."""

    def __init__(self, read: Read, write: WriteTransaction) -> None:
        self._read = read
        self._write = write

    async def next(self, receiver: str) -> list[DueDelivery]:
        """Return the next deliveries of a receiver, one of each subject, the oldest first."""
        rows = await self._read(_FIRST, (receiver,))
        return [DueDelivery(_delivery(row[1:-1]), row[-1]) for row in rows]

    async def record(
        self,
        delivery: Delivery,
        state: DeliveryState,
        answer: DeliveryResult,
        now: float,
        due: float = 0.0,
    ) -> None:
        """Store what came of a try."""
        await self._execute(
            "UPDATE deliveries SET state = ?, tries = tries + 1, tried_at = ?, due = ?, answer = ?"
            " WHERE receiver = ? AND message = (SELECT key FROM messages WHERE id = ?)",
            (state, now, due, codec.text(answer), delivery.receiver, delivery.message),
        )

    async def park(self, receiver: str, answer: DeliveryResult) -> None:
        """Park all waiting deliveries of a receiver."""
        await self._execute(
            "UPDATE deliveries SET state = 'parked', answer = ?"
            " WHERE receiver = ? AND state = 'waiting'",
            (codec.text(answer), receiver),
        )

    async def again(self, receiver: str | None, message: str | None = None) -> int:
        """Try parked and waiting deliveries again, at once; return their number.

        A message that was delivered is sent again only where it is named.
        """
        states = "'parked', 'waiting'" if message is None else "'parked', 'waiting', 'delivered'"
        which = (
            "(?1 IS NULL OR receiver = ?1)"
            " AND (?2 IS NULL OR message = (SELECT key FROM messages WHERE id = ?2))"
        )
        values = (receiver, message)

        def send_again(db: sqlite3.Connection) -> int:
            done = db.execute(
                "UPDATE deliveries SET state = 'waiting', tries = 0, due = 0"
                f" WHERE state IN ({states}) AND {which}",
                values,
            )
            # A receiver that was gone is tried: its other refusals stay, and count no more.
            db.execute(
                "UPDATE deliveries SET answer = json_remove(answer, '$.code')"
                f" WHERE {_GONE} AND receiver IN (SELECT receiver FROM deliveries WHERE {which})",
                values,
            )
            return done.rowcount

        return await self._write(send_again)

    async def all(
        self,
        *,
        receiver: str | None = None,
        states: Iterable[str] = (),
        message: str | None = None,
        is_tried: bool = False,
        limit: int = -1,
    ) -> list[Delivery]:
        """Return the deliveries that match, the newest first."""
        wanted = list(states) or list(DeliveryState)
        marks = ",".join("?" * len(wanted))
        tried, order = ("AND d.tries > 0", "d.tried_at") if is_tried else ("", "d.message")
        rows = await self._read(
            f"SELECT {_COLUMNS} FROM {_JOINED} WHERE d.state IN ({marks})"
            f" AND (? IS NULL OR d.receiver = ?) AND (? IS NULL OR m.id = ?) {tried}"
            f" ORDER BY {order} DESC, d.receiver LIMIT ?",
            (*wanted, receiver, receiver, message, message, limit),
        )
        return [_delivery(row) for row in rows]

    async def is_gone(self, receiver: str) -> bool:
        """Return whether a receiver wants nothing more, until the user lets it be tried again."""
        query = f"SELECT 1 FROM {_PARKED} WHERE receiver = ? AND {_GONE} LIMIT 1"
        return bool(await self._read(query, (receiver,)))

    async def waiting(self, receivers: Iterable[str]) -> int:
        """Return the number of deliveries that wait for these receivers."""
        names = list(receivers)
        marks = ",".join("?" * len(names))
        query = f"SELECT count(*) FROM {_WAITING} WHERE state = 'waiting' AND receiver IN ({marks})"
        return (await self._read(query, names))[0][0]

    async def standings(self) -> dict[str, ReceiverSummary]:
        """Return how things stand with each receiver that has deliveries."""
        rows = await self._read(
            "SELECT receiver, sum(state = 'waiting'), sum(state = 'parked'),"
            f" max({_GONE})"
            " FROM deliveries GROUP BY receiver",
            (),
        )
        return {row[0]: ReceiverSummary(row[1], row[2], bool(row[3])) for row in rows}

    async def move_due(self, seconds: float) -> None:
        """Move the times at which waiting deliveries are tried again: the clock was moved."""
        await self._execute(
            "UPDATE deliveries SET due = due + ? WHERE state = 'waiting' AND due > 0", (seconds,)
        )

    async def drop(self, delivered_before: float, before: float) -> int:
        """Drop messages delivered everywhere, or older than `before`; return their number."""
        return await self._execute(
            "DELETE FROM messages WHERE at < ? AND (at < ? OR NOT EXISTS"
            " (SELECT 1 FROM deliveries WHERE message = key AND state != 'delivered'))",
            (delivered_before, before),
        )

    async def _execute(self, statement: str, values: Sequence[Any]) -> int:
        return await self._write(lambda db: db.execute(statement, values).rowcount)


def _delivery(row: Sequence[Any]) -> Delivery:
    *told, state, tries, due, tried_at, answer = row
    message, topic, at, subject, receiver = told
    said = _answer_from(answer) if answer else None
    return Delivery(
        message, topic, at, subject, receiver, DeliveryState.read(state), tries, due, tried_at, said
    )


def _answer_from(text: str) -> DeliveryResult:
    """Read what a receiver answered."""
    return newer.read(DeliveryResult, text) or DeliveryResult(text)
