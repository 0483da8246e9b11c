"""Interaction with an agent at work: its requests for input, messages to it, interrupts."""

from __future__ import annotations

from dataclasses import field
from typing import ClassVar

from engine.domain.input_fields import InputField
from engine.domain.open_enum import OpenEnum
from engine.domain.record import record


class RunMode(OpenEnum):
    """Modes of a run's attempts: on its own, or with an agent that asks and can be spoken to."""

    EXEC = "exec"
    INTERACTIVE = "interactive"


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
    QUESTION = "question"
    FORM = "form"


INPUT_KINDS = (RequestKind.QUESTION, RequestKind.FORM)
"""Kinds that ask for values: they are answered, not approved."""


class RequestPhase(OpenEnum):
    """The phases of a request: it is open until its answer was applied or it was withdrawn."""

    RAISED = "raised"
    ANSWERED = "answered"
    APPLIED = "applied"
    WITHDRAWN = "withdrawn"


class Decision(OpenEnum):
    """An answer to a request; `stop` denies it and ends the turn, `answer` has values."""

    APPROVE = "approve"
    DENY = "deny"
    STOP = "stop"
    ANSWER = "answer"


class DeliveryTime(OpenEnum):
    """Times at which an agent reads a message: in its present turn, or after it."""

    NOW = "now"
    AFTER_TURN = "after_turn"


class MessagePhase(OpenEnum):
    """The phases of a message; delivered: the agent has read it.

    Withdrawing: the agent's program has the message, and was asked to drop it.
    """

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    WITHDRAWING = "withdrawing"
    WITHDRAWN = "withdrawn"


class InterruptPhase(OpenEnum):
    """The phases of an interrupt; refused: there was no turn any more."""

    REQUESTED = "requested"
    DONE = "done"
    REFUSED = "refused"


@record
class ModeChange:
    """A request to change the mode of a run's attempts, from the next one on; None: as it was."""

    interactive: bool | None = None
    approvals: ApprovalPolicy | None = None
    ignores_pace: bool = False
    """True if they start although a reserve is kept or starts are spread, until the run ends."""
    on: str = ""
    """The machine for a start over: `local`, `any`, or the name of a node; empty: as it was."""


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
    where no rule may approve the request. `fields` are questions, or those of a form; `url` is an
    address that the user is to open; `server` is the MCP server that gets the answer. `answers`
    are the values by field, without secret ones: those are in the inbox record `secrets`.
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
    fields: tuple[InputField, ...] = ()
    url: str | None = None
    answers: dict[str, tuple[str, ...]] | None = None
    secrets: str = ""
    server: str | None = None


@record
class RequestAnswer:
    """An answer to a request as it was shown: `digest` is that of what was shown."""

    attempt: int
    request: str
    digest: str
    decision: Decision
    text: str = ""
    """Goes with a denial."""
    answers: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Values by field; they may be secret, and are never shown."""

    def __repr__(self) -> str:
        """Return a text without the values."""
        return f"RequestAnswer({self.attempt}, {self.request!r}, {self.decision!r})"


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
