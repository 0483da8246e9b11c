"""Runs, the queue and search results."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from engine.domain.budget import BudgetUnit
from engine.domain.input_fields import FieldKind
from engine.domain.interaction import (
    ApprovalPolicy,
    Decision,
    DeliveryTime,
    MessagePhase,
    RequestKind,
    RequestPhase,
)
from engine.domain.model import Agent, Sandbox, Status, WorkspaceKind
from engine.domain.pull_request import PullRequestState, ReviewDecision
from engine.domain.reasons import Cause, WaitingFor
from engine.domain.review_comment import CommentPhase
from engine.domain.spend import SpendBasis
from tui.cli.json.base import Cost, Count, ErrorInfoJson, Path, Shape, Time


class BaseJson(Shape):
    """The commit that a worktree started from."""

    ref: Annotated[str, Meta(description="as requested: a branch, tag or commit, or HEAD")]
    commit: Annotated[str, Meta(description="its commit when the run was requested")]


class WorkspaceJson(Shape):
    """The folder a run works in."""

    path: str
    kind: WorkspaceKind
    source: str | None
    branch: str | None
    base: BaseJson | None
    cwd: Annotated[
        str, Meta(description="the folder it works in, relative to path; empty: path itself")
    ]
    host: Annotated[str, Meta(description="the machine it is on; `local`: this one")]
    in_trash: Annotated[bool, Meta(description="deleted; it can be restored from the trash")]


class TokensJson(Shape):
    """Tokens and model requests of a run, all attempts together."""

    input: Count
    cached_input: Annotated[Count, Meta(description="part of input")]
    output: Count
    reasoning: Annotated[Count, Meta(description="part of output")]
    requests: Annotated[Count, Meta(description="model requests that used them")]


class SpendFlagJson(Shape):
    """The flag of a run that spends far more tokens than others like it."""

    factor: Annotated[float, Meta(description="its tokens in medians")]
    basis: Annotated[SpendBasis, Meta(description="the runs that it was compared with")]
    tokens: Annotated[int, Meta(ge=0, description="that it had used then")]
    median: Annotated[int, Meta(ge=0, description="tokens of the others")]


class ChangeCountJson(Shape):
    """Numbers of changes of a run since its baseline."""

    files: Count
    insertions: Count
    deletions: Count


class TakenHomeJson(Shape):
    """The last applied state of a run's changes; files is the number of changed files."""

    how: Annotated[str, Meta(pattern="^(edits|commit|merge)$")]
    to: str
    files: Count
    checkpoint: Count
    at: Time
    commit: str | None
    branch: str | None


class PushJson(Shape):
    """The run's branch on a remote, as it was pushed last."""

    remote: str
    address: Annotated[str, Meta(description="of the remote, without a password")]
    branch: str
    commit: str
    web_address: Annotated[str, Meta(description="shows the branch, or opens a pull request")]
    pull_request: Annotated[str, Meta(description="its address; empty: none was opened")]
    checkpoint: Annotated[int | None, Meta(description="state of the workspace that was pushed")]


class ChecksJson(Shape):
    """The checks of a pull request, counted; names are the first of those that fail."""

    passing: Count
    failing: Count
    pending: Count
    names: list[str]


class PullRequestJson(Shape):
    """The run's pull request, as it was read last; an unknown state was never read."""

    url: str
    number: Count
    state: PullRequestState
    checks: ChecksJson
    review: Annotated[ReviewDecision, Meta(description="empty: there is none")]
    commit: Annotated[str, Meta(description="pushed commit that it has; empty: not known to")]
    problem: Annotated[str, Meta(description="why it could not be read again")]


class UpdateJson(Shape):
    """The last update of the run's workspace onto a newer commit of its base."""

    phase: Annotated[str, Meta(pattern="^(updated|checked)$")]
    base: str
    old: Annotated[str, Meta(description="commit before")]
    new: Annotated[str, Meta(description="commit since")]
    checkpoint: Annotated[int, Meta(description="has the workspace as it was before")]
    files: Count
    commits: Count
    conflicts: Annotated[list[str], Meta(description="files that the agent still has to resolve")]
    head: Annotated[str, Meta(description="commit that the workspace had checked out")]
    new_head: Annotated[str, Meta(description="commit that it has since")]


class BudgetJson(Shape):
    """The most that may be used, in tokens, USD at list prices, or percent of a window."""

    amount: float
    unit: BudgetUnit


class LimitWindowJson(Shape):
    """One of the plan's rate-limit windows, as last reported to the run."""

    name: str
    used_percent: float
    window_minutes: int | None
    resets_at: Time | None


class PauseJson(Shape):
    """A pause of the queue, or the hold of an account: reason and end (null: not known)."""

    reason: str
    waiting_for: WaitingFor
    until: Time | None
    agent: Annotated[str | None, Meta(description="agent whose runs it holds; null: all runs")]
    account: Annotated[str | None, Meta(description="account whose runs it holds; null: all runs")]


class PlaceJson(Shape):
    """A queued run's place in the queue, from 1, and its other conditions."""

    position: Annotated[int, Meta(ge=1)] | None
    priority: int
    after: Annotated[list[str], Meta(description="runs that must succeed first")]
    not_before: Time | None
    ignores_pace: Annotated[
        bool, Meta(description="it starts although a reserve is kept or starts are spread")
    ]
    pause: PauseJson | None


class ProposedChangeJson(Shape):
    """A change that a patch would make."""

    path: str
    change: Annotated[str, Meta(pattern="^(added|modified|deleted)$")]
    diff: str
    outside: Annotated[bool, Meta(description="outside the workspace, also by a link")]


class FieldOptionJson(Shape):
    """An option of a field."""

    value: Annotated[str, Meta(description="chooses it")]
    title: str
    text: str


class InputFieldJson(Shape):
    """A question of the agent, or a field of a form."""

    name: str
    kind: FieldKind
    title: str
    text: Annotated[str, Meta(description="the whole question")]
    options: list[FieldOptionJson]
    is_required: bool
    is_secret: Annotated[bool, Meta(description="its value is never recorded")]
    is_list: Annotated[bool, Meta(description="it can have several values")]
    allows_other: Annotated[bool, Meta(description="a value may be none of the options")]
    format: Annotated[str, Meta(description="email, uri, date or date-time; empty: any text")]
    default: str
    minimum: float | None
    maximum: float | None
    min_length: Annotated[int | None, Meta(description="characters")]
    max_length: Annotated[int | None, Meta(description="characters")]
    min_items: Annotated[int | None, Meta(description="number of values of a list")]
    max_items: Annotated[int | None, Meta(description="number of values of a list")]


class InputRequestJson(Shape):
    """An open request of an agent; characters that cannot be seen are backslash escapes."""

    id: Annotated[str, Meta(description="RUN:ATTEMPT:NUMBER, to answer it")]
    run: str
    request: Annotated[str, Meta(description="its number within the attempt")]
    phase: Annotated[RequestPhase, Meta(description="answered: the answer is on its way")]
    kind: RequestKind | None
    text: Annotated[str, Meta(description="its subject on one line")]
    reason: Annotated[str, Meta(description="the agent's own text")]
    command: Annotated[str | None, Meta(description="the whole command")]
    cwd: Annotated[str | None, Meta(description="relative to the workspace, or absolute")]
    changes: list[ProposedChangeJson]
    details: Annotated[str, Meta(description="all else that it asks for")]
    digest: Annotated[str, Meta(description="equal for requests that ask for the same")]
    is_cut: Annotated[bool, Meta(description="too long to be shown whole: it can only be denied")]
    subject: Annotated[
        list[str],
        Meta(
            description="what rules compare: shell and script, paths, or server and tool; "
            "empty: no rule may approve it"
        ),
    ]
    decision: Decision | None
    decided_by: str
    message: Annotated[str, Meta(description="the id of the message with a denial")]
    raised_at: Time
    waiting_s: float
    fields: Annotated[list[InputFieldJson], Meta(description="questions, or fields of a form")]
    url: Annotated[str | None, Meta(description="an address that the user is to open")]
    answers: Annotated[
        dict[str, list[str]] | None, Meta(description="values by field, but secret ones")
    ]
    secrets: Annotated[str, Meta(description="the inbox record with the secret values")]
    server: Annotated[str | None, Meta(description="the MCP server that gets the answer")]


class MessageJson(Shape):
    """A message to the agent that it has not read."""

    message: str
    phase: MessagePhase
    delivery: DeliveryTime | None
    text: str


class CommentJson(Shape):
    """A comment of the user on lines of a run's file."""

    n: Annotated[int, Meta(ge=1, description="its number within the run")]
    phase: Annotated[CommentPhase, Meta(description="added and edited ones wait to be sent")]
    text: str
    path: Path
    first: Annotated[int, Meta(ge=1, description="first line")]
    last: Annotated[int, Meta(ge=1, description="last line")]
    is_old: Annotated[bool, Meta(description="lines before the run's changes")]
    quoted: Annotated[str, Meta(description="the lines as they were, at most 20 of them")]
    checkpoint: Annotated[int | None, Meta(description="the run's last one at that time")]
    fingerprint: Annotated[str, Meta(description="SHA-256 of the file at that time")]
    sent_at: Time | None
    since: Annotated[int, Meta(description="the checkpoint of the old lines; 0: before the run")]


class ReviewedFileJson(Shape):
    """A file that the user marked as reviewed, as long as its content is the same."""

    path: Path
    fingerprint: Annotated[str, Meta(description="of its change at that time")]


class LocatedCommentJson(CommentJson):
    """A comment, and where its lines are now."""

    line: Annotated[
        int | None, Meta(description="where the first line is now; null: no longer there")
    ]


class RunJson(Shape):
    """The current state of a run."""

    id: str
    title: str
    project: str
    batch: str | None
    status: Status
    cause: Annotated[Cause | None, Meta(description="reason of its status, if there is one")]
    waiting_for: Annotated[
        WaitingFor | None, Meta(description="the last condition it waits for, while it is queued")
    ]
    queue: Annotated[PlaceJson | None, Meta(description="only while it is queued")]
    progress: Annotated[int, Meta(ge=0, le=100, description="percent")]
    activity: Annotated[str, Meta(description="current activity as text")]
    agent: Agent
    prompt: str
    attempt_prompt: Annotated[
        str | None,
        Meta(description="beginning of this attempt's prompt; null: not a prompt of the user's"),
    ]
    tags: Annotated[list[str], Meta(description="labels that the user set")]
    note: Annotated[str, Meta(description="the user's own text about it")]
    is_dismissed: Annotated[bool, Meta(description="put aside: it needs no attention")]
    is_archived: Annotated[bool, Meta(description="left out of lists")]
    comments: Annotated[list[CommentJson], Meta(description="comments on its changes")]
    forked_from: Annotated[str | None, Meta(description="the id of the original of a fork")]
    parent: Annotated[
        str | None, Meta(description="the id of the run that started it; it may be forgotten")
    ]
    reviewed_files: Annotated[
        list[ReviewedFileJson], Meta(description="files marked as reviewed in the dashboard")
    ]
    template: str | None
    learn_from: Annotated[str | None, Meta(description="the pattern it learns from")]
    lesson: Annotated[str | None, Meta(description="hints of that pattern, before the prompt")]
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    elapsed_s: float
    attempt: Annotated[int, Meta(ge=1, description="the current attempt")]
    attempts: Annotated[int, Meta(ge=1, description="number of attempts")]
    thread_id: Annotated[str | None, Meta(description="Codex's own name of the thread")]
    model: Annotated[str | None, Meta(description="as asked for")]
    model_used: Annotated[str | None, Meta(description="the model that it used last")]
    account: Annotated[str, Meta(description="the account of the attempt, of `accounts`")]
    host: Annotated[
        str, Meta(description="the machine: `local`, a node, or `any` until one is chosen")
    ]
    sandbox: Sandbox
    workspace: WorkspaceJson | None
    checkpoint: Annotated[int | None, Meta(description="the last one taken")]
    budget_limit: Annotated[
        BudgetJson | None, Meta(description="the most that it may use, all attempts together")
    ]
    limits: list[LimitWindowJson]
    interactive: Annotated[bool, Meta(description="whether its agent can ask and be spoken to")]
    approvals: Annotated[ApprovalPolicy | None, Meta(description="when it asks; null: it does not")]
    input_requests: Annotated[
        list[InputRequestJson], Meta(description="open requests of the agent, oldest first")
    ]
    messages: Annotated[list[MessageJson], Meta(description="messages it has not read")]
    waited_s: Annotated[float, Meta(description="seconds of the attempt it waited for answers")]
    tokens: TokensJson
    expensive: Annotated[
        SpendFlagJson | None, Meta(description="once it spends far more than others like it")
    ]
    cost_usd: Cost
    changes: Annotated[ChangeCountJson | None, Meta(description="null: unknown")]
    applied: Annotated[TakenHomeJson | None, Meta(description="where its changes were applied")]
    push: Annotated[PushJson | None, Meta(description="where its branch was pushed")]
    pull_request: Annotated[
        PullRequestJson | None, Meta(description="its pull request, once it was read")
    ]
    update: Annotated[UpdateJson | None, Meta(description="last update, unless undone")]
    error: ErrorInfoJson | None
    exit_code: Annotated[int | None, Meta(description="Codex's, where it ended")]
    result: Annotated[
        dict[str, Any] | list[Any] | str | float | bool | None,
        Meta(description="the answer to --output-schema; null while there is none"),
    ]


class OverlapJson(Shape):
    """Another run that changed the same files of the same source."""

    run: str
    paths: list[str]


class ListedRunJson(RunJson):
    """The current state of a run, and the runs that change the same files."""

    supervised: Annotated[
        bool | None, Meta(description="false: no process supervises it; null: it has ended")
    ]
    overlaps: list[OverlapJson]


class LimitForecastJson(Shape):
    """A rate-limit window of an account, and when it is full at the present pace."""

    account: str
    name: str
    used_percent: Annotated[float, Meta(ge=0)]
    window_minutes: Count | None
    resets_at: Annotated[Time | None, Meta(description="passed: it has reset, nothing seen since")]
    full_at: Annotated[Time | None, Meta(description="at the present pace; null: resets before")]


class ShownRunJson(ListedRunJson):
    """The current state of a run, with the forecast of its account's limits."""

    forecast: Annotated[
        list[LimitForecastJson],
        Meta(description="rate-limit windows of its account; empty once the run has ended"),
    ]


class QueueJson(Shape):
    """The state of the queue."""

    pause: PauseJson | None
    holds: Annotated[
        list[PauseJson],
        Meta(description="accounts that start no run, to keep a reserve or to spread starts"),
    ]
    held_accounts: Annotated[list[PauseJson], Meta(description="accounts without room")]
    slots: Annotated[int, Meta(ge=1, description="number of runs that may be active at a time")]
    active: Count
    queued: Count
    limits: Annotated[
        list[LimitForecastJson], Meta(description="rate-limit windows of every account")
    ]


class HitJson(Shape):
    """A match of all words: an event of a run, or its prompt (seq 1)."""

    run: str
    title: str
    project: str
    status: Status
    seq: Annotated[int, Meta(ge=1)]
    at: Time
    what: Annotated[str, Meta(description="prompt, message, command, notice, error …")]
    text: str
    marks: Annotated[list[list[int]], Meta(description="positions of the words in text: from, to")]


class FoundJson(Shape):
    """The newest matches; behind is the number of events not searched yet."""

    hits: list[HitJson]
    more: bool
    behind: Count
