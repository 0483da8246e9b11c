"""Messages written in the transaction of their events: none without it, none missing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from engine.domain.events import Event, StatusChanged
from engine.domain.lifecycle import FINISHED
from engine.domain.messages import (
    DeliveryState,
    Message,
    Subscription,
    is_wanted,
    of_batch,
    of_run,
    topic_of,
)
from engine.domain.model import Run
from engine.store import codec


class Outbox:
    """Outbox of messages by the receivers' subscriptions; without effect where there are none."""

    def __init__(self, wishes: Sequence[Subscription] = ()) -> None:
        self._wishes = wishes
        self._topics = frozenset[str]().union(*(wish.topics for wish in wishes))
        self.has_written = False
        """Whether a message waits for delivery because of us."""

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
                self.write(db, of_run(topic, event, run))
            if run.spec.batch and isinstance(event.body, StatusChanged):
                ended[run.spec.batch] = event, run
        for batch, (event, run) in ended.items():  # once, where many ended in one step
            self._write_batch(db, event, run, batch)

    def write(self, db: sqlite3.Connection, message: Message) -> None:
        """Write a message for everybody who wants it, if anybody does."""
        receivers = [wish.receiver for wish in self._wishes if is_wanted(message, wish)]
        if not receivers:
            return
        written = db.execute(
            "INSERT INTO messages (id, topic, at, subject, payload) VALUES (?, ?, ?, ?, ?)",
            (message.id, message.topic, message.at, message.subject, codec.text(message.payload)),
        )
        db.executemany(
            "INSERT INTO deliveries (message, receiver, state, tries, due) VALUES (?, ?, ?, 0, 0)",
            [(written.lastrowid, receiver, DeliveryState.WAITING) for receiver in receivers],
        )
        self.has_written = True

    def _write_batch(self, db: sqlite3.Connection, event: Event, run: Run, batch: str) -> None:
        """Write the batch's digest where its last run has ended."""
        query = "SELECT status, count(*) FROM runs WHERE batch = ? GROUP BY status"
        counts = {str(row[0]): int(row[1]) for row in db.execute(query, (batch,))}
        if counts.keys() <= FINISHED:
            self.write(db, of_batch(event, batch, run.spec.project, counts))
