"""Records of an attempt's inbox: what the engine asks of the bridge.

Each has an id that follows from what was decided: written again, it is done once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from engine.domain.answers import Values, checked_values, split_secrets
from engine.domain.input_fields import FieldValue, InputField
from engine.domain.interaction import (
    Decision,
    DeliveryTime,
    InputRequest,
    MessageChanged,
    MessagePhase,
    RequestPhase,
)
from engine.domain.model import Run

_encode = msgspec.json.Encoder().encode
_EMPTY = InputField("", is_required=False)


def pending(run: Run) -> list[tuple[str, bytes]]:
    """Return what was decided and is not done yet, in order: each record with its id.

    A message comes before the denial that it goes with, so that the agent reads both at once.
    """
    first = {one.message for one in run.interrupts}
    found = [_of_message(one, first) for one in run.messages]
    found += [(f"answer:{one.request}", _answer(one)) for one in run.input_requests if _is_due(one)]
    return found + [(one.interrupt, interrupt(one.interrupt)) for one in run.interrupts]


def _of_message(message: MessageChanged, first: Collection[str]) -> tuple[str, bytes]:
    name = message.message
    if message.phase is MessagePhase.WITHDRAWING:
        return f"unqueue:{name}", unqueue(name)
    return name, _message(message, first)


def _is_due(request: InputRequest) -> bool:
    return request.phase is RequestPhase.ANSWERED and request.decision is not None


def _answer(request: InputRequest) -> bytes:
    decision = request.decision or Decision.DENY
    values = _values(request, request.answers or {}) if decision is Decision.ANSWER else None
    return answer(request.request, decision, values, request.secrets)


def _values(request: InputRequest, answers: Values) -> list[list[FieldValue]]:
    """Return the values of each field, in order; of the others, none."""
    fields = [field if field.name in answers else _EMPTY for field in request.fields]
    return checked_values(fields, answers)


def secrets(name: str, request: InputRequest, answers: Values) -> bytes:
    """Return the record of an answer's secret values: they count once an answer names it."""
    _, hidden = split_secrets(request, answers)
    return _record(name, "secrets", values=_values(request, hidden))


def _message(message: MessageChanged, first: Collection[str]) -> bytes:
    if message.delivery is DeliveryTime.NOW:
        return steer(message.message, message.text)
    return queue(message.message, message.text, is_first=message.message in first)


def answer(
    request: str,
    decision: Decision,
    values: Sequence[Sequence[FieldValue]] | None = None,
    secrets: str = "",
) -> bytes:
    """Return the record that answers a request of this attempt, which is named in JSON.

    `values` are those of each field; `secrets` is the id of the record that has the others.
    """
    fields: dict[str, object] = {} if values is None else {"values": values}
    if secrets:
        fields["secrets"] = secrets
    number = msgspec.Raw(request.encode())
    return _record(f"answer:{request}", "answer", request=number, decision=decision.value, **fields)


def steer(message: str, text: str) -> bytes:
    """Return the record of a message that the agent reads in its present turn."""
    return _record(message, "steer", text=text)


def queue(message: str, text: str, *, is_first: bool = False) -> bytes:
    """Return the record of a message that the agent reads when its turn has ended."""
    return _record(message, "queue", text=text, **({"first": True} if is_first else {}))


def unqueue(message: str) -> bytes:
    """Return the record that withdraws a message from the queue."""
    return _record(f"unqueue:{message}", "unqueue", message=message)


def interrupt(name: str) -> bytes:
    """Return the record that ends the turn and the commands that it runs."""
    return _record(name, "interrupt")


def _record(name: str, action: str, **fields: object) -> bytes:
    return _encode({"id": name, "do": action, **fields})
