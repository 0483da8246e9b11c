"""What of a run's work is nowhere else: looked for before anything is deleted."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from engine.domain.errors import UserError, user_error
from engine.domain.model import Run, Workspace, WorkspaceKind
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
        parts.append(f"{_counted(commits, 'commit')} {_nowhere(workspace)}")
    return ", ".join(parts)


def _nowhere(workspace: Workspace) -> str:
    return "on no other branch" if workspace.branch else "in no other repository"


async def patch(run: Run, paths: Paths) -> bytes:
    """Give all that a run changed, as git can apply it; raises `UserError`."""
    assert run.workspace
    folder = paths.checkpoints(run.id, run.workspace.path)
    if not folder.is_dir():
        raise user_error("WORKSPACE_MISSING", UNKNOWN)
    store = await Checkpoints.open(folder, run.workspace)
    found = await store.changes()
    if found.left_out:
        raise user_error("WORK_UNSAVED", f"{_counted(len(found.left_out), 'file')} cannot be read.")
    return await store.diff(binary=True)


async def _commits(run: Run) -> int:
    """Count the commits that only the worktree's branch, or what it has checked out, reaches.

    Of a copy with a git directory of its own: the tips that its source does not know.
    """
    assert run.workspace
    branch, target = run.workspace.branch, Path(run.workspace.path)
    if branch is None:
        return await _own_tips(run.workspace)
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


async def _own_tips(workspace: Workspace) -> int:
    folder = Path(workspace.path) / ".git"
    if folder.is_symlink() or not folder.is_dir():
        return 0
    mine = Git(folder)
    out = await mine.run("for-each-ref", "--format=%(objectname)")
    head = await mine.ask("rev-parse", "-q", "--verify", "HEAD")
    tips = {*out.decode("ascii").split(), *head.out.decode("ascii").split()}
    source = await repository.find(Path(workspace.source)) if workspace.source else None
    if source and tips:
        asked = "".join(f"{tip}\n" for tip in sorted(tips)).encode()
        out = await source.git.run("cat-file", "--batch-check=%(objectname)", stdin=asked)
        lines = out.decode("utf-8", "replace").splitlines()
        tips = {line.split()[0] for line in lines if line.endswith(" missing")}
    return len(tips)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
