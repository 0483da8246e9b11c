"""Messages written in the transaction of their events: none without it, none missing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from engine.domain.cost import RunCost, no_cost
from engine.domain.events import Event, StatusChanged
from engine.domain.lifecycle import FINISHED
from engine.domain.messages import (
    PEOPLE,
    DeliveryState,
    Message,
    MessageTopic,
    Subscription,
    is_wanted,
    of_batch,
    of_people,
    of_run,
    topic_of,
)
from engine.domain.model import Run
from engine.store import codec

DIGEST_S = 60.0
"""People are notified at most this often that runs need them."""
_LAST_DIGEST = """SELECT m.key, m.at, m.payload, max(d.due),
    max(coalesce(d.tried_at, 0)) FROM messages m
    JOIN deliveries d ON d.message = m.key WHERE m.topic = ? AND m.subject = ?
    GROUP BY m.key ORDER BY m.key DESC LIMIT 1"""

_DIGESTS = "SELECT key, payload FROM messages WHERE subject = ? AND instr(payload, ?)"


def withdraw(db: sqlite3.Connection, run: str) -> None:
    """Delete the messages about a run, sent or not, and its entries in those about several."""
    db.execute("DELETE FROM messages WHERE subject = ?", (run,))
    for key, payload in db.execute(_DIGESTS, (PEOPLE, run)).fetchall():
        found = json.loads(payload)
        left = [one for one in found["data"]["runs"] if one["id"] != run]
        if left:
            found["data"]["runs"] = left
            update = "UPDATE messages SET payload = ? WHERE key = ?"
            db.execute(update, (codec.text(found), key))
        else:
            db.execute("DELETE FROM messages WHERE key = ?", (key,))


class Outbox:
    """Outbox of messages by the receivers' subscriptions; without effect where there are none."""

    def __init__(self, wishes: Sequence[Subscription] = (), cost: RunCost = no_cost) -> None:
        self._wishes = wishes
        self._cost = cost
        self._topics = frozenset[str]().union(*(wish.topics for wish in wishes))
        self.has_written = False
        """True if a message waits for delivery because of us."""

    @property
    def is_used(self) -> bool:
        """Return whether any receiver has a subscription."""
        return bool(self._topics)

    def write_events(
        self, db: sqlite3.Connection, events: Iterable[Event], runs: Mapping[str, Run]
    ) -> None:
        """Write the messages of these events; `runs` are the runs after them."""
        ended: dict[str, tuple[Event, Run]] = {}
        for event in events:
            topic = topic_of(event.body)
            if topic is None:
                continue
            run = runs[event.run]
            if topic in self._topics:
                self.write(db, of_run(topic, event, run, self._cost))
            if topic is MessageTopic.RUN_NEEDS_INPUT:
                self._write_digest(db, event, run)
            if run.spec.batch and isinstance(event.body, StatusChanged):
                ended[run.spec.batch] = event, run
        for batch, (event, run) in ended.items():  # once, where many ended in one step
            self._write_batch(db, event, run, batch)

    def _write_digest(self, db: sqlite3.Connection, event: Event, run: Run) -> None:
        """Notify people that a run needs them: once a minute at most, of all runs together."""
        topic = MessageTopic.RUN_NEEDS_INPUT
        if not any(wish.is_for_people and topic in wish.topics for wish in self._wishes):
            return
        row = db.execute(_LAST_DIGEST, (topic, PEOPLE)).fetchone()
        key, at, payload, due, tried_at = row or (None, 0.0, "{}", 0.0, 0.0)
        sent_at = max(at, due, tried_at)
        if key is not None and event.at < due:  # it has not been sent
            digest = of_people(event, run, json.loads(payload)["data"])
            update = "UPDATE messages SET payload = ? WHERE key = ?"
            db.execute(update, (codec.text(digest.payload), key))
            return
        waits = row is not None and sent_at <= event.at < sent_at + DIGEST_S
        self.write(db, of_people(event, run), sent_at + DIGEST_S if waits else 0.0)

    def write(self, db: sqlite3.Connection, message: Message, due: float = 0.0) -> None:
        """Write a message for everybody who wants it, if anybody does; it is sent at `due`."""
        receivers = [wish.receiver for wish in self._wishes if is_wanted(message, wish)]
        if not receivers:
            return
        written = db.execute(
            "INSERT INTO messages (id, topic, at, subject, payload) VALUES (?, ?, ?, ?, ?)",
            (message.id, message.topic, message.at, message.subject, codec.text(message.payload)),
        )
        db.executemany(
            "INSERT INTO deliveries (message, receiver, state, tries, due) VALUES (?, ?, ?, 0, ?)",
            [(written.lastrowid, name, DeliveryState.WAITING, due) for name in receivers],
        )
        self.has_written = True

    def _write_batch(self, db: sqlite3.Connection, event: Event, run: Run, batch: str) -> None:
        """Write the batch's digest where its last run has ended."""
        query = "SELECT status, count(*) FROM runs WHERE batch = ? GROUP BY status"
        counts = {str(row[0]): int(row[1]) for row in db.execute(query, (batch,))}
        if counts.keys() <= FINISHED:
            self.write(db, of_batch(event, batch, run.spec.project, counts))
