"""Names of rate-limit windows: those of the plan, and those of further limits of an account.

A provider may limit some models apart. The windows of such a limit have its id before their name:
`other:primary` is another window than `primary`.
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.domain.model import LimitWindow

MOST_WINDOWS = 12


def limit_of(name: str) -> str:
    """Return the id of the limit that a window belongs to; empty for the plan's own."""
    return name.rpartition(":")[0]


def is_of_plan(name: str) -> bool:
    """Return whether a window is one of the plan's own."""
    return not limit_of(name)


def merged(
    known: Iterable[LimitWindow], reported: tuple[LimitWindow, ...]
) -> tuple[LimitWindow, ...]:
    """Return the windows after a report: it replaces those of the limits that it names.

    The plan's own come first; of others, the latest are kept.
    """
    limits = {limit_of(window.name) for window in reported}
    kept = [window for window in known if limit_of(window.name) not in limits]
    found = [*reported, *kept]
    own = [window for window in found if is_of_plan(window.name)]
    others = [window for window in found if not is_of_plan(window.name)]
    return tuple([*own, *others][:MOST_WINDOWS])
