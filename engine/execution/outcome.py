"""The outcome of an attempt: the end of the run, or another attempt."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from engine.agents.base import AttemptEnd, AttemptOutcome, OutcomeKind, OutputReader
from engine.agents.registry import agent_of
from engine.config.settings import WatchdogSettings
from engine.domain.activity import elapsed_s
from engine.domain.errors import UserError, user_error
from engine.domain.events import (
    ArtifactSaved,
    Body,
    ErrorRaised,
    Notice,
    Progressed,
    StatusChanged,
    status_change,
)
from engine.domain.hosts import disk_full
from engine.domain.interaction import DeliveryTime, MessageChanged, MessagePhase
from engine.domain.model import LOCAL, AttemptRequest, Pause, Run, Stage, Status
from engine.domain.reasons import Cause, WaitingFor
from engine.domain.requests import GO_ON, PROMPT_CHARACTERS, check_failed, start_over
from engine.domain.text import printable
from engine.domain.usage import DEFAULT_ACCOUNT
from engine.execution.executor import FileSize, ProcessEnd

NAMED = 10  # processes in a notice
BACKOFF_S, BACKOFF_MAX_S = 5.0, 300.0
STALL_RESUMES = 3


@dataclass(frozen=True, slots=True)
class NextStep:
    """The next step: last events of the attempt, the request of another, a pause for all."""

    bodies: list[Body]
    ask: AttemptRequest | None = None
    pause: Pause | None = None

    @property
    def is_success(self) -> bool:
        """Return whether the run has succeeded with it."""
        return any(getattr(body, "status", None) is Status.SUCCEEDED for body in self.bodies)


def attempt_outcome(
    ending: ProcessEnd, reader: OutputReader, stderr: str, host: str = LOCAL
) -> AttemptOutcome:
    """Return how an attempt ended, as its agent sees it; `stderr` is the end of what it wrote."""
    if ending.is_lost:  # also where the agent was done: its files are there, and its check was not
        return AttemptOutcome.of(user_error("NODE_LOST"))
    found = reader.outcome(AttemptEnd(ending.exit_code, stderr, ending.disk_full))
    if found.error and found.error.code == "DISK_FULL":
        return AttemptOutcome.of(disk_full(host))
    return found


def leftover_events(
    processes: Mapping[int, str], survivors: Mapping[int, str], message: FileSize | None
) -> list[Body]:
    """Return what the agent left: processes that had to be ended, and its last message."""
    bodies: list[Body] = []
    if processes:
        plural = "" if len(processes) == 1 else "es"
        said = f"ended {len(processes)} process{plural} that the agent left behind"
        said = f"{said}: {_names(processes)}"
        bodies.append(Notice("warning", said))
    bodies += not_ended(survivors)
    if message:
        bodies.append(ArtifactSaved(message.name, message.size_bytes))
    return bodies


def not_ended(processes: Mapping[int, str]) -> list[Body]:
    """Return the notice of processes that the system did not let us end."""
    if not processes:
        return []
    plural = "" if len(processes) == 1 else "es"
    said = f"{len(processes)} process{plural} could not be ended: {_names(processes)}"
    return [Notice("warning", said)]


def _names(processes: Mapping[int, str]) -> str:
    names = [f"{printable(name, 50)} ({pid})" for pid, name in processes.items()]
    more = f", and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"


def decide(
    run: Run,
    outcome: AttemptOutcome,
    exit_code: int | None,
    settings: WatchdogSettings,
    now: float,
    again: AttemptRequest | None = None,
    sent: str = "",
) -> NextStep:
    """Decide what follows an attempt that was not cancelled.

    `again` is the request of another attempt, see `go_on`. `sent` is the id of the message that
    this attempt began with: it begins no other.
    """
    error = outcome.error
    withdrawing = MessagePhase.WITHDRAWING
    unread = [one for one in run.messages if one.message != sent and one.phase is not withdrawing]
    if unread and outcome.kind in (OutcomeKind.SUCCESS, OutcomeKind.INTERRUPTED):
        # What was to be read at once comes before what was to wait for the end of the turn.
        return _go_on_with(min(unread, key=_reading_order), exit_code)
    if outcome.kind is OutcomeKind.INTERRUPTED:
        return NextStep([status_change(Status.INTERRUPTED, Cause.INTERRUPT, exit_code=exit_code)])
    if error is None and run.spec.verify:
        return NextStep([StatusChanged(Status.VERIFYING, exit_code=exit_code)])
    if error is None:
        return _complete(run, exit_code, now)
    if outcome.kind is OutcomeKind.LIMIT:
        return _wait_for_limit(run, error, exit_code, now, again)
    if outcome.kind is OutcomeKind.PASSING and run.retries_used < run.spec.retries:
        return _again(run, error, exit_code, now, again)
    resumes = settings.action == "resume" and run.retries_used < STALL_RESUMES
    if error.code == "RUN_STALLED" and resumes:
        return _again(run, error, exit_code, now, again)
    interrupted = error.code == "RUN_INTERRUPTED"
    status = Status.INTERRUPTED if interrupted else Status.FAILED
    ended = status_change(status, Cause.ERROR, code=error.code, exit_code=exit_code)
    return NextStep([ErrorRaised(error.info), ended])


def message_events(run: Run, outcome: AttemptOutcome, sent: str) -> list[Body]:
    """Return what became of messages by the end of the attempt, where no event has reported it.

    A prompt was read where the attempt succeeded: not every agent reports that.
    """
    bodies: list[Body] = []
    for one in run.messages:
        if one.message == sent and outcome.kind is OutcomeKind.SUCCESS:
            bodies.append(MessageChanged(sent, MessagePhase.DELIVERED))
        elif one.phase is MessagePhase.WITHDRAWING:
            bodies.append(MessageChanged(one.message, MessagePhase.WITHDRAWN))
    return bodies


def _reading_order(message: MessageChanged) -> bool:
    return message.delivery is DeliveryTime.AFTER_TURN


def _go_on_with(message: MessageChanged, exit_code: int | None) -> NextStep:
    """Return another attempt that begins with a message which the agent has not read."""
    ask = AttemptRequest(message.text, resume=True, message=message.message)
    queued = status_change(Status.QUEUED, Cause.MESSAGE, exit_code=exit_code)
    prompt = printable(message.text, PROMPT_CHARACTERS)
    return NextStep([replace(queued, prompt=prompt)], ask)


def after_check(run: Run, error: UserError | None, output: str, now: float) -> NextStep:
    """Decide what follows the check of what the agent did: the end, or the agent hears of it."""
    if error is None:
        return _complete(run, None, now)
    if run.retries_used >= run.spec.retries:
        failed = status_change(Status.FAILED, Cause.ERROR, code=error.code)
        return NextStep([ErrorRaised(error.info), failed])
    said = check_failed(run, error.info, output)
    ask = AttemptRequest(said if run.thread_id else f"{run.spec.prompt}\n\n{said}", resume=True)
    told = Notice("warning", f"the check failed: {error.message}")
    return NextStep([told, _retry(run, error)], ask)


def _complete(run: Run, exit_code: int | None, now: float) -> NextStep:
    elapsed = round(elapsed_s(run, now), 3)
    done = Progressed(Stage.COMPLETE, "complete", 100, elapsed_s=elapsed)
    return NextStep([done, StatusChanged(Status.SUCCEEDED, exit_code=exit_code)])


def _wait_for_limit(
    run: Run, error: UserError, exit_code: int | None, now: float, again: AttemptRequest | None
) -> NextStep:
    agent = agent_of(run.spec.agent)
    until = agent.resets_at(error.message, run.limits, run.limit_hits, now)
    told = Notice("warning", error.message)
    queued = status_change(
        Status.QUEUED, Cause.LIMIT, code=error.code, exit_code=exit_code, not_before=until
    )
    words = f"waiting for the limit to reset ({error.code})"
    account = run.account or DEFAULT_ACCOUNT
    pause = Pause(words, until, WaitingFor.LIMIT, agent.name, account)
    return NextStep([told, queued], again, pause)


def _again(
    run: Run, error: UserError, exit_code: int | None, now: float, again: AttemptRequest | None
) -> NextStep:
    wait_s = min(BACKOFF_S * 2.0 ** min(run.retries_used, 10), BACKOFF_MAX_S) * random.uniform(
        0.75, 1.25
    )
    told = Notice("warning", f"{error.message} Trying again in {wait_s:.0f} s.")
    queued = _retry(run, error, exit_code, now + wait_s)
    if error.entry.starts_over:
        return NextStep([told, *start_over(run, "", fresh=True), queued], _from_scratch(run, again))
    return NextStep([told, queued], again)


def _from_scratch(run: Run, again: AttemptRequest | None) -> AttemptRequest:
    """Return the request of an attempt in a new workspace, with all that the user asked for."""
    if again and not again.resume:
        return replace(again, fresh=True)
    asked = [run.spec.prompt, run.attempt_prompt]
    return AttemptRequest("\n\n".join(filter(None, asked)), fresh=True)


def _retry(
    run: Run, error: UserError, exit_code: int | None = None, not_before: float | None = None
) -> StatusChanged:
    return status_change(
        Status.QUEUED,
        Cause.AUTOMATIC_RETRY,
        code=error.code,
        number=run.retries_used + 1,
        exit_code=exit_code,
        not_before=not_before,
    )


def next_request(ask: AttemptRequest | None, *, can_continue: bool) -> AttemptRequest | None:
    """Return what another attempt does: go on in the thread if it can, else all of it again.

    The run may know a thread of an earlier attempt, which has not got the request of this one.
    """
    if can_continue:
        return AttemptRequest(GO_ON, resume=True)
    return replace(ask, fresh=False) if ask else None
