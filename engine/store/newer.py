"""Stored values that this version does not know: read as far as possible, and never lost.

A newer version may have written them, or a fault. One odd value hides no other: what cannot be
read gets its default, and stays in the database as it is when the rest is written again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, NamedTuple, TypeVar, cast, get_type_hints

import msgspec

from engine.domain.open_enum import unknown_allowed
from engine.system.decoding import convert

T = TypeVar("T")
_EMPTY: dict[Any, Any] = {str: "", int: 0, float: 0.0, bool: False}


class StoredValue(NamedTuple):
    """A value as it is stored, and as this version writes it when nothing has changed."""

    value: Any
    written: Any


def read(kind: type[T], text: str) -> T | None:
    """Return a value with all of it that can be read; None where nothing can."""
    try:
        raw = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    with unknown_allowed():
        return _read(kind, raw)


def carry_over(stored: StoredValue, now: Any) -> Any:  # noqa: ANN401  any JSON value
    """Return what is to be written now, together with the stored parts that are unknown here."""
    before, then = stored
    if isinstance(before, dict) and isinstance(then, dict) and isinstance(now, dict):
        merged: dict[str, Any] = {**cast("dict[str, Any]", now)}
        known = cast("dict[str, Any]", then)
        for name, value in cast("dict[str, Any]", before).items():
            if name not in known:
                merged.setdefault(name, value)
            elif name in merged:
                merged[name] = carry_over(StoredValue(value, known[name]), merged[name])
        return merged
    return cast("Any", before if now == then else now)


def _read(kind: type[T], raw: object) -> T | None:
    try:
        return convert(raw, kind)
    except (msgspec.ValidationError, RecursionError):
        if not (is_dataclass(kind) and isinstance(raw, dict)):
            return None
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for one in fields(kind):
        value = _part(one, hints[one.name], cast("dict[str, Any]", raw))
        if value is not MISSING:
            values[one.name] = value
    return cast("T", kind(**values))


def _part(one: Field[Any], hint: Any, raw: Mapping[str, Any]) -> Any:  # noqa: ANN401  any stored value
    """Return a field's value; MISSING where its default has to do."""
    value = _read(hint, raw[one.name]) if one.name in raw else None
    if value is None and one.default is MISSING and one.default_factory is MISSING:
        return _read(cast("type[Any]", hint), {}) if is_dataclass(hint) else _EMPTY.get(hint)
    return MISSING if value is None else value
