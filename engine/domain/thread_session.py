"""A run's thread that went on outside of swarm-tui, in the agent's own program."""

from __future__ import annotations

from typing import ClassVar

from engine.domain.open_enum import OpenEnum
from engine.domain.record import record


class SessionPhase(OpenEnum):
    """The phases of a thread that the user has opened."""

    OPENED = "opened"
    CLOSED = "closed"


@record
class ThreadSession:
    """The user opened the run's thread in the agent's own program, or left it again.

    Where it was never closed, the process that had it open has ended without a word.
    """

    type: ClassVar[str] = "thread_session"
    phase: SessionPhase
