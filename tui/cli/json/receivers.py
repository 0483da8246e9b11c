"""Receivers of notifications and their deliveries."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tui.cli.json.base import Count, Shape, Time


class AnswerJson(Shape):
    """The result of an attempt: HTTP status code, if there was an answer, and its text."""

    text: str
    code: int | None
    took_s: float


class DeliveryJson(Shape):
    """A message to one receiver; a parked one is not sent again automatically."""

    id: Annotated[str, Meta(description="the webhook-id: identifies duplicates")]
    type: Annotated[str, Meta(description="run.failed and so on")]
    at: Time
    subject: Annotated[
        str, Meta(description="the run or batch of the event; its messages stay in order")
    ]
    receiver: str
    state: Annotated[str, Meta(pattern="^(waiting|delivered|parked)$")]
    tries: Count
    tried_at: Time | None
    next_at: Annotated[Time | None, Meta(description="time of the next attempt")]
    answer: AnswerJson | None


class ReceiverJson(Shape):
    """A receiver of notifications; last is the last attempt."""

    name: str
    kind: Annotated[str, Meta(pattern="^(webhook|apprise)$")]
    address: Annotated[str, Meta(description="without secret parts")]
    events: list[str]
    signed: bool
    state: Annotated[str, Meta(pattern="^(ok|failing|parked)$")]
    waiting: Count
    parked: Count
    last: DeliveryJson | None


class TestedJson(Shape):
    """A receiver that accepted a test message."""

    receiver: str
    answer: AnswerJson


class AgainJson(Shape):
    """The number of deliveries that are sent again."""

    again: Count
