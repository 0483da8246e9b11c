"""Workspaces in the trash: outside the user's repository, and restored unharmed.

An entry is a folder `<entry>/` in the trash of its root, with `entry.json`, the workspace itself as
`workspace/`, and of a worktree, its registration (see `worktree_registry`). Every step leaves a
state that `mend` can finish or revert: the workspace is moved whole, never copied. An entry that is
removed for good is called `<entry>.gone` first, so that nothing half removed can come back.

One change at a time: code that changes the trash holds `alone()`.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import re
import time
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path

import msgspec

from engine.config import workspace_roots
from engine.config.locks import locked, to_the_end
from engine.config.paths import Paths, private_folder
from engine.disk import worktree_registry
from engine.disk.trash_entry import TrashEntry
from engine.disk.trash_moves import is_empty_worktree, move, rewrite, write
from engine.domain.errors import UserError, os_failure, user_error
from engine.domain.hosts import local_path
from engine.domain.model import Run, Workspace, WorkspaceKind
from engine.domain.text import one_line, printable_name
from engine.system.decoding import json_decoder
from engine.workspaces.create import base
from engine.workspaces.files import removal
from engine.workspaces.git.repository import Repository

GONE = ".gone"
_BEGUN = re.compile("[0-9a-f]{12}-[^.]+")
_COPIES = {
    *("entry.json", "entry.new"),
    *("index", "modules", "commits.bundle", "commits.bundle.lock"),
}
_log = logging.getLogger(__name__)


class Trash:
    """The trash of one home; every method raises `UserError`."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def alone(self) -> AbstractAsyncContextManager[None]:
        """Hold the trash, over all processes; not to be held twice."""
        return locked(self._paths.home / "locks" / "trash.lock")

    def list(self) -> list[TrashEntry]:
        """Return the entries of the trash, the newest first. Blocking."""
        found = [self._read(folder) for folder in self._folders()]
        return sorted((one for one in found if one), key=lambda one: one.at, reverse=True)

    def _folders(self) -> list[Path]:
        """Return what lies in the trash of each root."""
        found: list[Path] = []
        for trash in workspace_roots.trashes(self._paths):
            try:
                if not trash.is_symlink() and trash.is_dir():  # a link is none of ours
                    found += trash.iterdir()
            except OSError as error:
                if trash == self._paths.trash:
                    raise os_failure(error) from error
                _log.warning("%s cannot be read: %s", trash, error)  # its disk may be away
        return sorted(found, key=lambda one: one.name)

    def _read(self, folder: Path) -> TrashEntry | None:
        try:
            entry = json_decoder(TrashEntry)((folder / "entry.json").read_bytes())
            place = self._trash_of(Path(entry.path))
        except (OSError, msgspec.MsgspecError, UnicodeError, RecursionError):
            return None
        return entry if place and place / entry.id == folder else None

    def _trash_of(self, workspace: Path) -> Path | None:
        """Return the trash for a workspace; None where a workspace cannot lie there."""
        root = workspace_roots.holding(self._paths.home, workspace)
        return root and workspace_roots.trash(self._paths, root)

    def _folder(self, entry: TrashEntry) -> Path:
        trash = self._trash_of(Path(entry.path))
        if trash is None:
            raise user_error("WORKSPACE_UNSAFE")
        return trash / entry.id

    def content(self, entry: TrashEntry) -> Path:
        """Return where the workspace of an entry lies; raises `UserError` where none can."""
        return self._folder(entry) / "workspace"

    async def put(
        self,
        run: Run,
        *,
        is_only_here: bool = False,
        keeps_branch: bool = False,
        together: str = "",
    ) -> TrashEntry:
        """Move a run's workspace to the trash; its branch goes from the repository, too.

        With `keeps_branch` it stays there. Commits that are nowhere else go along. Raises
        WORKSPACE_UNSAFE for what is not ours to delete, WORKSPACE_MISSING where it is gone.
        """
        workspace, target, trash = await asyncio.to_thread(self._checked, run)
        now = time.time()
        while (trash / _id(now, run)).exists():
            now += 0.001
        found = await worktree_registry.repository_of(workspace)
        entry = TrashEntry(
            id=_id(now, run),
            run=run.id,
            project=run.spec.project,
            title=one_line(run.spec.title),
            path=str(target),
            kind=workspace.kind,
            at=now,
            source=str(found.common_dir) if found else workspace.source,
            branch=workspace.branch,
            is_only_here=is_only_here,
            keeps_branch=keeps_branch,
            together=together,
        )
        folder = private_folder(trash / entry.id)
        try:
            if found:
                entry = await worktree_registry.keep(found, entry, folder)
            await asyncio.to_thread(write, folder / "entry.json", msgspec.json.encode(entry))
            await to_the_end(asyncio.to_thread(move, target, folder / "workspace"))
            await asyncio.to_thread(removal.remove, self._paths.temporary(run.id))
        except BaseException as error:
            if not (folder / "workspace").exists():
                await asyncio.to_thread(removal.remove, folder)
            if isinstance(error, OSError):
                raise _failure(error) from error
            raise
        return await to_the_end(self._settle(entry, found))

    def _checked(self, run: Run) -> tuple[Workspace, Path, Path]:
        workspace = run.workspace
        if workspace is None or not os.path.lexists(local_path(workspace)):
            raise user_error("WORKSPACE_MISSING")
        target = local_path(workspace)
        shown = printable_name(str(target))
        trash = self._trash_of(target)
        if workspace.kind is WorkspaceKind.IN_PLACE or trash is None:
            raise user_error("WORKSPACE_UNSAFE", f"{shown} is not a folder that swarm-tui made.")
        if mount := removal.mounted_in(target):
            message = f"{printable_name(mount)} is mounted in {shown}."
            raise user_error("WORKSPACE_BUSY", message, "Unmount it first.")
        return workspace, target, trash

    async def restore(self, entry: TrashEntry) -> None:
        """Put a workspace back where it was, branch and registration of a worktree included."""
        content, target = self.content(entry), Path(entry.path)
        if not content.is_dir():
            raise user_error(
                "WORKSPACE_MISSING", "The trash does not hold this workspace any more."
            )
        if os.path.lexists(target) and not is_empty_worktree(target):
            message = f"{printable_name(entry.path)} is there again."
            raise user_error("WORKSPACE_BUSY", message, "Delete that workspace first.")
        private_folder(target.parent)
        try:
            if entry.branch and entry.tip:
                await worktree_registry.put_back(entry, content, target, self._paths.home)
            else:
                await asyncio.to_thread(content.rename, target)
        except OSError as error:
            raise os_failure(error) from error
        await asyncio.to_thread(removal.remove, content.parent)

    def doom(self, entry: TrashEntry) -> Path:
        """Mark an entry as never to be restored; return the folder left to remove. Blocking."""
        folder = self._folder(entry)
        gone = folder.with_name(entry.id + GONE)
        try:
            folder.rename(gone)
            if not self._has_other(entry):
                self._paths.environment(entry.run).unlink(missing_ok=True)
        except OSError as error:
            raise os_failure(error) from error
        return gone

    def _has_other(self, entry: TrashEntry) -> bool:
        """Return whether the run of an entry has another workspace, here or in its place."""
        # By their names: to read all entries for each one that goes would be quadratic.
        if any(_is_of(folder.name, entry.run) for folder in self._folders()):
            return True
        names: list[str] = []
        with suppress(FileNotFoundError):
            names = os.listdir(Path(entry.path).parent)  # noqa: PTH208  it makes no paths
        return any(name == entry.run or name.startswith(f"{entry.run}-") for name in names)

    async def release_base(self, entry: TrashEntry) -> None:
        """Drop the base ref in the source of a run that has no workspace left."""
        if not (entry.branch and entry.source):
            return
        if await asyncio.to_thread(self._has_other, entry):
            return
        try:
            await base.release(Path(entry.source), entry.run)
        except UserError as error:  # the user may have damaged or locked the repository
            _log.warning("%s: its base stays held: %s", entry.run, error.message)

    def doomed(self) -> list[Path]:
        """Return the folders left of entries that were removed for good. Blocking."""
        return [folder for folder in self._folders() if folder.name.endswith(GONE)]

    async def repair(self) -> None:
        """Finish what a crash cut short, so that no entry is half one thing and half another."""
        for entry in await asyncio.to_thread(self.list):
            await self._repair(entry)
        await asyncio.to_thread(self._drop_begun)

    def _drop_begun(self) -> None:
        """Remove what was begun for a workspace that never came: it holds copies only."""
        for folder in self._folders():
            try:
                if (
                    _BEGUN.fullmatch(folder.name)
                    and {one.name for one in folder.iterdir()} <= _COPIES
                ):
                    removal.remove(folder)
            except OSError:
                continue

    async def _repair(self, entry: TrashEntry) -> None:
        if not os.path.lexists(self.content(entry)):  # never moved here, or back already
            await asyncio.to_thread(removal.remove, self._folder(entry))
        elif not entry.is_settled and not os.path.lexists(entry.path):
            await self._settle(entry, await worktree_registry.repository_of(entry.workspace))

    async def _settle(self, entry: TrashEntry, found: Repository | None) -> TrashEntry:
        """Take a worktree that lies in the trash out of the user's repository, once.

        A branch of that name which the user makes later is none of ours.
        """
        if entry.branch and found is None:  # on a disk that is not there today, perhaps
            return entry
        try:
            if found:
                await worktree_registry.unregister(found, entry, self._paths.home)
            entry = msgspec.structs.replace(entry, is_settled=True)
            path = self._folder(entry) / "entry.json"
            await asyncio.to_thread(rewrite, path, msgspec.json.encode(entry))
        except (UserError, OSError) as error:  # the user may have removed the repository
            _log.warning("%s stays registered: %s", entry.path, error)
        return entry


def _is_of(name: str, run: str) -> bool:
    """Return whether a folder in the trash is an entry of a run that can come back."""
    return name.partition("-")[2] == run


def _failure(error: OSError) -> UserError:
    if error.errno != errno.EXDEV:
        return os_failure(error)
    message = "The workspaces are on another file system than the trash."
    hint = "Keep the whole of SWARM_HOME on one, or set workspace.root."
    return user_error("WORKSPACE_UNSAFE", message, hint)


def _id(now: float, run: Run) -> str:
    return f"{int(now * 1000):012x}-{run.id}"
