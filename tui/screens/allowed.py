"""Rules of which action the chosen runs allow, and the reasons where they do not."""

from __future__ import annotations

from collections.abc import Callable

from engine.domain import lifecycle
from engine.domain.errors import UserError, user_error
from engine.domain.model import Run, Status, WorkspaceKind

_KILLABLE = lifecycle.CANCELLABLE | {Status.CANCELLING}
STATUSES = {
    "start_run": frozenset({Status.QUEUED}),
    "cancel_run": lifecycle.CANCELLABLE,
    "kill_run": _KILLABLE,
    "message": frozenset(Status) - {Status.CANCELLING},
    "interrupt": frozenset({Status.RUNNING}),
    **dict.fromkeys(("retry_run", "edit_run", "resume_run", "fresh_run"), lifecycle.FINISHED),
    "delete_workspace": lifecycle.FINISHED,
    **dict.fromkeys(("dismiss_run", "archive_run", "update_run"), lifecycle.FINISHED),
    **dict.fromkeys(("fork_run", "forget_run", "push_run"), lifecycle.FINISHED),
    **dict.fromkeys(
        (
            *("copy_id", "log", "files", "follow", "apply_run", "details", "changes"),
            *("tag_run", "note_run"),
        ),
        frozenset(Status),
    ),
}
"""In which status a run has to be for each action."""

_OF_SEVERAL = frozenset({"run.cancel", "run.kill", "run.retry"})
OF_MARKS = frozenset(
    {
        "cancel_run",
        "kill_run",
        "changes",
        "message",
        "interrupt",
        "start_run",
        "retry_run",
        "edit_run",
        "resume_run",
        "apply_run",
        "delete_workspace",
        "dismiss_run",
        "archive_run",
        "tag_run",
        "note_run",
        "update_run",
        "forget_run",
    }
)


def _has_home(run: Run) -> bool:
    place = run.workspace
    if place is None or place.kind is WorkspaceKind.IN_PLACE:
        return False
    return place.source is not None


def _has_base(run: Run) -> bool:
    place = run.workspace
    kept = (WorkspaceKind.IN_PLACE, WorkspaceKind.EMPTY)
    return place is not None and place.kind not in kept and not run.in_trash


def _can_be_written_to(run: Run) -> bool:
    """Return whether a message reaches the agent: at work, or by another attempt in its thread."""
    if run.status in lifecycle.FINISHED:
        return bool(run.thread_id)
    return run.is_interactive


_ABLE: dict[str, Callable[[Run], bool]] = {
    "message": _can_be_written_to,
    "interrupt": lambda run: run.is_interactive,
    "resume_run": lambda run: bool(run.thread_id),
    "apply_run": _has_home,
    "update_run": _has_base,
    "push_run": _has_home,
    "changes": lambda run: run.workspace is not None,
    "delete_workspace": lambda run: run.workspace is not None and not run.in_trash,
    "fork_run": lambda run: run.workspace is not None and not run.in_trash,
}
"""Further conditions on a run."""


def allows(run: Run, action: str) -> bool:
    """Return whether a run allows an action that is about runs."""
    return run.status in STATUSES[action] and (action not in _ABLE or _ABLE[action](run))


def why_not(command_id: str, run: Run | None, marked: int, headed: int) -> UserError | None:
    """Return why the chosen, marked or headed runs do not allow a command."""
    if command_id in _OF_SEVERAL and (marked or headed):
        return _why_none(command_id, marked)
    if run is None:
        way_out = "Select one, or press n to start one."
        return user_error("RUN_NOT_FOUND", "No run is selected.", way_out)
    reason = _REASONS.get(command_id)
    return reason(command_id, run, marked, headed) if reason else None


def _why_not_started_again(command_id: str, run: Run, marked: int, headed: int) -> UserError:
    del headed
    if marked and command_id != "run.fresh":
        has = " and has a Codex thread" if command_id == "run.resume" else ""
        return user_error("RUN_NOT_RETRYABLE", f"None of the marked runs is finished{has}.")
    return _why_not_again(run)


def _why_not_ended(command_id: str, run: Run, marked: int, headed: int) -> UserError:
    del command_id
    if marked or headed:
        return user_error("RUN_NOT_ENDED", "None of these runs has ended.")
    return user_error("RUN_NOT_ENDED", f"The run {run.id} {lifecycle.status_words(run.status)}.")


def _why_not_spoken_to(command_id: str, run: Run, marked: int, headed: int) -> UserError:
    several, verb = marked or headed, command_id.removeprefix("run.")
    if several and verb == "interrupt":
        return user_error("RUN_NOT_INTERACTIVE", "None of these runs has a turn to interrupt.")
    if run.status in lifecycle.FINISHED and not several:
        return _why_no_turn(run) if verb == "interrupt" else _why_not_again(run)
    if several:
        return user_error("RUN_NOT_INTERACTIVE", "None of these runs can be written to now.")
    if not run.is_interactive:
        message = f"The run {run.id} does not work interactively."
        recovery = "When it has ended, resume it with --interactive; m then resumes it, too."
        return user_error("RUN_NOT_INTERACTIVE", message, recovery)
    return user_error(
        "RUN_NOT_INTERACTIVE",
        f"The run {run.id} {lifecycle.status_words(run.status)}.",
        "Wait until it is running.",
    )


def _why_no_turn(run: Run) -> UserError:
    message = f"The run {run.id} has ended: it has no turn to interrupt."
    has_thread = bool(run.thread_id)
    way_out = "m or R goes on in its thread." if has_thread else "r retries it, e edits its prompt."
    return user_error("RUN_NOT_INTERACTIVE", message, way_out)


def _why_no_home(command_id: str, run: Run, marked: int, headed: int) -> UserError:
    del command_id, headed
    which = "None of the marked runs has a" if marked else f"The run {run.id} has no"
    message = f"{which} source to put changes into."
    way_out = "`swarm-tui apply --to DIR` applies them to any folder."
    return user_error("INPUT_INVALID", message, way_out)


def _why_not_updated(command_id: str, run: Run, marked: int, headed: int) -> UserError:
    if marked or headed:
        return user_error("UPDATE_REFUSED", "None of these runs can be updated.")
    if run.status not in lifecycle.FINISHED:
        return _why_not_ended(command_id, run, marked, headed)
    if run.workspace is None or run.in_trash:
        return user_error("WORKSPACE_MISSING")
    return user_error("UPDATE_REFUSED", f"The run {run.id} has no base: {run.workspace.kind}.")


def _why_not_pushed(command_id: str, run: Run, marked: int, headed: int) -> UserError:
    if run.status not in lifecycle.FINISHED:
        return _why_not_ended(command_id, run, 0, 0)
    return _why_no_home(command_id, run, 0, headed)


def _why_none(command_id: str, marked: int) -> UserError:
    which = f"None of the {'marked ' if marked else ''}runs is"
    if command_id == "run.retry":
        return user_error("RUN_NOT_RETRYABLE", f"{which} finished.")
    return user_error("RUN_NOT_CANCELLABLE", f"{which} live.", "r retries them.")


def _why_not_cancellable(command_id: str, run: Run, marked: int, headed: int) -> UserError:
    del command_id, marked, headed
    way_out = "X kills it now." if run.status is Status.CANCELLING else "r starts its next attempt."
    return user_error(
        "RUN_NOT_CANCELLABLE", f"The run {run.id} {lifecycle.status_words(run.status)}.", way_out
    )


def _why_not_queued(command_id: str, run: Run, marked: int, headed: int) -> UserError:
    del command_id, marked, headed
    message = f"The run {run.id} {lifecycle.status_words(run.status)}."
    return user_error("RUN_NOT_QUEUED", message, "r retries a run that has ended.")


def _why_not_again(run: Run) -> UserError:
    if run.status in lifecycle.FINISHED:
        message = f"The run {run.id} never got a Codex thread."
        return user_error("THREAD_NOT_FOUND", message, "r retries it, e edits its prompt.")
    return user_error(
        "RUN_NOT_RETRYABLE", f"The run {run.id} {lifecycle.status_words(run.status)}."
    )


_Reason = Callable[[str, Run, int, int], UserError]
_REASONS: dict[str, _Reason] = {
    "run.start": _why_not_queued,
    **dict.fromkeys(("run.cancel", "run.kill"), _why_not_cancellable),
    **dict.fromkeys(("run.message", "run.interrupt"), _why_not_spoken_to),
    **dict.fromkeys(("run.retry", "run.edit", "run.resume", "run.fresh"), _why_not_started_again),
    **dict.fromkeys(("run.dismiss", "run.archive", "run.forget"), _why_not_ended),
    "run.apply": _why_no_home,
    "run.update": _why_not_updated,
    "run.push": _why_not_pushed,
}
"""Functions that return why a run does not allow a command: of command, run, marked, headed."""
