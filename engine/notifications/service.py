"""Service for receivers and their deliveries."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from engine.config.settings import Config
from engine.domain import nearest
from engine.domain.errors import user_error
from engine.domain.events import Event
from engine.domain.messages import Delivery, DeliveryResult, DeliveryState, of_test, topic_of
from engine.domain.text import printable_name
from engine.execution.task_tree import TaskTree
from engine.notifications.apprise import is_there
from engine.notifications.deliverer import Deliverer
from engine.notifications.receiver import Receiver
from engine.notifications.receivers import receivers
from engine.store import codec
from engine.store.deliveries import ReceiverSummary
from engine.store.store import Store


class ReceiverHealth(StrEnum):
    """The health of a receiver."""

    OK = "ok"
    FAILING = "failing"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class ReceiverStatus:
    """A receiver and how things stand with it; `last` is what was delivered or tried last."""

    name: str
    address: str
    topics: tuple[str, ...]
    is_signed: bool
    is_for_people: bool
    condition: ReceiverHealth
    waiting: int = 0
    parked: int = 0
    last: Delivery | None = None


class Notifications:
    """Receivers and deliveries; each call reads the database as it is then."""

    def __init__(
        self, config: Config, store: Store, clock: Callable[[], float] = time.time
    ) -> None:
        self._config = config
        self._store = store
        self._clock = clock
        self._receivers = {receiver.name: receiver for receiver in receivers(config)}
        self._signed = {str(hook.name) for hook in config.webhooks if hook.has_secret}
        self._deliverer: Deliverer | None = None

    # For the supervisor

    async def run(self, tasks: TaskTree) -> None:
        """Deliver until cancelled, each receiver served by a task in this tree."""
        found: Sequence[Receiver] = receivers(self._config)
        if not found:
            return
        self._deliverer = Deliverer(self._store.deliveries, found, self._clock)
        try:
            await self._deliverer.run(tasks)
        finally:
            self._deliverer = None

    def notify(self, events: Iterable[Event]) -> None:
        """React to stored events; without any, to a changed setting."""
        deliverer = self._deliverer
        if deliverer and (not events or any(topic_of(event.body) for event in events)):
            deliverer.notify()

    async def owed(self) -> int:
        """Return how many messages wait for receivers that there are."""
        return await self._store.deliveries.waiting(self._receivers) if self._receivers else 0

    @property
    def has_written(self) -> bool:
        """Return whether this engine has written messages."""
        return self._store.outbox.has_written

    # For people

    async def receivers(self) -> list[ReceiverStatus]:
        """Return all receivers, and how things stand with each."""
        standings = await self._store.deliveries.standings()
        found: list[ReceiverStatus] = []
        for name, receiver in self._receivers.items():
            standing = standings.get(name, ReceiverSummary())
            latest = await self._store.deliveries.all(receiver=name, is_tried=True, limit=1)
            last = latest[0] if latest else None
            found.append(
                ReceiverStatus(
                    name,
                    receiver.shown,
                    receiver.topics,
                    name in self._signed,
                    receiver.is_for_people,
                    _condition(standing, last),
                    standing.waiting,
                    standing.parked,
                    last,
                )
            )
        return found

    async def deliveries(
        self,
        *,
        receiver: str | None = None,
        states: Iterable[DeliveryState] = (),
        limit: int = -1,
    ) -> list[Delivery]:
        """Return the deliveries that match, the newest first."""
        if receiver is not None:
            self._find(receiver)
        return await self._store.deliveries.all(receiver=receiver, states=states, limit=limit)

    async def test(self, name: str) -> DeliveryResult:
        """Send a message at once that is about nothing; raises `UserError` WEBHOOK_FAILED."""
        if self._find(name).is_for_people and not is_there():
            raise user_error("NOTIFY_MISSING")
        receiver = _new(self._config, name)
        message = of_test(secrets.token_hex(8), self._clock())
        try:
            outcome = await receiver.send(message.id, codec.text(message.payload))
        finally:
            await receiver.close()
        if outcome.is_taken:
            return outcome.answer
        said = f"{name} ({receiver.shown}): {outcome.answer.text}."
        raise user_error("WEBHOOK_FAILED", said, outcome.way_out)

    async def retry(self, name: str | None = None, message: str | None = None) -> int:
        """Try parked deliveries again, of one receiver, one message, or all.

        Returns the number of deliveries; raises `UserError`.
        """
        if name is not None:
            self._find(name)
        if message is not None and not await self._store.deliveries.all(message=message, limit=1):
            shown = printable_name(message[:80])
            raise user_error(
                "WEBHOOK_NOT_FOUND",
                f"There is no message `{shown}`.",
                "List them with `swarm-tui webhooks deliveries`.",
            )
        count = await self._store.deliveries.again(name, message)
        self.notify(())
        return count

    def _find(self, name: str) -> Receiver:
        found = self._receivers.get(name)
        if found is None:
            shown, meant = printable_name(name[:80]), nearest.hint(name, self._receivers)
            raise user_error("WEBHOOK_NOT_FOUND", f"There is no receiver `{shown}`.{meant}")
        return found


def _new(config: Config, name: str) -> Receiver:
    """Return a receiver of one's own: its connections are bound to the loop that it is used in."""
    return next(receiver for receiver in receivers(config) if receiver.name == name)


def _condition(standing: ReceiverSummary, last: Delivery | None) -> ReceiverHealth:
    if standing.is_gone:
        return ReceiverHealth.PARKED
    failing = last is not None and last.state is not DeliveryState.DELIVERED
    return ReceiverHealth.FAILING if failing else ReceiverHealth.OK
