"""The output of one attempt read: Codex's stdout, and the rollouts of its thread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.agents.base import AttemptEnd, AttemptOutcome
from engine.agents.codex import failures
from engine.agents.codex.thread_rollouts import ThreadRollouts
from engine.agents.codex.translation import CodexState, Translator, state_json
from engine.domain.errors import UserError, user_error
from engine.domain.events import Body

_TOLD = b'"turn.completed"'


class CodexReader:
    """A reader that goes on from `state`; without a `home`, it reads no rollout."""

    def __init__(self, state: CodexState, root: str, home: Path | None) -> None:
        self.moved = False
        self._translator = Translator(state, root)
        self._rollouts = ThreadRollouts(self._translator, home)

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
        return bodies + self._translator.translate_all(lines)

    def poll(self) -> list[Body]:
        """Return the events of the rollouts; a missing one is not looked for every time."""
        return self._read_rollouts(in_vain=False)

    def finish(self) -> list[Body]:
        """Return the events of the rest of the rollouts, and close all open steps."""
        bodies = self._read_rollouts(to_end=True) + self._translator.count_reported()
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
        self._rollouts.close()

    def _read_rollouts(self, *, to_end: bool = False, in_vain: bool = True) -> list[Body]:
        bodies = self._rollouts.read(to_end=to_end, in_vain=in_vain)
        self.moved |= self._rollouts.moved
        self._rollouts.moved = False
        return bodies


def refused_by_sandbox(state: CodexState) -> UserError | None:
    """Return the error of an attempt in which no command could start; None if one could."""
    if not state.refused or state.worked:
        return None
    return user_error(
        "SANDBOX_UNUSABLE", f"No command could start in Codex's sandbox: {state.refused}"
    )
