"""Requests of faces about disk space: usage, the plan of a clean-up, the trash."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from engine.config.paths import Paths
from engine.config.settings import Config
from engine.disk import locations
from engine.disk.cleanup import CleanupItemResult, CleanupReport, WorkspaceCleanup
from engine.disk.cleanup_plan import CleanupFilter, CleanupPlan
from engine.disk.current_workspaces import candidates
from engine.disk.locations import DiskLocation, LocationKind
from engine.disk.node_workspaces import NodeWorkspaceSizes
from engine.disk.scan.scanner import FolderScanner, FolderSize
from engine.disk.session_cleanup import SessionCleanup
from engine.disk.trash import Trash, TrashEntry
from engine.disk.unsaved import UnsavedWork
from engine.domain.errors import UserError, user_error
from engine.domain.hosts import path_here
from engine.domain.model import Run
from engine.store.standing import projects
from engine.store.store import USED, Store
from engine.workspaces.files import removal
from engine.workspaces.files.removal import RemovalResult
from engine.workspaces.service import AppendDecided

COUNTED = (LocationKind.WORKSPACE, LocationKind.FILES, LocationKind.DATABASE, LocationKind.OTHER)
"""Kinds that `cleanup.budget` bounds: the trash has its own bound, agents' homes are the user's."""
UNDO_S = 3600.0
"""Time for which what was deleted can come back, however little room there is for it."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """The size of a location, so far or in all."""

    place: DiskLocation
    figures: FolderSize
    done: bool
    error: str | None = None


class Disk:
    """The disk space of one home; every method raises `UserError`."""

    def __init__(
        self,
        paths: Paths,
        config: Config,
        store: Store,
        append: AppendDecided,
        check_config: Callable[[], None],
        machine: Callable[[str], object] | None = None,
    ) -> None:
        self._nodes = NodeWorkspaceSizes(machine)
        self._check_config = check_config
        self._paths = paths
        self._config = config
        self._store = store
        self._trash = Trash(paths)
        self._sizes: dict[str, int] = {}
        """Sizes of entries of the trash, in bytes: nothing changes in there."""
        self.sessions = SessionCleanup(paths, config, store, self._trash, append)
        self.cleaning = WorkspaceCleanup(paths, config, store, self._trash, append, self._nodes)
        self.delete = self.cleaning.delete

    # Looking

    def free(self) -> int:
        """Return the free bytes of the file system that the home is on."""
        return shutil.disk_usage(self._paths.home).free

    async def measure(
        self,
        told: Callable[[DiskUsage], None] = lambda _: None,
        kinds: Collection[LocationKind] = frozenset(LocationKind),
        looked: Callable[[int, int], None] = lambda _done, _of: None,
    ) -> int:
        """Measure everything, reporting each location repeatedly until it is `done`.

        `looked` gets the number of locations measured so far, and of all. May be cancelled
        at any time. A file with names in several locations counts in one of them. Returns
        the bytes that count for `cleanup.budget`, and stores them for the warning.
        """
        used: dict[Path, int] = {}
        done, linked = 0, set[tuple[int, int]]()

        def counted(one: DiskUsage) -> None:
            nonlocal done
            if one.place.kind in COUNTED:
                used[one.place.path] = one.figures.disk
            told(one)
            if one.done:
                done += 1
                looked(done, total)

        runs = await candidates(self._store, self._paths)
        found = await asyncio.to_thread(
            locations.find, self._paths, runs, await projects(self._store)
        )
        runs = await asyncio.to_thread(locations.elsewhere, runs)  # the others are not held
        if LocationKind.AGENT in kinds:
            found += await asyncio.to_thread(locations.of_agents, self._config)
        found = [place for place in found if place.kind in kinds]
        total, waiting = len(found), iter(found)
        async with (
            FolderScanner(self._config.cleanup.rebuildable) as scanner,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(scanner.workers):
                group.create_task(_measure(scanner, waiting, linked, counted))
        await self._report_elsewhere(runs, kinds, told)
        with suppress(UserError):  # on a full disk it goes without
            await self._store.change_setting(USED, lambda _: str(sum(used.values())))
        return sum(used.values())

    async def _report_elsewhere(
        self,
        runs: Sequence[Run],
        kinds: Collection[LocationKind],
        told: Callable[[DiskUsage], None],
    ) -> None:
        """Report what does not count here: workspaces on nodes, and agents' session files."""
        if LocationKind.NODE in kinds:
            for place, size_bytes, error in await self._nodes.places(runs):
                figures = FolderSize(disk=size_bytes, apparent=size_bytes)
                told(DiskUsage(place, figures, done=True, error=error or None))
        if LocationKind.ROLLOUT in kinds:
            for one in await self.sessions.find():
                told(DiskUsage(locations.of_session(one), one.figures, done=True))

    async def inside(self, path: Path, told: Callable[[DiskUsage], None]) -> None:
        """Measure what lies directly in a folder of a place, one by one."""
        async with FolderScanner(self._config.cleanup.rebuildable) as scanner:
            async for one in scanner.measure(path, inside=True):
                if one.name is not None:
                    place = DiskLocation(LocationKind.OTHER, path / one.name, one.name)
                    told(DiskUsage(place, one.figures, done=True))

    async def unsaved(self, run: str, path: str | None = None) -> UnsavedWork:
        """Return the part of a run's work that is nowhere else; false where there is none.

        `path` names a workspace that a fresh start left; None: the one the run has now.
        """
        return await self.cleaning.unsaved(await self.cleaning.standing(run, path))

    async def report_unsaved(
        self, paths: Collection[str], told: Callable[[str, UnsavedWork], None]
    ) -> None:
        """Report the unsaved work of many workspaces, by path.

        Only of runs that ended; facts of a repository that all share are read once.
        """
        await self.cleaning.report_unsaved(paths, told)

    # Cleaning up

    async def plan(
        self, wish: CleanupFilter, looked: Callable[[int, int], None] | None = None
    ) -> CleanupPlan:
        """Return the items that a clean-up would take and keep, with reasons; nothing is changed.

        `looked` gets the number of workspaces examined so far, and of all.
        """
        if wish.sessions:
            return await self.sessions.plan(wish)
        return await self.cleaning.plan(wish, looked)

    async def clean(
        self,
        planned: CleanupPlan,
        wish: CleanupFilter,
        told: Callable[[CleanupItemResult], None] | None = None,
        stop: Callable[[], bool] = lambda: False,
        why: str = "",
    ) -> CleanupReport:
        """Clean up as planned, one item after another; a failure is reported, and the rest goes on.

        A mistake in the settings refuses it: they decide what may be deleted.
        """
        self._check_config()
        if planned.sessions:
            return await self.sessions.clean(planned, told, stop)
        return await self.cleaning.clean(planned, wish, told, stop, why)

    # The trash

    async def trash(self) -> list[TrashEntry]:
        """Return the entries of the trash, the newest first."""
        return await asyncio.to_thread(self._trash.list)

    def entries(self) -> list[TrashEntry]:
        """Return the entries of the trash, the newest first. Blocking."""
        return self._trash.list()

    async def restore(self, entry: TrashEntry) -> None:
        """Bring a workspace back to where it was."""
        async with self._trash.alone():
            await self._trash.restore(entry)
            try:
                run = await self.cleaning.run(entry.run)
                its_own = path_here(run) == entry.path
                words = "workspace brought back from the trash"
                await self.cleaning.note(run, words, trash=False if its_own else None)
            except UserError as error:  # it is back, whether or not anybody knows the run
                _log.warning("restored %s, but not noted: %s", entry.id, error.message)

    async def undo(self, run: str | None = None) -> list[TrashEntry]:
        """Restore what went to the trash last: of one run, or all that went there together.

        Entries that cannot be restored stay; the others are restored, and then the error is
        raised.
        """
        entries = [one for one in await self.trash() if run in (None, one.run)]
        if not entries:
            whose = f"nothing of the run {run}" if run else "nothing"
            raise user_error("INPUT_INVALID", f"The trash holds {whose}.", "It cannot be undone.")
        last = entries[0]
        if run is None and last.together:
            entries = [one for one in entries if one.together == last.together]
        else:
            entries = [last]
        failures: list[UserError] = []
        for entry in entries:
            try:
                await self.restore(entry)
            except UserError as error:
                failures.append(error)
        if failures:
            raise failures[0]
        return entries

    async def empty(
        self,
        entries: Sequence[TrashEntry],
        stop: Callable[[], bool] = lambda: False,
        looked: Callable[[int, int], None] = lambda _done, _of: None,
    ) -> int:
        """Remove entries of the trash for good, and return the number removed.

        A mistake in the settings refuses it, as it does a clean-up. `looked` gets the number of
        entries that it is done with, and of all.
        """
        self._check_config()
        count = 0
        for done, entry in enumerate(entries):
            if stop():
                break
            looked(done, len(entries))
            async with self._trash.alone():
                gone = await asyncio.to_thread(self._trash.doom, entry)
            done = await _remove(gone, stop)
            await self._trash.release_base(entry)
            count += not (done.left or done.stopped)
        return count

    async def tend(self, *, expire: bool = True) -> int:
        """Repair the trash after a crash, and remove what is too old or too much; return how many.

        Work that is nowhere else stays until the user empties the trash. Without `expire`,
        all of it stays, as where a mistake in the settings leaves the limits unknown.
        """
        async with self._trash.alone():
            await self._trash.repair()
            for run in await candidates(self._store, self._paths):
                if run.in_trash and path_here(run) and Path(path_here(run)).is_dir():
                    # A crash came between the word and the deed.
                    await self.cleaning.note(run, "workspace still there", trash=False)
        for gone in await asyncio.to_thread(self._trash.doomed):
            await _remove(gone)
        if not expire or self._is_mistaken():
            return 0
        entries = [one for one in await self.trash() if not one.is_only_here]
        return await self.empty(await self._too_much(entries, time.time()))

    def _is_mistaken(self) -> bool:
        try:
            self._check_config()
        except UserError:
            return True
        return False

    async def _too_much(self, entries: Sequence[TrashEntry], now: float) -> list[TrashEntry]:
        """Return the entries, newest first, that are too old or find no room any more."""
        limits = self._config.cleanup
        oldest, room = now - limits.trash_days * 86_400, limits.trash_size
        going: list[TrashEntry] = []
        async with FolderScanner() as scanner:
            for entry in entries:
                if entry.at < oldest:
                    going.append(entry)
                    continue
                room -= await self._size(scanner, entry)
                if room < 0 and entry.at < now - UNDO_S:
                    going.append(entry)
        return going

    async def _size(self, scanner: FolderScanner, entry: TrashEntry) -> int:
        if entry.id not in self._sizes:
            async for told in scanner.measure(self._trash.content(entry)):
                self._sizes[entry.id] = told.figures.disk
        return self._sizes[entry.id]


async def _remove(path: Path, stop: Callable[[], bool] = lambda: False) -> RemovalResult:
    """Remove a folder in a thread, which ends when its caller is cancelled."""
    left = False
    try:
        return await asyncio.to_thread(removal.remove, path, lambda: left or stop())
    finally:
        left = True


async def _measure(
    scanner: FolderScanner,
    waiting: Iterator[DiskLocation],
    linked: set[tuple[int, int]],
    told: Callable[[DiskUsage], None],
) -> None:
    for place in waiting:
        async for one in scanner.measure(place.path):
            figures = one.figures
            again = [sizes for key, sizes in one.linked.items() if key in linked]
            if again:
                figures = replace(
                    figures,
                    disk=figures.disk - sum(disk for disk, _ in again),
                    apparent=figures.apparent - sum(apparent for _, apparent in again),
                )
            linked.update(one.linked)
            told(DiskUsage(place, figures, one.done, one.error))
