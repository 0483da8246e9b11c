"""Types of reasons: why a status changed, what a notice is about, what a run waits for.

The program decides by these types alone. The texts that go with them are for people.
"""

from __future__ import annotations

from engine.domain.open_enum import OpenEnum


class Cause(OpenEnum):
    """The cause of a status change, where the status alone does not show it."""

    CANCEL = "cancel"
    KILL = "kill"
    RETRY = "retry"
    RESUME = "resume"
    AUTOMATIC_RETRY = "automatic-retry"
    LIMIT = "limit"
    DEPENDENCY = "dependency"
    ERROR = "error"
    INTERRUPT = "interrupt"
    MESSAGE = "message"
    NO_SLOT = "no-slot"


REASONS = {
    Cause.CANCEL: "cancelled by the user",
    Cause.KILL: "killed by the user",
    Cause.RETRY: "retry",
    Cause.RESUME: "resume",
    Cause.AUTOMATIC_RETRY: "automatic retry {number} after {code}",
    Cause.LIMIT: "waiting for the limit to reset: {code}",
    Cause.DEPENDENCY: "{run} did not succeed",
    Cause.ERROR: "{code}",
    Cause.INTERRUPT: "interrupted by the user",
    Cause.MESSAGE: "message of the user",
    Cause.NO_SLOT: "no free slot on the node",
}
"""The text of each cause, with the facts that it names."""


def reason(cause: Cause, *, code: str = "", run: str = "", number: int = 0) -> str:
    """Return the text of a cause."""
    return REASONS[cause].format(code=code, run=run, number=number)


class Subject(OpenEnum):
    """The subject of a notice, where something is decided by it."""

    STALLED = "stalled"
    NETWORK = "network"
    NEEDS_INPUT = "needs-input"
    EXPENSIVE = "expensive"
    """A run that spends far more than others like it."""
    CLEAN_UP = "clean-up"
    """The automatic clean-up: not a decision of the user."""
    NODE_AWAY = "node-away"
    NODE_BACK = "node-back"


class WaitingFor(OpenEnum):
    """The obstacle that a queued run, or the whole queue, waits for."""

    SLOT = "slot"
    DEPENDENCY = "dependency"
    TIME = "time"
    RETRY = "retry"
    LIMIT = "limit"
    LOGIN = "login"
    DISK = "disk"
    MACHINE = "machine"
    NODE = "node"
    """A node of the cluster, or a free slot there."""
    USER = "user"
    RESERVE = "reserve"
    """A part of a rate-limit window is kept for interactive work."""
    PACE = "pace"
    """Spread of the starts over a rate-limit window."""


class Occupation(OpenEnum):
    """Kinds of work that are watched or shown in a way of their own."""

    COMMAND = "command"
    THINK = "think"
    WAIT = "wait"
    NETWORK = "network"


class Condition(OpenEnum):
    """A condition of the machine that passes; its value is its text."""

    FILES = "too many files are open"
    FILES_OF_ALL = "too many files are open on this machine"
    PROCESSES = "the limit on processes and threads is reached"
    MEMORY = "there is not enough memory"
    INPUT_OUTPUT = "a disk reports input/output errors"
    NETWORK_FILES = "a network file system is not reachable"
    DISK = "the disk is full"
    QUOTA = "the disk quota is used up"
    DATABASE = "another program keeps the database locked"

    @property
    def waiting_for(self) -> WaitingFor:
        """The obstacle that the queue waits for meanwhile."""
        is_full = self in (Condition.DISK, Condition.QUOTA)
        return WaitingFor.DISK if is_full else WaitingFor.MACHINE
