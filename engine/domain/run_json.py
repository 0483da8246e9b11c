"""The run object of the public contract, as every `--json` prints it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from engine.domain.account import account_name
from engine.domain.activity import activity, asked_s, elapsed_s, waiting_for
from engine.domain.budget import budget_json
from engine.domain.cost import RunCost, cost_json, no_cost
from engine.domain.events import iso
from engine.domain.file_marks import ReviewedFile
from engine.domain.hosts import host_of
from engine.domain.interaction import InputRequest, MessageChanged
from engine.domain.model import Pause, Run, Status
from engine.domain.review_comment import ReviewComment
from engine.domain.text import printable_name


def run_json(
    run: Run,
    now: float,
    position: int | None = None,
    *,
    after: Sequence[str] = (),
    pause: Pause | None = None,
    cost: RunCost = no_cost,
) -> dict[str, Any]:
    """Return the run as a JSON object at `now` (seconds since 1970).

    Of a queued one: `position` is its place in the queue, from 1, `after` are the runs it still
    waits for, `pause` holds the queue.
    """
    spec = run.spec
    waits = waiting_for(run, now, after=after, pause=pause)
    return {
        "id": run.id,
        "title": spec.title,
        "project": spec.project,
        "batch": spec.batch,
        "status": run.status.value,
        "cause": run.cause and run.cause.value,
        "waiting_for": waits and waits.value,
        "queue": _queue_json(run, position, after, pause),
        "progress": run.percent,
        "activity": activity(run, now, position, after=after, pause=pause),
        "agent": spec.agent.value,
        "prompt": spec.prompt,
        "attempt_prompt": run.attempt_prompt or None,
        "tags": list(run.tags),
        "note": run.note,
        "is_dismissed": run.is_dismissed,
        "is_archived": run.is_archived,
        "comments": [comment_json(one) for one in run.comments],
        "forked_from": spec.fork.run if spec.fork else None,
        "parent": spec.parent,
        "reviewed_files": [reviewed_json(one) for one in run.reviewed],
        "template": spec.template,
        "learn_from": spec.learn_from,
        "lesson": spec.lesson or None,
        "created_at": iso(run.created_at),
        "started_at": _iso(run.started_at),
        "finished_at": _iso(run.finished_at),
        "elapsed_s": round(elapsed_s(run, now), 3),
        "attempt": run.attempt,
        "attempts": run.attempt,
        "thread_id": run.thread_id,
        "model": spec.model,
        "model_used": run.model or None,
        "account": account_name(run),
        "host": host_of(run),
        "sandbox": spec.sandbox.value,
        "workspace": _workspace_json(run),
        "checkpoint": run.checkpoint,
        "budget_limit": budget_json(spec.budget),
        "limits": [
            {**asdict(window), "resets_at": _iso(window.resets_at)} for window in run.limits
        ],
        "interactive": run.is_interactive,
        "approvals": run.approval_policy.value if run.is_interactive else None,
        "input_requests": [request_json(run, request, now) for request in run.input_requests],
        "messages": [message_json(message) for message in run.messages],
        "waited_s": round(asked_s(run, now), 3),
        "tokens": {
            "input": run.usage.input,
            "cached_input": run.usage.cached,
            "output": run.usage.output,
            "reasoning": run.usage.reasoning,
            "requests": run.usage.requests,
        },
        "expensive": asdict(run.spend_flag) if run.spend_flag else None,
        "cost_usd": cost_json(cost(run)),
        "changes": None if run.has_unknown_changes else asdict(run.changes),
        "applied": {**asdict(run.applied), "at": iso(run.applied.at)} if run.applied else None,
        "push": asdict(run.pushed) if run.pushed else None,
        "pull_request": asdict(run.pull_request) if run.pull_request else None,
        "update": asdict(run.updated) if run.updated else None,
        "error": asdict(run.error) if run.error else None,
        "exit_code": run.exit_code,
        "result": result_of(run),
    }


def request_id(run: Run, request: InputRequest) -> str:
    """Return the id by which an open request of a run is answered."""
    return f"{run.id}:{run.attempt}:{request.request}"


def request_json(run: Run, request: InputRequest, now: float) -> dict[str, Any]:
    """Return an open request as a JSON object; it is `raised`, or `answered` and on its way."""
    raised_at = now if request.raised_at is None else request.raised_at
    fields = asdict(request)
    del fields["raised_at"]
    return {
        "id": request_id(run, request),
        "run": run.id,
        **fields,
        "raised_at": iso(raised_at),
        "waiting_s": round(max(0.0, now - raised_at), 3),
    }


def message_json(message: MessageChanged) -> dict[str, Any]:
    """Return a message that the agent has not read as a JSON object."""
    return asdict(message)


def comment_json(comment: ReviewComment) -> dict[str, Any]:
    """Return a comment of the user as a JSON object."""
    fields = asdict(comment)
    del fields["path_bytes"]
    return {**fields, "path": printable_name(comment.file), "sent_at": _iso(comment.sent_at)}


def reviewed_json(mark: ReviewedFile) -> dict[str, Any]:
    """Return a file that was marked as reviewed as a JSON object."""
    return {"path": printable_name(mark.file), "fingerprint": mark.fingerprint}


def result_of(run: Run) -> Any:  # noqa: ANN401  any JSON value
    """Return the result of a run with an output schema; None while there is none."""
    import json  # late: few runs have such a result

    try:
        return json.loads(run.result) if run.result else None
    except (ValueError, RecursionError):
        return None


def pause_json(pause: Pause | None) -> dict[str, Any] | None:
    """Return a pause of the queue as a JSON object."""
    return pause and {
        "reason": pause.reason,
        "waiting_for": pause.waiting_for.value,
        "until": _iso(pause.until),
        "agent": pause.agent,
        "account": pause.account,
    }


def _queue_json(
    run: Run, position: int | None, after: Sequence[str], pause: Pause | None
) -> dict[str, Any] | None:
    if run.status is not Status.QUEUED:
        return None
    not_before = max(run.not_before or 0.0, run.spec.not_before or 0.0)
    return {
        "position": position,
        "priority": run.spec.priority,
        "after": list(after),
        "not_before": _iso(not_before or None),
        "ignores_pace": run.ignores_pace or run.spec.ignore_pace,
        "pause": pause_json(pause),
    }


def _workspace_json(run: Run) -> dict[str, Any] | None:
    if run.workspace is None:
        return None
    wish = run.spec.workspace
    base = {"ref": wish.base or "HEAD", "commit": wish.base_commit} if wish.base_commit else None
    return {**asdict(run.workspace), "base": base, "in_trash": run.in_trash}


def _iso(at: float | None) -> str | None:
    return None if at is None else iso(at)
