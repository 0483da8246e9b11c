"""Linux's inotify: file names of any bytes, no thread of its own, every fault an `OSError`."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from functools import cache
from typing import Any

MODIFY, ATTRIB = 0x2, 0x4
MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x40, 0x80, 0x100, 0x200
DELETE_SELF, MOVE_SELF = 0x400, 0x800
QUEUE_OVERFLOW, IGNORED = 0x4000, 0x8000
ONLY_FOLDERS, NO_LINKS, NO_UNLINKED = 0x0100_0000, 0x0200_0000, 0x0400_0000

READ_BYTES = 65_536
_EVENT = struct.Struct("iIII")


@cache
def _libc() -> Any:  # noqa: ANN401  functions by name
    return ctypes.CDLL(None, use_errno=True)


def init() -> int:
    """Open an inotify instance and return its handle; raises `OSError`."""
    return _checked(_libc().inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))


def add(handle: int, path: str, mask: int) -> int:
    """Watch a path and return the watch's number; raises `OSError`."""
    return _checked(_libc().inotify_add_watch(handle, os.fsencode(path), mask))


def remove(handle: int, number: int) -> None:
    """End a watch; one that has ended by itself is not a fault."""
    _libc().inotify_rm_watch(handle, number)


def read(handle: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield `(watch, mask, name)` of the events that are there now."""
    try:
        data = os.read(handle, READ_BYTES)
    except BlockingIOError:
        return
    at = 0
    while at < len(data):
        number, mask, _, length = _EVENT.unpack_from(data, at)
        at += _EVENT.size
        yield number, mask, data[at : at + length].rstrip(b"\0")
        at += length


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
