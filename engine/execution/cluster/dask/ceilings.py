"""Ceilings of what Dask reads from the network: bytes of a message, and kinds of values in it.

Dask reads as many bytes as the other side announces, decompresses what it sends, and builds any
value of it. Our messages are a few short values and one value of bytes.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

import msgspec

from engine.execution.cluster.channel import LARGEST_BYTES
from engine.system.decoding import msgpack_decoder

SHORT_BYTES = 64 * 1024
"""The most of a message that is not its value of bytes."""
_BYTES_SIGNS = (0xC4, 0xC5, 0xC6)
"""First bytes of a value of bytes in MessagePack."""
_limit: ContextVar[int] = ContextVar("_limit", default=LARGEST_BYTES + SHORT_BYTES)
Frame = bytes | bytearray | memoryview


class MessageTooLargeError(ValueError):
    """A message of more bytes than are accepted."""


class MessageRefusedError(ValueError):
    """A message with values that ours do not have: pickles, compressed ones, and others."""


@contextmanager
def reading_at_most(limit_bytes: int) -> Generator[None]:
    """Accept messages of at most so many bytes in this task."""
    token = _limit.set(limit_bytes)
    try:
        yield
    finally:
        _limit.reset(token)


def install() -> None:
    """Put the ceilings into Dask's connections; raises `AttributeError` in a Dask without them."""
    connections = importlib.import_module("distributed.comm.tcp")
    read, unpack = connections.read_bytes_rw, connections.unpack_frames
    _ = connections.from_frames

    async def read_bytes(stream: object, count: int) -> object:
        _check(count)
        return await read(stream, count)

    def unpack_frames(data: Frame, **more: bool) -> tuple[list[Frame], list[int]]:
        frames, missing = unpack(data, **more)
        _check(len(data) + sum(missing))
        return frames, missing

    async def from_frames(frames: Sequence[Frame], **_: object) -> object:
        return decode(frames)

    ours: dict[str, Callable[..., Any]] = {
        "read_bytes_rw": read_bytes,
        "unpack_frames": unpack_frames,
        "from_frames": from_frames,
    }
    for name, function in ours.items():
        setattr(connections, name, function)


def decode(frames: Sequence[Frame]) -> object:
    """Return a message: its value of bytes, or a few short values and one of bytes.

    Raises `MessageRefusedError`, and ValueError for what is not MessagePack.
    """
    if len(frames) != 1 or not len(frames[0]):
        raise MessageRefusedError("it has values of Dask")
    frame = bytes(frames[0])
    if frame[0] in _BYTES_SIGNS:
        return msgpack_decoder(bytes)(frame)
    if len(frame) <= SHORT_BYTES:
        return _decode(frame)
    values = msgpack_decoder(dict[str, msgspec.Raw])(frame)
    short = [raw for raw in values.values() if memoryview(raw)[0] not in _BYTES_SIGNS]
    if len(values) > len(short) + 1 or sum(len(memoryview(raw)) for raw in short) > SHORT_BYTES:
        raise MessageRefusedError("it has too many values")
    return {name: _decode(bytes(raw)) for name, raw in values.items()}


def _decode(data: bytes) -> object:
    decoder: Callable[[bytes], object] = msgpack_decoder(cast("type[object]", Any))
    return decoder(data)


def _check(count: int) -> None:
    limit = _limit.get()
    if count > limit:
        raise MessageTooLargeError(f"a message of {count} bytes, where {limit} are accepted")
