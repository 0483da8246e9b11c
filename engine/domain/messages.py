"""Messages to receivers outside: the events that make one, and its content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from engine.domain.activity import activity
from engine.domain.cost import RunCost, no_cost
from engine.domain.events import Body, Event, Notice, StatusChanged, iso
from engine.domain.model import Pause, Run, Status
from engine.domain.open_enum import OpenEnum
from engine.domain.reasons import Subject
from engine.domain.record import record
from engine.domain.run_json import pause_json, request_json, run_json
from engine.domain.text import printable

PROMPT_CHARACTERS = 4000
"""Of a longer prompt, a message has the beginning."""
PEOPLE = "people"
"""The subject of digests that people alone get."""
QUEUE = "queue"
"""The subject of messages that are about no run and no batch."""


class MessageTopic(StrEnum):
    """The topic of a message; its `type`."""

    RUN_SUCCEEDED = "run.succeeded"
    RUN_FAILED = "run.failed"
    RUN_CANCELLED = "run.cancelled"
    RUN_STALLED = "run.stalled"
    RUN_NEEDS_INPUT = "run.needs_input"
    RUN_EXPENSIVE = "run.expensive"
    QUEUE_PAUSED = "queue.paused"
    BATCH_FINISHED = "batch.finished"
    TEST = "test"


TOPICS = tuple(topic for topic in MessageTopic if topic is not MessageTopic.TEST)
"""Topics that a receiver can choose from."""

_ENDS = {
    Status.SUCCEEDED: MessageTopic.RUN_SUCCEEDED,
    Status.FAILED: MessageTopic.RUN_FAILED,
    # The process vanished without a result: for a receiver, that is a failure.
    Status.INTERRUPTED: MessageTopic.RUN_FAILED,
    Status.CANCELLED: MessageTopic.RUN_CANCELLED,
}


@record
class Message:
    """A message to receivers.

    `id` identifies duplicates. Messages about one `subject` are delivered in order.
    """

    id: str
    topic: str
    at: float
    subject: str
    data: Mapping[str, Any]

    @property
    def payload(self) -> dict[str, Any]:
        """The JSON values that receivers get."""
        return {"type": str(self.topic), "timestamp": iso(self.at), "data": self.data}


@record
class Subscription:
    """The topics that a receiver subscribes to."""

    receiver: str
    topics: frozenset[str]
    is_for_people: bool = False


class DeliveryState(OpenEnum):
    """The state of a delivery; a parked one is tried again only on request."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    PARKED = "parked"


@record
class DeliveryResult:
    """The result of a try: the status code, if there was an answer, and its words."""

    text: str
    code: int | None = None
    took_s: float = 0.0


@record
class Delivery:
    """A message on its way to one receiver, times in seconds since 1970."""

    message: str
    topic: str
    at: float
    subject: str
    receiver: str
    state: DeliveryState
    tries: int
    due: float
    tried_at: float | None = None
    answer: DeliveryResult | None = None


def topic_of(body: Body) -> MessageTopic | None:
    """Return the topic of an event's message; None where it makes none."""
    if isinstance(body, StatusChanged):
        return _ENDS.get(body.status)
    if isinstance(body, Notice) and body.subject is Subject.STALLED:
        return MessageTopic.RUN_STALLED
    if isinstance(body, Notice) and body.subject is Subject.NEEDS_INPUT:
        return MessageTopic.RUN_NEEDS_INPUT
    if isinstance(body, Notice) and body.subject is Subject.EXPENSIVE:
        return MessageTopic.RUN_EXPENSIVE
    return None


def of_run(topic: MessageTopic, event: Event, run: Run, cost: RunCost = no_cost) -> Message:
    """Return the message for an event of a run; its id follows from the event."""
    if len(run.spec.prompt) > PROMPT_CHARACTERS:
        prompt = printable(run.spec.prompt, PROMPT_CHARACTERS)
        run = replace(run, spec=replace(run.spec, prompt=prompt))
    data = run_json(run, event.at, cost=cost)
    if topic is MessageTopic.RUN_NEEDS_INPUT and run.unanswered:
        data["request"] = request_json(run, run.unanswered[-1], event.at)
    return Message(_id(event), topic, event.at, run.id, data)


def of_people(event: Event, run: Run, earlier: Mapping[str, Any] | None = None) -> Message:
    """Make the digest for people of the runs that need them; `earlier` are those already in it."""
    words = activity(run, event.at)
    entry = {"id": run.id, "title": run.spec.title, "batch": run.spec.batch, "text": words}
    others = [one for one in (earlier or {}).get("runs", ()) if one["id"] != run.id]
    data = {"runs": [*others, entry]}
    topic = MessageTopic.RUN_NEEDS_INPUT
    return Message(f"{_id(event)}_people", topic, event.at, PEOPLE, data)


def of_batch(event: Event, batch: str, project: str, counts: Mapping[str, int]) -> Message:
    """Make the digest of a batch whose last run has just ended; `counts` are its runs by status."""
    data = {"id": batch, "project": project, "runs": sum(counts.values()), "counts": counts}
    return Message(f"{_id(event)}_batch", MessageTopic.BATCH_FINISHED, event.at, batch, data)


def of_pause(pause: Pause, key: str, at: float, *, by_user: bool) -> Message:
    """Make the message that the queue starts nothing more; `key` makes its id."""
    data = {**(pause_json(pause) or {}), "by_user": by_user}
    return Message(f"msg_queue_{key}", MessageTopic.QUEUE_PAUSED, at, QUEUE, data)


def of_test(key: str, at: float) -> Message:
    """Make a message that only shows that messages arrive; `key` makes its id."""
    data = {"text": "A test from swarm-tui."}
    return Message(f"msg_test_{key}", MessageTopic.TEST, at, "test", data)


def is_wanted(message: Message, wish: Subscription) -> bool:
    """Return whether a receiver wants a message."""
    if message.topic not in wish.topics:
        return False
    if not wish.is_for_people:
        return message.subject != PEOPLE
    if message.topic == MessageTopic.RUN_NEEDS_INPUT:
        return message.subject == PEOPLE
    if message.topic == MessageTopic.RUN_EXPENSIVE:
        return True  # at the end of its batch it would be too late
    # Of a batch they get the digest, and what they have done themselves they know.
    return not (message.data.get("batch") or message.data.get("by_user"))


def _id(event: Event) -> str:
    return f"msg_{event.run}_{event.seq}"
