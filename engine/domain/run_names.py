"""Names of runs: an id, its unique beginning, or its unique end."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

SHORTEST = 3
"""Characters of the shortest end that is offered: fewer would soon be ambiguous."""


def shortest_ends(wanted: Iterable[str], ids: Iterable[str]) -> dict[str, str]:
    """Return for each id in `wanted` the shortest end that names no other one in `ids`."""
    known = sorted(ids)
    backwards = sorted(id[::-1] for id in known)
    return {id: _shortest_end(id, known, backwards) for id in wanted}


def _shortest_end(id: str, known: Sequence[str], backwards: Sequence[str]) -> str:
    reverse = id[::-1]
    place = bisect_left(backwards, reverse)
    neighbours = (*backwards[max(0, place - 1) : place], *backwards[place + 1 : place + 2])
    shared = max((_common(reverse, other) for other in neighbours), default=0)
    length = max(SHORTEST, shared + 1)
    while length < len(id) and _begins_another(id, id[-length:], known):
        length += 1
    return id[-length:]


def _common(one: str, other: str) -> int:
    """Return how many characters two texts have in common at their beginnings."""
    for number, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return number
    return min(len(one), len(other))


def _begins_another(id: str, text: str, known: Sequence[str]) -> bool:
    """Return whether another id in the sorted list `known` begins with a text."""
    place = bisect_left(known, text)
    return any(other.startswith(text) and other != id for other in known[place : place + 2])
