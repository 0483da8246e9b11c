"""The output of one interactive attempt read: all of it is in the bridge's stdout."""

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
from engine.agents.codex.rollout import find
from engine.domain.errors import UserError, user_error
from engine.domain.events import Body

EXIT_INTERRUPTED = 130
INTERRUPTED = "The user interrupted the agent's turn."


class InteractiveReader:
    """A reader that goes on from `state`."""

    def __init__(self, state: InteractiveState, root: str, home: Path | None = None) -> None:
        self.moved = False
        self._home = home
        self._translator = InteractiveTranslator(state, root)

    @property
    def _state(self) -> InteractiveState:
        return self._translator.state

    @property
    def can_continue(self) -> bool:
        """True if a turn of the thread has begun."""
        return bool(self._state.thread_id and self._state.turn)

    def read(self, lines: Sequence[bytes]) -> list[Body]:
        """Return the events of further lines."""
        translate = self._translator.translate
        return [body for line in lines if line for body in translate(line)]

    def poll(self) -> list[Body]:
        """Return nothing: tokens and limits are in the output."""
        return []

    def finish(self) -> list[Body]:
        """Withdraw open requests, and close open steps."""
        bodies = self._translator.close()
        self.moved |= bool(bodies)
        self._skip_rollout()
        return bodies

    def _skip_rollout(self) -> None:
        """Skip this attempt's part of the rollout: the next one may be an exec attempt."""
        thread = self._state.thread_id
        path = find(self._home, thread) if self._home and thread else None
        with suppress(OSError):  # it may be archived in this moment
            if path:
                self._state.rollout_offset = path.stat().st_size
                self.moved = True

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
        """Close nothing: no file is open."""
