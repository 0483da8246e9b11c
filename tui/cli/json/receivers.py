"""Those who are told of events, and what came of it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tui.cli.json.base import Count, Shape, Time


class AnswerJson(Shape):
    """What came of a try: the HTTP status code, if there was an answer, and it in words."""

    text: str
    code: int | None
    took_s: float


class DeliveryJson(Shape):
    """A message on its way to one receiver; a parked one is not tried again by itself."""

    id: Annotated[str, Meta(description="the webhook-id: tells doubles")]
    type: Annotated[str, Meta(description="run.failed and so on")]
    at: Time
    subject: Annotated[str, Meta(description="the run or batch it is about; those stay in order")]
    receiver: str
    state: Annotated[str, Meta(pattern="^(waiting|delivered|parked)$")]
    tries: Count
    tried_at: Time | None
    next_at: Annotated[Time | None, Meta(description="when it is tried again")]
    answer: AnswerJson | None


class ReceiverJson(Shape):
    """Somebody who is told of events; last is what was tried last."""

    name: str
    kind: Annotated[str, Meta(pattern="^(webhook|apprise)$")]
    address: Annotated[str, Meta(description="without what may be secret")]
    events: list[str]
    signed: bool
    state: Annotated[str, Meta(pattern="^(ok|failing|parked)$")]
    waiting: Count
    parked: Count
    last: DeliveryJson | None


class TestedJson(Shape):
    """A receiver that took a test message."""

    receiver: str
    answer: AnswerJson


class AgainJson(Shape):
    """How many deliveries are tried again."""

    again: Count
