"""Keys of requests that started runs, stored with what they started."""

from __future__ import annotations

import sqlite3

from engine.domain.start_key import KEPT_S, StartKey, already_started

FIND = "SELECT digest, started FROM start_keys WHERE client = ? AND key = ? AND created_at > ?"


def claim(db: sqlite3.Connection, key: StartKey, started: str, now: float) -> None:
    """Store what a request started, in the transaction that starts it; drop old keys.

    Raises `UserError` if a request with this key has started something.
    """
    if db.execute(FIND, place(key, now)).fetchone():
        raise already_started()
    db.execute("DELETE FROM start_keys WHERE created_at <= ?", (now - KEPT_S,))
    db.execute(
        "INSERT INTO start_keys (client, key, digest, started, created_at) VALUES (?, ?, ?, ?, ?)",
        (key.client, key.key, key.digest, started, now),
    )


def place(key: StartKey, now: float) -> tuple[str, str, float]:
    """Return the parameters of `FIND`."""
    return key.client, key.key, now - KEPT_S
