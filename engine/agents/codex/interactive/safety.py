"""Checks without which an interactive agent could answer its own requests, or widen its rights."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from engine.domain.errors import user_error
from engine.domain.hosts import local_path
from engine.domain.model import LOCAL, Run, RunSpec, WorkspaceKind
from engine.domain.text import printable_name
from engine.system.decoding import convert
from engine.system.files import read_named

if TYPE_CHECKING:
    from engine.config.paths import Paths

_KEYS = (
    "approval_policy",
    "approvals_reviewer",
    "default_permissions",
    "permissions",
    "sandbox_mode",
    "sandbox_workspace_write",
)
_TEMPORARY = "/tmp"
_SYSTEM = Path("/etc/codex")
_SETTINGS_BYTES = 16 * 1_048_576


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


def check_home(
    spec: RunSpec, paths: Paths, base: Mapping[str, str], codex_home: Path, run: Run | None = None
) -> None:
    """Raise `UserError` HOME_UNSAFE for a home that commands in the sandbox can write to.

    They could write answers into the inbox, or rules into the settings. `run` is the run, once
    there is one. Blocking.
    """
    if run is None and spec.workspace.host != LOCAL:
        return  # checked where it starts, with the home there
    home, config, codex = map(os.path.realpath, (paths.home, paths.config, codex_home))
    allowed = [paths.workspaces, *([paths.temporary(run.id)] if run else [])]
    for folder in _writable(spec, base, codex_home, run):
        real = os.path.realpath(folder)
        if run and run.account and _is_within(codex, real):
            raise user_error(
                "ACCOUNT_HOME_UNSAFE",
                f"The agent's commands may write in {printable_name(str(folder))}, where the Codex "
                f"home of the account {run.account} lies.",
            )
        is_part = _is_within(real, home) and not any(
            _is_within(real, os.path.realpath(one)) for one in allowed
        )
        if is_part or _is_within(home, real) or _is_within(config, real):
            place = config if _is_within(config, real) else home
            raise user_error(
                "HOME_UNSAFE",
                f"The agent's commands may write in {printable_name(str(folder))}, and "
                f"{printable_name(place)} is not safe from that.",
            )


def _writable(
    spec: RunSpec, base: Mapping[str, str], codex_home: Path, run: Run | None
) -> Iterator[str]:
    yield _TEMPORARY
    if named := base.get("TMPDIR"):
        yield named
    yield from spec.add_dirs
    if run and run.workspace and run.workspace.host != LOCAL:
        yield run.workspace.path
        return  # settings of that machine are its own
    layers = [_SYSTEM, codex_home]
    if place := _workspace(spec, run):
        yield str(place)
        cwd = run.workspace.cwd if run and run.workspace else spec.workspace.cwd
        layers += [place / ".codex", place / (cwd or "") / ".codex"]
    for layer in layers:
        yield from _roots_of_settings(layer, base.get("HOME", ""))


def _workspace(spec: RunSpec, run: Run | None) -> Path | None:
    """Return the folder of the run as far as it is known."""
    if run and run.workspace:
        return local_path(run.workspace)
    is_in_place = spec.workspace.kind is WorkspaceKind.IN_PLACE
    return Path(spec.workspace.source) if is_in_place and spec.workspace.source else None


class _Section(Struct):
    writable_roots: list[str] = []


class _Profile(Struct):
    sandbox_workspace_write: _Section | None = None


class _CodexSettings(_Profile):
    profiles: dict[str, _Profile] = {}


def _roots_of_settings(folder: Path, user_home: str) -> Iterator[str]:
    """Yield the folders that the settings of Codex in a folder make writable.

    Codex reads `~` as the user's home, and a relative path from the settings' folder.
    """
    import tomllib

    try:
        # A workspace's file may be of any kind and size.
        text = read_named(folder / "config.toml", _SETTINGS_BYTES).decode()
        settings = convert(tomllib.loads(text), _CodexSettings)
    except (OSError, ValueError, RecursionError, msgspec.ValidationError):
        return  # none, or Codex itself refuses them
    for profile in (settings, *settings.profiles.values()):
        if section := profile.sandbox_workspace_write:
            for root in section.writable_roots:
                is_home = root == "~" or root.startswith("~/")
                yield str(folder / (user_home + root[1:] if is_home else root))


def _is_within(path: str, folder: str) -> bool:
    return os.path.commonpath((path, folder)) == folder
