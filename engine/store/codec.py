"""Rows to domain objects and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import MISSING, Field, fields, replace
from functools import cache, partial
from operator import attrgetter
from types import new_class
from typing import Any, TypeVar, cast

import msgspec
from msgspec.structs import astuple

from engine.domain.events import BODIES, Body, Event, Raw, Step
from engine.domain.model import AttemptRequest, Run, RunSpec, Status
from engine.domain.open_enum import unknown_allowed
from engine.store import newer
from engine.system.decoding import json_decoder

T = TypeVar("T")
SPEC = "spec"
ELSEWHERE = (SPEC, "overlaps")
"""Fields of a run that are not in its state."""
MANY = 200
"""Runs for which the quicker decoder is made: 7 µs for each, and 1.5 ms once."""
UNREADABLE = "unreadable"
"""The title and the status of a run whose record cannot be read at all."""

_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines
Mirrored = Callable[[Any], msgspec.Struct]


@cache
def _decode_many(kind: type[T]) -> Callable[[str], T]:
    """Return a decoder of records that is quicker for each, and takes longer to make.

    msgspec sets the values of a record one at a time. To make a struct and then the record takes
    half of the time. A run is decoded without its spec.
    """
    decode = json_decoder(_struct(kind))
    return lambda text: kind(*astuple(decode(text)))


def _struct(kind: type) -> type[msgspec.Struct]:
    """Make a struct class with the fields of a record, whose types msgspec looks up as there."""

    def fill(namespace: dict[str, Any]) -> None:
        namespace["__module__"] = kind.__module__
        namespace["__annotations__"] = {one.name: one.type for one in fields(kind)}
        for one in fields(kind):
            if one.default is not MISSING:
                namespace[one.name] = one.default
            elif one.default_factory is not MISSING:
                namespace[one.name] = msgspec.field(default_factory=one.default_factory)
        if kind is Run:
            namespace["__annotations__"][SPEC] = None

    return new_class(kind.__name__, (msgspec.Struct,), {"gc": False}, fill)


@cache
def _mirror(kind: type[Run | Body], without: tuple[str, ...] = ()) -> Mirrored:
    """Return a function that makes a struct of a dataclass: a third of the encoding's time.

    Fields with their default value are left out: that is most of a run, and half of a step.
    """
    kept = [one for one in fields(kind) if one.name not in without]
    names = [one.name for one in kept]
    struct = msgspec.defstruct(kind.__name__, map(_field, kept), gc=False, omit_defaults=True)
    if kind is Step:
        return partial(_step, struct)
    if len(names) < 2:
        return lambda value: struct(*[getattr(value, name) for name in names])
    values = attrgetter(*names)
    return lambda value: struct(*values(value))


def _step(struct: type[msgspec.Struct], step: Step) -> msgspec.Struct:
    """Return the struct of a step, as nearly all events are: in half of the time."""
    return struct(
        step.role,
        step.kind,
        step.phase,
        step.text,
        step.command,
        step.exit_code,
        step.output,
        step.changes,
        step.waits,
    )


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
    return json_decoder(RunSpec)(text)


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
    except (msgspec.DecodeError, RecursionError):
        return None
    return None if stored.value == stored.written else stored


def runs_from(rows: Sequence[tuple[str, str, str]]) -> list[Run]:
    """Read runs back from their specs, states and ids."""
    return [run_from(*row, is_one_of_many=len(rows) > MANY) for row in rows]


def run_from(spec: str, state: str, id: str = "", *, is_one_of_many: bool = False) -> Run:
    """Read the run `id` back from its two halves, as far as this version knows what they hold."""
    try:
        if not is_one_of_many:
            return json_decoder(Run)(f'{{"{SPEC}":{spec},{state[1:]}')
        run: Run = _decode_many(Run)(f'{{"{SPEC}":null,{state[1:]}')
        run.spec = _decode_many(RunSpec)(spec)
        return run
    except (msgspec.DecodeError, RecursionError):
        known = newer.read(Run, f'{{"spec":{spec},{state[1:]}') or newer.read(Run, state)
        run = known or Run(id, RunSpec("", UNREADABLE, ""), 0.0, Status.read(UNREADABLE))
        run.id = run.id or id
        return run


def ask_text(ask: AttemptRequest) -> str:
    """Write what an attempt is to do."""
    return _encode(ask).decode()


def ask_from(text: str) -> AttemptRequest:
    """Read what an attempt is to do."""
    return newer.read(AttemptRequest, text) or AttemptRequest("")


def body_text(body: Body) -> str:
    """Write an event's own fields."""
    return body_texts([body])[0]


def body_texts(bodies: Iterable[Body]) -> list[str]:
    """Write the own fields of many events: together, in half of the time."""
    structs = [_mirror(type(body))(body) for body in bodies]
    try:
        return _encode_lines(structs).decode().split("\n")[:-1]  # no JSON holds a newline
    except UnicodeEncodeError:
        return [text(struct) for struct in structs]


def event_from(run: str, seq: int, at: float, attempt: int, kind: str, data: str) -> Event:
    """Read an event back."""
    return Event(run, seq, at, attempt, _body_from(kind, data))


def _body_from(kind: str, data: str) -> Body:
    """Read an event's own fields; whole and as they are where this version does not know them."""
    known = BODIES.get(kind)
    if known is not None:
        try:
            return _decode_many(known)(data)
        except (msgspec.DecodeError, RecursionError):
            with suppress(msgspec.DecodeError, RecursionError), unknown_allowed():
                return json_decoder(known)(data)
    try:
        held = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        held = data
    more = cast("dict[str, Any]", held) if isinstance(held, dict) else {"data": held}
    return Raw({"type": kind, **more})
