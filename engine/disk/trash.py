"""Workspaces in the trash: outside the user's repository, and restored unharmed.

An entry is a folder `trash/<entry>/` with `entry.json`, the workspace itself as `workspace/`, and
of a worktree, its registration (see `registered`). Every step leaves a state that `mend` can finish
or revert: the workspace is moved whole, never copied. An entry that is removed for good is called
`<entry>.gone` first, so that nothing half removed can come back.

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

from engine.config.locks import locked, to_the_end
from engine.config.paths import Paths, private_folder
from engine.disk import worktree_registry
from engine.disk.trash_entry import TrashEntry
from engine.disk.trash_moves import is_empty_worktree, move, rewrite, write
from engine.domain.errors import UserError, os_failure, user_error
from engine.domain.model import Run, Workspace, WorkspaceKind
from engine.domain.text import one_line, printable_name
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
        found = [self._read(name) for name in self._names()]
        return sorted((one for one in found if one), key=lambda one: one.at, reverse=True)

    def _names(self) -> list[str]:
        folder = self._paths.trash
        if folder.is_symlink():  # is none of ours
            return []
        try:
            return sorted(one.name for one in folder.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise os_failure(error) from error

    def _read(self, name: str) -> TrashEntry | None:
        try:
            entry = msgspec.json.decode(
                (self._paths.trash / name / "entry.json").read_bytes(), type=TrashEntry
            )
        except (OSError, msgspec.MsgspecError, UnicodeError):
            return None
        return entry if entry.id == name and self._is_ours(Path(entry.path)) else None

    def content(self, entry: TrashEntry) -> Path:
        """Return where the workspace of an entry lies."""
        return self._paths.trash / entry.id / "workspace"

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
        workspace, target = await asyncio.to_thread(self._checked, run)
        now = time.time()
        while (self._paths.trash / _id(now, run)).exists():
            now += 0.001
        found = await worktree_registry.repository_of(workspace)
        entry = TrashEntry(
            id=_id(now, run),
            run=run.id,
            project=run.spec.project,
            title=one_line(run.spec.title),
            path=workspace.path,
            kind=workspace.kind,
            at=now,
            source=str(found.common_dir) if found else workspace.source,
            branch=workspace.branch,
            is_only_here=is_only_here,
            keeps_branch=keeps_branch,
            together=together,
        )
        folder = private_folder(self._paths.trash / entry.id)
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

    def _checked(self, run: Run) -> tuple[Workspace, Path]:
        workspace = run.workspace
        if workspace is None or not os.path.lexists(workspace.path):
            raise user_error("WORKSPACE_MISSING")
        target = Path(workspace.path)
        shown = printable_name(workspace.path)
        if workspace.kind is WorkspaceKind.IN_PLACE or not self._is_ours(target):
            raise user_error("WORKSPACE_UNSAFE", f"{shown} is not a folder that swarm-tui made.")
        if mount := removal.mounted_in(target):
            message = f"{printable_name(mount)} is mounted in {shown}."
            raise user_error("WORKSPACE_BUSY", message, "Unmount it first.")
        return workspace, target

    async def restore(self, entry: TrashEntry) -> None:
        """Put a workspace back where it was, branch and registration of a worktree included."""
        content, target = self.content(entry), Path(entry.path)
        if not self._is_ours(target):
            raise user_error("WORKSPACE_UNSAFE")
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
        await asyncio.to_thread(removal.remove, self._paths.trash / entry.id)

    def doom(self, entry: TrashEntry) -> Path:
        """Mark an entry as never to be restored; return the folder left to remove. Blocking."""
        folder = self._paths.trash / entry.id
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
        if any(other.run == entry.run for other in self.list()):
            return True
        names: list[str] = []
        with suppress(FileNotFoundError):
            names = [one.name for one in Path(entry.path).parent.iterdir()]
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
        return [self._paths.trash / name for name in self._names() if name.endswith(GONE)]

    async def mend(self) -> None:
        """Finish what a crash cut short, so that no entry is half one thing and half another."""
        for entry in await asyncio.to_thread(self.list):
            await self._mend(entry)
        await asyncio.to_thread(self._drop_begun)

    def _drop_begun(self) -> None:
        """Remove what was begun for a workspace that never came: it holds copies only."""
        for name in self._names():
            folder = self._paths.trash / name
            try:
                if _BEGUN.fullmatch(name) and {one.name for one in folder.iterdir()} <= _COPIES:
                    removal.remove(folder)
            except OSError:
                continue

    async def _mend(self, entry: TrashEntry) -> None:
        if not os.path.lexists(self.content(entry)):  # never moved here, or back already
            await asyncio.to_thread(removal.remove, self._paths.trash / entry.id)
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
                await worktree_registry.take_out(found, entry, self._paths.home)
            entry = msgspec.structs.replace(entry, is_settled=True)
            path = self._paths.trash / entry.id / "entry.json"
            await asyncio.to_thread(rewrite, path, msgspec.json.encode(entry))
        except (UserError, OSError) as error:  # the user may have removed the repository
            _log.warning("%s stays registered: %s", entry.path, error)
        return entry

    def _is_ours(self, path: Path) -> bool:
        """Return whether `path` is of the form `workspaces/<project>/<run>`, without links."""
        top = self._paths.workspaces
        real = Path(os.path.realpath(path.parent)) / path.name
        return (
            path.name not in ("", ".", "..")
            and real.parent.parent == Path(os.path.realpath(top))
            and not (top / path.parent.name).is_symlink()
        )


def _failure(error: OSError) -> UserError:
    if error.errno != errno.EXDEV:
        return os_failure(error)
    message = "The workspaces are on another file system than the trash."
    return user_error("WORKSPACE_UNSAFE", message, "Keep the whole of SWARM_HOME on one.")


def _id(now: float, run: Run) -> str:
    return f"{int(now * 1000):012x}-{run.id}"
