"""Interaction with an agent at work: its requests for input, messages to it, interrupts."""

from __future__ import annotations

from typing import ClassVar

from engine.domain.open_enum import OpenEnum
from engine.domain.record import record


class ApprovalPolicy(OpenEnum):
    """Conditions under which an interactive agent asks."""

    ON_REQUEST = "on-request"
    UNTRUSTED = "untrusted"


class RequestKind(OpenEnum):
    """The subject of a request for input."""

    COMMAND = "command"
    PATCH = "patch"
    PERMISSIONS = "permissions"
    TOOL = "tool"


class RequestPhase(OpenEnum):
    """The phases of a request: it is open until its answer was applied or it was withdrawn."""

    RAISED = "raised"
    ANSWERED = "answered"
    APPLIED = "applied"
    WITHDRAWN = "withdrawn"


class Decision(OpenEnum):
    """An answer to a request; `stop` denies it and ends the turn."""

    APPROVE = "approve"
    DENY = "deny"
    STOP = "stop"


class DeliveryTime(OpenEnum):
    """Times at which an agent reads a message: in its present turn, or after it."""

    NOW = "now"
    AFTER_TURN = "after_turn"


class MessagePhase(OpenEnum):
    """The phases of a message; delivered: the agent has read it."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    WITHDRAWN = "withdrawn"


class InterruptPhase(OpenEnum):
    """The phases of an interrupt; refused: there was no turn any more."""

    REQUESTED = "requested"
    DONE = "done"
    REFUSED = "refused"


@record
class ProposedChange:
    """A change that a patch would make.

    The path is relative to the workspace, or absolute. `outside`: it leads out of the workspace,
    also by a link.
    """

    path: str
    change: str
    diff: str = ""
    outside: bool = False


@record
class InputRequest:
    """A request of the agent for input, or what became of one.

    `request` names it within the run: the attempt and the request's own number. `command` and
    `details`, all of the request that has no field of its own, are whole: each character that
    cannot be seen is a backslash escape. `reason` is the agent's own text. Requests with the same
    `digest` are equal in all that they ask. `is_cut`: it is too long to be shown whole.
    `subject` is what approval rules compare: the shell and the script of a command in the
    workspace, the paths of a patch with links followed, or an MCP server and its tool. It is empty
    where no rule may approve the request.
    """

    type: ClassVar[str] = "input_request"
    request: str
    phase: RequestPhase
    kind: RequestKind | None = None
    text: str = ""
    reason: str = ""
    command: str | None = None
    cwd: str | None = None
    changes: tuple[ProposedChange, ...] = ()
    details: str = ""
    digest: str = ""
    is_cut: bool = False
    subject: tuple[str, ...] = ()
    decision: Decision | None = None
    decided_by: str = ""
    message: str = ""
    """The id of the message that goes with a denial."""
    raised_at: float | None = None


@record
class RequestAnswer:
    """An answer to a request as it was shown: `digest` is that of what was shown."""

    attempt: int
    request: str
    digest: str
    decision: Decision
    text: str = ""
    """Goes with a denial."""


@record
class MessageChanged:
    """A message to the agent, or what became of one."""

    type: ClassVar[str] = "message"
    message: str
    phase: MessagePhase
    delivery: DeliveryTime | None = None
    text: str = ""


@record
class TurnInterrupt:
    """A request to end the agent's turn and its commands, or what became of one."""

    type: ClassVar[str] = "interrupt"
    interrupt: str
    phase: InterruptPhase
    message: str = ""
    """The id of the message with which the agent goes on at once."""
