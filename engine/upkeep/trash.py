"""Workspaces in the trash: out of the way, out of the user's repository, and back unharmed.

An entry is a folder `trash/<entry>/` with `entry.json`, the workspace itself as `workspace/`, and
of a worktree, its index and the commits that were nowhere else. Every step leaves something that
`mend` can finish or take back: the workspace is moved whole, never copied.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path

import msgspec

from engine.domain.errors import UserError, os_failure, user_error
from engine.domain.model import Run, Workspace, WorkspaceKind
from engine.domain.text import one_line, printable_name
from engine.paths import Paths, private_folder
from engine.upkeep import removal
from engine.upkeep.removal import Removed
from engine.workspace import repository, worktree
from engine.workspace.git import Git
from engine.workspace.locks import locked
from engine.workspace.repository import Repository

_log = logging.getLogger(__name__)


class Entry(msgspec.Struct, frozen=True):
    """Something in the trash."""

    id: str
    run: str
    project: str
    title: str
    path: str
    """Where it was."""
    kind: str
    at: float
    """When it was put there, in seconds since 1970."""
    source: str | None = None
    branch: str | None = None
    tip: str | None = None
    """The commit its branch stood at."""
    detached: str | None = None
    """The commit it had checked out, where that was not its branch."""


class Trash:
    """The trash of one home; every method raises `UserError`."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def list(self) -> list[Entry]:
        """Give what is in the trash, the newest first. Blocking."""
        folder = self._paths.trash
        found = [self._read(one.name) for one in folder.iterdir()] if folder.is_dir() else []
        return sorted((one for one in found if one), key=lambda one: one.at, reverse=True)

    def _read(self, name: str) -> Entry | None:
        try:
            entry = msgspec.json.decode(
                (self._paths.trash / name / "entry.json").read_bytes(), type=Entry
            )
        except (OSError, msgspec.MsgspecError, UnicodeError):
            return None
        return entry if entry.id == name and self._is_ours(Path(entry.path)) else None

    def content(self, entry: Entry) -> Path:
        """Give where the workspace of an entry lies."""
        return self._paths.trash / entry.id / "workspace"

    async def put(self, run: Run) -> Entry:
        """Move a run's workspace to the trash; its branch goes from the repository, too.

        Commits that are nowhere else go along. Raises WORKSPACE_UNSAFE for what is not ours to
        delete, WORKSPACE_MISSING where it is gone.
        """
        workspace = run.workspace
        if workspace is None or not os.path.lexists(workspace.path):
            raise user_error("WORKSPACE_MISSING")
        target = Path(workspace.path)
        if workspace.kind is WorkspaceKind.IN_PLACE or not self._is_ours(target):
            message = f"{printable_name(workspace.path)} is no folder that swarm-tui made."
            raise user_error("WORKSPACE_UNSAFE", message)
        async with self._alone():
            return await self._put(run, workspace)

    async def _put(self, run: Run, workspace: Workspace) -> Entry:
        target, now = Path(workspace.path), time.time()
        found = await _repository(workspace)
        entry = Entry(
            id=f"{int(now * 1000):012x}-{run.id}",
            run=run.id,
            project=run.spec.project,
            title=one_line(run.spec.title),
            path=workspace.path,
            kind=workspace.kind,
            at=now,
            source=str(found.common_dir) if found else workspace.source,
            branch=workspace.branch,
        )
        folder = private_folder(self._paths.trash / entry.id)
        try:
            if found:
                entry = await _keep_commits(found, entry, folder)
            await asyncio.to_thread(_write, folder / "entry.json", msgspec.json.encode(entry))
            await asyncio.to_thread(_move, target, folder / "workspace")
        except BaseException as error:
            if not (folder / "workspace").exists():
                await asyncio.to_thread(removal.remove, folder)
            if isinstance(error, OSError):
                raise os_failure(error) from error
            raise
        if found:
            await asyncio.shield(self._forget(found, entry))
        return entry

    async def restore(self, entry: Entry) -> None:
        """Put a workspace back where it was, branch and registration of a worktree included."""
        async with self._alone():
            await self._restore(entry)

    async def _restore(self, entry: Entry) -> None:
        content, target = self.content(entry), Path(entry.path)
        if not self._is_ours(target):
            raise user_error("WORKSPACE_UNSAFE")
        if not content.is_dir():
            raise user_error(
                "WORKSPACE_MISSING", "The trash does not hold this workspace any more."
            )
        if os.path.lexists(target) and not _is_empty_worktree(target):
            message = f"{printable_name(entry.path)} is there again."
            raise user_error("WORKSPACE_BUSY", message, "Delete that workspace first.")
        private_folder(target.parent)
        try:
            if entry.branch and entry.tip:
                await self._restore_worktree(entry, content, target)
            else:
                await asyncio.to_thread(content.rename, target)
        except OSError as error:
            raise os_failure(error) from error
        await asyncio.to_thread(removal.remove, self._paths.trash / entry.id)

    async def empty(self, entry: Entry, stop: Callable[[], bool] = lambda: False) -> Removed:
        """Remove an entry for good; can be stopped and taken up again."""
        return await asyncio.to_thread(removal.remove, self._paths.trash / entry.id, stop)

    async def mend(self) -> None:
        """Finish what a crash cut short, so that no entry is half one thing and half another."""
        async with self._alone():
            for entry in await asyncio.to_thread(self.list):
                await self._mend(entry)

    async def _mend(self, entry: Entry) -> None:
        if not os.path.lexists(self.content(entry)):  # never moved here, or back already
            await self.empty(entry)
        elif entry.branch and not os.path.lexists(entry.path):
            with suppress(UserError):
                found = await _repository(_workspace(entry))
                if found:
                    await self._forget(found, entry)

    async def _forget(self, found: Repository, entry: Entry) -> None:
        """Take a worktree that lies in the trash out of the user's repository."""
        try:
            await worktree.remove(
                found, Path(entry.path), entry.branch, self._paths.home, force=entry.tip is not None
            )
        except UserError as error:  # the repository is the user's, who may have removed it
            _log.warning("%s stays registered: %s", entry.path, error.message)

    async def _restore_worktree(self, entry: Entry, content: Path, target: Path) -> None:
        assert entry.branch
        found = await _repository(_workspace(entry))
        if found is None:
            message = f"The repository {printable_name(entry.source or '')} is gone."
            raise user_error("SOURCE_NOT_FOUND", message, f"The files are in {content}.")
        folder = content.parent
        if (folder / "commits.bundle").exists():
            await found.git.run("bundle", "unbundle", str(folder / "commits.bundle"))
        name, index = await worktree.register(
            found, target, entry.branch, self._paths.home, entry.tip
        )
        if name != entry.branch:
            _log.warning("%s: the branch %s is taken, it is %s now", entry.path, entry.branch, name)
        await asyncio.to_thread(_fill, content, target, folder / "index", index)
        if entry.detached:
            git = Git(index.parent)
            await git.run("update-ref", "--no-deref", "HEAD", entry.detached)

    def _alone(self) -> AbstractAsyncContextManager[None]:
        return locked(self._paths.home / "locks" / "trash.lock")

    def _is_ours(self, path: Path) -> bool:
        """Say whether `path` is what a workspace's is: `workspaces/<project>/<run>`, no links."""
        top = self._paths.workspaces
        real = Path(os.path.realpath(path.parent)) / path.name
        return (
            path.name not in ("", ".", "..")
            and real.parent.parent == Path(os.path.realpath(top))
            and not (top / path.parent.name).is_symlink()
        )


def _workspace(entry: Entry) -> Workspace:
    return Workspace(entry.path, WorkspaceKind(entry.kind), entry.source, entry.branch)


async def _repository(workspace: Workspace) -> Repository | None:
    """Give the repository that a workspace is registered in, if it is a worktree.

    It is the one that stays when worktrees go, not the registration of one of them.
    """
    if workspace.branch is None:
        return None
    places = [Path(workspace.path)] if workspace.kind is WorkspaceKind.FROM_RUN else []
    places += [Path(workspace.source)] if workspace.source else []
    for place in places:
        with suppress(UserError):
            found = await repository.find(place) if place.is_dir() else None
            if found:
                return await repository.find(found.common_dir)
    return None


async def _keep_commits(found: Repository, entry: Entry, folder: Path) -> Entry:
    """Note where a worktree's branch stands, and keep its index and what only it reaches."""
    assert entry.branch
    tip = await worktree.tip_of(found.git, entry.branch)
    if tip is None:
        return entry
    place = worktree.registration(found, Path(entry.path))
    detached = await _head(place) if place else None
    if place and (place / "index").is_file():
        await asyncio.to_thread(shutil.copyfile, place / "index", folder / "index")
    names = [f"refs/heads/{entry.branch}"]
    kept = await worktree.is_elsewhere(found, entry.branch, tip)
    if detached and detached != tip:
        kept = kept and await worktree.is_elsewhere(found, entry.branch, detached)
        names.append("HEAD")
    else:
        detached = None
    if not kept:
        git = Git(place) if place else found.git
        others = (f"--exclude={entry.branch}", "--branches", "--remotes", "--tags")
        await git.run(
            "bundle", "create", "-q", str(folder / "commits.bundle"), *names, "--not", *others
        )
    return msgspec.structs.replace(entry, tip=tip, detached=detached)


async def _head(place: Path) -> str | None:
    answer = await Git(place).ask("rev-parse", "-q", "--verify", "HEAD^{commit}")
    return answer.out.decode("ascii").strip() if answer.code == 0 else None


def _write(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(handle)


def _move(source: Path, target: Path) -> None:
    """Move a folder whole; one without leave to write is given it, as its parent changes."""
    try:
        source.rename(target)
    except PermissionError:
        if source.is_symlink():
            raise
        source.chmod(0o700)
        source.rename(target)


def _is_empty_worktree(target: Path) -> bool:
    """Say whether a restore was cut short here, after git had made the folder."""
    return (
        target.is_dir()
        and not target.is_symlink()
        and {one.name for one in target.iterdir()} <= {".git"}
    )


def _fill(content: Path, target: Path, kept_index: Path, index: Path) -> None:
    """Put the files into the place of the worktree that git has just made, which holds none."""
    if kept_index.is_file():
        shutil.copyfile(kept_index, index)
    link = content / ".git"
    if link.is_file() and not link.is_symlink():  # else the agent has put something else there
        link.unlink()
        link.write_bytes((target / ".git").read_bytes())
    (target / ".git").unlink()
    target.rmdir()
    content.rename(target)
