"""Requests of the user, decided on the run as it is stored: events, or a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from textwrap import indent

from engine.domain import run_mode
from engine.domain.annotation import Annotation
from engine.domain.answers import check_answer, split_secrets
from engine.domain.errors import CATALOGUE, UserError, is_known, user_error
from engine.domain.events import Body, status_change
from engine.domain.hosts import HostChosen, host_of, requested_host
from engine.domain.interaction import (
    DeliveryTime,
    InputRequest,
    InterruptPhase,
    MessageChanged,
    MessagePhase,
    ModeChange,
    RequestAnswer,
    RequestPhase,
    TurnInterrupt,
)
from engine.domain.lifecycle import CANCELLABLE, FINISHED, LIVE, status_words
from engine.domain.model import LOCAL, AttemptRequest, ErrorInfo, Run, RunSpec, Status
from engine.domain.reasons import Cause
from engine.domain.run_mode import UNCHANGED
from engine.domain.text import printable, printable_name

PROMPT_CHARACTERS = 4000
"""The length to which the prompt of an attempt is kept with its run."""

GO_ON = (
    "Your work on this task was interrupted. Look at the state of the workspace, "
    "then go on with the task until it is done."
)

CHECK_FAILED = """The check failed: {what}

The check is:

{command}

The end of its output:

{output}

Find out why, and fix it: the work, not the check. Run the check yourself if you can. Then go on \
with the task until it is done."""


def check_failed(run: Run, error: ErrorInfo, output: str = "") -> str:
    """Return the prompt that reports the failed check to the agent."""
    what, _, said = error.message.partition("\n")
    texts = {"command": run.spec.verify or "", "output": output or said or "(nothing)"}
    indented = {name: indent(text, "    ") for name, text in texts.items()}
    return CHECK_FAILED.format(what=what.rstrip(":"), **indented)


def cancel(run: Run, *, kill: bool) -> Sequence[Body]:
    """End the run: politely, or at once with `kill`; a queued one just leaves the queue."""
    cause = Cause.KILL if kill else Cause.CANCEL
    if run.status is Status.QUEUED:
        return [status_change(Status.CANCELLED, cause)]
    if run.status in CANCELLABLE:
        return [status_change(Status.CANCELLING, cause)]
    check_cancellable(run)
    is_harder = kill and run.cause is not Cause.KILL
    return [status_change(Status.CANCELLING, cause)] if is_harder else []


def retry(
    run: Run,
    *,
    fresh: bool = False,
    change: ModeChange = UNCHANGED,
    prompt: str = "",
    message: str = "",
    replaced: str = "",
) -> Sequence[Body]:
    """Begin the next attempt of a run that has ended; one in the trash can only begin afresh.

    A `prompt` of its own is a message to the agent; `message` is its id. `replaced` is the id of
    the message that the last attempt began with: it is withdrawn where the agent has not read it.
    """
    if run.status not in FINISHED:
        raise user_error("RUN_NOT_RETRYABLE", f"The run {run.id} {status_words(run.status)}.")
    if not fresh:
        check_not_deleted(run)
    again = _queued_again(run, Cause.RETRY, change, prompt, message)
    return [*again, *start_over(run, change.on, fresh=fresh), *_withdrawn(run, replaced)]


def start_over(run: Run, on: str, *, fresh: bool) -> Sequence[Body]:
    """Return the choice of a machine for a fresh start: the one named, or as first requested."""
    wanted = on or requested_host(run)
    if not fresh or (host_of(run) == wanted and not on):
        return []
    return [HostChosen(wanted, is_request=bool(on))]


def _withdrawn(run: Run, message: str) -> Sequence[Body]:
    is_unread = any(one.message == message for one in run.messages)
    return [MessageChanged(message, MessagePhase.WITHDRAWN)] if is_unread else []


def _queued_again(
    run: Run, cause: Cause, change: ModeChange, prompt: str, message: str
) -> Sequence[Body]:
    """Return the begin of another attempt, with its mode where that changes, and its prompt."""
    queued, spec = status_change(Status.QUEUED, cause), run_mode.changed(run, change)
    if bool(spec.interactive) != run.is_interactive:
        queued = replace(queued, mode=run_mode.mode_of(spec))
    if spec.interactive and spec.approvals is not run.approval_policy:
        queued = replace(queued, approvals=spec.approvals)
    past = [Annotation(ignores_pace=True)] if change.ignores_pace else []
    if not prompt:
        return [queued, *past]
    queued = replace(queued, prompt=printable(prompt, PROMPT_CHARACTERS))
    return [queued, *past, _queued(message, prompt, DeliveryTime.NOW)]


def is_lost(run: Run) -> bool:
    """Return whether a run ended with its node: it can only start over."""
    code = run.error.code if run.error else ""
    return is_known(code) and CATALOGUE[code].starts_over


def retry_ask(
    run: Run, *, prompt: str | None, fresh: bool, before: AttemptRequest | None = None
) -> AttemptRequest:
    """Return the request of a retry: resume the thread, or start over where needed or requested.

    A `prompt` of its own starts a new thread in the workspace as it stands. A message of the user
    that the last attempt, by `before`, began with and did not read begins this one.
    """
    is_unread = before and any(one.message == before.message for one in run.messages)
    if before and is_unread and prompt is None and not fresh:
        return replace(before, fresh=False)
    fresh = fresh or is_lost(run)
    if fresh or prompt is not None or run.thread_id is None:
        return AttemptRequest(prompt or run.spec.prompt, fresh=fresh)
    failed = run.error and run.error.code == "VERIFY_FAILED"
    return AttemptRequest(
        check_failed(run, run.error) if run.error and failed else GO_ON, resume=True
    )


def resume(
    run: Run,
    text: str,
    change: ModeChange = UNCHANGED,
    message: str = "",
    replaced: str = "",
) -> Sequence[Body]:
    """Continue the thread of a run that has ended with a text; `message` is its id.

    `replaced`: see `retry`.
    """
    if run.status not in FINISHED:
        raise user_error("RUN_NOT_RETRYABLE", f"The run {run.id} {status_words(run.status)}.")
    if run.thread_id is None:
        raise user_error("THREAD_NOT_FOUND", f"The run {run.id} never got a thread.")
    check_not_deleted(run)
    again = _queued_again(run, Cause.RESUME, change, text, message)
    return [*again, *_withdrawn(run, replaced)]


def answer(
    run: Run,
    answered: RequestAnswer,
    message: str = "",
    decided_by: str = "user",
    secrets: str = "",
) -> Sequence[Body]:
    """Answer an open request; `message` is the id of the text that goes with a denial.

    `secrets` is the id of the inbox record that has the secret values: they are in no event.
    Raises `UserError` REQUEST_NOT_PENDING where it is not open, or asks for something else, and
    INPUT_INVALID for an answer that does not fit it.
    """
    request = open_request(run, answered)
    check_answer(request, answered)
    public, secret = split_secrets(request, answered.answers)
    if secret and not secrets:
        raise user_error("INPUT_INVALID", "A secret value has to be answered by itself.")
    told: list[Body] = []
    if answered.text:
        told.append(_queued(message, answered.text, DeliveryTime.NOW))
    done = InputRequest(
        request.request,
        RequestPhase.ANSWERED,
        decision=answered.decision,
        decided_by=decided_by,
        message=message if told else "",
        answers=public or None,
        secrets=secrets if secret else "",
    )
    return [*told, done]


def open_request(run: Run, answered: RequestAnswer) -> InputRequest:
    """Return the open request that an answer names; raises `UserError` REQUEST_NOT_PENDING."""
    request = next((one for one in run.unanswered if one.request == answered.request), None)
    is_same = request is not None and run.attempt == answered.attempt
    if request is None or not is_same or run.status is not Status.RUNNING:
        raise user_error("REQUEST_NOT_PENDING")
    if request.digest != answered.digest:
        changed = "The request asks for something other than what was shown."
        raise user_error("REQUEST_NOT_PENDING", changed)
    return request


def send(run: Run, message: str, text: str, delivery: DeliveryTime) -> Sequence[Body]:
    """Send a message to the agent of a run that has not ended; `message` is its id."""
    _check_interactive(run)
    if run.status not in LIVE or run.status is Status.CANCELLING:
        raise _not_at_work(run)
    return [_queued(message, text, delivery)]


def withdraw(run: Run, message: str, ask: AttemptRequest | None = None) -> Sequence[Body]:
    """Withdraw a message that the agent has not read; `ask` is the request of the attempt.

    Where an agent is at work, its program may have the message by now: it decides. Raises
    `UserError` MESSAGE_NOT_PENDING.
    """
    known = next((one for one in run.messages if one.message == message), None)
    if known is None:
        raise user_error("MESSAGE_NOT_PENDING")
    if ask and ask.message == message and run.status in LIVE:
        raise user_error(
            "MESSAGE_NOT_PENDING",
            "The attempt begins with this message.",
            f"End it with `swarm-tui cancel {run.id}`.",
        )
    if known.phase is MessagePhase.WITHDRAWING:
        return []
    is_at_work = run.is_interactive and run.status is Status.RUNNING
    phase = MessagePhase.WITHDRAWING if is_at_work else MessagePhase.WITHDRAWN
    return [MessageChanged(message, phase)]


def interrupt(run: Run, name: str, message: str = "", text: str = "") -> Sequence[Body]:
    """End the agent's turn; with a text, it goes on with that at once. `name` is a new id."""
    _check_interactive(run)
    if run.status is not Status.RUNNING:
        raise _not_at_work(run)
    told = [_queued(message, text, DeliveryTime.AFTER_TURN)] if text else []
    return [*told, TurnInterrupt(name, InterruptPhase.REQUESTED, message if text else "")]


def _queued(message: str, text: str, delivery: DeliveryTime) -> MessageChanged:
    return MessageChanged(message, MessagePhase.QUEUED, delivery, printable(text))


def _check_interactive(run: Run) -> None:
    if run.is_interactive:
        return
    has_ended = run.status in FINISHED
    recovery = f"Resume it with `swarm-tui resume {run.id} --interactive MESSAGE`."
    if not has_ended:
        recovery = f"Wait for its end, or cancel it. {recovery.replace('Resume', 'Then resume')}"
    message = f"The run {run.id} is not interactive."
    raise user_error("RUN_NOT_INTERACTIVE", message, recovery)


def _not_at_work(run: Run) -> UserError:
    """Return the error of a request to an interactive agent that has no turn now."""
    if run.status in (Status.QUEUED, Status.PREPARING):
        recovery = f"Wait until it is running, or end it with `swarm-tui cancel {run.id}`."
    elif run.status in LIVE:
        recovery = f"Wait for its end; `swarm-tui resume {run.id} MESSAGE` goes on then."
    else:
        recovery = f"Go on in its thread with `swarm-tui resume {run.id} MESSAGE`."
    message = f"The run {run.id} {status_words(run.status)}."
    return user_error("RUN_NOT_INTERACTIVE", message, recovery)


def check_cancellable(run: Run) -> None:
    """Raise `UserError` RUN_NOT_CANCELLABLE for a run to which nothing more happens here."""
    if run.status not in LIVE:
        why = "has already ended" if run.status.is_known else "has an unknown status"
        message = f"The run {run.id} {why}: {printable_name(run.status[:60])}."
        raise user_error("RUN_NOT_CANCELLABLE", message)


def without_workspace(run: Run) -> UserError:
    """Return the error of a request that needs the workspace of a run that has none."""
    if run.status in LIVE:
        message = f"The run {run.id} has no workspace yet: it is {run.status}."
        return user_error(
            "WORKSPACE_MISSING", message, f"Follow it with `swarm-tui watch {run.id}`."
        )
    return user_error(
        "WORKSPACE_MISSING",
        f"The run {run.id} never had a workspace: it ended before one was created.",
        f"Start it again with `swarm-tui retry {run.id}`.",
    )


def check_not_deleted(run: Run) -> None:
    """Raise `UserError` WORKSPACE_MISSING, with both fixes, if the workspace is in the trash."""
    if run.in_trash and run.workspace and run.workspace.host != LOCAL:
        raise user_error(
            "WORKSPACE_MISSING",
            f"The workspace of the run {run.id} was removed on its node.",
            "Its checkpoints are here: "
            f"`swarm-tui diff {run.id} --checkpoint {run.checkpoint or 0}`; "
            "or start over with `retry --fresh`.",
        )
    if run.in_trash:
        raise user_error(
            "WORKSPACE_MISSING",
            f"The workspace of the run {run.id} is in the trash.",
            f"Bring it back with `swarm-tui cleanup --undo {run.id}` or with u on the disk usage "
            f"screen, or start over with `retry --fresh`.",
        )


def check_known(spec: RunSpec) -> None:
    """Raise `UserError` DATABASE_NEWER for a run that only a newer version can start."""
    for what, value in (
        ("agent", spec.agent),
        ("sandbox", spec.sandbox),
        ("kind of workspace", spec.workspace.kind),
    ):
        if not value.is_known:
            shown = printable_name(value[:60])
            message = f"This version of swarm-tui does not know the {what} `{shown}`."
            raise user_error("DATABASE_NEWER", message)
