"""The lines of files that runs changed, counted in the state both started from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from engine.domain.record import record

WHOLE = ((1, 1 << 62),)
"""All lines: of a file that is not text, was added, or changed in another way."""


@record
class FileLines:
    """The changed lines of one file: `base` identifies the content that they are lines of.

    Each range is its first line, and the line after its last; text that was only added stands
    between two lines, and its range is empty.
    """

    base: str
    ranges: tuple[tuple[int, int], ...] = WHOLE


ChangedLines = Mapping[str, FileLines]
"""The changed lines of a run, by path."""


def share_lines(one: FileLines, other: FileLines) -> bool:
    """Return whether two runs changed the same lines of a file, from the same content."""
    if one.base != other.base:
        return False
    return any(_meet(*pair) for pair in product(one.ranges, other.ranges))


def _meet(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Return whether two ranges share a line, or add text at the same place."""
    if one == other:
        return True
    return max(one[0], other[0]) < min(one[1], other[1]) or _is_inside(one, other)


def _is_inside(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Return whether one range adds text in the middle of the other."""
    pairs = ((one, other), (other, one))
    return any(add[0] == add[1] and first < add[0] < end for add, (first, end) in pairs)


def parse_hunks(patch: Sequence[bytes]) -> tuple[tuple[int, int], ...]:
    """Return the changed ranges in a file's section of a diff without context; all if none."""
    ranges: list[tuple[int, int]] = []
    for line in patch:
        if line.startswith(b"@@ -"):
            first, _, count = line[4:].split(b" ", 1)[0].partition(b",")
            start, length = int(first), int(count or b"1")
            # git names the line before text that is only added.
            ranges.append((start, start + length) if length else (start + 1, start + 1))
    return tuple(ranges) or WHOLE
