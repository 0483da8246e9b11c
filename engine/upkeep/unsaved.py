"""What of a run's work is nowhere else: looked for before anything is deleted."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from engine.domain.errors import UserError
from engine.domain.model import Run, WorkspaceKind
from engine.paths import Paths
from engine.workspace import repository, worktree
from engine.workspace.checkpoints import BASELINE, Checkpoints
from engine.workspace.git import Git

UNKNOWN = "it is not known what it changed"


async def unsaved(run: Run, paths: Paths) -> str:
    """Say in words what of a run's work is nowhere else; empty where all of it is.

    What was taken home counts as kept; where nothing can be told, all of it counts as not.
    """
    workspace = run.workspace
    if workspace is None or workspace.kind is WorkspaceKind.IN_PLACE:
        return ""
    folder = paths.checkpoints(run.id, workspace.path)
    if not folder.is_dir():
        return UNKNOWN
    since = run.applied.checkpoint if run.applied else BASELINE
    try:
        found = await (await Checkpoints.open(folder, workspace)).changes(since)
        commits = await _commits(run) if run.applied is None else 0
    except (UserError, OSError):
        return UNKNOWN
    parts: list[str] = []
    if found.files:
        parts.append(f"{_counted(len(found.files), 'changed file')} not taken home")
    if found.left_out:
        parts.append(f"{_counted(len(found.left_out), 'file')} could not be read")
    if commits:
        parts.append(f"{_counted(commits, 'commit')} on no other branch")
    return ", ".join(parts)


async def _commits(run: Run) -> int:
    """Count the commits that only the worktree's branch, or what it has checked out, reaches."""
    assert run.workspace
    branch, target = run.workspace.branch, Path(run.workspace.path)
    if branch is None:
        return 0
    found = await repository.find(target)
    place = worktree.registration(found, target) if found else None
    if found is None or place is None:
        return 0
    tips = ["HEAD"]
    with suppress(UserError):
        if await worktree.tip_of(found.git, branch):
            tips.append(f"refs/heads/{branch}")
    others = (f"--exclude={branch}", "--branches", "--remotes", "--tags")
    out = await Git(place).run("rev-list", "--count", *tips, "--not", *others)
    return int(out)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
