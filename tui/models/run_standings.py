"""The standing of live runs: all of a run but the step that its agent is at.

Nearly all events are steps of agents, which change no order, no count and no alert. To find that
out takes a microsecond or two, where a place in the list takes fifteen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any

from engine.domain.lifecycle import LIVE
from engine.domain.model import Run

_STEPS = frozenset(
    {
        "seq",
        "last_event_at",
        "last_sign_at",
        "doing",
        "doing_since",
        "occupation",
        "open_items",
        "tool_steps",
        "message",
        "notice",
        "plan",
        "plan_pace",
    }
)
"""Fields that only lines of runs show, and neither lists nor counts look at."""
_standing: attrgetter[tuple[Any, ...]] = attrgetter(
    *(name for name in Run.__match_args__ if name not in _STEPS)
)


class RunStandings:
    """The standings of live runs as one who counts or sorts them saw them last."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Any, ...]] = {}

    def changed(self, runs: Mapping[str, Run], ids: Iterable[str]) -> list[str]:
        """Return those of the runs that stand otherwise than before, ended and new ones included.

        They are taken as seen.
        """
        return [run_id for run_id in ids if self._has_changed(run_id, runs.get(run_id))]

    def _has_changed(self, run_id: str, run: Run | None) -> bool:
        if run is None or run.status not in LIVE:
            self._seen.pop(run_id, None)
            return True
        standing = _standing(run)
        if self._seen.get(run_id) == standing:
            return False
        self._seen[run_id] = standing
        return True
