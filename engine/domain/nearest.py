"""Nearest known names to an unknown one."""

from __future__ import annotations

from collections.abc import Iterable

from engine.domain.text import printable_name

LONGEST = 100  # characters that are compared: it takes time by their square
AKIN, ALMOST = 0.4, 0.8
"""Least likeness: of words, which mean something; of ids, of which any two are a little alike."""


def hint(name: str, known: Iterable[str], cutoff: float = AKIN) -> str:
    """Return `` Did you mean `x`?`` with the known name that is nearest, or nothing.

    A name with the same letters is nearest: letters that are swapped are the usual mistake.
    """
    import difflib  # only the wrong pay for it

    name, names = name[:LONGEST], list(known)
    swapped = [one for one in names if sorted(one) == sorted(name)]
    near = swapped or difflib.get_close_matches(name, names, n=1, cutoff=cutoff)
    return f" Did you mean `{printable_name(near[0])}`?" if near else ""
