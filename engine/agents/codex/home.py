"""The user's own Codex home: login, settings and sessions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

VARIABLE = "CODEX_HOME"


def user_home(variables: Mapping[str, str]) -> Path:
    """Return the user's Codex home, which `CODEX_HOME` may name."""
    if named := variables.get(VARIABLE):
        return Path(named)
    return Path(variables.get("HOME") or Path.home()) / ".codex"
