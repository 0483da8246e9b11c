"""Live changes in the workspaces of running runs."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

from engine.agents.profiles import SANDBOX_FILES
from engine.domain.errors import UserError
from engine.domain.events import Body, FileChange, FilesChanged, Notice
from engine.domain.text import printable_name
from engine.execution.local.folder_watch import ADDED, DELETED, MODIFIED, FolderWatch, Seen
from engine.store.appending import AppendRequest
from engine.workspaces.files.walk import MAX_FOLDERS, is_left_alone, is_sandbox, walk

MAX_CHANGES = 500  # in one event; a build writes thousands of files at once
MAX_TOLD = 10_000  # at a time, of one run
COST_FACTOR = 20  # renewing the watch takes a twentieth of the time at most
RETRY_S = 1.0  # between two attempts to watch a workspace that is missing

SCANNING = (
    "the system's limit on file watches is reached: from now on changes are found by scanning, "
    "a little later (on Linux: fs.inotify.max_user_watches)"
)

Commit = Callable[[Sequence[AppendRequest]], Awaitable[object]]
_log = logging.getLogger(__name__)


class WorkspaceWatcher:
    """Watcher of all live workspaces with one watch of the system, which reports their changes."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._roots: dict[str, str] = {}
        self._folders: dict[str, set[str]] = {}
        """Folders that are watched, by root."""
        self._new: set[str] = set()
        """Folders to watch from the next renewal on, whose content is reported."""
        self._untold: set[str] = set()
        """Folders and files that came and went unseen: their end is not reported either."""
        self._changed = asyncio.Event()
        self._before: dict[str, set[str]] = {}
        """Folders that were watched, by root that is to be walked again."""
        self._next_at = self._missing_at = 0.0
        self._said = False
        self._seen: Counter[str] = Counter()

    def seen(self, run: str) -> int:
        """Count how often something was seen to change in a run's workspace."""
        return self._seen[run]

    def watch(self, run: str, root: str) -> None:
        """Watch a run's workspace from now on."""
        if not root:
            return
        self._roots = {**self._roots, os.path.realpath(root): run}
        self._changed.set()

    def forget(self, run: str) -> None:
        """Watch it no longer."""
        self._roots = {root: owner for root, owner in self._roots.items() if owner != run}
        del self._seen[run]
        self._untold = {path for path in list(self._untold) if _root_of(path, self._roots)}
        self._changed.set()

    async def run(self) -> None:
        """Watch for ever; after a fault it can be called again, and watches the same workspaces."""
        while True:
            while not self._roots:
                self._changed.clear()
                await self._changed.wait()
            self._folders, self._before, self._new = {}, {}, set()
            self._changed.set()
            watch = FolderWatch()
            try:
                while self._roots:
                    await self._report_changes(watch)
            finally:
                watch.close()

    async def _report_changes(self, watch: FolderWatch) -> None:
        """Wait for a moment, report the changes seen, and renew the watch."""
        if self._changed.is_set() or (self._must_renew() and time.monotonic() >= self._next_at):
            self._changed.clear()
            new, self._new = self._new, set()
            began = time.monotonic()
            await self._append_changes(await asyncio.to_thread(self._renew, watch, new))
            self._next_at = time.monotonic() + COST_FACTOR * (time.monotonic() - began)
            if watch.is_scanning and not self._said:
                self._said = True
                newest = next(reversed(self._roots.values()), None)
                await self._append_bodies(newest, Notice("warning", SCANNING))
        seen = await asyncio.to_thread(watch.wait)
        if seen:
            await self._append_changes(await asyncio.to_thread(self._sorted, seen))
        self._lose(*watch.pop_lost())

    def _must_renew(self) -> bool:
        is_missing = not all(self._folders.get(root) for root in self._roots)
        return bool(self._new) or (is_missing and time.monotonic() >= self._missing_at)

    def _lose(self, lost: set[str], is_incomplete: bool) -> None:
        """Walk workspaces again in which changes were missed, or which have moved."""
        again = self._roots.keys() & lost
        if is_incomplete:
            _log.warning("changes came too quickly to see each: the workspaces are walked again")
            again = set(self._roots)
        for root in again:
            self._seen[self._roots[root]] += 1
            self._before[root] = self._folders.pop(root, set())
            self._missing_at = 0.0

    async def _append_changes(self, by_run: dict[str, list[FileChange]]) -> None:
        for run, found in by_run.items():
            self._seen[run] += 1
            told = found[:MAX_TOLD]
            parts = [told[at : at + MAX_CHANGES] for at in range(0, len(told), MAX_CHANGES)]
            await self._append_bodies(run, *(FilesChanged(tuple(part)) for part in parts))

    async def _append_bodies(self, run: str | None, *bodies: Body) -> None:
        try:
            if run is not None:
                await self._commit([AppendRequest(run, bodies)])
        except UserError as error:  # what a workspace holds can be seen again later
            _log.warning("file changes are not stored: %s", error.message)

    # In another thread; what is read here is never changed in place by the event loop

    def _renew(self, watch: FolderWatch, new: set[str]) -> dict[str, list[FileChange]]:
        """Watch all that is to be watched now; what is in new folders is looked at afterwards."""
        roots = self._roots
        self._folders = {root: self._folders.get(root) or self._walked(root, new) for root in roots}
        self._missing_at = time.monotonic() + RETRY_S
        for path in new:
            if (root := _root_of(path, roots)) is not None:
                room = MAX_FOLDERS - len(self._folders[root])
                self._folders[root] |= _folders(root, path[len(root) + 1 :], room)
        seen = watch.renew(path for folders in self._folders.values() for path in folders)
        inside = islice(self._inside(new, roots), MAX_TOLD)
        return self._sorted(seen | {(ADDED, path) for path in inside})

    def _walked(self, root: str, new: set[str]) -> set[str]:
        """Return the folders of a workspace; those missed since the last time count as new."""
        found = _folders(root, "", MAX_FOLDERS)
        if before := self._before.pop(root, None):
            new |= found - before - {root}
        return found

    def _inside(self, new: Iterable[str], roots: Iterable[str]) -> Iterable[str]:
        """Return the files in new folders: some were there before the folder was watched.

        A folder made in a new one before that was watched is not yet watched itself: it is new.
        """
        for path in new:
            root = _root_of(path, roots)
            if root is None:
                continue
            watched = self._folders[root]
            try:
                for folder in walk(Path(root), path[len(root) + 1 :]):
                    place = os.path.join(root, folder.path)  # noqa: PTH118  hot
                    if place not in watched and len(watched) < MAX_FOLDERS:
                        self._new.add(place)
                    yield from (os.path.join(root, folder.path_of(name)) for name in folder.files)  # noqa: PTH118  hot
            except OSError:
                continue

    def _sorted(self, seen: Seen) -> dict[str, list[FileChange]]:
        added = {path for change, path in seen if change == ADDED}
        modified = {path for change, path in seen if change == MODIFIED}
        roots = self._roots
        self._drop_gone({path for change, path in seen if change == DELETED}, roots)
        by_run: dict[str, list[FileChange]] = {}
        for path in sorted({path for _, path in seen}):
            root = _root_of(path, roots)
            if root is None or is_left_alone(name := path[len(root) + 1 :]):
                continue
            info = _stat(path)
            if self._stays_untold(path, name, info, is_new=path in added):
                continue
            kind = "modified" if path in modified - added else "added"
            change = FileChange(printable_name(name), kind if info else "deleted")
            by_run.setdefault(roots[root], []).append(change)
        return by_run

    def _drop_gone(self, gone: set[str], roots: Iterable[str]) -> None:
        """Watch deleted and moved folders no longer, and none that lay below them.

        A link in their place would lead elsewhere, and each counts towards `MAX_FOLDERS`.
        """
        for root in roots:
            if dead := gone & self._folders.get(root, set()):
                alive = {path for path in self._folders[root] if not _lies_in(path, dead, root)}
                self._folders[root] = alive

    def _stays_untold(
        self, path: str, name: str, info: os.stat_result | None, *, is_new: bool
    ) -> bool:
        """Return whether a change is not reported: a sandbox mounts folders for a moment."""
        if info:
            is_folder = stat.S_ISDIR(info.st_mode)
            if is_folder and is_new and not (name in SANDBOX_FILES and _is_empty(path)):
                self._new.add(path)
            is_none = is_folder or is_sandbox(name, info.st_size)
            (self._untold.add if is_none else self._untold.discard)(path)
            return is_none
        if is_new:
            self._untold.add(path)
        return path in self._untold


def _root_of(path: str, roots: Iterable[str]) -> str | None:
    return next((root for root in roots if path.startswith(root + os.sep)), None)


def _lies_in(path: str, folders: set[str], root: str) -> bool:
    """Return whether a folder below `root` is one of these, or lies below one."""
    while len(path) > len(root):
        if path in folders:
            return True
        path = path.rpartition(os.sep)[0]
    return False


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (OSError, ValueError):
        return None


def _is_empty(path: str) -> bool:
    try:
        with os.scandir(path) as entries:
            return next(entries, None) is None
    except OSError:
        return True


def _folders(root: str, start: str, limit: int) -> set[str]:
    try:
        found = islice(walk(Path(root), start), max(0, limit))
        return {os.path.join(root, folder.path) if folder.path else root for folder in found}  # noqa: PTH118  hot
    except OSError:
        return set()
