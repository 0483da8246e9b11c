"""The defaults of a run that is requested here: workspace, project, title.

The command line and the forms take them from here, so that both start the same run.
"""

from __future__ import annotations

from pathlib import Path

from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.domain.text import one_line
from engine.system.files import expanded, real_path
from tui.models.repository import in_repository, repository_of_git_directory

TITLE_LENGTH = 72
"""Characters of a title that is made from the prompt."""


def default_workspace(folder: Path) -> WorkspaceSpec:
    """Return the workspace of a run that is started in `folder` without choosing one."""
    if not _is_in_git(folder) and _is_too_wide(folder):
        return WorkspaceSpec()
    return workspace_from(folder)


def workspace_from(folder: Path) -> WorkspaceSpec:
    """Return the workspace made from a folder that is named: a worktree, or outside git a copy.

    A git directory, and a folder in one, stands for its repository: its own files stay as they are.
    """
    source = repository_of_git_directory(folder) or folder
    kind = WorkspaceKind.WORKTREE if _is_in_git(folder) else WorkspaceKind.COPY
    return WorkspaceSpec(kind, str(source))


def _is_in_git(folder: Path) -> bool:
    return in_repository(folder) or repository_of_git_directory(folder) is not None


def _is_too_wide(folder: Path) -> bool:
    """Return whether a folder holds the home folder, or is it: too much to be meant."""
    return real_path(expanded("~")).is_relative_to(real_path(folder))


def default_project(workspace: WorkspaceSpec, here: Path) -> str:
    """Return the label of runs in `workspace`: the name of its source, or of the folder `here`."""
    named = None if workspace.kind is WorkspaceKind.FROM_RUN else workspace.source
    return (Path(named) if named else here).name or "default"


def default_title(prompt: str) -> str:
    """Return the title of a run whose user gave none."""
    return one_line(prompt, TITLE_LENGTH)
