"""Events folded into runs: one pure fold, used live, on replay and by the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import copy

from engine.domain import (
    annotation,
    comments,
    file_marks,
    hosts,
    interaction_fold,
    lifecycle,
    pull_request,
)
from engine.domain.account import AccountChosen, stored_name
from engine.domain.activity import THINKING
from engine.domain.annotation import Annotation
from engine.domain.base_update import UpdatePhase, WorkspaceUpdated
from engine.domain.changed_lines import ChangedLines
from engine.domain.events import (
    ApplyUndone,
    Body,
    ChangesMeasured,
    CheckpointTaken,
    ErrorRaised,
    Event,
    LimitsSeen,
    Notice,
    PlanChanged,
    Progressed,
    RunForgotten,
    StatusChanged,
    Step,
    UsageCounted,
)
from engine.domain.file_marks import FilesReviewed
from engine.domain.hosts import HostChosen
from engine.domain.interaction import InputRequest, MessageChanged, TurnInterrupt
from engine.domain.model import (
    BASELINE,
    LOCAL,
    ChangeCount,
    PlanPace,
    Run,
    Stage,
    Status,
    Usage,
    Workspace,
    WorkspaceKind,
)
from engine.domain.pull_request import PullRequestSeen
from engine.domain.push import BranchPushed
from engine.domain.radar import OverlapDetector
from engine.domain.reasons import Cause, Occupation, Subject
from engine.domain.review_comment import ReviewComment
from engine.domain.skipped_time import shift_times
from engine.domain.text import one_line
from engine.domain.thread_session import ThreadSession

NETWORK_WAIT = "waiting for network"
_BY_USER = (
    *(Annotation, ReviewComment, BranchPushed, PullRequestSeen, ApplyUndone),
    *(FilesReviewed, WorkspaceUpdated, ThreadSession, AccountChosen, HostChosen),
)
ReviewEvent = (
    Annotation
    | ReviewComment
    | BranchPushed
    | PullRequestSeen
    | ApplyUndone
    | FilesReviewed
    | WorkspaceUpdated
)

_STAGES = {Stage.VERIFYING: Occupation.COMMAND}
_OCCUPATIONS = {"command": Occupation.COMMAND, "sleep": Occupation.WAIT}
"""The work that a stage, or a kind of step, is."""
_THINK = Occupation.THINK  # a member asked of its class takes as long as half of a step's fold

MESSAGE_CHARACTERS = 300
"""The length to which the first line of a message is cut."""
RESULT_CHARACTERS = 64_000
WHOLE = 500
"""Runs that ended and are held whole: the latest, which are looked at most."""
AT_REST = 16
"""Runs that are put to rest together: a few milliseconds."""
MOST_MODELS = 20
"""Models of a run whose usage is known one by one."""
"""Longer results are not kept with the run."""


def fold(run: Run, events: Iterable[Event]) -> Run:
    """Return the run as it is after `events`; those it already knows (by `seq`) change nothing."""
    draft = copy(run)
    for event in events:
        if event.seq <= draft.seq:
            continue
        body, at = event.body, event.at
        draft.seq = event.seq
        draft.last_event_at = at
        if event.attempt > draft.attempt:
            _begin_attempt(draft, event.attempt)
        if isinstance(body, Step):  # nearly all are
            draft.last_sign_at = at
            _step(draft, body, at)
            continue
        if not _is_ours(body):
            draft.last_sign_at = at
        _apply(draft, body, at)
    return draft


def _is_ours(body: Body) -> bool:
    """Return whether the engine or the user wrote it: that is not a sign of life of the agent."""
    if isinstance(body, _BY_USER):
        return True
    is_notice = isinstance(body, Notice)
    subjects = (Subject.STALLED, Subject.NEEDS_INPUT, Subject.EXPENSIVE)
    return is_notice and (body.skipped_s is not None or body.subject in subjects)


def _apply(run: Run, body: Body, at: float) -> None:
    match body:
        case StatusChanged():
            _status(run, body, at)
        case Progressed():
            _progress(run, body, at)
        case Notice():
            _notice(run, body, at)
        case PlanChanged():
            _plan(run, body, at)
        case InputRequest() | MessageChanged() | TurnInterrupt():
            interaction_fold.apply(run, body, at)
        case AccountChosen() | HostChosen():
            _choice(run, body)
        case (
            Annotation()
            | ReviewComment()
            | BranchPushed()
            | PullRequestSeen()
            | ApplyUndone()
            | FilesReviewed()
            | WorkspaceUpdated()
        ):
            _review(run, body, at)
        case _:
            _measure(run, body)


def _review(run: Run, body: ReviewEvent, at: float) -> None:
    """Fold in the user's decisions about the run, and what became of them."""
    match body:
        case Annotation():
            annotation.apply(run, body)
        case ReviewComment():
            comments.apply(run, body, at)
        case BranchPushed():
            pull_request.push(run, body)
        case PullRequestSeen():
            run.pull_request = body
        case FilesReviewed():
            file_marks.apply(run, body)
        case ApplyUndone():
            run.applied = None
        case WorkspaceUpdated():
            run.updated = None if body.phase is UpdatePhase.UNDONE else body


def _begin_attempt(run: Run, attempt: int) -> None:
    run.attempt = attempt
    run.started_at = run.finished_at = None
    run.skipped_s = 0.0
    run.stage, run.percent = None, 0
    run.plan, run.plan_pace = (), None
    run.error = run.exit_code = None
    run.notice = run.reason = run.stalled = run.message = run.attempt_prompt = ""
    run.away_since = None
    interaction_fold.begin_attempt(run)
    annotation.begin_attempt(run)
    run.is_rejected = False
    run.cause = run.spend_flag = None
    _do(run, "", run.last_event_at)


def _do(run: Run, doing: str, at: float, occupation: Occupation | None = None) -> None:
    run.doing, run.doing_since, run.open_items = doing, at, 0
    run.occupation = occupation


def _status(run: Run, body: StatusChanged, at: float) -> None:
    run.status, run.reason, run.cause = body.status, body.reason, body.cause
    if body.exit_code is not None:
        run.exit_code = body.exit_code
    run.attempt_prompt = body.prompt or run.attempt_prompt
    run.mode, run.approvals = body.mode or run.mode, body.approvals or run.approvals
    if body.status is Status.QUEUED:
        _queue(run, body, at)
    if body.status is Status.PREPARING:
        run.started_at, run.skipped_s = at, 0.0
    if body.status is Status.RUNNING and run.workspace and run.baseline is None:
        run.baseline = False  # whatever is remembered from now on is not what it started from
    if body.status is Status.RUNNING:
        run.thread_account = run.account
    if body.status in lifecycle.FINISHED:
        run.finished_at = at
    if body.status not in lifecycle.ACTIVE:
        run.away_since = None
    _do(run, "", at)


def _choice(run: Run, body: AccountChosen | HostChosen) -> None:
    if isinstance(body, HostChosen):
        hosts.choose(run, body)
        return
    account = stored_name(body.account)
    if account != run.account:
        run.account, run.limits = account, ()  # those were of another account


def _queue(run: Run, body: StatusChanged, at: float) -> None:
    run.not_before = body.not_before
    again = body.previous in lifecycle.ACTIVE
    if not again:  # what was put back keeps its place
        run.queued_at = at
    run.retries_used += body.cause is Cause.AUTOMATIC_RETRY
    run.limit_hits += body.cause is Cause.LIMIT
    if not again:
        run.retries_used = run.limit_hits = 0
        run.ignores_pace = False


def _progress(run: Run, body: Progressed, at: float) -> None:
    goes_on = body.stage is run.stage is Stage.EXECUTING
    run.stage = body.stage
    run.percent = max(run.percent, body.percent)
    details = body.details or {}
    thread_id, folder = details.get("thread_id"), details.get("path")
    if isinstance(thread_id, str):
        run.thread_id = thread_id
    if isinstance(folder, str):
        # Nothing of what was known of another workspace is true of a new one.
        host = str(details.get("host") or LOCAL)
        before = run.workspace and (run.workspace.host, run.workspace.path)
        if before and (before != (host, folder) or details.get("is_new")):
            run.applied, run.touched = None, ()
            run.pushed = run.pull_request = None
            run.updated = None
            run.baseline, run.checkpoint = None, None
            run.uncheckpointed = run.store_lost = False
            run.changes = ChangeCount()
        run.in_trash = False
        run.workspace = Workspace(
            path=folder,
            kind=WorkspaceKind.read(str(details.get("kind", WorkspaceKind.EMPTY))),
            source=details.get("source"),
            branch=details.get("branch"),
            cwd=str(details.get("cwd") or ""),
            host=host,
        )
        run.is_set_up = details.get("is_set_up") is not False
    if not goes_on:
        _do(run, body.message, at, _STAGES.get(body.stage))
    elif run.occupation is Occupation.NETWORK:
        _do(run, THINKING, at, Occupation.THINK)


def _plan(run: Run, body: PlanChanged, at: float) -> None:
    done = sum(item.completed for item in body.items)
    pace = run.plan_pace
    if pace is None:
        run.plan_pace = PlanPace(at, done, at)
    elif done > sum(item.completed for item in run.plan):
        run.plan_pace = PlanPace(pace.began_at, pace.done_before, at)
    run.plan = body.items


def _step(run: Run, body: Step, at: float) -> None:
    run.stalled = ""
    if body.phase == "started":
        run.open_items += 1
        run.doing, run.doing_since = _words(body), at
        run.occupation = Occupation.WAIT if body.waits else _OCCUPATIONS.get(body.kind)
        return
    if body.role == "tool":
        run.tool_steps += 1
        if run.open_items:
            run.open_items = max(0, run.open_items - 1)
    elif body.role == "assistant":
        _message(run, body.text)
    if not run.open_items:
        run.doing, run.doing_since = THINKING, at
        run.occupation = _THINK


def _message(run: Run, text: str) -> None:
    run.message = one_line(text, MESSAGE_CHARACTERS) or run.message
    if run.spec.output_schema:
        run.result = text if len(text) <= RESULT_CHARACTERS else ""


def _words(step: Step) -> str:
    if step.kind == "command":
        return f"running `{step.text}`"
    if step.kind == "file_change":
        count = len(step.changes or ())
        return f"editing {count} file{'' if count == 1 else 's'}"
    if step.kind == "web_search":
        return "searching the web"
    return f"using {step.text}" if step.kind == "mcp" else step.text


def _notice(run: Run, body: Notice, at: float) -> None:
    run.notice = body.text
    run.applied = body.applied or run.applied
    run.spend_flag = body.spend or run.spend_flag
    if body.trash is not None:
        run.in_trash = body.trash
        run.is_rejected = body.trash and body.subject is not Subject.CLEAN_UP
    if body.uncheckpointed is not None:
        run.uncheckpointed = body.uncheckpointed
    if body.store_lost is not None:
        run.store_lost = body.store_lost
    if body.skipped_s is not None:
        shift_times(run, body.skipped_s, at)
    _subject(run, body, at)


def _subject(run: Run, body: Notice, at: float) -> None:
    if body.subject in (Subject.NODE_AWAY, Subject.NODE_BACK):
        run.away_since = at if body.subject is Subject.NODE_AWAY else None
    if body.subject is Subject.STALLED:
        run.stalled = body.text
    if body.subject is Subject.NEEDS_INPUT:
        run.notified_at = at
    if body.subject is Subject.NETWORK and run.occupation is not Occupation.NETWORK:
        _do(run, NETWORK_WAIT, at, Occupation.NETWORK)


def _by_model(run: Run, body: UsageCounted) -> tuple[tuple[str, Usage], ...]:
    """Return the usage of each model after this event; of a flood of names only the first."""
    model, parts = body.model or run.model or run.spec.model, dict(run.usage_by_model)
    grown = body.usage - run.usage
    if not model or grown == Usage() or (model not in parts and len(parts) >= MOST_MODELS):
        return run.usage_by_model
    parts[model] = parts.get(model, Usage()) + grown
    return tuple(parts.items())


def _measure(run: Run, body: Body) -> None:
    match body:
        case UsageCounted():
            run.usage_by_model = _by_model(run, body)
            run.usage = body.usage
            if body.model and not body.of_sub_agent:
                run.model = body.model
            run.context_window = body.context_window or run.context_window
        case ChangesMeasured():
            run.changes = ChangeCount(body.files, body.insertions, body.deletions)
            run.touched = run.touched if body.paths is None else body.paths
        case ErrorRaised():
            run.error = body.error
        case LimitsSeen():
            from engine.domain.limit_names import merged  # late: not for the first paint

            run.limits = merged(run.limits, body.windows)
        case CheckpointTaken():
            run.checkpoint, run.uncheckpointed = body.n, False
            if body.n == BASELINE and run.baseline is None:
                run.baseline = True
        case _:
            pass


def _unguarded(_: str) -> AbstractContextManager[None]:
    return nullcontext()


class KnownRuns(dict[str, Run]):
    """Runs by id. A caller that still holds the id of a forgotten run gets its last state.

    Such a run is in no list of them: only `[]` finds it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._forgotten: dict[str, Run] = {}

    def __missing__(self, run_id: str) -> Run:
        return self._forgotten[run_id]

    def forget(self, run_id: str) -> Run | None:
        """Remove a run, and return it; None where it is not here."""
        run = self.pop(run_id, None)
        if run:
            self._forgotten[run_id] = run
        return run


def _awake(runs: Sequence[Run]) -> Sequence[Run]:
    return runs


class View:
    """All runs as their events describe them; faces read it, only `apply` and `put` change it.

    Of the runs that ended, only the latest are held whole: `rest` returns the others at rest,
    which read the same and take a tenth of the memory.
    """

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self.runs = KnownRuns()
        self.rest: Callable[[Sequence[Run]], Sequence[Run]] = _awake
        """Returns runs at rest, where a store is known that can do so."""
        self._ended: set[str] = set()
        """The runs that ended and are held whole."""
        self.radar = OverlapDetector()
        self.guard: Callable[[str], AbstractContextManager[None]] = _unguarded
        """Guard around the radar, by name; without effect where no face shows faults."""
        self.live: set[str] = set()
        """The runs that have not ended: what is asked for often costs as much as there is of it."""
        self.deleted: set[str] = set()
        """The runs whose workspaces went to the trash, and did not come back."""
        self.forgotten: set[str] = set()
        """The runs that were removed, whether or not they had been here."""
        self._batches: dict[str, set[str]] = {}
        for run in runs:
            self.put(run)

    def apply(self, events: Iterable[Event]) -> set[str]:
        """Fold the events in, skipping unknown runs; return the runs whose display changed."""
        by_run: dict[str, list[Event]] = {}
        for event in events:
            by_run.setdefault(event.run, []).append(event)
        known = by_run.keys() & self.runs.keys()
        changed = set(known)
        for run_id in known:
            changed |= self._set(fold(self.runs[run_id], by_run[run_id]))
        return changed

    def put(self, run: Run) -> set[str]:
        """Add a run, or replace an older state of it; return the runs whose display changed."""
        known = self.runs.get(run.id)
        if run.id in self.forgotten:  # it was read before it was forgotten
            return set()
        if known is None or known.seq < run.seq:
            return {run.id} | self._set(run)
        return {run.id}

    def remove(self, runs: Iterable[str], at: float) -> list[Event]:
        """Remove runs that were forgotten; return the last event of each that was here."""
        ends: list[Event] = []
        for run_id in runs:
            self.forgotten.add(run_id)
            run = self.runs.forget(run_id)
            if run is None:
                continue
            ends.append(Event(run_id, run.seq + 1, at, run.attempt, RunForgotten()))
            self._batches.get(run.spec.batch or "", set()).discard(run_id)
            self.live.discard(run_id)
            self._ended.discard(run_id)
            self.deleted.discard(run_id)
            with self.guard("radar"):
                self._count_overlaps(self.radar.remove(run_id))
        return ends

    def queue(self) -> list[Run]:
        """Return the queued runs in the order in which they will start."""
        live = (self.runs[run_id] for run_id in self.live)
        waiting = (run for run in live if run.status is Status.QUEUED)
        return sorted(waiting, key=lambda run: (-run.spec.priority, run.queued_at, run.id))

    def batch(self, batch: str) -> list[Run]:
        """Return the runs of a batch, in the order they were made."""
        return [self.runs[run_id] for run_id in sorted(self._batches.get(batch, ()))]

    @property
    def live_batches(self) -> set[str]:
        """The batches of which something has not ended."""
        return {batch for run_id in self.live if (batch := self.runs[run_id].spec.batch)}

    def active(self) -> list[Run]:
        """Return the runs that are being worked on."""
        live = (self.runs[run_id] for run_id in self.live)
        return [run for run in live if run.status in lifecycle.ACTIVE]

    def _set(self, run: Run) -> set[str]:
        self.runs[run.id] = run
        if run.spec.batch:
            self._batches.setdefault(run.spec.batch, set()).add(run.id)
        if run.status in lifecycle.LIVE:
            self.live.add(run.id)
        else:
            self.live.discard(run.id)
        if run.in_trash:
            self.deleted.add(run.id)
        else:
            self.deleted.discard(run.id)
        told = set[str]()
        with self.guard("radar"):
            told = self.radar.update(run)
        self._count_overlaps(told | {run.id})
        self._put_to_rest(run.id)
        return told

    def _put_to_rest(self, run_id: str) -> None:
        """Note a run that ended; where many have, put the oldest of them to rest."""
        run = self.runs[run_id]
        if type(run) is not Run or run.status not in lifecycle.FINISHED:
            self._ended.discard(run_id)
            return
        self._ended.add(run_id)
        if len(self._ended) < WHOLE + AT_REST:
            return
        oldest = sorted(self._ended)[:AT_REST]  # an id begins with the time
        self._ended.difference_update(oldest)
        resting = self.rest([self.runs[one] for one in oldest])
        self.runs.update(zip(oldest, resting, strict=True))

    def learn_lines(self, run: str, checkpoint: int, lines: ChangedLines) -> set[str]:
        """Add the lines that a run changed; return the runs whose overlaps changed."""
        changed = self.radar.learn(run, checkpoint, lines)
        self._count_overlaps(changed)
        return changed

    def _count_overlaps(self, runs: Iterable[str]) -> None:
        for run_id in runs:
            known, count = self.runs.get(run_id), self.radar.count(run_id)
            if known and known.overlaps != count:
                changed = self.runs[run_id] = copy(known)
                changed.overlaps = count
                self._put_to_rest(run_id)
