"""The list `accounts` of the settings: logins of Codex beside the user's own."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from engine.domain.secrets import is_secret_value
from engine.domain.usage import DEFAULT_ACCOUNT
from engine.system.absolute import parse_absolute

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


class AccountName(str):
    """The name of an account: letters, digits, `-` and `_`."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> AccountName:
        """Read a name; raises ValueError, which names the allowed form."""
        if not isinstance(value, str) or not _NAME.fullmatch(value):
            raise ValueError("a name of at most 32 letters, digits, `-` and `_` is needed")
        if value.casefold() == DEFAULT_ACCOUNT:
            raise ValueError(f"`{DEFAULT_ACCOUNT}` is the account of your own Codex home")
        return cls(value)


class AccountHome(str):
    """A Codex home: an absolute path, where `~` is a home directory."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> AccountHome:
        """Read a folder; raises ValueError where its path is not absolute."""
        return cls(parse_absolute(value, "~/.codex-work"))


class KeyVariable(str):
    """The name of a variable that holds an API key, never the key itself."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> KeyVariable:
        """Read a name; raises ValueError, which does not show a key that was written here."""
        if not isinstance(value, str) or not _VARIABLE.fullmatch(value) or is_secret_value(value):
            raise ValueError("the name of a variable is needed, such as WORK_KEY, not the key")
        if value.startswith("SWARM_"):
            raise ValueError("variables of swarm-tui hold no keys")
        return cls(value)


class AccountSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """An account: a Codex home, a key, or both."""

    name: AccountName
    codex_home: AccountHome | None = None
    api_key_env: KeyVariable | None = None

    def __post_init__(self) -> None:
        """Refuse an account that is the user's own."""
        if self.codex_home is None and self.api_key_env is None:
            raise ValueError("an account has `codex_home`, `api_key_env` or both")


def problem_in(accounts: Sequence[AccountSettings]) -> str:
    """Return the mistake of two accounts that are alike, with its place; empty: there is none.

    The place is written as msgspec writes it, so that the line is found.
    """
    seen: dict[tuple[str, object], int] = {}
    for place, account in enumerate(accounts):
        login = ("login", (account.codex_home, account.api_key_env))
        name = ("name", account.name.casefold())
        for key, words in ((name, "is called"), (login, "has the login of")):
            if key in seen:
                first = accounts[seen[key]].name
                return f"another account {words} `{first}` - at `$.accounts[{place}].name`"
            seen[key] = place
    return ""
