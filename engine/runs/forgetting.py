"""Runs forgotten: their records, files and workspaces removed, all of them or none.

The files of a run are renamed out of `runs/` before the end of the transaction that removes its
rows. After a kill, `settle` puts back those of runs that still have rows, and `finish` removes the
others. The workspaces go to the trash before that; `unfinished` names them until the end, so that
`settle` restores them after a kill: a run is either whole or forgotten.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Callable, Container, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from engine.config import thread_lock
from engine.config.locks import locked
from engine.config.paths import Paths, private_folder
from engine.domain.errors import UserError, os_failure, user_error
from engine.domain.forgetting import check_forgettable
from engine.domain.hosts import host_of
from engine.domain.lifecycle import LIVE
from engine.domain.model import ANY_NODE, LOCAL, Run
from engine.domain.record import record
from engine.domain.text import printable_name
from engine.system.durable import sync_path

if TYPE_CHECKING:
    from engine.disk.service import Disk
    from engine.execution.journal import Journal
    from engine.store.store import Store

UNFINISHED = "unfinished.lock"
SAVED = "unsaved*"
"""Names of copies of unsaved work among the files of a run (`engine.disk.backup`)."""
FORCE = "Apply it with `swarm-tui apply`, or forget the run all the same with --force."
CHECKING = "looking for work that is nowhere else"
MOVING = "moving workspaces to the trash"
REMOVING = "removing files"
Looked = Callable[[int, int], None]
"""Called with the number of runs that something is done for, and of all."""
Told = Callable[[str, int, int], None]
"""Called with the present work, too, in words."""
_log = logging.getLogger(__name__)


@record
class ForgetPlan:
    """The effect of forgetting runs: workspaces for the trash, and work that is nowhere else."""

    runs: tuple[str, ...]
    workspaces: int = 0
    unsaved: tuple[str, ...] = ()
    """Reasons why runs are kept, a sentence each, unless unsaved work is included."""


@runtime_checkable
class RemoteRuns(Protocol):
    """A machine that removes the files of runs when it is asked to."""

    async def forget(self, runs: Sequence[str]) -> None:
        """Remove all that is there of runs, later if it does not answer; raises `UserError`."""
        ...


class RunForgetting:
    """Removal of runs with all that belongs to them; every method raises `UserError`."""

    def __init__(
        self,
        paths: Paths,
        store: Store,
        journal: Journal,
        disk: Disk,
        machine: Callable[[str], object],
    ) -> None:
        self._paths = paths
        self._machine = machine
        """Returns the workspaces of a machine, by its name."""
        self._store = store
        self._journal = journal
        self._disk = disk

    async def plan(
        self, runs: Iterable[str], looked: Looked = lambda _done, _of: None
    ) -> ForgetPlan:
        """Check that runs may be forgotten, and return what that removes.

        `looked` gets the number of workspaces examined so far, and of all.
        """
        found = await self._found(runs)
        live = await self._store.runs(statuses=LIVE)
        check_forgettable(found, live)
        self._elsewhere(found)
        for run in found:
            thread_lock.check_free(self._paths, run.id)
        places = await self._disk.cleaning.standing_of(found)
        lost = await self._disk.cleaning.unsaved_of(places, looked)
        kept = [
            f"The run {one.id} is kept: {what.words}."
            for one, what in zip(places, lost, strict=True)
            if what
        ]
        saved = await asyncio.to_thread(self._saved, [run.id for run in found])
        for run in found:
            if host_of(run) != LOCAL and run.changes.files and not run.is_applied:
                kept.append(f"The run {run.id} is kept: its changes are not applied.")
            if run.id in saved:
                name = saved[run.id]
                kept.append(f"The run {run.id} is kept: only {name} has its unsaved work.")
        return ForgetPlan(tuple(run.id for run in found), len(places), tuple(kept))

    async def forget(
        self,
        runs: Iterable[str],
        *,
        including_unsaved: bool = False,
        told: Told = lambda _work, _done, _of: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> list[str]:
        """Forget runs, all or none; return their ids. Their workspaces go to the trash.

        Raises WORK_UNSAVED for work that is nowhere else, unless that is included: then the
        trash keeps its workspace until the user empties it. `told` gets the
        present work, the number of runs it is done for, and of all. Where `stop` returns true
        before the last workspace is moved, all are brought back, and no run is forgotten.
        """
        planned = await self.plan(runs, partial(told, CHECKING))
        if planned.unsaved and not including_unsaved:
            raise user_error("WORK_UNSAVED", planned.unsaved[0], FORCE)
        elsewhere = self._elsewhere(await self._found(planned.runs))
        async with locked(self._unfinished):
            together = f"forget-{secrets.token_hex(4)}"
            await asyncio.to_thread(self._unfinished.write_text, together, "ascii")
            try:
                if not await self._discard(planned, including_unsaved, together, told, stop):
                    await asyncio.shield(self._restore(together))
                    return []
                await self._remove(planned.runs)
            except BaseException:  # none is forgotten, so none loses its workspace
                await asyncio.shield(self._restore(together))
                raise
            finally:
                await asyncio.to_thread(self._unfinished.write_text, "", "ascii")
        folders = [self._paths.forgotten / self._paths.run(run).name for run in planned.runs]
        await self._finish(folders, partial(told, REMOVING))
        for machine, runs in elsewhere:
            try:
                await machine.forget(runs)
            except UserError as error:  # its next run there removes them
                _log.warning("%s stay on their machine: %s", ", ".join(runs), error.message)
        return list(planned.runs)

    async def _discard(
        self,
        planned: ForgetPlan,
        including_unsaved: bool,
        together: str,
        told: Told,
        stop: Callable[[], bool],
    ) -> bool:
        """Move the workspaces to the trash, one after another; return whether all are there."""
        places = await self._disk.cleaning.standing_of(await self._found(planned.runs))
        for done, run in enumerate(places):
            if stop():
                return False
            told(MOVING, done, len(places))
            await self._disk.cleaning.discard(run, including_unsaved, together)
        return not stop()

    def _elsewhere(self, runs: Iterable[Run]) -> list[tuple[RemoteRuns, list[str]]]:
        """Return the machines with files of runs; raises `UserError` for one that keeps them."""
        by_host: dict[str, list[str]] = {}
        for run in runs:
            if host_of(run) not in (LOCAL, ANY_NODE):
                by_host.setdefault(host_of(run), []).append(run.id)
        found: list[tuple[RemoteRuns, list[str]]] = []
        for host, ids in by_host.items():
            machine = self._machine(host)
            if not isinstance(machine, RemoteRuns):
                name = printable_name(host)
                message = f"The files of the run {ids[0]} are on another machine, {name}."
                raise user_error("WORKSPACE_REMOTE", message, "Forget it on that machine.")
            found.append((machine, ids))
        return found

    async def _found(self, runs: Iterable[str]) -> list[Run]:
        ids = list(dict.fromkeys(runs))
        found = {run.id: run for run in await self._store.runs(ids=ids)} if ids else {}
        for missing in (run for run in ids if run not in found):
            raise user_error("RUN_NOT_FOUND", f"There is no run {missing}.")
        return [found[run] for run in ids]

    def _saved(self, runs: Iterable[str]) -> dict[str, str]:
        """Return for each run the copy of unsaved work that only its files hold. Blocking."""
        in_trash = {entry.run for entry in self._disk.entries() if entry.is_only_here}
        found = {run: next(self._paths.run(run).glob(SAVED), None) for run in runs}
        return {run: path.name for run, path in found.items() if path and run not in in_trash}

    async def _remove(self, runs: Sequence[str]) -> None:
        try:
            await self._journal.forget(runs, check_forgettable, partial(self._put_aside, runs))
        except BaseException:
            await asyncio.shield(settle(self._paths, self._store))
            raise

    def _put_aside(self, runs: Iterable[str]) -> None:
        """Move the files of runs out of `runs/`. Blocking, in the transaction."""
        try:
            aside = private_folder(self._paths.forgotten)
            for run in runs:
                folder = self._paths.run(run)
                if folder.is_dir():
                    folder.rename(aside / folder.name)
            for changed in (self._paths.home / "runs", aside):
                sync_path(changed)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise os_failure(error) from error

    @property
    def _unfinished(self) -> Path:
        """The file that is locked while runs are forgotten, and empty afterwards."""
        return self._paths.forgotten / UNFINISHED

    async def _restore(self, together: str) -> None:
        """Restore the workspaces that went to the trash together, of runs that are still here."""
        entries = [entry for entry in await self._disk.trash() if entry.together == together]
        ids = [entry.run for entry in entries]
        here = {run.id for run in await self._store.runs(ids=ids)} if ids else set[str]()
        for entry in entries:
            if entry.run not in here:
                continue
            try:
                await self._disk.restore(entry)
            except UserError as error:
                _log.warning("%s stays in the trash: %s", entry.id, error.message)

    async def settle(self) -> None:
        """Put back files and workspaces of runs that were not forgotten: that was cut short."""
        await settle(self._paths, self._store)
        if not await asyncio.to_thread(_is_marked, self._unfinished):
            return
        try:
            async with locked(self._unfinished, limit_s=0):
                if together := await asyncio.to_thread(self._unfinished.read_text, "ascii"):
                    await self._restore(together)
                    await asyncio.to_thread(self._unfinished.write_text, "", "ascii")
        except UserError as error:
            if error.code != "WORKSPACE_BUSY":  # a process forgets runs at this moment
                raise

    async def finish(self) -> None:
        """Remove the files of all forgotten runs; what cannot be removed now stays."""
        await self.settle()
        await self._finish(await asyncio.to_thread(_folders, self._paths.forgotten))
        await self._drop_late_files()

    async def _finish(
        self, folders: Sequence[Path], looked: Looked = lambda _done, _of: None
    ) -> None:
        """Remove the files of forgotten runs, and their bases in their sources."""
        from engine.workspaces.files import removal

        kept = await self._release(folders)
        for done, folder in enumerate(folders):
            looked(done, len(folders))
            try:
                if folder not in kept:
                    await asyncio.to_thread(removal.remove, folder)
            except OSError as error:
                _log.warning("files of the forgotten run %s stay: %s", folder.name, error)

    async def _release(self, folders: Sequence[Path]) -> set[Path]:
        """Drop the refs that held the commits which runs started from; return what has to stay."""
        from engine.workspaces.create import base

        in_trash = {entry.run for entry in await self._disk.trash()}  # theirs go with the entries
        by_source = await asyncio.to_thread(_by_source, folders, in_trash)
        kept: set[Path] = set()
        for source, found in by_source.items():
            try:
                await base.release(source, *found)
            except (UserError, OSError) as error:
                _log.warning("bases of forgotten runs stay in %s: %s", source, error)
                kept.update(found.values())
        return kept

    async def _drop_late_files(self) -> None:
        """Remove files that another process wrote for a run while it was forgotten."""
        from engine.workspaces.files import removal

        gone = set((await self._store.forgotten()).runs)
        for folder in await asyncio.to_thread(_folders, self._paths.home / "runs"):
            if folder.name in gone:
                await asyncio.to_thread(removal.remove, folder)


def _by_source(folders: Iterable[Path], in_trash: Container[str]) -> dict[Path, dict[str, Path]]:
    """Return for each source the runs that started from it, with their files. Blocking."""
    from engine.execution import run_records

    found: dict[Path, dict[str, Path]] = {}
    for folder in folders:
        known = run_records.read(folder)
        if known is None or known[0].id in in_trash:
            continue
        run = known[0]
        named = {run.spec.workspace.source, run.workspace and run.workspace.source}
        for source in filter(None, named):
            if os.path.isdir(source):  # noqa: PTH112  it may be a run id
                found.setdefault(Path(source), {})[run.id] = folder
    return found


def is_unsettled(paths: Paths) -> bool:
    """Return whether runs were being forgotten when a process ended, or still are. Blocking."""
    return bool(_folders(paths.forgotten)) or _is_marked(paths.forgotten / UNFINISHED)


async def settle(paths: Paths, store: Store) -> None:
    """Put back the files of runs that were not forgotten after all: that was cut short."""
    if not await asyncio.to_thread(paths.forgotten.is_dir):
        return
    names = [folder.name for folder in await asyncio.to_thread(_folders, paths.forgotten)]
    if names:
        await store.settle_forgotten(names, partial(_put_back, paths))


def _is_marked(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def _put_back(paths: Paths, run: str) -> None:
    aside, folder = paths.forgotten / run, paths.run(run)
    if aside.is_dir() and not folder.exists():
        aside.rename(folder)
        sync_path(folder.parent)


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
    except FileNotFoundError:
        return []
