"""Ids of rate limits, as Codex reports them, in the names of their windows."""

from __future__ import annotations

from engine.domain.text import one_line

ID_CHARACTERS = 40
PLAN_IDS = ("", "codex")


def limit_name(limit: object, window: str) -> str:
    """Return the name of a window of a limit, by the limit's id; without one, the plan's."""
    id = one_line(limit, ID_CHARACTERS).replace(":", "_") if isinstance(limit, str) else ""
    return window if id in PLAN_IDS else f"{id}:{window}"
