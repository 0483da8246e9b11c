"""Keys of requests that start runs: a repeated request starts nothing, it finds what it started."""

from __future__ import annotations

from engine.domain.errors import UserError, user_error
from engine.domain.record import record

KEPT_S = 24 * 3600.0
"""Seconds that a key is kept."""


@record
class StartKey:
    """The key of one request to start a run or a batch, as its client chose it."""

    client: str
    """The client's id: keys of two clients are never the same."""
    key: str
    digest: str
    """The hash of the request: a key goes with one request."""


@record
class StoredStart:
    """The run or batch that the request with a key started."""

    digest: str
    started: str


def check_same(key: StartKey, stored: StoredStart) -> StoredStart:
    """Return what a request started; raises `UserError` if its key is that of another request."""
    if key.digest != stored.digest:
        raise user_error("IDEMPOTENCY_KEY_REUSED")
    return stored


def already_started() -> UserError:
    """Return the error of a request whose key was stored while it was checked."""
    return user_error("IDEMPOTENCY_KEY_REUSED", "A request with this key was answered already.")
