"""Messages to an agent as the queue below the line for them shows them."""

from __future__ import annotations

from engine.domain.interaction import DeliveryTime, MessageChanged, MessagePhase
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run
from engine.domain.reasons import Occupation

COMMAND_S = 60.0
"""A command that has run for longer is not ended by an interrupt without a question."""


def message_state(run: Run, message: MessageChanged) -> tuple[str, str]:
    """Return the state of a message in words, and its tone."""
    match message.phase:
        case MessagePhase.DELIVERED:
            return "delivered", "good"
        case MessagePhase.WITHDRAWN:
            return "withdrawn", "dim"
        case MessagePhase.WITHDRAWING:
            return "being withdrawn", "dim"
        case _ if run.status in FINISHED:
            return "not read: it begins the next attempt", "warn"
        case MessagePhase.SENT:
            return f"sent: {_read_when(run)}", "live"
        case _ if message.delivery is DeliveryTime.AFTER_TURN:
            return "queued: read after this turn", "plain"
        case _:
            return "queued", "plain"


def _read_when(run: Run) -> str:
    if run.unanswered:
        return "read when the request is answered"
    if run.occupation is Occupation.COMMAND:
        return "read when the command has ended"
    return "read before the agent's next step"


def long_command_s(run: Run, now: float) -> float:
    """Return how long the command of a run has run, if that is long; else 0."""
    busy_s = now - run.doing_since
    is_long = run.occupation is Occupation.COMMAND and busy_s > COMMAND_S
    return busy_s if is_long else 0.0
