"""Events, made from their bodies as the engine has them."""

from __future__ import annotations

from dataclasses import fields
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from engine.domain.events import BODIES, Body
from tui.cli.json.base import ErrorInfoJson, Time
from tui.cli.json.runs import LimitWindowJson, TakenHomeJson

AS_JSON: dict[str, Any] = {
    "not_before": Time,
    "error": ErrorInfoJson,
    "windows": list[LimitWindowJson],
    "applied": TakenHomeJson,
    "raised_at": Time,
    "sent_at": Time,
}
"""Fields of events that look different in JSON."""


def _event(kind: type[Body]) -> type[Struct]:
    """Make the shape of an event from its body; empty fields are left out."""
    hints = get_type_hints(kind)
    own: list[Any] = []
    for field in fields(kind):
        hint = AS_JSON.get(field.name, hints[field.name])
        own.append(
            (field.name, _without_null(hint), UNSET)
            if field.default is None
            else (field.name, hint)
        )
    envelope = [("run", str), ("seq", Annotated[int, Meta(ge=1)]), ("at", Time), ("attempt", int)]
    return msgspec.defstruct(
        f"{kind.type.capitalize()}Event",
        [*envelope, *sorted(own, key=len)],
        tag_field="type",
        tag=kind.type,
        forbid_unknown_fields=True,
        namespace={"__doc__": kind.__doc__},
    )


def _without_null(hint: Any) -> Any:  # noqa: ANN401  types
    kinds = (
        [one for one in get_args(hint) if one is not NoneType]
        if get_origin(hint) is UnionType
        else [hint]
    )
    return Union[(*kinds, UnsetType)]


EVENTS: dict[str, type[Struct]] = {name: _event(kind) for name, kind in BODIES.items()}
Event: Any = Union[tuple(EVENTS.values())]  # noqa: UP007  made from a list


class OutputEvent(Struct, tag_field="type", tag="output", forbid_unknown_fields=True):
    """A piece of the output of a running command, only with `--live`. It may be lost.

    It has no `seq` and is never stored. The `step` event of the command's end has all of its
    output. `item` names the command within its attempt.
    """

    run: str
    at: Time
    attempt: int
    item: str
    text: str


LiveEvent: Any = Union[Event, OutputEvent]  # noqa: UP007  `Event` is made from a list
