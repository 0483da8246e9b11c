"""The output of one interactive attempt read: the bridge's stdout, and its thread's rollouts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from engine.agents.base import AttemptEnd, AttemptOutcome, OutcomeKind
from engine.agents.codex.interactive import failures
from engine.agents.codex.interactive.translation import (
    InteractiveState,
    InteractiveTranslator,
    state_json,
)
from engine.agents.codex.reader import refused_by_sandbox
from engine.agents.codex.rollout import (
    AgentsSeen,
    ModelNamed,
    RequestRecorded,
    TokenCount,
    find,
)
from engine.agents.codex.thread_rollouts import ThreadRollouts
from engine.domain.errors import UserError, user_error
from engine.domain.events import Body

_COUNTED = (AgentsSeen, ModelNamed, RequestRecorded, TokenCount)
_TOLD = b'"turn/completed"'
EXIT_INTERRUPTED = 130
INTERRUPTED = "The user interrupted the agent's turn."


class InteractiveReader:
    """A reader that goes on from `state`."""

    def __init__(self, state: InteractiveState, root: str, home: Path | None = None) -> None:
        self.moved = False
        self._translator = InteractiveTranslator(state, root)
        self._rollouts = ThreadRollouts(self._translator.exec, home, _COUNTED)
        if home and state.thread_id and state.skips_rollout:
            self._skip_rollout(home, state.thread_id)

    def _skip_rollout(self, home: Path, thread: str) -> None:
        """Skip what an earlier version has counted from the output."""
        path = find(home, thread)
        with suppress(OSError):  # it may be archived in this moment
            if path:
                self._state.rollout_offset = path.stat().st_size
        self._state.skips_rollout = False
        self.moved = True

    @property
    def _state(self) -> InteractiveState:
        return self._translator.state

    @property
    def can_continue(self) -> bool:
        """True if a turn of the thread has begun."""
        return bool(self._state.thread_id and self._state.turn)

    def read(self, lines: Sequence[bytes]) -> list[Body]:
        """Return the events of further lines."""
        bodies: list[Body] = []
        if _TOLD in b"".join(lines[-2:]):
            # The rollout knows more of the tokens than the output.
            bodies += self._read_rollouts()
        translate = self._translator.translate
        for line in lines:
            if line:
                bodies += translate(line)
        return bodies

    def poll(self) -> list[Body]:
        """Return the events of the rollouts' tokens; all else is in the output."""
        bodies = self._read_rollouts(in_vain=False)
        if self._state.model and not self._rollouts.behind:
            bodies += self._translator.count_reported()
        return bodies

    def finish(self) -> list[Body]:
        """Count the rest of the rollouts, withdraw open requests, and close open steps."""
        bodies = self._read_rollouts(to_end=True) + self._translator.count_reported()
        closing = self._translator.close()
        self.moved |= bool(closing)
        return bodies + closing

    def _read_rollouts(self, *, to_end: bool = False, in_vain: bool = True) -> list[Body]:
        bodies = self._rollouts.read(to_end=to_end, in_vain=in_vain)
        self.moved |= self._rollouts.moved
        self._rollouts.moved = False
        return bodies

    def outcome(self, end: AttemptEnd) -> AttemptOutcome:
        """Return how the attempt ended: well with exit code 0 and a completed turn only."""
        was_stopped = self._state.turn == "interrupted" and end.exit_code == EXIT_INTERRUPTED
        if was_stopped and not end.is_disk_full:
            interrupted = user_error("RUN_INTERRUPTED", INTERRUPTED)
            return AttemptOutcome(OutcomeKind.INTERRUPTED, interrupted)
        return AttemptOutcome.of(self._failure(end))

    def _failure(self, end: AttemptEnd) -> UserError | None:
        state = self._state
        if end.exit_code == 0 and state.turn == "completed":
            return refused_by_sandbox(state)
        if state.turn == "failed":
            return failures.from_turn(state.failure_code, state.failure)
        if error := end.machine_error:
            return error
        return failures.from_end(end.exit_code, end.stderr, state.last_error, state.ended)

    def state(self) -> bytes:
        """Return the state as JSON."""
        self.moved = False
        return state_json(self._state)

    def close(self) -> None:
        """Close the rollouts."""
        self._rollouts.close()
