"""Nearest known names to an unknown one."""

from __future__ import annotations

from collections.abc import Iterable

from engine.domain.text import printable_name

LONGEST = 100  # characters that are compared: it takes time by their square
AKIN, ALMOST = 0.4, 0.8
"""How near: for words, which mean something; for ids, of which any two are a little alike."""


def hint(name: str, known: Iterable[str], cutoff: float = AKIN) -> str:
    """Return `` Did you mean `x`?`` with the known name that is nearest, or nothing."""
    import difflib  # only the wrong pay for it

    near = difflib.get_close_matches(name[:LONGEST], list(known), n=1, cutoff=cutoff)
    return f" Did you mean `{printable_name(near[0])}`?" if near else ""
