"""Types added to stored data of earlier versions, which only texts distinguished.

The texts are those of these versions, and stay as they are. A value gets its types once: by the
migration of the database, or when the record of a run from such a version is read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from engine.domain.model import Status
from engine.domain.reasons import Cause, Condition, Occupation, Subject, WaitingFor

_CAUSES = {
    "cancelled by the user": Cause.CANCEL,
    "killed by the user": Cause.KILL,
    "retry": Cause.RETRY,
    "resume": Cause.RESUME,
}
_CONDITIONS = {str(condition): condition for condition in Condition}
_LIMIT = "waiting for the limit to reset"
_NETWORK = "waiting for network"
_AGENTS = "waiting for sub-agents"
_WAITS = (_AGENTS, "sleeping for ")

Fields = Mapping[str, Any]


def register(db: sqlite3.Connection) -> None:
    """Make the functions known that the migration calls; each returns None for no change."""
    db.create_function("typed_event", 2, event)
    db.create_function("typed_state", 1, state)
    db.create_function("typed_pause", 1, pause)


def event(kind: str, data: bytes) -> str | None:
    """Return the data of an event with its types; None where it has none to add."""
    return _added(data, _EVENTS[kind])


def state(data: bytes) -> str | None:
    """Return the state of a run with its types; None where it has none to add."""
    return _added(data, lambda held: _cause({"status": Status.QUEUED, **held}) | _occupation(held))


def pause(data: bytes) -> str | None:
    """Return a pause of the queue with what it waits for; None for one of the user."""
    return _added(data, _waiting_for)


def _added(data: bytes, types_of: Callable[[Fields], dict[str, Any]]) -> str | None:
    """Append types to a JSON object, whose text stays as it is."""
    try:
        held = msgspec.json.decode(data)
        text = data.decode().rstrip()
        types = types_of(cast("Fields", held)) if isinstance(held, dict) else {}
    except (ValueError, RecursionError, TypeError):  # damaged: it stays for who reads it
        return None
    new = {name: value for name, value in types.items() if name not in held}
    return f"{text[:-1]},{msgspec.json.encode(new).decode()[1:]}" if new else None


def _cause(held: Fields) -> dict[str, str]:
    reason, status = held.get("reason"), held.get("status")
    if not isinstance(reason, str) or not reason:
        return {}
    cause = _CAUSES.get(reason)
    if status == Status.QUEUED and reason.startswith("automatic retry"):
        cause = Cause.AUTOMATIC_RETRY
    elif status == Status.QUEUED and reason.startswith(_LIMIT):
        cause = Cause.LIMIT
    elif status == Status.CANCELLED and reason.endswith("did not succeed"):
        cause = Cause.DEPENDENCY
    elif status in (Status.FAILED, Status.INTERRUPTED):
        cause = Cause.ERROR
    return {"cause": cause} if cause else {}


def _occupation(held: Fields) -> dict[str, str]:
    doing = held.get("doing")
    if not isinstance(doing, str):
        return {}
    if doing == _NETWORK:
        return {"occupation": Occupation.NETWORK}
    if doing.startswith(_WAITS):
        return {"occupation": Occupation.WAIT}
    return {"occupation": Occupation.COMMAND} if doing.startswith("running `") else {}


def _subject(held: Fields) -> dict[str, str]:
    text = str(held.get("text"))
    if text.startswith("stalled: "):
        return {"subject": Subject.STALLED}
    return {"subject": Subject.NETWORK} if text.startswith(_NETWORK) else {}


def _waits(held: Fields) -> dict[str, Any]:
    waits = held.get("kind") == "agent" and str(held.get("text")).startswith(_AGENTS)
    return {"waits": True} if waits else {}


def _waiting_for(held: Fields) -> dict[str, str]:
    reason = str(held.get("reason"))
    if reason.startswith(_LIMIT):
        return {"waiting_for": WaitingFor.LIMIT}
    if reason.endswith("runs in a row were refused the login"):
        return {"waiting_for": WaitingFor.LOGIN}
    condition = _CONDITIONS.get(reason)
    return {"waiting_for": condition.waiting_for} if condition else {}


_EVENTS: dict[str, Callable[[Fields], dict[str, Any]]] = {
    "status": _cause,
    "notice": _subject,
    "step": _waits,
}
