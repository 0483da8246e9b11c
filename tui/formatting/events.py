"""Events as a log shows them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from engine.domain.account import AccountChosen
from engine.domain.activity import clock, request_words
from engine.domain.annotation import Annotation
from engine.domain.base_update import UpdatePhase, WorkspaceUpdated
from engine.domain.events import (
    ApplyUndone,
    ArtifactSaved,
    Body,
    ChangesMeasured,
    CheckpointTaken,
    ErrorRaised,
    Event,
    FilesChanged,
    LimitsSeen,
    Notice,
    PlanChanged,
    Progressed,
    Raw,
    RunForgotten,
    StatusChanged,
    Step,
    UsageCounted,
)
from engine.domain.file_marks import FilesReviewed
from engine.domain.hosts import HostChosen
from engine.domain.interaction import (
    Decision,
    InputRequest,
    InterruptPhase,
    MessageChanged,
    MessagePhase,
    RequestPhase,
    TurnInterrupt,
)
from engine.domain.lifecycle import FINISHED
from engine.domain.model import ChangeCount
from engine.domain.pull_request import PullRequestSeen, PullRequestState
from engine.domain.push import BranchPushed
from engine.domain.record import record
from engine.domain.review_comment import CommentPhase, ReviewComment
from engine.domain.text import one_line, printable_name, size
from engine.domain.thread_session import SessionPhase, ThreadSession
from tui.formatting.file_changes import file_lines, folded_files
from tui.formatting.input_fields import answer_lines
from tui.formatting.interaction import decision_words, request_lines
from tui.formatting.limits import window_name
from tui.formatting.numbers import changes, tokens
from tui.formatting.prose import plain, prose, thoughts
from tui.formatting.pull_request import state_words
from tui.formatting.runs import glyph, tone, word
from tui.formatting.symbols import sign
from tui.terminal.cells import MAX_LINE, clean

SHOWN_FILES = 5
"""Files that one event names."""

DECLINED = "declined"
"""The phase of a step that was not done: its request was denied."""
MAX_EXTRA = 400
"""Lines of an event's output that are kept for showing."""


@record
class EventLine:
    """An event as a log shows it: one line, and more lines that are folded to a few.

    `tone` is a key of `TONES`. `prose` is text to read, which wraps; of other extra lines only
    the last `fold` stay when folded. `detail` is the full text that `text` shortens; only an
    unfolded event shows it. `paths` are the files of the event: one for each extra line, or one
    alone. `titles` are the indexes of titles among `text` (0) and the extra lines (from 1).
    """

    glyph: str
    kind: str
    text: str
    tone: str = "plain"
    extra: tuple[str, ...] = ()
    prose: bool = False
    fold: int = 3
    detail: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    titles: frozenset[int] = frozenset()


def event_line(event: Event) -> EventLine:
    """Return an event as a log shows it."""
    return _LINES[type(event.body)](event.body)


def said_line(body: MessageChanged | TurnInterrupt) -> EventLine:
    """Return a message of the user, or an interrupt, with its latest phase."""
    return _LINES[type(body)](body)


def lines(text: str, limit: int = MAX_EXTRA) -> tuple[str, ...]:
    """Return the last `limit` lines of `text`, safe to show, without blank ones at the ends."""
    clipped = text[-limit * MAX_LINE :].strip("\n").splitlines()
    while clipped and not clipped[-1].strip():
        clipped.pop()
    kept = clipped[-limit:]
    left_out = len(clipped) - len(kept)
    shown = tuple(clean(line.rstrip()) for line in kept)
    return (f"… {left_out} lines before", *shown) if left_out else shown


def prompt_line(prompt: str) -> EventLine:
    """Return the prompt of a run as a log shows it."""
    first, *rest = prose(prompt) or ("",)
    return EventLine(sign("❯", ">"), "prompt", first, "live", tuple(rest), prose=True)


def _status(body: StatusChanged) -> EventLine:
    parts = [word(body.status), clean(body.reason, 500)]
    if body.exit_code:
        parts.append(f"exit {body.exit_code}")
    text = " · ".join(part for part in parts if part)
    kind = "end" if body.status in FINISHED else "status"
    return EventLine(glyph(body.status), kind, text, tone(body.status))


def _progress(body: Progressed) -> EventLine:
    text = f"{clean(body.message, 500) or body.stage.value.replace('_', ' ')}"
    if body.elapsed_s is not None:
        text = f"{text} · {clock(body.elapsed_s)}"
    return EventLine(sign("›", ">"), "stage", f"{text} · {body.percent}%", "dim")


def _step(body: Step) -> EventLine:
    if body.role != "tool":
        return _message(body)
    if body.kind == "command":
        return _command(body)
    done = body.phase != "started"
    look = "bad" if body.phase == "failed" else "plain" if done else "dim"
    text = clean(body.text or body.command or body.kind)
    if body.phase == DECLINED:
        text = folded_files(body.changes or ()) or text
        return EventLine(sign("⊘", "/"), "declined", text, "warn", _each(body), fold=0)
    if body.kind == "file_change":
        text, look = folded_files(body.changes or ()), "busy" if look == "plain" else look
        mark, text = sign("±", "*"), text or "no files"
        return EventLine(mark, "edit", text, look, _each(body), fold=0, paths=_paths(body))
    marks = {
        "mcp": (sign("◇", "*"), "tool"),
        "web_search": (sign("◎", "@"), "search"),
        "agent": (sign("◇", "*"), "agent"),
        "sleep": (sign("·", "."), "sleep"),
    }
    mark, kind = marks.get(body.kind, (sign("·", "."), "step"))
    return EventLine(mark, kind, text, look, lines(body.output or ""))


def _message(body: Step) -> EventLine:
    if body.role == "reasoning":
        shown, titles = thoughts(body.text)
        first, *rest = shown or ("",)
        return EventLine(
            sign("∴", "~"), "thinks", first, "dim", tuple(rest), prose=True, titles=titles
        )
    first, *rest = map(plain, prose(body.text) or ("",))
    return EventLine(sign("▪", "="), "says", first, "plain", tuple(rest), prose=True)


def _command(body: Step) -> EventLine:
    text = clean(body.text or body.command or "")
    full = clean(body.command or "")
    detail = () if full in ("", text) else (full,)
    if body.phase == "started":
        return EventLine(sign("▸", ">"), "runs", text, "live", detail=detail)
    if body.phase == DECLINED:
        return EventLine(sign("⊘", "/"), "declined", text, "warn", detail=detail)
    failed = body.phase == "failed" or bool(body.exit_code)
    if body.exit_code:
        text = f"exit {body.exit_code} · {text}"
    elif failed:
        text = f"failed · {text}"
    mark, tone = (sign("✗", "x"), "bad") if failed else (sign("✓", "+"), "good")
    return EventLine(mark, "ran", text, tone, lines(body.output or ""), detail=detail)


def _each(body: Step | FilesChanged) -> tuple[str, ...]:
    """Return a line for each changed file, where there are several."""
    changed = body.changes or ()
    return file_lines(changed, MAX_EXTRA) if len(changed) > 1 else ()


def _paths(body: Step | FilesChanged) -> tuple[str, ...]:
    return tuple(one.path for one in (body.changes or ())[:MAX_EXTRA])


def _plan(body: PlanChanged) -> EventLine:
    done = sum(item.completed for item in body.items)
    current = next((clean(item.text, 300) for item in body.items if not item.completed), "all done")
    ticked, open_ = sign("☑", "[x]"), sign("☐", "[ ]")
    extra = tuple(
        f"{ticked if item.completed else open_} {clean(item.text, 300)}" for item in body.items
    )
    return EventLine(
        sign("≡", "#"),
        "plan",
        f"{done}/{len(body.items)} · {current}",
        "busy",
        extra[:MAX_EXTRA],
        fold=0,
    )


def files_line(body: FilesChanged) -> EventLine:
    """Return files that the watcher saw change as a log shows them."""
    mark, text = sign("±", "*"), folded_files(body.changes)
    return EventLine(mark, "files", text, "dim", _each(body), fold=0, paths=_paths(body))


def _changes(body: ChangesMeasured) -> EventLine:
    files = f"{body.files} file{'' if body.files == 1 else 's'}"
    figures = changes(ChangeCount(body.files, body.insertions, body.deletions))
    return EventLine(sign("±", "*"), "changes", f"{files} {figures}".strip(), "dim")


def _usage(body: UsageCounted) -> EventLine:
    text = f"{tokens(body.input_tokens)} in · {tokens(body.output_tokens)} out"
    if body.cached_input_tokens:
        text += f" · {tokens(body.cached_input_tokens)} cached"
    return EventLine(sign("Σ", "#"), "tokens", text, "dim")


def _limits(body: LimitsSeen) -> EventLine:
    shown = (f"{window_name(window)} {window.used_percent:g}% used" for window in body.windows)
    return EventLine("%", "limits", " · ".join(shown), "dim")


def _notice(body: Notice) -> EventLine:
    warning = body.level == "warning"
    text, *more = prose(body.text) or ("",)
    return EventLine(
        "!" if warning else "i", "notice", text, "warn" if warning else "dim", tuple(more)
    )


def _checkpoint(body: CheckpointTaken) -> EventLine:
    text = f"checkpoint {body.n} · {clean(body.stage, 60)}"
    return EventLine(sign("◆", "*"), "saved", text, "dim")


def _artifact(body: ArtifactSaved) -> EventLine:
    text = f"{clean(body.path, 300)} · {size(body.bytes)}"
    return EventLine(sign("↓", "v"), "artifact", text, "dim")


def _error(body: ErrorRaised) -> EventLine:
    error = body.error
    text = f"{clean(error.message, MAX_LINE)} ({clean(error.code, 60)})"
    return EventLine(sign("✗", "x"), "error", text, "bad", (clean(error.recovery),), prose=True)


def _request(body: InputRequest) -> EventLine:
    match body.phase:
        case RequestPhase.RAISED:
            text = clean(f"needs you: {request_words(body)}", MAX_LINE)
            return EventLine("?", "asks", text, "warn", tuple(map(clean, request_lines(body))))
        case RequestPhase.ANSWERED:
            is_yes = body.decision in (Decision.APPROVE, Decision.ANSWER)
            mark, tone = (sign("✓", "+"), "good") if is_yes else (sign("⊘", "/"), "warn")
            extra = tuple(map(clean, answer_lines(body)))
            return EventLine(mark, "answer", decision_words(body), tone, extra)
        case RequestPhase.APPLIED:
            return EventLine("?", "answer", "the agent has the answer", "dim")
        case _:
            return EventLine("?", "asks", "the request was withdrawn", "dim")


_OF_MESSAGES = {MessagePhase.QUEUED: "live", MessagePhase.SENT: "live"}


def _user_message(body: MessageChanged) -> EventLine:
    first, *more = prose(body.text) or ("",)
    if not first:
        return EventLine(">", "you", f"message {body.phase}", "dim")
    tone = _OF_MESSAGES.get(body.phase, "plain")
    text = f"{body.phase}: {first}"
    return EventLine(">", "you", text, tone, extra=tuple(more), prose=True)


def _interrupt(body: TurnInterrupt) -> EventLine:
    words = {
        InterruptPhase.REQUESTED: "interrupt requested",
        InterruptPhase.DONE: "the turn was interrupted",
    }
    text = words.get(body.phase, "there was no turn to interrupt")
    return EventLine("!", "you", text, "warn")


def _annotation(body: Annotation) -> EventLine:
    words = {
        "dismissed": body.is_dismissed,
        "archived": body.is_archived,
    }
    changed = [
        name if is_set else f"no longer {name}"
        for name, is_set in words.items()
        if is_set is not None
    ]
    if body.tags is not None:
        changed.append(f"tags: {', '.join(body.tags) or 'none'}")
    if body.note is not None:
        changed.append(f"note: {one_line(body.note) or 'none'}")
    return EventLine(sign("✎", "~"), "you", clean(" · ".join(changed), MAX_LINE), "dim")


def _comment(body: ReviewComment) -> EventLine:
    if body.phase is CommentPhase.ADDED:
        text, tone = f"comment {body.n} on {body.place}", "plain"
    else:
        text, tone = f"comment {body.n} {body.phase}", "dim"
    shown = clean(text, MAX_LINE)
    return EventLine(sign("✎", "~"), "you", shown, tone, prose(body.text), prose=True)


def _reviewed(body: FilesReviewed) -> EventLine:
    marked = [one for one in body.files if one.fingerprint]
    shown = ", ".join(printable_name(one.file) for one in body.files[:SHOWN_FILES])
    more = len(body.files) - SHOWN_FILES
    text = f"{'reviewed' if marked else 'no longer reviewed'}: {shown}"
    text += f" and {more} more" if more > 0 else ""
    return EventLine(sign("✓", "*"), "you", clean(text, MAX_LINE), "dim")


def _undone(body: ApplyUndone) -> EventLine:
    files = f"{body.files} file{'' if body.files == 1 else 's'}"
    text = f"apply undone: {files} in {clean(body.to, 300)}"
    return EventLine(sign("↶", "<"), "you", text, "dim")


def _forgotten(_: RunForgotten) -> EventLine:
    return EventLine(sign("∅", "-"), "forgot", "the run was forgotten", "warn")


def _updated(body: WorkspaceUpdated) -> EventLine:
    base, commits = (
        clean(body.base, 100),
        f"{body.commits} commit{'' if body.commits == 1 else 's'}",
    )
    files = tuple(clean(path, MAX_LINE) for path in body.conflicts)
    match body.phase:
        case UpdatePhase.UNDONE:
            return EventLine(sign("↶", "<"), "you", f"update to {base} undone", "dim")
        case UpdatePhase.CHECKED:
            text = "conflicts left after the update" if files else "conflicts resolved"
            return EventLine(sign("⤓", "v"), "update", text, "warn" if files else "good", files)
        case _:
            text = f"updated to {base} {clean(body.new, 10)}, {commits}"
            text += f", {len(files)} in conflict" if files else ""
            return EventLine(sign("⤓", "v"), "update", text, "warn" if files else "good", files)


def _pushed(body: BranchPushed) -> EventLine:
    text = f"pushed {body.branch} to {body.remote}, {body.commit[:10]}"
    address = clean(body.pull_request or body.web_address, MAX_LINE)
    return EventLine(sign("↑", "^"), "push", clean(text, MAX_LINE), "good", (address,))


def _pull_request(body: PullRequestSeen) -> EventLine:
    glyph = sign("↗", "^")
    if body.problem:
        return EventLine(glyph, "pull request", clean(body.problem, MAX_LINE), "warn")
    bad, good = bool(body.checks.failing), body.state is PullRequestState.MERGED
    tone = "good" if good else "bad" if bad and not body.has_ended else "plain"
    text = clean(f"#{body.number} {state_words(body)}", MAX_LINE)
    names = tuple(clean(name, 80) for name in body.checks.names)
    return EventLine(glyph, "pull request", text, tone, () if body.has_ended else names)


def _thread_session(body: ThreadSession) -> EventLine:
    is_opened = body.phase is SessionPhase.OPENED
    text = "thread opened in Codex, outside of swarm-tui" if is_opened else "left Codex"
    return EventLine(sign("⌨", ">"), "you", text, "plain")


def _account(body: AccountChosen) -> EventLine:
    text = f"uses {clean(body.account, 40)}: {clean(body.reason)}"
    return EventLine("@", "account", text, "plain")


def _host(body: HostChosen) -> EventLine:
    verb = "asks for" if body.is_request else "works on"
    reason = f": {clean(body.reason)}" if body.reason else ""
    return EventLine("@", "node", f"{verb} {clean(body.host, 60)}{reason}", "plain")


def _raw(body: Raw) -> EventLine:
    try:
        text = json.dumps(body.data, ensure_ascii=False, default=str)
    except (TypeError, ValueError):
        text = str(body.data)
    return EventLine("?", "raw", clean(text), "dim")


_LINES: dict[type[Body], Callable[[Any], EventLine]] = {
    StatusChanged: _status,
    Progressed: _progress,
    Step: _step,
    PlanChanged: _plan,
    FilesChanged: files_line,
    ChangesMeasured: _changes,
    UsageCounted: _usage,
    LimitsSeen: _limits,
    Notice: _notice,
    CheckpointTaken: _checkpoint,
    ArtifactSaved: _artifact,
    ErrorRaised: _error,
    InputRequest: _request,
    MessageChanged: _user_message,
    TurnInterrupt: _interrupt,
    Annotation: _annotation,
    ReviewComment: _comment,
    BranchPushed: _pushed,
    PullRequestSeen: _pull_request,
    WorkspaceUpdated: _updated,
    ThreadSession: _thread_session,
    ApplyUndone: _undone,
    FilesReviewed: _reviewed,
    AccountChosen: _account,
    HostChosen: _host,
    RunForgotten: _forgotten,
    Raw: _raw,
}
