"""Rows to domain objects and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

import msgspec

from engine.domain.events import BODIES, Body, Event
from engine.domain.messages import Answer
from engine.domain.model import Ask, Run, RunSpec

T = TypeVar("T")
ELSEWHERE = ("spec", "overlaps")
"""What of a run is not in its state."""

_encode = msgspec.json.Encoder().encode
Mirrored = Callable[[Any], msgspec.Struct]


@cache
def _decode(kind: type[T]) -> Callable[[str], T]:
    """Give what reads a value of this kind: made when the first is read, for it takes a while."""
    return msgspec.json.Decoder(kind).decode


@cache
def _mirror(kind: type[Run | Body], without: tuple[str, ...] = ()) -> Mirrored:
    """Give what makes a struct of a dataclass: both together take a third of the encoding.

    What is as it was at first is left out: that is most of a run, and half of a step.
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
    return text(spec)


def spec_from(text: str) -> RunSpec:
    """Read a spec back."""
    return _decode(RunSpec)(text)


def state_text(run: Run) -> str:
    """Write the rest of the run: small, and rewritten with every batch of events."""
    return text(_mirror(Run, ELSEWHERE)(run))


def run_from(spec: str, state: str) -> Run:
    """Read a run back from its two halves."""
    return _decode(Run)(f'{{"spec":{spec},{state[1:]}')


def ask_text(ask: Ask) -> str:
    """Write what an attempt is to do."""
    return _encode(ask).decode()


def ask_from(text: str) -> Ask:
    """Read what an attempt is to do."""
    return _decode(Ask)(text)


def answer_from(text: str) -> Answer:
    """Read what a receiver answered."""
    return _decode(Answer)(text)


def body_text(body: Body) -> str:
    """Write an event's own fields."""
    return text(_mirror(type(body))(body))


def event_from(run: str, seq: int, at: float, attempt: int, kind: str, data: str) -> Event:
    """Read an event back."""
    return Event(run, seq, at, attempt, _decode(BODIES[kind])(data))
