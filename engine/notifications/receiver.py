"""What every receiver is to those who deliver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from engine.domain.messages import DeliveryResult


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """What came of a try; `wait_s` is how long the receiver asked to be left alone.

    `way_out` says what to do where it was not even tried.
    """

    answer: DeliveryResult
    is_taken: bool = False
    is_gone: bool = False
    wait_s: float = 0.0
    way_out: str = ""


class Receiver(Protocol):
    """Somebody who is told; `shown` is where, without what is secret."""

    name: str
    shown: str
    topics: tuple[str, ...]
    is_for_people: bool

    async def send(self, message: str, payload: str) -> DeliveryOutcome:
        """Send a payload under a message's id; a failure is an outcome, never an exception."""
        ...

    async def close(self) -> None:
        """Let go of what is held to send."""
        ...
