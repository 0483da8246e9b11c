"""Rows to domain objects and back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import MISSING, Field, fields, replace
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar, cast

import msgspec

from engine.domain.events import BODIES, Body, Event, Raw
from engine.domain.messages import DeliveryResult
from engine.domain.model import AttemptRequest, Run, RunSpec, Status
from engine.domain.open_enum import unknown_allowed
from engine.store import newer

T = TypeVar("T")
ELSEWHERE = ("spec", "overlaps")
"""What of a run is not in its state."""
UNREADABLE = "unreadable"
"""The title and the status of a run whose record cannot be read at all."""

_encode = msgspec.json.Encoder().encode
Mirrored = Callable[[Any], msgspec.Struct]


@cache
def _decode(kind: type[T]) -> Callable[[str], T]:
    """Return the decoder of values of this kind: made on first use, for it takes a while."""
    return msgspec.json.Decoder(kind).decode


@cache
def _mirror(kind: type[Run | Body], without: tuple[str, ...] = ()) -> Mirrored:
    """Return a function that makes a struct of a dataclass: a third of the encoding's time.

    Fields with their default value are left out: that is most of a run, and half of a step.
    """
    kept = [one for one in fields(kind) if one.name not in without]
    names = [one.name for one in kept]
    struct = msgspec.defstruct(kind.__name__, map(_field, kept), gc=False, omit_defaults=True)
    if len(names) == 1:
        return lambda value: struct(getattr(value, names[0]))
    values = attrgetter(*names)
    return lambda value: struct(*values(value))


def _field(one: Field[Any]) -> str | tuple[str, Any, Any]:
    """Describe a field to msgspec, with its default where that is a plain value."""
    return one.name if one.default is MISSING else (one.name, Any, one.default)


def text(value: object) -> str:
    """Write a value as JSON that the database takes, whatever text is in it."""
    try:
        return _encode(value).decode()
    except UnicodeEncodeError:
        # A lone surrogate: Python has such text, UTF-8 and so the database do not.
        import json

        dumped = json.dumps(msgspec.to_builtins(value), ensure_ascii=False)
        return dumped.encode("utf-8", "replace").decode()


def spec_text(spec: RunSpec) -> str:
    """Write what the user asked for; it never changes, and may be long."""
    # Variables may hold secrets: they are kept in a file of the run alone.
    return text(replace(spec, env={}) if spec.env else spec)


def spec_from(text: str) -> RunSpec:
    """Read a spec back."""
    return _decode(RunSpec)(text)


def state_text(run: Run, stored: newer.StoredValue | None = None) -> str:
    """Write the rest of the run: small, and rewritten with every batch of events.

    Fields of `stored` that are unknown here stay in it.
    """
    written = text(_mirror(Run, ELSEWHERE)(run))
    if stored is None:
        return written
    return text(newer.carry_over(stored, msgspec.json.decode(written)))


def unknown_state(run: Run, state: str) -> newer.StoredValue | None:
    """Return the stored state of a run if it holds more than this version would write."""
    written = state_text(run)
    if written == state:
        return None
    try:
        stored = newer.StoredValue(msgspec.json.decode(state), msgspec.json.decode(written))
    except msgspec.DecodeError:
        return None
    return None if stored.value == stored.written else stored


def run_from(spec: str, state: str, id: str = "") -> Run:
    """Read the run `id` back from its two halves, as far as this version knows what they hold."""
    try:
        return _decode(Run)(f'{{"spec":{spec},{state[1:]}')
    except msgspec.DecodeError:
        run = newer.read(Run, f'{{"spec":{spec},{state[1:]}') or newer.read(Run, state)
        run = run or Run(id, RunSpec("", UNREADABLE, ""), 0.0, Status.read(UNREADABLE))
        run.id = run.id or id
        return run


def ask_text(ask: AttemptRequest) -> str:
    """Write what an attempt is to do."""
    return _encode(ask).decode()


def ask_from(text: str) -> AttemptRequest:
    """Read what an attempt is to do."""
    return newer.read(AttemptRequest, text) or AttemptRequest("")


def answer_from(text: str) -> DeliveryResult:
    """Read what a receiver answered."""
    return newer.read(DeliveryResult, text) or DeliveryResult(text)


def body_text(body: Body) -> str:
    """Write an event's own fields."""
    return text(_mirror(type(body))(body))


def event_from(run: str, seq: int, at: float, attempt: int, kind: str, data: str) -> Event:
    """Read an event back."""
    return Event(run, seq, at, attempt, _body_from(kind, data))


def _body_from(kind: str, data: str) -> Body:
    """Read an event's own fields; whole and as they are where this version does not know them."""
    known = BODIES.get(kind)
    if known is not None:
        try:
            return _decode(known)(data)
        except msgspec.DecodeError:
            with suppress(msgspec.DecodeError), unknown_allowed():
                return _decode(known)(data)
    try:
        held = msgspec.json.decode(data)
    except msgspec.DecodeError:
        held = data
    more = cast("dict[str, Any]", held) if isinstance(held, dict) else {"data": held}
    return Raw({"type": kind, **more})
