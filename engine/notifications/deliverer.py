"""Delivery of messages to their receivers: by one engine at a time, the one that supervises.

Each receiver is served by a task of its own, one message at a time: a slow one delays no other. A
failed message is tried again for a day, later and later, and the messages about the same run wait
behind it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from engine.domain.errors import UserError
from engine.domain.messages import DeliveryResult, DeliveryState
from engine.domain.transient import transient
from engine.execution.task_tree import TaskTree
from engine.notifications.receiver import Receiver
from engine.store.deliveries import Deliveries, DueDelivery

FIRST_S = 5.0
FACTOR = 3.0
LONGEST_S = 6 * 3600.0
TRIES = 12
"""Together they take a little less than a day."""
LOOK_S = 2.0
"""Now and then: another process may have asked for something to be sent again."""
_log = logging.getLogger(__name__)


def backoff_s(tries: int, asked_s: float = 0.0) -> float:
    """Return the wait after `tries` failed tries, where the receiver asked for `asked_s`."""
    wait_s = min(FIRST_S * FACTOR ** (tries - 1), LONGEST_S) * random.uniform(0.8, 1.2)
    return max(wait_s, min(asked_s, LONGEST_S))


class Deliverer:
    """Deliverer of stored messages to these receivers; `notify` it when there may be new ones."""

    def __init__(
        self,
        deliveries: Deliveries,
        receivers: Sequence[Receiver],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._deliveries = deliveries
        self._receivers = receivers
        self._clock = clock
        self._news = [asyncio.Event() for _ in receivers]

    def notify(self) -> None:
        """Look for something to deliver."""
        for news in self._news:
            news.set()

    async def run(self, tasks: TaskTree) -> None:
        """Deliver until cancelled: each receiver is served by a task of its own."""
        branch = tasks.branch()
        try:
            for receiver, news in zip(self._receivers, self._news, strict=True):
                branch.start(f"receiver {receiver.name}", partial(self._serve, receiver, news))
            await asyncio.Event().wait()
        finally:
            await branch.close()

    async def _serve(self, receiver: Receiver, news: asyncio.Event) -> None:
        try:
            while True:
                news.clear()
                wait_s = await self._deliver_safely(receiver)
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await news.wait()
        finally:
            await receiver.close()

    async def _deliver_safely(self, receiver: Receiver) -> float:
        """Deliver; a fault is raised without its text, which may hold an address."""
        try:
            return await self._deliver(receiver)
        except UserError:
            raise  # of the database: nothing is lost, it is sent again
        except Exception as error:
            if transient(error):
                raise
            raise RuntimeError(type(error).__name__) from None

    async def _deliver(self, receiver: Receiver) -> float:
        """Try everything that is due, and return the seconds until the next try."""
        letters = await self._deliveries.next(receiver.name)
        if not letters:
            return LOOK_S
        if await self._deliveries.is_gone(receiver.name):
            await self._deliveries.park(
                receiver.name, DeliveryResult("not sent: the receiver is parked")
            )
            return 0.0
        due = [letter for letter in letters if self._is_due(letter)]
        for letter in due:
            if not await self._try(receiver, letter):
                break
        soonest_s = min(letter.delivery.due for letter in letters) - self._clock()
        return 0.0 if due else min(max(soonest_s, 0.0), LOOK_S)

    def _is_due(self, letter: DueDelivery) -> bool:
        """Return whether it may be tried now; a clock that was put back delays nothing."""
        wait_s = letter.delivery.due - self._clock()
        return wait_s <= 0 or wait_s > 2 * LONGEST_S

    async def _try(self, receiver: Receiver, letter: DueDelivery) -> bool:
        """Send one message and store what came of it; False where the receiver is gone."""
        delivery = letter.delivery
        outcome = await receiver.send(delivery.message, letter.payload)
        now, answer = self._clock(), outcome.answer
        if outcome.is_taken:
            await self._deliveries.record(delivery, DeliveryState.DELIVERED, answer, now)
            return True
        tries = delivery.tries + 1
        if outcome.is_gone or tries >= TRIES:
            await self._deliveries.record(delivery, DeliveryState.PARKED, answer, now)
            _log.warning("%s: %s was given up: %s", receiver.name, delivery.message, answer.text)
            return not outcome.is_gone
        due = now + backoff_s(tries, outcome.wait_s)
        await self._deliveries.record(delivery, DeliveryState.WAITING, answer, now, due)
        return True
