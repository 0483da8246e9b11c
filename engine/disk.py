"""What faces may ask about disk space: what uses it, what a clean-up would take, the trash."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.codex.command import user_codex_home
from engine.config import Config
from engine.domain.errors import UserError, os_failure, user_error
from engine.domain.events import Body, Notice
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run, WorkspaceKind
from engine.domain.text import size
from engine.paths import Paths, private_folder
from engine.store.store import Store
from engine.upkeep import artefacts, places
from engine.upkeep.measure import Figures, Scanner
from engine.upkeep.places import Place, PlaceKind
from engine.upkeep.plan import Candidate, Item, Plan, Wish, plan
from engine.upkeep.trash import Entry, Trash
from engine.upkeep.unsaved import unsaved
from engine.workspaces import Tell, Workspaces

LOOKS_AT_ONCE = 2
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a place takes, so far or in all."""

    place: Place
    figures: Figures
    done: bool
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What became of one item of a plan: bytes freed or put aside, or why it stays."""

    item: Item
    freed: int = 0
    entry: str = ""
    """The trash's entry, where it can come back."""
    failure: UserError | None = None


@dataclass(slots=True)
class Report:
    """What a clean-up did."""

    cleaned: list[Cleaned] = field(default_factory=list[Cleaned])
    stopped: bool = False

    @property
    def freed(self) -> int:
        """The bytes that went, to the trash or for good."""
        return sum(one.freed for one in self.cleaned)


class Disk:
    """The disk space of one home; every method raises `UserError`."""

    def __init__(
        self, paths: Paths, config: Config, store: Store, workspaces: Workspaces, tell: Tell
    ) -> None:
        self._paths = paths
        self._config = config
        self._store = store
        self._workspaces = workspaces
        self._tell = tell
        self._trash = Trash(paths)

    # Looking

    def free(self) -> int:
        """Give the free bytes of the file system that the home is on."""
        return shutil.disk_usage(self._paths.home).free

    async def measure(self, told: Callable[[Usage], None]) -> None:
        """Measure everything, telling what each place takes again and again until it is `done`.

        To be cancelled at any time. A file with names in several places counts in one of them.
        """
        runs = await self._store.runs()
        found = await asyncio.to_thread(places.find, self._paths, runs, user_codex_home())
        linked: set[tuple[int, int]] = set()
        waiting = iter(found)
        async with (
            Scanner(self._config.cleanup.rebuildable) as scanner,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(scanner.workers):
                group.create_task(_measure(scanner, waiting, linked, told))

    async def inside(self, path: Path, told: Callable[[Usage], None]) -> None:
        """Measure what lies directly in a folder of a place, one by one."""
        async with Scanner(self._config.cleanup.rebuildable) as scanner:
            async for one in scanner.measure(path, inside=True):
                if one.name is not None:
                    place = Place(PlaceKind.OTHER, path / one.name, one.name)
                    told(Usage(place, one.figures, done=True))

    async def unsaved(self, run: str) -> str:
        """Say in words what of a run's work is nowhere else; empty where all of it is."""
        return await unsaved(await self._run(run), self._paths)

    # Cleaning up

    async def plan(self, wish: Wish, looked: Callable[[int, int], None] | None = None) -> Plan:
        """Say what a clean-up would take and what it would leave, and why; nothing is changed.

        `looked` is told how many of how many workspaces have been looked at.
        """
        runs = [run for run in await self._store.runs() if _is_there(run)]
        turn, count = asyncio.Semaphore(LOOKS_AT_ONCE), 0

        async def look(run: Run) -> Candidate:
            nonlocal count
            async with turn:
                candidate = await self._candidate(run, scanner, wish)
            count += 1
            if looked:
                looked(count, len(runs))
            return candidate

        async with Scanner(self._config.cleanup.rebuildable) as scanner:
            candidates = await asyncio.gather(*(look(run) for run in runs))
        return plan(candidates, wish, time.time())

    async def _candidate(self, run: Run, scanner: Scanner, wish: Wish) -> Candidate:
        bare = Candidate(run)
        if plan([bare], replace(wish, artefacts_only=False, keep=0), time.time()).take == ():
            return bare  # it stays, whatever is in it
        assert run.workspace
        figures = Figures()
        async for told in scanner.measure(Path(run.workspace.path)):
            figures = told.figures
        lost = "" if wish.artefacts_only else await unsaved(run, self._paths)
        rebuildable = figures.rebuildable
        return Candidate(run, figures.disk, rebuildable, lost)

    async def clean(
        self,
        planned: Plan,
        wish: Wish,
        told: Callable[[Cleaned], None] | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Report:
        """Carry a plan out, one workspace after another; a failure is told, and the rest goes on.

        Each is looked at again just before: what has changed since the plan was made counts.
        """
        report = Report()
        for item in planned.take:
            if stop():
                report.stopped = True
                break
            try:
                cleaned = await self._clean(item, wish, artefacts_only=planned.artefacts_only)
            except UserError as error:
                cleaned = Cleaned(item, failure=error)
            except OSError as error:
                cleaned = Cleaned(item, failure=os_failure(error))
            report.cleaned.append(cleaned)
            if told:
                told(cleaned)
        return report

    async def _clean(self, item: Item, wish: Wish, *, artefacts_only: bool) -> Cleaned:
        run = await self._run(item.run)
        _check_ended(run)
        if artefacts_only:
            freed = await artefacts.strip(run, self._paths, self._config.cleanup.rebuildable)
            await self._note(run, f"removed what can be made again: {size(freed)}")
            return Cleaned(item, freed)
        lost = await unsaved(run, self._paths)
        if lost and not wish.including_unsaved:
            raise user_error("WORK_UNSAVED", f"The run {run.id} is kept: {lost}.")
        entry = await self.delete(run.id)
        return Cleaned(item, item.size, entry.id)

    async def delete(self, run: str) -> Entry:
        """Move a run's workspace to the trash. What is nowhere else is kept beside the run, too."""
        known = await self._run(run)
        _check_ended(known)
        if await unsaved(known, self._paths):
            await self._keep(known)
        await self._note(known, "workspace moved to the trash", trash=True)
        try:
            return await self._trash.put(known)
        except BaseException:
            await asyncio.shield(self._note(known, "workspace still there", trash=False))
            raise

    async def _keep(self, run: Run) -> None:
        """Write what a run changed, as a patch, among its own files."""
        try:
            patch = await self._workspaces.diff(run.id)
        except UserError as error:
            _log.warning("run %s: no patch is kept: %s", run.id, error.message)
            return
        path = private_folder(self._paths.run(run.id)) / "unsaved.patch"
        await asyncio.to_thread(_write, path, patch)

    # The trash

    async def trash(self) -> list[Entry]:
        """Give what is in the trash, the newest first."""
        return await asyncio.to_thread(self._trash.list)

    async def restore(self, entry: Entry) -> None:
        """Bring a workspace back to where it was."""
        await self._trash.restore(entry)
        try:
            run = await self._run(entry.run)
            await self._note(run, "workspace brought back from the trash", trash=False)
        except UserError as error:  # it is back, whether or not anybody knows the run
            _log.warning("restored %s, but not noted: %s", entry.id, error.message)

    async def undo(self) -> Entry:
        """Bring back what went to the trash last."""
        entries = await self.trash()
        if not entries:
            raise user_error("INPUT_INVALID", "The trash is empty.", "There is nothing to undo.")
        await self.restore(entries[0])
        return entries[0]

    async def empty(
        self, entries: Sequence[Entry], stop: Callable[[], bool] = lambda: False
    ) -> int:
        """Remove entries of the trash for good, and give how many could be."""
        count = 0
        for entry in entries:
            done = await self._trash.empty(entry, stop)
            if done.stopped:
                break
            count += not done.left
        return count

    async def tend(self) -> int:
        """Mend the trash after a crash, and empty what has been in it long enough."""
        await self._trash.mend()
        for run in await self._store.runs():
            if run.in_trash and _is_there(run):  # a crash came between the word and the deed
                await self._note(run, "workspace still there", trash=False)
        oldest = time.time() - self._config.cleanup.trash_days * 86_400
        return await self.empty([one for one in await self.trash() if one.at < oldest])

    async def _run(self, run: str) -> Run:
        found = await self._store.runs(ids=[run])
        if not found:
            raise user_error("RUN_NOT_FOUND", f"There is no run {run}.")
        return found[0]

    async def _note(self, run: Run, words: str, *, trash: bool | None = None) -> None:
        def told(known: Run) -> list[Body]:
            if trash is not False:
                _check_ended(known)
            return [Notice("info", words, trash=trash)]

        await self._tell(run.id, told)


def _check_ended(run: Run) -> None:
    if run.status not in FINISHED:
        raise user_error("WORKSPACE_BUSY", f"The run {run.id} is {run.status}.", "Cancel it first.")


def _is_there(run: Run) -> bool:
    workspace = run.workspace
    return (
        workspace is not None
        and workspace.kind is not WorkspaceKind.IN_PLACE
        and Path(workspace.path).is_dir()
    )


async def _measure(
    scanner: Scanner,
    waiting: Iterator[Place],
    linked: set[tuple[int, int]],
    told: Callable[[Usage], None],
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
            told(Usage(place, figures, one.done, one.error))


def _write(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
