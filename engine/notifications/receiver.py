"""Protocol of receivers, for the deliverer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from engine.domain.messages import DeliveryResult


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """The outcome of a try; `wait_s` is the pause that the receiver asked for.

    `way_out` is the fix where it was not even tried.
    """

    answer: DeliveryResult
    is_taken: bool = False
    is_gone: bool = False
    wait_s: float = 0.0
    way_out: str = ""


class Receiver(Protocol):
    """A receiver of messages; `shown` is its address without secrets."""

    name: str
    shown: str
    topics: tuple[str, ...]
    is_for_people: bool

    async def send(self, message: str, payload: str) -> DeliveryOutcome:
        """Send a payload under a message's id; a failure is an outcome, never an exception."""
        ...

    async def close(self) -> None:
        """Close the connections held for sending."""
        ...
