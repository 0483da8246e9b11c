"""The user's own Codex home: login, settings and sessions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

VARIABLE = "CODEX_HOME"
_of_accounts: set[Path] = set()
"""The homes of accounts that settings in this process have named."""


def protect(homes: Iterable[str]) -> None:
    """Keep agents out of the homes of accounts, as out of the user's own."""
    _of_accounts.update(map(Path, homes))


def account_homes() -> Iterable[Path]:
    """Return the homes of accounts."""
    return tuple(_of_accounts)


def user_home(variables: Mapping[str, str]) -> Path:
    """Return the user's Codex home, which `CODEX_HOME` may name."""
    if named := variables.get(VARIABLE):
        return Path(named)
    return Path(variables.get("HOME") or Path.home()) / ".codex"
