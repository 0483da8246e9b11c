"""Runs and events in SQLite; modules that a list of runs does not need are imported late."""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.store import (
        achieved,
        deliveries,
        forgetting,
        history,
        housekeeping,
        patterns,
        resting,
        run_facts,
        search,
        shrinking,
        usage_backfill,
        usage_reading,
    )

__all__ = [
    "achieved",
    "deliveries",
    "forgetting",
    "history",
    "housekeeping",
    "patterns",
    "resting",
    "run_facts",
    "search",
    "shrinking",
    "usage_backfill",
    "usage_reading",
]


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for first."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{name}")
