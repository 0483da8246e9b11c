"""Trust of a project's own settings for Codex, from the user's config.toml.

Codex knows a worktree by its repository, and takes a copy for an untrusted project (docs/codex.md):
both get the trust of the source.
"""

from __future__ import annotations

import logging
import tomllib
from pathlib import Path
from typing import Any, cast

_log = logging.getLogger(__name__)
SETTINGS = ".codex/config.toml"
LEVELS = frozenset({"trusted", "untrusted"})


def unread_settings(codex_home: Path, workspace: Path, source: Path) -> str:
    """Return the notice that a workspace has settings of Codex which Codex does not read.

    Codex 0.163 trusts a folder on its first run in it, newer versions only what the user trusts.
    """
    if not (workspace / SETTINGS).is_file():
        return ""
    level = trust_level(codex_home, source) or trust_level(codex_home, workspace)
    if level == "trusted":
        return ""
    return (
        f"Codex does not apply {SETTINGS} of this project: its config.toml does not trust {source}"
    )


def trust_level(codex_home: Path, source: Path) -> str | None:
    """Return the trust level in config.toml of a folder or of the project around it."""
    projects = _projects(codex_home / "config.toml")
    for folder in (source, *source.parents):
        entry = projects.get(str(folder))
        if isinstance(entry, dict):
            level = cast("dict[str, object]", entry).get("trust_level")
            return str(level) if level in LEVELS else None
        if (folder / ".git").exists():
            return None
    return None


def _projects(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            projects = tomllib.load(file).get("projects")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        _log.warning("the trust of projects in %s was not read: %s", path, error)
        return {}
    return cast("dict[str, Any]", projects) if isinstance(projects, dict) else {}
