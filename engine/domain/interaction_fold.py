"""Interaction with the agent folded into its run: open requests, unread messages, interrupts."""

from __future__ import annotations

from dataclasses import replace

from engine.domain.interaction import (
    InputRequest,
    InterruptPhase,
    MessageChanged,
    MessagePhase,
    RequestPhase,
    TurnInterrupt,
)
from engine.domain.model import Run

_CLOSED = (RequestPhase.APPLIED, RequestPhase.WITHDRAWN)
_READ = (MessagePhase.DELIVERED, MessagePhase.WITHDRAWN)


def begin_attempt(run: Run) -> None:
    """Forget what was asked in the attempt before; what the agent has not read is sent again."""
    run.input_requests, run.interrupts, run.answered_since = (), (), None
    run.asked_since, run.notified_at, run.waited_s = None, None, 0.0
    queued, withdrawing = MessagePhase.QUEUED, MessagePhase.WITHDRAWING
    kept = (one for one in run.messages if one.phase is not withdrawing)
    run.messages = tuple(replace(one, phase=queued) for one in kept)


def apply(run: Run, body: InputRequest | MessageChanged | TurnInterrupt, at: float) -> None:
    """Fold one event into the run."""
    match body:
        case InputRequest():
            _request(run, body, at)
        case MessageChanged():
            run.messages = _message(run.messages, body)
        case TurnInterrupt():
            others = tuple(one for one in run.interrupts if one.interrupt != body.interrupt)
            is_open = body.phase is InterruptPhase.REQUESTED
            if is_open:
                run.messages = _first(run.messages, body.message)
            run.interrupts = (*others, body) if is_open else others


def _request(run: Run, body: InputRequest, at: float) -> None:
    if body.phase is RequestPhase.RAISED:
        run.input_requests += (replace(body, raised_at=at),)
    elif body.phase in _CLOSED:
        run.input_requests = tuple(o for o in run.input_requests if o.request != body.request)
    else:
        run.input_requests = tuple(_answered(one, body) for one in run.input_requests)
    if not any(one.phase is RequestPhase.ANSWERED for one in run.input_requests):
        run.answered_since = None
    elif run.answered_since is None:
        run.answered_since = at
    if run.unanswered:
        run.asked_since = at if run.asked_since is None else run.asked_since
    elif run.asked_since is not None:
        run.waited_s += max(0.0, at - run.asked_since)
        run.asked_since, run.notified_at, run.doing_since = None, None, at


def _answered(known: InputRequest, answer: InputRequest) -> InputRequest:
    if known.request != answer.request:
        return known
    return replace(
        known,
        phase=answer.phase,
        decision=answer.decision,
        decided_by=answer.decided_by,
        message=answer.message,
        answers=answer.answers,
        secrets=answer.secrets,
    )


def _first(known: tuple[MessageChanged, ...], name: str) -> tuple[MessageChanged, ...]:
    """Return the messages with one of them first: the agent goes on with it."""
    return tuple(sorted(known, key=lambda one: one.message != name))


def _message(known: tuple[MessageChanged, ...], body: MessageChanged) -> tuple[MessageChanged, ...]:
    """Return the unread messages; of one that is not known here, nothing is to be kept."""
    if body.phase in _READ:
        return tuple(one for one in known if one.message != body.message)
    if body.text:
        return (*known, body)
    return tuple(
        replace(one, phase=body.phase) if one.message == body.message else one for one in known
    )
