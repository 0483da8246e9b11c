"""Receivers of notifications and their deliveries, as the command and the API have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from engine.domain.events import iso
from engine.domain.messages import Delivery, DeliveryState

if TYPE_CHECKING:
    from engine.engine import ReceiverStatus
    from engine.ports.engine import EnginePort


async def find_deliveries(
    engine: EnginePort, names: Sequence[str], state: str | None, limit: int
) -> list[Delivery]:
    """Return the deliveries to receivers, or to all of them; at most `limit` of each."""
    states = [DeliveryState(state)] if state else []
    found: list[Delivery] = []
    for name in names or [None]:
        found += await engine.notifications.deliveries(receiver=name, states=states, limit=limit)
    return found


async def send_again(engine: EnginePort, names: Sequence[str]) -> int:
    """Send parked messages again, by receivers and ids of messages, or all; return the number."""
    known = {one.name for one in await engine.notifications.receivers()}
    count = 0 if names else await engine.notifications.retry()
    for name in names:
        of = {"message": name} if name not in known and name.startswith("msg_") else {"name": name}
        count += await engine.notifications.retry(**of)
    return count


def receiver_json(one: ReceiverStatus) -> dict[str, Any]:
    """Return a receiver as the JSON object of the public contract."""
    return {
        "name": one.name,
        "kind": "apprise" if one.is_for_people else "webhook",
        "address": one.address,
        "events": list(one.topics),
        "signed": one.is_signed,
        "state": one.condition.value,
        "waiting": one.waiting,
        "parked": one.parked,
        "last": one.last and delivery_json(one.last),
    }


def delivery_json(one: Delivery) -> dict[str, Any]:
    """Return a delivery as the JSON object of the public contract."""
    return {
        "id": one.message,
        "type": one.topic,
        "at": iso(one.at),
        "subject": one.subject,
        "receiver": one.receiver,
        "state": one.state.value,
        "tries": one.tries,
        "tried_at": one.tried_at and iso(one.tried_at),
        "next_at": iso(one.due) if one.due and one.state == "waiting" else None,
        "answer": one.answer and asdict(one.answer),
    }
