"""What `--json` prints: the shape of every object, for docs/json.md and the tests that hold it."""

from __future__ import annotations

from dataclasses import fields
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from engine.domain.events import BODIES, Body
from engine.domain.model import Agent, Sandbox, Status, WorkspaceKind
from engine.engine import Health, PlaceKind

Time = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
Count = Annotated[int, Meta(ge=0)]
Path = Annotated[str, Meta(description="relative to the workspace; unsafe characters escaped")]


class Shape(Struct, forbid_unknown_fields=True):
    """An object whose keys are all there, and no others."""


class ErrorInfo(Shape):
    """What went wrong, and the way out; the codes are listed in errors.md."""

    code: Annotated[str, Meta(pattern="^[A-Z_]+$")]
    message: str
    recovery: str
    docs_url: str


class Error(Shape):
    """Printed by every command instead of its own object, with exit code 3."""

    error: ErrorInfo


class Workspace(Shape):
    """The folder a run works in."""

    path: str
    kind: WorkspaceKind
    source: str | None
    branch: str | None
    in_trash: Annotated[bool, Meta(description="deleted; it can come back while the trash has it")]


class Tokens(Shape):
    """What a run used, all its attempts together."""

    input: Count
    cached_input: Count
    output: Count


class ChangeCount(Shape):
    """How much a run changed, against its baseline."""

    files: Count
    insertions: Count
    deletions: Count


class TakenHome(Shape):
    """A run's changes as they were last applied; files is how many were changed there."""

    how: Annotated[str, Meta(pattern="^(edits|commit|merge)$")]
    to: str
    files: Count
    checkpoint: Count
    at: Time
    commit: str | None
    branch: str | None


class LimitWindow(Shape):
    """One of the plan's rate-limit windows, as the run last heard of it."""

    name: str
    used_percent: float
    window_minutes: int | None
    resets_at: Time | None


class Pause(Shape):
    """Why the queue starts nothing, and until when (null: until it is asked to)."""

    reason: str
    until: Time | None


class Place(Shape):
    """A queued run's place in the queue, from 1, and what else it waits for."""

    position: Annotated[int, Meta(ge=1)] | None
    priority: int
    after: Annotated[list[str], Meta(description="runs that must succeed first")]
    not_before: Time | None
    pause: Pause | None


class Run(Shape):
    """A run as it is now."""

    id: str
    title: str
    project: str
    batch: str | None
    status: Status
    queue: Annotated[Place | None, Meta(description="only while it is queued")]
    progress: Annotated[int, Meta(ge=0, le=100, description="percent")]
    activity: Annotated[str, Meta(description="what it is doing, in words")]
    agent: Agent
    prompt: str
    template: str | None
    learn_from: Annotated[str | None, Meta(description="the pattern it learns from")]
    lesson: Annotated[str | None, Meta(description="what it is told of that, before the prompt")]
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    elapsed_s: float
    attempt: Annotated[int, Meta(ge=1, description="the current attempt")]
    attempts: Annotated[int, Meta(ge=1, description="how many there were")]
    thread_id: Annotated[str | None, Meta(description="Codex's own name of the thread")]
    model: str | None
    sandbox: Sandbox
    workspace: Workspace | None
    checkpoint: Annotated[int | None, Meta(description="the last one taken")]
    limits: list[LimitWindow]
    tokens: Tokens
    changes: ChangeCount
    applied: Annotated[TakenHome | None, Meta(description="where its changes were applied")]
    error: ErrorInfo | None
    exit_code: Annotated[int | None, Meta(description="Codex's, where it ended")]


class Overlap(Shape):
    """Another run that changed the same files of the same source."""

    run: str
    paths: list[str]


class ListedRun(Run):
    """A run as it is now, and the runs that it gets in the way of."""

    overlaps: list[Overlap]


class Queue(Shape):
    """How the queue stands."""

    pause: Pause | None
    slots: Annotated[int, Meta(ge=1, description="how many runs may be active at a time")]
    active: Count
    queued: Count


class Finding(Shape):
    """One thing the doctor looked at; recovery is empty where nothing needs doing."""

    name: str
    health: Health
    message: str
    recovery: str


class Diagnosis(Shape):
    """What the doctor found; ended_orphans only with --end-orphans."""

    ok: bool
    findings: list[Finding]
    ended_orphans: Count | UnsetType = UNSET


class Entry(Shape):
    """A file or folder of a workspace."""

    path: str
    name: Annotated[str, Meta(description="safe to show")]
    is_folder: bool
    is_link: bool
    size_bytes: Count | None


class Artifact(Shape):
    """A file that a run saved."""

    path: Annotated[str, Meta(description="absolute")]
    bytes: Count


class ChangedFile(Shape):
    """A file that a run changed; binary ones count no lines."""

    path: Path
    old_path: Annotated[str | None, Meta(description="where it was renamed")]
    change: Annotated[str, Meta(pattern="^(added|modified|deleted|renamed|mode)$")]
    insertions: Count
    deletions: Count
    binary: bool


class Diff(Shape):
    """What a run changed; left_out names what could not be read."""

    files: Count
    insertions: Count
    deletions: Count
    changes: list[ChangedFile]
    left_out: list[str]


class Conflict(Shape):
    """A file that keeps a run's changes from being applied."""

    path: Path
    why: str


class Applied(Shape):
    """What became of one run's changes."""

    run: str
    applied: bool
    fits: bool
    files: list[Path]
    conflicts: list[Conflict]
    commit: str | None
    branch: str | None


class Checkpoint(Shape):
    """A state of a workspace that can be put back."""

    n: Count
    at: Time
    stage: str


class Restored(Shape):
    """What was put back; undo is the checkpoint that takes it back."""

    files: list[Path]
    undo: Count


class DiskPlace(Shape):
    """A place that takes room; a file with several names counts in one place."""

    kind: PlaceKind
    path: str
    run: str | None
    project: str | None
    disk: Annotated[int, Meta(ge=0, description="bytes on disk")]
    apparent: Annotated[int, Meta(ge=0, description="bytes that the files say they have")]
    rebuildable: Annotated[
        int, Meta(ge=0, description="bytes on disk that can be made again, or may go")
    ]
    entries: Count
    newest: Annotated[float, Meta(description="when a file last changed, in seconds since 1970")]
    unread: Annotated[int, Meta(ge=0, description="folders that could not be looked into")]
    state: Annotated[str | None, Meta(description="of a session: why it stays or may go")]
    error: str | None


class DiskUsage(Shape):
    """What takes room; free is what is left on the disk."""

    places: list[DiskPlace]
    free: Count


class PlanItem(Shape):
    """One workspace or session of a plan, and why it goes or stays."""

    run: Annotated[str, Meta(description="empty for a session of no run that is known")]
    title: str
    project: str
    size: Count
    why: str
    path: str


class CleanedUp(Shape):
    """What became of one of them; entry is null where it is gone for good, or stays."""

    run: str | None
    path: str
    freed: Count
    entry: str | None
    error: ErrorInfo | None


class Cleanup(Shape):
    """What a clean-up takes and keeps, the largest first; what it did, nothing with --dry-run."""

    take: list[PlanItem]
    keep: list[PlanItem]
    size: Annotated[int, Meta(ge=0, description="bytes to be freed")]
    cleaned: list[CleanedUp]
    freed: Count
    stopped: bool


class TrashEntry(Shape):
    """Something in the trash."""

    id: str
    run: str
    project: str
    title: str
    path: Annotated[str, Meta(description="where it was")]
    kind: WorkspaceKind
    source: str | None
    branch: str | None
    is_only_here: Annotated[bool, Meta(description="holds work that is nowhere else")]
    at: Time


class BroughtBack(Shape):
    """What --undo brought back."""

    restored: list[TrashEntry]


class Emptied(Shape):
    """What was in the trash, and how much of it --empty-trash removed."""

    trash: list[TrashEntry]
    removed: Count


class Parameter(Shape):
    """What a template asks for; one without a default has to be given."""

    type: Annotated[str, Meta(pattern="^(text|number|choice|flag|path)$")]
    default: str | int | float | bool | None
    help: str | None
    choices: list[str] | None
    check: str | None


class Achieved(Shape):
    """What a template's runs have come to; ended are those that succeeded or failed."""

    runs: Count
    ended: Count
    succeeded: Count
    median_s: float | None
    median_tokens: float | None


class Template(Shape):
    """A run template; error says why it cannot be used."""

    name: str
    layer: Annotated[str, Meta(pattern="^(built in|own|repository)$")]
    path: Annotated[str, Meta(description="absolute")]
    description: str | None
    params: dict[str, Parameter]
    prompt: str | None
    sandbox: Sandbox | None
    timeout_s: float | None
    verify: str | None
    achieved: Achieved
    error: ErrorInfo | None


class Rate(Shape):
    """How many runs succeeded or failed, and how many of them succeeded."""

    ended: Count
    succeeded: Count


class PatternStep(Shape):
    """One thing that was done and worked."""

    kind: Annotated[str, Meta(pattern="^(look|run|edit|check)$")]
    text: str


class Variable(Shape):
    """What may be another the next time."""

    kind: Annotated[str, Meta(pattern="^(path|name|range|number)$")]
    value: str


class Pattern(Shape):
    """What worked; runs it came from and those that used it, the newest first."""

    id: str
    goal: str
    steps: list[PatternStep]
    variables: list[Variable]
    outcome: str
    template: str | None
    changed_at: Time
    is_edited: Annotated[bool, Meta(description="by you: later runs do not change it")]
    runs: list[str]
    used_by: list[str]
    with_it: Annotated[Rate, Meta(description="of those that used it")]
    without: Annotated[Rate, Meta(description="of those of its kind that did not")]


class Hit(Shape):
    """A place that says all the words: an event of a run, or its prompt (seq 1)."""

    run: str
    title: str
    project: str
    status: Status
    seq: Annotated[int, Meta(ge=1)]
    at: Time
    what: Annotated[str, Meta(description="prompt, message, command, notice, error …")]
    text: str
    marks: Annotated[list[list[int]], Meta(description="where the words stand in text: from, to")]


class Found(Shape):
    """The latest places; behind are events that were not looked through yet."""

    hits: list[Hit]
    more: bool
    behind: Count


class Batch(Shape):
    """Runs launched together; live are those that have not ended, budget is for all of them."""

    id: str
    name: str
    template: str | None
    made_of: Annotated[str, Meta(description="a file, a matrix, a number of copies, in words")]
    created_at: Time
    started_at: Time | None
    finished_at: Annotated[Time | None, Meta(description="once all have ended")]
    runs: Count
    live: Count
    counts: Annotated[dict[Status, Count], Meta(description="runs by status")]
    progress: Annotated[int, Meta(ge=0, le=100, description="percent")]
    pass_rate: Annotated[float | None, Meta(description="succeeded of those that ended, 0 to 1")]
    tokens: Tokens
    budget: int | None
    left_s: Annotated[float | None, Meta(description="about how long it will still take")]


class Task(Shape):
    """What several runs of a batch were given alike, and those runs, the best first."""

    given: dict[str, str]
    winner: Annotated[str | None, Meta(description="the best, once all have ended")]
    runs: list[Run]


class BatchResults(Batch):
    """A batch with what came of it."""

    tasks: list[Task]


class Compared(Shape):
    """A run of a task and what it changed: lines by file."""

    run: str
    status: Status
    changes: dict[str, str]


class Comparison(Shape):
    """The runs of a task side by side, the best first."""

    given: dict[str, str]
    winner: str | None
    runs: list[Compared]


class PlannedRun(Shape):
    """A run that would start."""

    title: str
    prompt: str
    given: dict[str, str]


class BatchPlan(Shape):
    """What would start; disk is what its workspaces take at first, in bytes."""

    runs: Count
    disk: int | None
    free: Count
    made_of: str
    planned: list[PlannedRun]


class Answer(Shape):
    """What came of a try: the HTTP status code, if there was an answer, and it in words."""

    text: str
    code: int | None
    took_s: float


class Delivery(Shape):
    """A message on its way to one receiver; a parked one is not tried again by itself."""

    id: Annotated[str, Meta(description="the webhook-id: tells doubles")]
    type: Annotated[str, Meta(description="run.failed and so on")]
    at: Time
    subject: Annotated[str, Meta(description="the run or batch it is about; those stay in order")]
    receiver: str
    state: Annotated[str, Meta(pattern="^(waiting|delivered|parked)$")]
    tries: Count
    tried_at: Time | None
    next_at: Annotated[Time | None, Meta(description="when it is tried again")]
    answer: Answer | None


class Receiver(Shape):
    """Somebody who is told of events; last is what was tried last."""

    name: str
    kind: Annotated[str, Meta(pattern="^(webhook|apprise)$")]
    address: Annotated[str, Meta(description="without what may be secret")]
    events: list[str]
    signed: bool
    state: Annotated[str, Meta(pattern="^(ok|failing|parked)$")]
    waiting: Count
    parked: Count
    last: Delivery | None


class Tested(Shape):
    """A receiver that took a test message."""

    receiver: str
    answer: Answer


class Again(Shape):
    """How many deliveries are tried again."""

    again: Count


AS_JSON: dict[str, Any] = {
    "not_before": Time,
    "error": ErrorInfo,
    "windows": list[LimitWindow],
    "applied": TakenHome,
}
"""Fields of events that look different in JSON."""


def _event(kind: type[Body]) -> type[Struct]:
    """Make the shape of an event from its body; what says nothing is left out there."""
    hints = get_type_hints(kind)
    own: list[Any] = []
    for field in fields(kind):
        hint = AS_JSON.get(field.name, hints[field.name])
        own.append(
            (field.name, _without_null(hint), UNSET)
            if field.default is None
            else (field.name, hint)
        )
    envelope = [("run", str), ("seq", Annotated[int, Meta(ge=1)]), ("at", Time), ("attempt", int)]
    return msgspec.defstruct(
        f"{kind.type.capitalize()}Event",
        [*envelope, *sorted(own, key=len)],
        tag_field="type",
        tag=kind.type,
        forbid_unknown_fields=True,
        namespace={"__doc__": kind.__doc__},
    )


def _without_null(hint: Any) -> Any:  # noqa: ANN401  types
    kinds = (
        [one for one in get_args(hint) if one is not NoneType]
        if get_origin(hint) is UnionType
        else [hint]
    )
    return Union[(*kinds, UnsetType)]


EVENTS: dict[str, type[Struct]] = {name: _event(kind) for name, kind in BODIES.items()}
Event: Any = Union[tuple(EVENTS.values())]  # noqa: UP007  made from a list

# What each command prints: one document of this shape, or one a line.
DOCUMENTS: dict[str, Any] = {
    "ls": list[ListedRun],
    "show": ListedRun,
    "search": Found,
    "cancel": list[Run],
    "wait": list[Run],
    "pause": Queue,
    "unpause": Queue,
    "slots": Queue,
    "doctor": Diagnosis,
    "files": list[Entry],
    "artifacts": list[Artifact],
    "diff": Diff,
    "restore": list[Checkpoint] | Restored,
    "du": DiskUsage,
    "cleanup": Cleanup,
    "cleanup --undo": BroughtBack,
    "cleanup --empty-trash": Emptied,
    "templates": list[Template] | Template,
    "patterns": list[Pattern] | Pattern,
    "webhooks": list[Receiver],
    "webhooks test": list[Tested],
    "webhooks deliveries": list[Delivery],
    "webhooks retry": Again,
    "config": dict[str, Any],  # settings.md has its keys
    "batch start --dry-run": BatchPlan,
    "batch start --detach": Batch,
    "batch ls": list[Batch],
    "batch show": BatchResults,
    "batch compare": list[Comparison],
    "batch cancel": list[Run],
    "batch drop": Cleanup,
}
LINES: dict[str, Any] = {
    "run": Event,
    "run --detach": Run,
    "batch start": Event,
    "batch retry": Event,
    "batch retry --detach": Run,
    "batch apply": Applied,
    "watch": Event,
    "logs": Event,
    "retry": Event,
    "retry --detach": Run,
    "resume": Event,
    "resume --detach": Run,
    "apply": Applied,
}
