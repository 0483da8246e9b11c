"""Tokens of clients of the API in the database: hashes, never secrets."""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from random import SystemRandom
from typing import Any

from engine.domain.api_token import ApiToken, Scope
from engine.domain.errors import UserError, user_error
from engine.domain.start_key import StartKey, StoredStart
from engine.store import start_keys
from engine.store.ids import ALPHABET
from engine.store.shrinking import WriteTransaction

MOST = 1000
ID_CHARACTERS = 8

Read = Callable[[str, Sequence[Any]], Awaitable[list[Any]]]
_COLUMNS = "id, name, scope, hint, created_at, last_used_at"
_TOKENS = f"SELECT {_COLUMNS} FROM api_tokens"
_choice = SystemRandom().choice


class StoredApiTokens:
    """The tokens of a home."""

    def __init__(
        self, read: Read, write: WriteTransaction, write_unsynced: WriteTransaction
    ) -> None:
        self._read = read
        self._write = write
        self._write_unsynced = write_unsynced

    async def all(self) -> list[ApiToken]:
        """Return the tokens, the oldest first."""
        return _tokens(await self._read(f"{_TOKENS} ORDER BY created_at, id", ()))

    async def find(self, digest: bytes) -> ApiToken | None:
        """Return the token whose secret has this hash."""
        rows = await self._read(f"SELECT hash, {_COLUMNS} FROM api_tokens", ())
        # All are compared, each in constant time, so that the time reveals nothing.
        found = [rest for known, *rest in rows if hmac.compare_digest(_bytes(known), digest)]
        return next(iter(_tokens(found)), None)

    async def add(
        self, name: str, scope: Scope, digest: bytes, hint: str, created_at: float
    ) -> ApiToken:
        """Add a token; raises `UserError` API_TOKEN_EXISTS."""

        def add(db: sqlite3.Connection) -> ApiToken:
            if db.execute("SELECT 1 FROM api_tokens WHERE name = ?", (name,)).fetchone():
                raise user_error("API_TOKEN_EXISTS", f"There is a token named {name} already.")
            if db.execute("SELECT count(*) FROM api_tokens").fetchone()[0] >= MOST:
                raise user_error("INPUT_INVALID", f"There are {MOST} tokens.", "Revoke some.")
            token = ApiToken(_new_id(db), name, scope, hint, created_at)
            db.execute(
                f"INSERT INTO api_tokens (hash, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, NULL)",
                (digest, token.id, name, scope.value, hint, created_at),
            )
            return token

        return await self._write(add)

    async def remove(self, name: str) -> ApiToken:
        """Remove a token by its name; raises `UserError` API_TOKEN_NOT_FOUND."""

        def remove(db: sqlite3.Connection) -> ApiToken:
            found = _tokens(db.execute(f"{_TOKENS} WHERE name = ?", (name,)))
            if not found:
                raise _unknown(name)
            db.execute("DELETE FROM api_tokens WHERE id = ?", (found[0].id,))
            db.execute("DELETE FROM start_keys WHERE client = ?", (found[0].id,))
            return found[0]

        return await self._write(remove)

    async def started_with(self, key: StartKey, now: float) -> StoredStart | None:
        """Return what the request with this key started, if it is known still."""
        rows = await self._read(start_keys.FIND, start_keys.place(key, now))
        return StoredStart(*map(str, rows[0])) if rows else None

    async def note_use(self, id: str, at: float) -> None:
        """Store when a token was last used."""
        query = "UPDATE api_tokens SET last_used_at = ? WHERE id = ?"
        await self._write_unsynced(lambda db: db.execute(query, (at, id)))


def _unknown(name: str) -> UserError:
    return user_error("API_TOKEN_NOT_FOUND", f"There is no token named {name}.")


def _tokens(rows: Iterable[Sequence[Any]]) -> list[ApiToken]:
    return [
        ApiToken(id, name, Scope.read(str(scope)), hint, created_at, last_used_at)
        for id, name, scope, hint, created_at, last_used_at in rows
    ]


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


def _new_id(db: sqlite3.Connection) -> str:
    while True:
        id = "t" + "".join(_choice(ALPHABET) for _ in range(ID_CHARACTERS))
        if db.execute("SELECT 1 FROM api_tokens WHERE id = ?", (id,)).fetchone() is None:
            return id
