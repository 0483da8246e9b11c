"""The output of one attempt read: Codex's stdout, and the rollouts of its thread."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from engine.agents.base import AttemptEnd, AttemptOutcome
from engine.agents.codex import failures
from engine.agents.codex.rollout import Record, Rollout, TokenCount
from engine.agents.codex.translation import CodexState, Translator, state_json
from engine.domain.errors import UserError, user_error
from engine.domain.events import Body

_TOLD = b'"turn.completed"'
_log = logging.getLogger(__name__)


class CodexReader:
    """A reader that goes on from `state`; without a `home`, it reads no rollout."""

    def __init__(self, state: CodexState, root: str, home: Path | None) -> None:
        self.moved = False
        self._translator = Translator(state, root)
        self._home = home
        self._rollout: Rollout | None = None
        self._agents: dict[str, Rollout] = {}

    @property
    def _state(self) -> CodexState:
        return self._translator.state

    @property
    def can_continue(self) -> bool:
        """True if a turn of the thread has begun."""
        return bool(self._state.thread_id and self._state.turn)

    def read(self, lines: Sequence[bytes]) -> list[Body]:
        """Return the events of further lines."""
        bodies: list[Body] = []
        if _TOLD in b"".join(lines[-2:]):
            # The rollout knows more of the tokens that stdout reports at last.
            bodies += self._read_rollouts()
        translate = self._translator.translate
        for line in lines:
            if line:
                bodies += translate(line)
        return bodies

    def poll(self) -> list[Body]:
        """Return the events of the rollouts; a missing one is not looked for every time."""
        return self._read_rollouts(in_vain=False)

    def finish(self) -> list[Body]:
        """Return the events of the rest of the rollouts, and close all open steps."""
        bodies = self._read_rollouts(to_end=True)
        if self._state.open:
            bodies += self._translator.close_steps(is_told=False)  # its end has the reason
            self.moved = True
        return bodies

    def outcome(self, end: AttemptEnd) -> AttemptOutcome:
        """Return how the attempt ended: well with exit code 0 and a completed turn only."""
        return AttemptOutcome.of(self._failure(end))

    def _failure(self, end: AttemptEnd) -> UserError | None:
        state = self._state
        if end.exit_code == 0 and state.turn == "completed":
            return refused_by_sandbox(state)
        if state.turn == "failed":
            return failures.from_turn(state.failure)
        if error := end.machine_error:
            return error
        return failures.from_exit(end.exit_code, end.stderr, state.last_error)

    def state(self) -> bytes:
        """Return the state as JSON."""
        self.moved = False
        return state_json(self._state)

    def close(self) -> None:
        """Close the rollouts."""
        for rollout in (self._rollout, *self._agents.values()):
            if rollout:
                rollout.close()

    def _read_rollouts(self, *, to_end: bool = False, in_vain: bool = True) -> list[Body]:
        """Return what the rollouts counted; they are Codex's own, and may be damaged."""
        state, home = self._state, self._home
        if home and state.thread_id and self._rollout is None:
            self._rollout = Rollout(home, state.thread_id, state.rollout_offset)
        if not home or not self._rollout:
            return []
        bodies: list[Body] = []
        for record in self._records(self._rollout, to_end=to_end, in_vain=in_vain):
            bodies += self._translator.recorded(record)
        if state.rollout_offset != self._rollout.offset:
            state.rollout_offset = self._rollout.offset
            self.moved = True
        read: set[str] = set()
        while unread := state.agents.keys() - read:  # agents start others in turn
            read |= unread
            for name in unread:
                bodies += self._read_agent(home, name, to_end=to_end, in_vain=in_vain)
        return bodies

    def _read_agent(self, home: Path, name: str, *, to_end: bool, in_vain: bool) -> list[Body]:
        place = self._state.agents[name]
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
        """Return the new records of a rollout; of its token counts, only the latest."""
        is_behind = True
        found: list[Record] = []
        while is_behind:
            try:
                found += rollout.read(in_vain=in_vain)
            except OSError as error:
                _log.warning("thread %s: no token counts: %s", self._state.thread_id, error)
                break
            is_behind = to_end and rollout.behind
        # Running totals: the latest holds all others.
        counts = [record for record in found if isinstance(record, TokenCount)]
        latest = [count for count in counts if count.usage][-1:] or counts[-1:]
        return [*(record for record in found if not isinstance(record, TokenCount)), *latest]


def refused_by_sandbox(state: CodexState) -> UserError | None:
    """Return the error of an attempt in which no command could start; None if one could."""
    if not state.refused or state.worked:
        return None
    return user_error(
        "SANDBOX_UNUSABLE", f"No command could start in Codex's sandbox: {state.refused}"
    )
