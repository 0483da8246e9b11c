"""The request for a run with its defaults, whether it came as flags or as JSON."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.config.run_options import WORKSPACE_OPTIONS
from engine.domain.base_name import HEADS
from engine.domain.errors import user_error
from engine.domain.model import RunSpec, Sandbox, WorkspaceKind, WorkspaceSpec
from engine.domain.run_option import RunOption
from tui.models.run_defaults import default_project, default_title

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

KINDS = {
    "worktree": WorkspaceKind.WORKTREE,
    "copy": WorkspaceKind.COPY,
    "empty": WorkspaceKind.EMPTY,
    "from_run": WorkspaceKind.FROM_RUN,
    "in_place": WorkspaceKind.IN_PLACE,
}
"""The kinds of workspaces by their keys, which are those of the flags."""


async def before(engine: EnginePort, names: Sequence[str]) -> tuple[str, ...]:
    """Find the runs that are to succeed first; raises `UserError` where one no longer can."""
    from engine.domain.lifecycle import FINISHED
    from engine.domain.model import Status
    from tui.cli.support import session

    found = await session.find_all(engine, names)
    for other in found:
        if other.status in FINISHED and other.status is not Status.SUCCEEDED:
            message = f"The run {other.id} ended without success: {other.status}."
            raise user_error("INPUT_INVALID", message, "Retry it first, or leave out --after.")
    return tuple(other.id for other in found)


def complete(
    prompt: str,
    workspace: WorkspaceSpec,
    given: Mapping[str, Any],
    sandbox: Sandbox,
    folder: Path,
) -> RunSpec:
    """Return a whole request: title, project and check have defaults.

    `given` are the fields of the run that were set, and `folder` names the project of a run whose
    workspace has no source.
    """
    values: dict[str, Any] = {
        "title": given.get("title") or default_title(prompt),
        "project": given.get("project") or default_project(workspace, folder),
        "sandbox": given.get("sandbox") or sandbox,
        "verify": given.get("verify") or None,
    }
    return RunSpec(prompt=prompt, workspace=workspace, **{**given, **values})


def workspace_problem(
    wish: WorkspaceSpec, keys: Collection[str], name: Callable[[RunOption], str]
) -> str:
    """Return why a workspace cannot have the options with these keys; empty where it can.

    `name` returns the name by which the user knows an option: a flag, or a key.
    """
    of_worktree = [option for option in WORKSPACE_OPTIONS if option.worktree_only]
    if wish.kind is not WorkspaceKind.WORKTREE and any(each.key in keys for each in of_worktree):
        *names, last = map(name, of_worktree)
        return f"{', '.join(names)} and {last} go with a worktree."
    if wish.include_uncommitted and wish.base not in HEADS:
        option = next(one for one in of_worktree if one.sets == "workspace.include_uncommitted")
        return f"{name(option)} goes with the base HEAD only."
    return ""
