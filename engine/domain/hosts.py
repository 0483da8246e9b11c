"""The machines on which workspaces are."""

from __future__ import annotations

from pathlib import Path

from engine.domain.errors import user_error
from engine.domain.model import LOCAL, Run, Workspace
from engine.domain.text import printable_name


def host_of(run: Run) -> str:
    """Return the machine of a run: that of its workspace, or the one requested for it."""
    return run.workspace.host if run.workspace else run.spec.workspace.host


def local_path(workspace: Workspace) -> Path:
    """Return a workspace's folder on this machine; raises `UserError` WORKSPACE_REMOTE."""
    if workspace.host != LOCAL:
        host = printable_name(workspace.host)
        raise user_error("WORKSPACE_REMOTE", f"The run's workspace is on another machine, {host}.")
    return Path(workspace.path)


def path_here(run: Run) -> str:
    """Return the path of a run's workspace on this machine; empty where it has none here."""
    return run.workspace.path if run.workspace and run.workspace.host == LOCAL else ""


def place_text(workspace: Workspace) -> str:
    """Return where a workspace is, to show."""
    is_here = workspace.host == LOCAL
    return printable_name(workspace.path if is_here else f"{workspace.host}:{workspace.path}")
