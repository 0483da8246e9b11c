"""What changes in the workspaces of live runs, seen as it happens."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.domain.errors import UserError
from engine.domain.events import FileChange, FilesChanged
from engine.domain.text import printable_name
from engine.store.store import Entry

if TYPE_CHECKING:
    from watchfiles import Change

DEBOUNCE_MS, STEP_MS = 200, 50
POLL_MS = 1000  # where the system's limit on watches is reached
MAX_CHANGES = 500  # in one event; a build writes thousands of files at once
MAX_RESCAN = 2000

Commit = Callable[[Sequence[Entry]], Awaitable[object]]
_log = logging.getLogger(__name__)


class Watcher:
    """Watches all live workspaces with one watch of the system, and tells what changed in each."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._roots: dict[str, str] = {}
        self._untold: set[str] = set()
        """Folders, and what came and went unseen: nobody is told of their end either."""
        self._changed = asyncio.Event()
        self._polling = False

    def watch(self, run: str, root: str) -> None:
        """Watch a run's workspace from now on."""
        self._roots = {**self._roots, os.path.realpath(root): run}
        self._changed.set()

    def forget(self, run: str) -> None:
        """Watch it no longer."""
        self._roots = {root: owner for root, owner in self._roots.items() if owner != run}
        self._untold = {path for path in list(self._untold) if _root_of(path, self._roots)}
        self._changed.set()

    async def run(self) -> None:
        """Watch for ever."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            roots = [root for root in self._roots if Path(root).is_dir()]
            if roots:
                await self._watch(roots)

    async def _watch(self, roots: list[str]) -> None:
        """Watch these folders until others are to be watched."""
        import watchfiles
        from watchfiles._rust_notify import WatchfilesRustInternalError

        try:
            async for changes in watchfiles.awatch(  # pyright: ignore[reportUnknownMemberType]  trio's types
                *roots,
                debounce=DEBOUNCE_MS,
                step=STEP_MS,
                stop_event=self._changed,
                recursive=True,
                force_polling=self._polling or None,
                poll_delay_ms=POLL_MS,
                ignore_permission_denied=True,
            ):
                await self._tell(changes)
        except (OSError, WatchfilesRustInternalError) as error:
            if self._polling:
                raise
            _log.warning("watching falls back to scanning: %s", error)
            self._polling = True
            self._changed.set()

    async def _tell(self, changes: Iterable[tuple[Change, str]]) -> None:
        by_run = await asyncio.to_thread(self._sorted, list(changes))
        entries = [
            Entry(run, [FilesChanged(tuple(found[:MAX_CHANGES]))]) for run, found in by_run.items()
        ]
        try:
            if entries:
                await self._commit(entries)
        except UserError as error:  # what a workspace holds can be seen again later
            _log.warning("file changes are not stored: %s", error.message)

    def _sorted(self, changes: list[tuple[Change, str]]) -> dict[str, list[FileChange]]:
        from watchfiles import Change

        added = {path for change, path in changes if change is Change.added}
        modified = {path for change, path in changes if change is Change.modified}
        roots = self._roots  # never changed in place: this is another thread
        by_run: dict[str, list[FileChange]] = {}
        for path in sorted({path for _, path in changes} | set(_inside(added))):
            root = _root_of(path, roots)
            if root is None or self._stays_untold(path, path in added):
                continue
            kind = "modified" if path in modified - added else "added"
            kind = kind if os.path.lexists(path) else "deleted"
            name = printable_name(os.path.relpath(path, root))
            by_run.setdefault(roots[root], []).append(FileChange(name, kind))
        return by_run

    def _stays_untold(self, path: str, is_new: bool) -> bool:
        """Say whether a change is none of a file: Codex's sandbox mounts folders for a moment."""
        if os.path.lexists(path):
            is_folder = os.path.isdir(path) and not os.path.islink(path)  # noqa: PTH112, PTH114  hot
            (self._untold.add if is_folder else self._untold.discard)(path)
            return is_folder
        if is_new:
            self._untold.add(path)
        return path in self._untold


def _root_of(path: str, roots: Iterable[str]) -> str | None:
    return next((root for root in roots if path.startswith(root + os.sep)), None)


def _inside(paths: Iterable[str]) -> Iterable[str]:
    """Give the files in new folders: they were there before the system watched the folder."""
    from watchfiles import DefaultFilter

    wanted = DefaultFilter()
    left_out = set(wanted.ignore_dirs)
    count = 0
    for path in paths:
        for folder, folders, files in os.walk(path):
            folders[:] = [name for name in folders if name not in left_out]
            for name in files:
                yield os.path.join(folder, name)  # noqa: PTH118  hot
                count += 1
                if count >= MAX_RESCAN:
                    return
