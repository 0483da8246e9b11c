"""Checks without which an interactive agent could answer its own requests, or widen its rights."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.agents.base import CommandRequest
from engine.domain.errors import user_error
from engine.domain.hosts import local_path
from engine.domain.text import printable_name

_KEYS = (
    "approval_policy",
    "approvals_reviewer",
    "default_permissions",
    "permissions",
    "sandbox_mode",
    "sandbox_workspace_write",
)
_TEMPORARY = "/tmp"


def check_settings(settings: Iterable[str]) -> None:
    """Raise `UserError` for settings of Codex that decide what it asks for.

    There are options of the run for these: two places for one right is how rights widen.
    """
    for setting in settings:
        key = setting.partition("=")[0].strip().strip("\"'")
        if key.startswith(_KEYS):
            raise user_error(
                "INPUT_INVALID",
                f"The Codex setting {printable_name(key[:60])} cannot be set for an interactive "
                "run.",
                "Use --sandbox, --approvals and --add-dir.",
            )


def check_home(request: CommandRequest, codex_home: Path) -> None:
    """Raise `UserError` HOME_UNSAFE for a home that commands in the sandbox can write to.

    They could write answers into the inbox. Blocking.
    """
    home = os.path.realpath(request.paths.home)
    for folder in _writable(request, codex_home):
        if _is_within(home, os.path.realpath(folder)):
            raise user_error(
                "HOME_UNSAFE",
                f"The agent's commands may write in {printable_name(str(folder))}, and the home "
                f"{printable_name(home)} lies there.",
            )


def _writable(request: CommandRequest, codex_home: Path) -> Iterator[str]:
    run = request.run
    yield _TEMPORARY
    if named := request.base.get("TMPDIR"):
        yield named
    yield from run.spec.add_dirs
    if run.workspace:
        yield str(local_path(run.workspace))
    yield from _roots_of_user(codex_home)


class _Section(Struct):
    writable_roots: list[str] = []


class _Profile(Struct):
    sandbox_workspace_write: _Section | None = None


class _UserSettings(_Profile):
    profiles: dict[str, _Profile] = {}


def _roots_of_user(codex_home: Path) -> Iterator[str]:
    """Yield the folders that the user's own settings make writable."""
    import tomllib

    try:
        text = (codex_home / "config.toml").read_text("utf-8")
        settings = msgspec.convert(tomllib.loads(text), _UserSettings)
    except (OSError, ValueError, RecursionError, msgspec.ValidationError):
        return  # none, or Codex itself refuses them
    for profile in (settings, *settings.profiles.values()):
        if section := profile.sandbox_workspace_write:
            yield from (root for root in section.writable_roots if root.startswith("/"))


def _is_within(path: str, folder: str) -> bool:
    return os.path.commonpath((path, folder)) == folder
