"""The folder of a workspace in which a run's programs work: its top, or one below it.

An agent can put a link in the place of that folder, so it is looked up again before each use.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from engine.domain.errors import UserError, user_error
from engine.domain.hosts import local_path
from engine.domain.model import Workspace, WorkspaceKind, WorkspaceSpec
from engine.domain.text import printable_name
from engine.system.files import real_path
from engine.workspaces.files.rooted_dir import is_gits
from engine.workspaces.git import repository

ADVICE = (
    "Choose a folder with --cwd, relative to the top of the repository (`--cwd .` is the top), or "
    "bring along what is not committed with --include-uncommitted."
)


def chosen(spec: WorkspaceSpec) -> str:
    """Return the folder that is asked for, relative to the top; the top itself is empty.

    A worktree made from a folder of a repository works in that folder. Raises `UserError`.
    """
    if spec.cwd is not None:
        return cleaned(spec.cwd)
    if spec.kind is not WorkspaceKind.WORKTREE or not spec.source:
        return ""
    found = repository.locate(Path(spec.source))
    if found is None or found[2] is None:
        return ""
    source = real_path(spec.source)
    top = real_path(found[2])
    return "" if source == top or not source.is_relative_to(top) else str(source.relative_to(top))


def cleaned(cwd: str) -> str:
    """Return a folder below the top as it is stored; raises `UserError` for any other."""
    path = PurePosixPath(cwd)
    is_inside = not path.is_absolute() and ".." not in path.parts and "\0" not in cwd
    if not is_inside or is_gits(os.fsencode(cwd)):
        raise user_error(
            "INPUT_INVALID",
            f"The folder {printable_name(cwd[:200])} is not one of the workspace.",
            "Name a folder relative to the top of the repository, such as packages/api.",
        )
    return "" if str(path) == "." else str(path)


def missing(cwd: str, where: str) -> UserError:
    """Return the error for a folder that the workspace does not have."""
    shown = printable_name(cwd)
    return user_error("SOURCE_NOT_FOUND", f"There is no folder {shown} in {where}.", ADVICE)


def is_inside(top: Path, cwd: str) -> bool:
    """Return whether there is such a folder below `top`, links that lead out not followed."""
    real = os.path.realpath(top / cwd)
    return Path(real).is_relative_to(os.path.realpath(top)) and Path(real).is_dir()


def working_folder(workspace: Workspace) -> Path:
    """Return the folder where programs of a run work; raises `UserError` WORKSPACE_MISSING."""
    top = local_path(workspace)
    if workspace.cwd and not is_inside(top, workspace.cwd):
        raise user_error(
            "WORKSPACE_MISSING",
            f"The workspace no longer has the folder {printable_name(workspace.cwd)}.",
        )
    return Path(os.path.realpath(top / workspace.cwd)) if workspace.cwd else top
