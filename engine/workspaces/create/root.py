"""The folder of `workspace.root`, checked before a run is queued, and made where it is missing."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from engine.config import workspace_roots
from engine.config.paths import private_folder, safe_name
from engine.domain.errors import user_error
from engine.domain.model import RunSpec, WorkspaceKind
from engine.domain.text import printable_name
from engine.system.files import real_path
from engine.workspaces.create.isolation import check_root_apart
from engine.workspaces.git.repository import locate

HINT = "Name another folder as workspace.root in the settings, or remove the setting."


def check(root: Path, spec: RunSpec, home: Path) -> None:
    """Check the root of a run's workspace, make and note it; raises `UserError`. Blocking."""
    try:
        real = real_path(root)
        if real == real_path(home / "workspaces"):
            return
        check_root_apart(root, home)
        _check_nesting(root, real, home)
        _check_repositories(root, real / safe_name(spec.project), spec)
        if os.path.lexists(root) and not root.is_dir():
            raise _unusable(root, "is not a folder, or a link that leads to none")
        private_folder(root)
        _check_writable(root)
        workspace_roots.add(home, root)
    except OSError as error:
        raise _unusable(root, f"cannot be used: {error.strerror or error}") from error


def _check_nesting(root: Path, real: Path, home: Path) -> None:
    """Refuse a root in a workspace: an agent can write there."""
    for other in map(real_path, workspace_roots.known(home)):
        if real.is_relative_to(other) and len(real.relative_to(other).parts) > 1:
            raise _unusable(root, "lies in a workspace of another run")


def _check_repositories(root: Path, project: Path, spec: RunSpec) -> None:
    """Refuse a folder for workspaces in the source, or in a repository that lies in the root."""
    wish = spec.workspace
    is_folder = wish.source and wish.kind is not WorkspaceKind.FROM_RUN
    source = real_path(wish.source or "") if is_folder else None
    theirs, ours = source and locate(source), locate(project)
    if source and wish.kind is WorkspaceKind.COPY and project.is_relative_to(source):
        raise _unusable(root, "lies in the source")
    if theirs and ((ours and ours[1] == theirs[1]) or _is_in(project, theirs)):
        raise _unusable(root, "lies in the repository of the source")
    if ours and ours[2] and ours[2].is_relative_to(real_path(root)):
        raise _unusable(root, f"holds a repository called {printable_name(project.name)}")


def _is_in(folder: Path, repository: tuple[Path, Path, Path | None]) -> bool:
    return any(place is not None and folder.is_relative_to(place) for place in repository)


def _check_writable(root: Path) -> None:
    """Write there: the mode does not show a read-only file system. Raises OSError."""
    mode = root.stat().st_mode
    if mode & stat.S_IWOTH:
        raise _unusable(root, "can be written to by every user of this machine")
    Path(tempfile.mkdtemp(prefix=".swarm-", dir=root)).rmdir()


def _unusable(root: Path, why: str) -> Exception:
    name = printable_name(str(root))
    return user_error("INPUT_INVALID", f"The workspace root {name} {why}.", HINT)
