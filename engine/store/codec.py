"""Rows to domain objects and back."""

from __future__ import annotations

from dataclasses import fields

import msgspec

from engine.domain.events import BODIES, Body, Event
from engine.domain.model import Ask, Run, RunSpec

_encode = msgspec.json.Encoder().encode
_decode_run = msgspec.json.Decoder(Run).decode
_decode_ask = msgspec.json.Decoder(Ask).decode
_decode_body = {name: msgspec.json.Decoder(kind).decode for name, kind in BODIES.items()}
_STATE = tuple(field.name for field in fields(Run) if field.name != "spec")


def spec_text(spec: RunSpec) -> str:
    """Write what the user asked for; it never changes, and may be long."""
    return _encode(spec).decode()


def state_text(run: Run) -> str:
    """Write the rest of the run: small, and rewritten with every batch of events."""
    return _encode({name: getattr(run, name) for name in _STATE}).decode()


def run_from(spec: str, state: str) -> Run:
    """Read a run back from its two halves."""
    return _decode_run(f'{{"spec":{spec},{state[1:]}')


def ask_text(ask: Ask) -> str:
    """Write what an attempt is to do."""
    return _encode(ask).decode()


def ask_from(text: str) -> Ask:
    """Read what an attempt is to do."""
    return _decode_ask(text)


def body_text(body: Body) -> str:
    """Write an event's own fields."""
    return _encode(body).decode()


def event_from(run: str, seq: int, at: float, attempt: int, kind: str, data: str) -> Event:
    """Read an event back."""
    return Event(run, seq, at, attempt, _decode_body[kind](data))
