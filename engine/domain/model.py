"""The data of a run: no behaviour that needs a disk, a process or a screen."""

from __future__ import annotations

from dataclasses import field
from functools import lru_cache
from operator import attrgetter

from engine.domain.base_update import WorkspaceUpdated
from engine.domain.budget import Budget
from engine.domain.file_marks import ReviewedFile
from engine.domain.interaction import (
    ApprovalPolicy,
    InputRequest,
    MessageChanged,
    RequestPhase,
    RunMode,
    TurnInterrupt,
)
from engine.domain.numeric import MAX_COUNT, bounded_count, bounded_percent, bounded_time
from engine.domain.open_enum import OpenEnum
from engine.domain.pull_request import PullRequestSeen
from engine.domain.push import BranchPushed
from engine.domain.reasons import Cause, Occupation, WaitingFor
from engine.domain.record import mutable_record, record
from engine.domain.review_comment import ReviewComment
from engine.domain.spend import SpendFlag

VERIFY_LIMIT_S = 900.0
BASELINE = 0
"""The number of the checkpoint that all changes are measured against."""


class Status(OpenEnum):
    """The status of a run; `lifecycle` holds the allowed changes."""

    QUEUED = "queued"
    PREPARING = "preparing"
    RUNNING = "running"
    VERIFYING = "verifying"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class Stage(OpenEnum):
    """The stages a run passes within one attempt, in order."""

    WORKSPACE_PREP = "workspace_prep"
    WORKSPACE_CLONED = "workspace_cloned"
    EXECUTING = "executing"
    VERIFYING = "verifying"
    EXTRACTING_PATTERNS = "extracting_patterns"
    COMPLETE = "complete"


class WorkspaceKind(OpenEnum):
    """The kind of source of a workspace."""

    EMPTY = "empty"
    COPY = "copy"
    WORKTREE = "worktree"
    FROM_RUN = "from-run"
    IN_PLACE = "in-place"


class Sandbox(OpenEnum):
    """The sandbox of an agent's commands: what they may write."""

    READ_ONLY = "read-only"
    WORKSPACE_WRITE = "workspace-write"
    DANGER_FULL_ACCESS = "danger-full-access"


class Agent(OpenEnum):
    """An agent, by the name that is stored with its runs."""

    CODEX = "codex"
    SIMULATED = "simulated"


LOCAL = "local"
"""The name of this machine, as the host of a workspace. Workspaces stored without one are here."""
ANY_NODE = "any"
"""In the place of a host's name: any node of the cluster with a free slot, chosen at the start."""


@record
class WorkspaceSpec:
    """The user's request for a workspace; `source` is an absolute path or a run id."""

    kind: WorkspaceKind = WorkspaceKind.EMPTY
    source: str | None = None
    include_uncommitted: bool = False
    base: str | None = None
    """The branch, tag or commit that a worktree starts from, as it was named; None: HEAD."""
    base_commit: str | None = None
    """The commit that this was when the run was requested."""
    fetch: bool = False
    """True to fetch `base` from its remote first; it never is once the commit is known."""
    cwd: str | None = None
    """The folder to work in, relative to the top; None: the one that a worktree is made from."""
    host: str = LOCAL
    """The machine to work on, by its name."""


@record
class WorkspaceSetup:
    """The steps that make a workspace ready, taken from the settings when the run was requested."""

    setup: tuple[str, ...] = ()
    """Commands, run one after the other in the new workspace."""
    setup_limit_s: float = 900.0
    copy_files: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    branch: str = "swarm/{run}"
    """The name of a run's branch."""
    root: str | None = None
    """The folder in which the workspace is created; None: in the home."""
    copy_limit: int | None = None
    """Bytes of files, holes in them included, that a copy may hold."""
    trusted: dict[str, str] = field(default_factory=dict[str, str])
    """Files of the repository that its commands can run, with the SHA-256 the user has trusted."""
    guarded: tuple[str, ...] = ()
    """Commands of the repository's: they run only with these files, or where they name none."""
    denied: tuple[tuple[str, str], ...] = ()
    """Requests that the repository's settings deny: the kind and the text of each rule."""


@record
class WatchdogOverride:
    """Watchdog limits of a run that differ from the settings; None: as set there."""

    silent_s: float | None = None
    first_event_s: float | None = None
    action: str | None = None


@record
class ForkOrigin:
    """The run that another was forked from, as it was then."""

    run: str
    workspace: Workspace
    """The workspace that is copied, with its checkpoints."""
    thread: str | None = None
    """The thread that is forked; None: it had none."""
    account: str = ""
    """The account in whose home these threads are; empty: the default one."""
    threads: tuple[str, ...] = ()
    """All threads that the fork's own is made of: an agent may read them from their files."""


@record
class RunSpec:
    """The user's request for a run, kept unchanged."""

    prompt: str
    title: str
    project: str
    agent: Agent = Agent.CODEX
    codex_bin: str | None = None
    workspace: WorkspaceSpec = WorkspaceSpec()
    with_setup: bool | None = None
    """True if set-up commands run; None: where the workspace is a new worktree or copy."""
    preparation: WorkspaceSetup = field(default_factory=WorkspaceSetup)
    env: dict[str, str] = field(default_factory=dict[str, str])
    """Variables that were asked for. A stored run has none: they are in its own file alone."""
    model: str | None = None
    on: str | None = None
    """The machine that was asked for, see `WorkspaceSpec.host`; None: as the settings have it."""
    account: str | None = None
    """The account of the settings that its agent uses; None: as the settings have it."""
    interactive: bool | None = None
    """True if the agent can ask and be spoken to while it works; None: as the settings have it."""
    approvals: ApprovalPolicy | None = None
    """Cases in which an interactive agent asks; None: as the settings have it."""
    sandbox: Sandbox = Sandbox.WORKSPACE_WRITE
    codex_config: tuple[str, ...] = ()
    output_schema: str | None = None
    """The JSON schema that the agent's last message has to fit, as it was when it was asked for."""
    schema_file: str | None = None
    """The file to read that schema from. A stored run has none: it was read."""
    images: tuple[str, ...] = ()
    """Images for the agent; of a stored run, copies in its own folder."""
    add_dirs: tuple[str, ...] = ()
    """Folders outside of the workspace that the agent's commands may write in."""
    timeout_s: float | None = None
    retries: int = 0
    verify: str | None = None
    """A command, run in the workspace after the agent; it has to end with exit code 0."""
    verify_limit_s: float = VERIFY_LIMIT_S
    watchdog: WatchdogOverride = WatchdogOverride()
    template: str | None = None
    batch: str | None = None
    """The id of the batch it was launched with."""
    given: dict[str, str] = field(default_factory=dict[str, str])
    """Differences from the rest of its batch: parameters, and `model`, `repository`, `step`."""
    priority: int = 0
    after: tuple[str, ...] = ()
    """Runs that must have succeeded before this one starts."""
    not_before: float | None = None
    ignore_pace: bool = False
    """True if it starts although a reserve is kept, or starts are spread."""
    budget: Budget | None = None
    """The most that it may use, all attempts together."""
    budget_tokens: int | None = None
    """The budget as earlier versions stored it; it becomes `budget`."""
    learn_from: str | None = None
    """The pattern of earlier work to learn from; asked for by its id, or by that of a run."""
    lesson: str = ""
    """The text about that for the agent, before the prompt."""
    fork: ForkOrigin | None = None
    """The run that it was forked from."""
    parent: str | None = None
    """The run that started it; None: the user did."""
    ancestors: tuple[str, ...] = ()
    """All runs above it, the top one first; set when it is queued, with `parent` as the last."""

    def __post_init__(self) -> None:
        if self.budget_tokens is not None:
            object.__setattr__(self, "budget", self.budget or Budget(self.budget_tokens))
            object.__setattr__(self, "budget_tokens", None)

    @property
    def searched_prompt(self) -> str:
        """Return the prompt in small letters, as filters search it."""
        return _lowered(self.prompt)


@lru_cache(maxsize=4096)
def _lowered(prompt: str) -> str:
    return prompt.lower()


@record
class AttemptRequest:
    """A request for an attempt that differs from the run's prompt at its start."""

    prompt: str
    resume: bool = False
    """Go on in the run's thread."""
    fresh: bool = False
    """Begin with a new workspace."""
    message: str = ""
    """The id of the message to the agent that the prompt is, if it is one."""
    mode: RunMode | None = None
    """The mode from this attempt on; None: as it was."""


@record
class Pause:
    """A pause of the queue: its cause, and its end (seconds since 1970; None: until asked)."""

    reason: str
    until: float | None = None
    waiting_for: WaitingFor = WaitingFor.USER
    agent: str | None = None
    """The agent whose runs it holds; None: all runs."""
    account: str | None = None
    """The account whose runs it holds; None: all runs."""
    can_move: bool = False
    """True if it holds only runs that name the account: the others go on under another."""
    since: float | None = None
    """Since when a node does not answer that a run waits for."""
    accounts: tuple[Pause, ...] = ()
    """Accounts that hold their runs, also where the queue itself goes on."""


@record
class Usage:
    """Tokens of one run, and the model requests that used them.

    `cached` is a part of `input`, and `reasoning` is a part of `output`.
    """

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0
    requests: int = 0

    def __post_init__(self) -> None:
        for name in ("input", "cached", "output", "reasoning", "requests"):
            number = getattr(self, name)
            if not 0 <= number <= MAX_COUNT:
                object.__setattr__(self, name, bounded_count(number))

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.cached + other.cached,
            self.output + other.output,
            self.reasoning + other.reasoning,
            self.requests + other.requests,
        )

    def __sub__(self, other: Usage) -> Usage:
        """Return the difference; a part that would be negative is 0."""
        return Usage(
            self.input - other.input,
            self.cached - other.cached,
            self.output - other.output,
            self.reasoning - other.reasoning,
            self.requests - other.requests,
        )


@record
class TemplateStats:
    """Statistics of the runs of a template; the medians are of those that succeeded."""

    runs: int = 0
    ended: int = 0
    """Number of runs that succeeded or failed."""
    succeeded: int = 0
    median_s: float | None = None
    median_tokens: float | None = None


@record
class LimitWindow:
    """One of the plan's rate-limit windows: `primary` or `secondary`."""

    name: str
    used_percent: float
    window_minutes: int | None = None
    resets_at: float | None = None

    @property
    def limit(self) -> str:
        """The id of the limit that it belongs to; empty for the plan's own."""
        return self.name.rpartition(":")[0]

    def __post_init__(self) -> None:
        object.__setattr__(self, "used_percent", bounded_percent(self.used_percent))
        if self.window_minutes is not None:
            object.__setattr__(self, "window_minutes", bounded_count(self.window_minutes))
        if self.resets_at is not None:
            object.__setattr__(self, "resets_at", bounded_time(self.resets_at))


@record
class ChangeCount:
    """The size of a run's changes, against its baseline."""

    files: int = 0
    insertions: int = 0
    deletions: int = 0


@record
class PlanItem:
    """One line of the agent's own plan."""

    text: str
    completed: bool


@record
class PlanPace:
    """The first sight of a plan, with its steps done then, and the time of its last step done."""

    began_at: float
    done_before: int
    moved_at: float


@record
class ErrorInfo:
    """A `UserError` as data: what an error event and the run object carry."""

    code: str
    message: str
    recovery: str
    docs_url: str


@record
class Workspace:
    """The folder of a run as it was made."""

    path: str
    kind: WorkspaceKind
    source: str | None = None
    branch: str | None = None
    cwd: str = ""
    """The folder that the agent, set-up and check work in, relative to `path`; empty: that one."""
    host: str = LOCAL
    """The machine on which `path` is a folder, by its name."""


@record
class Applied:
    """A run's changes as they were last applied.

    `how` is `edits`, `commit` or `merge`, `to` the folder, `checkpoint` the state applied,
    `files` the number of files changed there.
    """

    how: str
    to: str
    files: int
    checkpoint: int
    at: float
    commit: str | None = None
    branch: str | None = None


@mutable_record
class Run:
    """A run as its events describe it, times in seconds since 1970 (UTC).

    Only `projection.fold` makes new ones from old; all other code treats a Run as frozen.
    """

    id: str
    spec: RunSpec
    created_at: float
    status: Status = Status.QUEUED
    reason: str = ""
    seq: int = 0
    attempt: int = 1
    queued_at: float = 0.0
    not_before: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    skipped_s: float = 0.0
    """Seconds of this attempt that only passed on the wall clock: the machine slept, for instance.

    Negative where the clock was moved back."""
    last_event_at: float = 0.0
    last_sign_at: float = 0.0
    """Time of the last sign of life of the agent or its files."""
    stage: Stage | None = None
    percent: int = 0
    doing: str = ""
    doing_since: float = 0.0
    open_items: int = 0
    message: str = ""
    """The first line of the agent's last message in this attempt."""
    tool_steps: int = 0
    checkpoint: int | None = None
    baseline: bool | None = None
    """True if the workspace was remembered before the agent started in it.

    None: neither has happened yet. False: the agent started without, and it stays so."""
    uncheckpointed: bool = False
    """True if work was done after the last checkpoint, and the next could not be taken."""
    store_lost: bool = False
    """True if its checkpoints were found to be damaged."""
    retries_used: int = 0
    limit_hits: int = 0
    plan: tuple[PlanItem, ...] = ()
    plan_pace: PlanPace | None = None
    thread_id: str | None = None
    usage: Usage = Usage()
    usage_by_model: tuple[tuple[str, Usage], ...] = ()
    """The parts of its usage that models of known names have, its sub-agents' included."""
    model: str = ""
    """The model that it used last; empty while that is not known."""
    changes: ChangeCount = ChangeCount()
    touched: tuple[str, ...] = ()
    """The changed files, a bounded number of them."""
    applied: Applied | None = None
    overlaps: int = 0
    """Number of other runs that change the same files; a view of all runs knows, no run alone."""
    workspace: Workspace | None = None
    is_set_up: bool = True
    """True if the workspace is ready: the set-up of another is to be run, or run again."""
    in_trash: bool = False
    """True if the workspace was deleted; it can come back as long as the trash holds it."""
    is_rejected: bool = False
    """True if the user moved its workspace to the trash, since its last attempt."""
    error: ErrorInfo | None = None
    exit_code: int | None = None
    notice: str = ""
    stalled: str = ""
    limits: tuple[LimitWindow, ...] = ()
    context_window: int | None = None
    result: str = ""
    """The last message of a run with an output schema."""
    cause: Cause | None = None
    """Cause of its status; `reason` is the text of it."""
    away_since: float | None = None
    """Since when its node does not answer: it is waited for, until it is lost."""
    occupation: Occupation | None = None
    """The kind of work that `doing` describes, where it is one of these."""
    input_requests: tuple[InputRequest, ...] = ()
    """Open requests of the agent, and those whose answers it has not got yet."""
    asked_since: float | None = None
    """Since when the agent waits for an answer."""
    answered_since: float | None = None
    """Since when an answer is on its way to the agent."""
    notified_at: float | None = None
    """Time at which the user was last notified of it."""
    waited_s: float = 0.0
    """Seconds of this attempt before that in which it waited for answers."""
    messages: tuple[MessageChanged, ...] = ()
    """Messages to the agent that it has not read."""
    interrupts: tuple[TurnInterrupt, ...] = ()
    """Interrupts that are not done yet."""
    tags: tuple[str, ...] = ()
    note: str = ""
    """The user's own text about it."""
    is_dismissed: bool = False
    """True if the user has put it aside: it no longer needs attention."""
    is_archived: bool = False
    """True if it is left out of the lists."""
    ignores_pace: bool = False
    """True if the user lets it start although a reserve is kept, until it ends."""
    comments: tuple[ReviewComment, ...] = ()
    """The user's comments on its changes."""
    reviewed: tuple[ReviewedFile, ...] = ()
    """The files that the user marked as reviewed."""
    last_comment: int = 0
    """The number of the last comment; none is used twice."""
    pushed: BranchPushed | None = None
    """The branch of the run on a remote, as it was pushed last."""
    pull_request: PullRequestSeen | None = None
    """The pull request of the run, as it was read last."""
    updated: WorkspaceUpdated | None = None
    """The last update onto a newer commit of its base, unless it was undone."""
    mode: RunMode | None = None
    """The mode of its attempts since it was changed; None: as it was requested."""
    approvals: ApprovalPolicy | None = None
    """Cases in which its agent asks, since that was changed."""
    attempt_prompt: str = ""
    """The prompt of this attempt where the user wrote one; its beginning, if it is long."""
    account: str = ""
    """The account of this attempt; empty: the default one."""
    thread_account: str = ""
    """The account whose home has the newest state of the thread; empty: the default one."""
    host: str = ""
    """The machine of this attempt, where one was chosen; `hosts.host_of` knows the others."""
    requested_host: str = ""
    """The machine that the user asked for since the run was requested; empty: as requested."""
    spend_flag: SpendFlag | None = None
    """The usage for which this attempt was flagged last: far more than others like it."""

    @property
    def is_interactive(self) -> bool:
        """Return whether the agent of this attempt can ask and be spoken to."""
        if self.mode is None:
            return self.spec.interactive is True
        return self.mode is RunMode.INTERACTIVE

    @property
    def approval_policy(self) -> ApprovalPolicy:
        """Return when the agent asks, if it can."""
        return self.approvals or self.spec.approvals or ApprovalPolicy.ON_REQUEST

    @property
    def unanswered(self) -> tuple[InputRequest, ...]:
        """The requests that wait for an answer: with one, the run needs the user."""
        if not self.input_requests:  # asked of every run with each batch of events
            return ()
        raised = RequestPhase.RAISED
        return tuple(one for one in self.input_requests if one.phase is raised)

    @property
    def is_applied(self) -> bool:
        """Return whether all changes of the run so far were applied."""
        if self.applied is None or self.uncheckpointed or self.has_unknown_changes:
            return False
        return self.applied.checkpoint == self.checkpoint

    @property
    def has_unknown_changes(self) -> bool:
        """The baseline of its changes is missing."""
        return self.baseline is False or self.store_lost

    # What lists ask of every run; one at rest (`store/resting.py`) holds the answers.

    @property
    def used_tokens(self) -> int:
        """Return the tokens that it read and wrote."""
        return self.usage.input + self.usage.output

    @property
    def is_in_place(self) -> bool:
        """Return whether it works in the user's own folder."""
        return self.workspace is not None and self.workspace.kind is WorkspaceKind.IN_PLACE

    @property
    def has_limits(self) -> bool:
        """Return whether it reported limits of its account."""
        return bool(self.limits)

    @property
    def machine(self) -> str:
        """Return the machine that was chosen for its attempt, or that was asked for."""
        at_workspace = self.workspace.host if self.workspace else ""
        return self.host or at_workspace or self.requested_host or self.spec.workspace.host

    def __copy__(self) -> Run:
        """Return another run that is the same: every batch of events begins with one."""
        return Run(*_all_of(self))


_all_of = attrgetter(*Run.__match_args__)
