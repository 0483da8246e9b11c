"""Where a run works: the flags that choose its workspace, and what holds without them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from engine.domain.errors import user_error
from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.files import expanded, real_path
from tui.cli import offers
from tui.cli.options import Folder, RunName, Utf8
from tui.repository import in_repository

Function = TypeVar("Function", bound=Callable[..., Any])
KINDS = {
    "worktree": WorkspaceKind.WORKTREE,
    "copy": WorkspaceKind.COPY,
    "empty": WorkspaceKind.EMPTY,
    "from_run": WorkspaceKind.FROM_RUN,
    "in_place": WorkspaceKind.IN_PLACE,
}


def workspace_options(function: Function) -> Function:
    """Add the flags that choose a workspace."""
    folder = Folder()
    for option in reversed(
        (
            click.option(
                "--worktree",
                type=folder,
                is_flag=False,
                flag_value=".",
                metavar="[REPO]",
                help="Work in a git worktree, on a branch of its own (the default in a repository; "
                "without REPO, put it after the prompt).",
            ),
            click.option("--copy", type=folder, metavar="DIR", help="Work in a copy of DIR."),
            click.option("--empty", is_flag=True, help="Work in a fresh, empty folder."),
            click.option(
                "--from-run",
                type=RunName(),
                metavar="RUN",
                help="Work in a copy of an earlier run's workspace as it stands.",
            ),
            click.option(
                "--in-place",
                type=folder,
                metavar="DIR",
                help="Work in DIR itself; it is never cleaned up.",
            ),
            click.option(
                "--base",
                type=Utf8(),
                shell_complete=offers.bases,
                metavar="REF",
                help="Start a worktree from this branch, tag or commit, as it is now, or from pr/N "
                "of the remote.  [default: HEAD]",
            ),
            click.option(
                "--fetch", is_flag=True, help="Fetch the base from its remote first (network)."
            ),
            click.option(
                "--cwd",
                type=Utf8(),
                metavar="DIR",
                help="Work in this folder of the workspace, relative to the top of the repository."
                "  [default: the folder of a worktree's source]",
            ),
            click.option(
                "--include-uncommitted",
                is_flag=True,
                help="Bring along what is not committed in the repository.",
            ),
            click.option(
                "--setup/--no-setup",
                default=None,
                help="Run the set-up commands of the settings, or do not and leave out the "
                "repository's own settings.  [default: only in worktrees and copies]",
            ),
            click.option(
                "--trust",
                is_flag=True,
                help="Trust what the repository's .swarm/config.yaml, the template and the file "
                "of the batch ask for, as they are now.",
            ),
        )
    ):
        function = option(function)
    return function


def workspace_of(asked: Mapping[str, Any]) -> WorkspaceSpec:
    """Give the workspace that was asked for; raises click.UsageError for two at once."""
    chosen = [name for name in KINDS if asked[name]]
    if len(chosen) > 1:
        flags = " and ".join(f"--{name.replace('_', '-')}" for name in chosen)
        raise click.UsageError(f"{flags} exclude each other.")
    uncommitted = bool(asked["include_uncommitted"])
    if not chosen:
        kind = WorkspaceKind.WORKTREE if in_repository(here()) else WorkspaceKind.COPY
        return _based(WorkspaceSpec(kind, str(here()), uncommitted), asked)
    kind, value = KINDS[chosen[0]], asked[chosen[0]]
    if uncommitted and kind is not WorkspaceKind.WORKTREE:
        raise click.UsageError("--include-uncommitted goes with a worktree.")
    if kind is WorkspaceKind.EMPTY:
        return _based(WorkspaceSpec(kind), asked)
    source = value if kind is WorkspaceKind.FROM_RUN else str(absolute(value))
    return _based(WorkspaceSpec(kind, source, uncommitted), asked)


def _based(spec: WorkspaceSpec, asked: Mapping[str, Any]) -> WorkspaceSpec:
    """Add the base that was asked for; raises click.UsageError where there can be none."""
    base, fetch = asked["base"], bool(asked["fetch"])
    if (base is not None or fetch) and spec.kind is not WorkspaceKind.WORKTREE:
        raise click.UsageError("--base and --fetch go with a worktree.")
    if base is not None and spec.include_uncommitted and base not in ("HEAD", "@"):
        raise click.UsageError("--include-uncommitted goes with the base HEAD only.")
    return replace(spec, base=base, fetch=fetch, cwd=asked["cwd"])


def usual(folder: Path, asked: Mapping[str, Any]) -> WorkspaceSpec:
    """Return the workspace for a folder where no kind is asked for: a worktree, or a copy."""
    path = real_path(here() / folder)
    kind = WorkspaceKind.WORKTREE if in_repository(path) else WorkspaceKind.COPY
    return WorkspaceSpec(
        kind, str(path), base=asked["base"], fetch=asked["fetch"], cwd=asked["cwd"]
    )


def project_of(spec: WorkspaceSpec) -> str:
    """Give the project a run belongs to where none is named: the source folder's name."""
    named = spec.source if spec.kind is not WorkspaceKind.FROM_RUN else None
    return (Path(named) if named else here()).name or "default"


def here() -> Path:
    """Give the current folder; raises `UserError` where it is gone."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise user_error(
            "SOURCE_NOT_FOUND", "The current folder no longer exists.", "Change to another folder."
        ) from None


def program_path(named: str | None) -> str | None:
    """Return an absolute path, as another process may start it; a bare name is looked for there."""
    return str(here() / expanded(named)) if named and "/" in named else named


def absolute(folder: str) -> Path:
    """Give a folder's absolute path, links resolved."""
    return real_path(here() / expanded(folder))
