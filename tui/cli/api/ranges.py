"""Ranges of a download (RFC 9110, section 14): one range of bytes, or all of them."""

from __future__ import annotations

import re
from typing import Final

from engine.domain.record import record

_RANGE = re.compile(r"bytes *= *([0-9]*) *- *([0-9]*)", re.ASCII | re.IGNORECASE)
_DIGITS: Final = 18
"""Digits of the longest number that is read: more of them are beyond every file."""


@record
class BytePart:
    """The bytes of a file from `start` on, `count` of them."""

    start: int
    count: int

    def content_range(self, size_bytes: int) -> str:
        """Return the value of the header Content-Range."""
        return f"bytes {self.start}-{self.start + self.count - 1}/{size_bytes}"


class UnsatisfiableRange(Exception):
    """The range begins after the end of the file, or is empty."""


def requested_part(header: str | None, size_bytes: int) -> BytePart | None:
    """Return the part that a header Range asks for; None: the whole file.

    Invalid ranges and several ranges at once are ignored, as RFC 9110 permits. Raises
    `UnsatisfiableRange`.
    """
    found = _RANGE.fullmatch((header or "").strip())
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        return _last_bytes(_number(found[2]), size_bytes)
    first = _number(found[1])
    last = _number(found[2]) if found[2] else size_bytes - 1
    if found[2] and last < first:
        return None
    if first >= size_bytes:
        raise UnsatisfiableRange
    return BytePart(first, min(last, size_bytes - 1) - first + 1)


def _last_bytes(count: int, size_bytes: int) -> BytePart | None:
    if not count:
        raise UnsatisfiableRange
    if not size_bytes:
        return None  # all of nothing, which Content-Range cannot express
    count = min(count, size_bytes)
    return BytePart(size_bytes - count, count)


def _number(digits: str) -> int:
    digits = digits.lstrip("0")
    return 10**_DIGITS if len(digits) > _DIGITS else int(digits or "0")
