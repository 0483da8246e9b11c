"""The rollouts of an attempt's thread and of its sub-agents, followed into events."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from engine.agents.codex.rollout import Record, Rollout
from engine.agents.codex.translation import Translator
from engine.domain.events import Body, LimitsSeen, UsageCounted

_log = logging.getLogger(__name__)


class ThreadRollouts:
    """A reader of these rollouts; without a `home`, it reads none.

    With `kinds`, it translates only records of these types.
    """

    def __init__(
        self, translator: Translator, home: Path | None, kinds: tuple[type[Record], ...] = ()
    ) -> None:
        self.moved = False
        self._translator = translator
        self._home = home
        self._kinds = kinds
        self._own: Rollout | None = None
        self._agents: dict[str, Rollout] = {}

    def read(self, *, to_end: bool = False, in_vain: bool = True) -> list[Body]:
        """Return what the rollouts hold by now; they are Codex's own, and may be damaged."""
        state, home = self._translator.state, self._home
        if home and state.thread_id and self._own is None:
            self._own = Rollout(home, state.thread_id, state.rollout_offset)
        if not home or not self._own:
            return []
        bodies: list[Body] = []
        for record in self._records(self._own, to_end=to_end, in_vain=in_vain):
            bodies += self._translator.recorded(record)
        if state.rollout_offset != self._own.offset:
            state.rollout_offset = self._own.offset
            self.moved = True
        read: set[str] = set()
        while unread := state.agents.keys() - read:  # agents start others in turn
            read |= unread
            for name in unread:
                bodies += self._read_agent(home, name, to_end=to_end, in_vain=in_vain)
        return _latest_counts(bodies)

    @property
    def behind(self) -> bool:
        """Return whether the rollout of the thread holds more than was read."""
        return self._own is not None and self._own.behind

    def close(self) -> None:
        """Close the rollouts."""
        for rollout in (self._own, *self._agents.values()):
            if rollout:
                rollout.close()

    def _read_agent(self, home: Path, name: str, *, to_end: bool, in_vain: bool) -> list[Body]:
        place = self._translator.state.agents[name]
        rollout = self._agents.get(name)
        if rollout is None:
            rollout = self._agents[name] = Rollout(home, name, place.offset)
        bodies: list[Body] = []
        for record in self._records(rollout, to_end=to_end, in_vain=in_vain):
            bodies += self._translator.recorded_by_agent(name, record)
        if place.offset != rollout.offset:
            place.offset = rollout.offset
            self.moved = True
        return bodies

    def _records(self, rollout: Rollout, *, to_end: bool, in_vain: bool) -> list[Record]:
        """Return the new records of a rollout."""
        is_behind = True
        found: list[Record] = []
        while is_behind:
            try:
                found += rollout.read(in_vain=in_vain)
            except OSError as error:
                thread = self._translator.state.thread_id
                _log.warning("thread %s: no token counts: %s", thread, error)
                break
            is_behind = to_end and rollout.behind
        return [one for one in found if isinstance(one, self._kinds)] if self._kinds else found


def _latest_counts(bodies: Sequence[Body]) -> list[Body]:
    """Return events without the counts that a later one of the same model includes."""
    kept: list[Body] = []
    following: UsageCounted | None = None
    has_limits = False
    for body in reversed(bodies):
        if isinstance(body, UsageCounted):
            if following and _is_same_share(body, following):
                continue
            following = body
        elif isinstance(body, LimitsSeen):
            if has_limits:
                continue
            has_limits = True
        kept.append(body)
    kept.reverse()
    return kept


def _is_same_share(one: UsageCounted, other: UsageCounted) -> bool:
    return (one.model, one.of_sub_agent) == (other.model, other.of_sub_agent)
