"""Tokens of clients of the HTTP API: created, listed, revoked and verified."""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from typing import TYPE_CHECKING

from engine.domain.api_token import HINT_CHARACTERS, SECRET_PREFIX, NewApiToken, check_name
from engine.domain.errors import UserError
from engine.domain.start_key import check_same

if TYPE_CHECKING:
    from engine.domain.api_token import ApiToken, Scope
    from engine.domain.start_key import StartKey, StoredStart
    from engine.store.store import Store

USE_S = 60.0
"""Seconds between two stored uses of a token: not every request is a write."""
SECRET_BYTES = 32
MAX_SECRET = 200
_log = logging.getLogger(__name__)


class ApiTokens:
    """The tokens of a home. Their secrets are shown once, and only hashes of them are stored."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def all(self) -> list[ApiToken]:
        """Return the tokens, the oldest first."""
        return await self._store.api_tokens.all()

    async def create(self, name: str, scope: Scope) -> NewApiToken:
        """Create a token with a new secret; raises `UserError`."""
        check_name(name)
        secret = SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        hint = secret[-HINT_CHARACTERS:]
        tokens = self._store.api_tokens
        return NewApiToken(await tokens.add(name, scope, digest(secret), hint, time.time()), secret)

    async def revoke(self, name: str) -> ApiToken:
        """Remove a token by its name; raises `UserError` API_TOKEN_NOT_FOUND."""
        check_name(name)
        return await self._store.api_tokens.remove(name)

    async def verify(self, secret: str) -> ApiToken | None:
        """Return the token of a secret, and note its use; None for an unknown secret."""
        if not secret.startswith(SECRET_PREFIX) or len(secret) > MAX_SECRET:
            return None
        token = await self._store.api_tokens.find(digest(secret))
        if token is not None:
            await self._note_use(token)
        return token

    async def started_with(self, key: StartKey) -> StoredStart | None:
        """Return what a request with this key started; raises `UserError` for another request."""
        found = await self._store.api_tokens.started_with(key, time.time())
        return found and check_same(key, found)

    async def _note_use(self, token: ApiToken) -> None:
        now = time.time()
        if token.last_used_at is not None and abs(now - token.last_used_at) < USE_S:
            return
        try:
            await self._store.api_tokens.note_use(token.id, now)
        except UserError as error:  # a full disk refuses no request that only reads
            _log.warning("the use of a token is not stored: %s", error.message)


def digest(secret: str) -> bytes:
    """Return the hash of a secret that is stored.

    A plain SHA-256 is enough, and quick on every request: a secret is 256 random bits, so no one
    can guess it from its hash. Salts and slow hashes are for passwords that people choose.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
