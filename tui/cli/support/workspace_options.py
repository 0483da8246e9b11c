"""Flags that choose the workspace of a run, and their defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from engine.config.run_options import WORKSPACE_OPTIONS
from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.domain.run_option import WORKSPACE
from engine.system.files import real_path
from tui.cli.support.named_paths import absolute, here
from tui.cli.support.options import FolderParam, RunParam
from tui.cli.support.run_options import values_of, with_flags
from tui.cli.support.run_specs import KINDS, workspace_problem
from tui.models.run_defaults import default_workspace, workspace_from

Function = TypeVar("Function", bound=Callable[..., Any])


def workspace_options(function: Function) -> Function:
    """Add the flags that choose a workspace."""
    folder = FolderParam()
    function = click.option(
        "--trust",
        is_flag=True,
        help="Trust what the repository's .swarm/config.yaml, the template and the file of the "
        "batch ask for, as they are now.",
    )(function)
    function = with_flags(function, WORKSPACE_OPTIONS)
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
            click.option("--empty", is_flag=True, help="Work in a new, empty folder."),
            click.option(
                "--from-run",
                type=RunParam(),
                metavar="RUN",
                help="Work in a copy of an earlier run's current workspace.",
            ),
            click.option(
                "--in-place",
                type=folder,
                metavar="DIR",
                help="Work in DIR itself; it is never cleaned up.",
            ),
        )
    ):
        function = option(function)
    return function


def workspace_of(asked: Mapping[str, Any]) -> WorkspaceSpec:
    """Return the workspace that was asked for; raises click.UsageError where it cannot be."""
    chosen = [name for name in KINDS if asked[name]]
    if len(chosen) > 1:
        flags = " and ".join(f"--{name.replace('_', '-')}" for name in chosen)
        raise click.UsageError(f"{flags} exclude each other.")
    wish = _chosen(chosen[0], asked) if chosen else default_workspace(here())
    wish = with_options(wish, asked)
    keys = {option.key for option in WORKSPACE_OPTIONS if asked[option.key]}
    if problem := workspace_problem(wish, keys, lambda option: option.flag):
        raise click.UsageError(problem)
    return wish


def _chosen(name: str, asked: Mapping[str, Any]) -> WorkspaceSpec:
    kind, value = KINDS[name], asked[name]
    if kind is WorkspaceKind.EMPTY:
        return WorkspaceSpec()
    return WorkspaceSpec(kind, value if kind is WorkspaceKind.FROM_RUN else str(absolute(value)))


def with_options(wish: WorkspaceSpec, asked: Mapping[str, Any]) -> WorkspaceSpec:
    """Return a workspace with the values of the flags."""
    values = values_of(asked).items()
    given = {k.removeprefix(WORKSPACE): v for k, v in values if k.startswith(WORKSPACE)}
    return replace(wish, **given)


def usual(folder: Path, asked: Mapping[str, Any]) -> WorkspaceSpec:
    """Return the workspace for a folder that a row of a batch names."""
    return with_options(workspace_from(real_path(here() / folder)), asked)
