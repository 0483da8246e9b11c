"""Changed words of a line, at a bounded cost."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import pairwise

MAX_TOKENS = 160
"""Words that are compared with each other; between longer lines only the ends are."""
ALIKE = 0.4
"""Share that two lines have in common at least, or they are not versions of each other."""

Spans = tuple[tuple[int, int], ...]
_TOKENS = re.compile(r"\w+|\s+|.", re.DOTALL)


@lru_cache(maxsize=2_000)
def changed_words(old: str, new: str) -> tuple[Spans, Spans]:
    """Return the differing spans of characters in each; nothing where all of it differs."""
    before, after = _TOKENS.findall(old), _TOKENS.findall(new)
    head = _shared(before, after)
    tail = _shared(before[head:][::-1], after[head:][::-1])
    olds, news = before[head : len(before) - tail], after[head : len(after) - tail]
    kept = _length(before[:head]) + _length(before[len(before) - tail :])
    gone: list[tuple[int, int]] = [(0, len(olds))]
    come: list[tuple[int, int]] = [(0, len(news))]
    if olds and news and max(len(olds), len(news)) <= MAX_TOKENS:
        matcher = SequenceMatcher(None, olds, news, autojunk=False)
        blocks = [
            (a, b, size)
            for a, b, size in matcher.get_matching_blocks()
            if "".join(olds[a : a + size]).strip()  # a space between two changes keeps nothing
        ]
        kept += sum(_length(olds[a : a + size]) for a, _, size in blocks)
        gone = _gaps([(a, a + size) for a, _, size in blocks], len(olds))
        come = _gaps([(b, b + size) for _, b, size in blocks], len(news))
    if kept < ALIKE * max(len(old.strip()), len(new.strip())) or old == new:
        return (), ()
    return _spans(before, gone, head), _spans(after, come, head)


def _shared(one: list[str], other: list[str]) -> int:
    count = 0
    for token, twin in zip(one, other, strict=False):
        if token != twin:
            break
        count += 1
    return count


def _length(tokens: list[str]) -> int:
    return sum(map(len, tokens))


def _gaps(blocks: list[tuple[int, int]], end: int) -> list[tuple[int, int]]:
    edges = [(0, 0), *blocks, (end, end)]
    return [(one[1], other[0]) for one, other in pairwise(edges) if one[1] < other[0]]


def _spans(tokens: list[str], parts: list[tuple[int, int]], head: int) -> Spans:
    starts = [0]
    for token in tokens:
        starts.append(starts[-1] + len(token))
    return tuple((starts[head + a], starts[head + b]) for a, b in parts if a < b)
