"""Requests that wait for the user: when to notify, to remind, and to decline them."""

from __future__ import annotations

from collections.abc import Callable

from engine.domain import requests
from engine.domain.activity import clock, request_words
from engine.domain.errors import UserError
from engine.domain.events import Body, Notice
from engine.domain.interaction import Decision, InputRequest, RequestAnswer
from engine.domain.model import Run, Status
from engine.domain.reasons import Subject

SETTLED_S = 2.0
"""A request is notified of after this time: a rule or a person at the screen may be quicker."""
UNANSWERED = "No one answered in time: the request was declined. Go on without it."
LIMIT = "limit"


def due(
    run: Run,
    now: float,
    remind_s: float | None,
    give_up_s: float | None,
    new_message: Callable[[], str],
) -> list[Body]:
    """Return what is due at `now` for the open requests of a run: notices, or their denial."""
    if run.status is not Status.RUNNING or not run.unanswered:
        return []
    late = [one for one in run.unanswered if _waits_s(one, now) >= (give_up_s or float("inf"))]
    if give_up_s is not None and late:
        return [body for one in late for body in _declined(run, one, new_message())]
    words = _notice_words(run, now, remind_s)
    return [Notice("info", words, subject=Subject.NEEDS_INPUT)] if words else []


def _waits_s(request: InputRequest, now: float) -> float:
    return now - (now if request.raised_at is None else request.raised_at)


def _notice_words(run: Run, now: float, remind_s: float | None) -> str:
    """Return the text of the notice that is due; empty where none is."""
    newest = run.unanswered[-1]
    others = len(run.unanswered) - 1
    words = f"{request_words(newest)}{f' and {others} more' if others else ''}"
    notified_at = run.notified_at
    if notified_at is None or notified_at < (newest.raised_at or 0.0):
        return f"needs you: {words}" if _waits_s(newest, now) >= SETTLED_S else ""
    if remind_s is not None and now - notified_at >= remind_s:
        since = max(_waits_s(one, now) for one in run.unanswered)
        return f"needs you since {clock(since)}: {words}"
    return ""


def _declined(run: Run, request: InputRequest, message: str) -> list[Body]:
    answered = RequestAnswer(
        run.attempt, request.request, request.digest, Decision.DENY, UNANSWERED
    )
    try:
        return list(requests.answer(run, answered, message, LIMIT))
    except UserError:  # it was answered in this moment
        return []
