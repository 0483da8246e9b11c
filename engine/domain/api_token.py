"""Tokens of clients of the HTTP API, and the scopes that they have."""

from __future__ import annotations

import re

from engine.domain.errors import user_error
from engine.domain.open_enum import OpenEnum
from engine.domain.record import record

SECRET_PREFIX = "swt_"
"""Begins every secret, so that it is recognised in texts and by scanners of repositories."""
HINT_CHARACTERS = 4
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Scope(OpenEnum):
    """The operations that a token permits; each scope has those before it, too."""

    READ = "read"
    RUN = "run"
    ADMIN = "admin"

    def permits(self, needed: Scope) -> bool:
        """Return whether a client with this scope may use an operation that needs `needed`."""
        order = list(Scope)
        # The scope of a later version permits nothing here: its meaning is not known.
        return self.is_known and order.index(self) >= order.index(needed)


@record
class ApiToken:
    """A token without its secret; `hint` is the end of the secret."""

    id: str
    name: str
    scope: Scope
    hint: str
    created_at: float
    last_used_at: float | None = None


@record
class NewApiToken:
    """A token with its secret, which nothing can show again."""

    token: ApiToken
    secret: str

    def __repr__(self) -> str:
        """Return it without the secret, for logs and tracebacks."""
        return f"NewApiToken({self.token!r})"


def check_name(name: str) -> None:
    """Raise `UserError` for a name that no token can have."""
    if not _NAME.fullmatch(name):
        raise user_error(
            "INPUT_INVALID",
            "This is not the name of a token.",
            "Use up to 64 letters, digits, `.`, `_` and `-`, and begin with a letter or digit.",
        )
