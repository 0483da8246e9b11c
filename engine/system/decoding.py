"""Decoders of msgspec, made by one thread at a time.

msgspec keeps what it learns about a class on the class, before that is complete. A second thread
that needs the class meanwhile ends the process with a segmentation fault.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
_making = threading.RLock()
_json: dict[Any, Callable[[Any], Any]] = {}
_msgpack: dict[Any, Callable[[Any], Any]] = {}


def json_decoder(kind: type[T]) -> Callable[[bytes | str], T]:
    """Return the decoder of JSON into values of a type."""
    if decode := _json.get(kind):
        return decode
    with _making:
        return _json.setdefault(kind, msgspec.json.Decoder(kind).decode)


def msgpack_decoder(kind: type[T]) -> Callable[[bytes], T]:
    """Return the decoder of MessagePack into values of a type."""
    if decode := _msgpack.get(kind):
        return decode
    with _making:
        return _msgpack.setdefault(kind, msgspec.msgpack.Decoder(kind).decode)


def convert(value: object, kind: type[T], dec_hook: Callable[[type, Any], Any] | None = None) -> T:
    """Return a value of plain types as one of a type, as `msgspec.convert` does."""
    json_decoder(kind)
    return msgspec.convert(value, kind, dec_hook=dec_hook)


def prepare(kind: type) -> None:
    """Make a class known to msgspec, for a library that converts to it without this module."""
    with _making, suppress(msgspec.ValidationError):
        msgspec.convert({}, kind, strict=False)
