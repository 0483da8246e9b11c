"""Recovery of a lost or damaged database from the folders of the runs.

Nothing is deleted: a damaged database is kept aside. Existing rows stay as they are, so that it
does no harm to recover twice.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.config.config_file import load_usable
from engine.config.paths import Paths
from engine.config.settings import Config
from engine.domain.errors import UserError, user_error
from engine.execution import run_records
from engine.execution.executor import Executor
from engine.execution.executors import Executors
from engine.execution.run_rebuilding import RebuiltRun, rebuild
from engine.execution.supervisor_lock import SupervisorLock
from engine.store.connect import set_aside
from engine.store.store import Store, open_store
from engine.store.whole_check import check_whole

WAIT_S = 10.0
"""Time for a supervisor to notice that its database is lost, and to let go."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """The rebuilt runs, and the folders that could not be used."""

    runs: int = 0
    events: int = 0
    unreadable: tuple[str, ...] = ()
    aside: Path | None = None
    """Path to which the damaged database was moved, if there was one."""


async def recover(paths: Paths, wait_s: float = WAIT_S) -> RecoveryReport:
    """Rebuild what the database lacks of the runs; raises `UserError`.

    Refused while another engine supervises the home.
    """
    paths.prepare()
    ownership = SupervisorLock(paths.lock)
    await _acquire(ownership, paths, wait_s)
    try:
        aside = await _set_aside_if_lost(paths)
        async with open_store(paths.database, is_new=True) as store:
            return await _rebuild_all(store, paths, aside)
    finally:
        ownership.release()


async def _acquire(ownership: SupervisorLock, paths: Paths, wait_s: float) -> None:
    until = time.monotonic() + wait_s
    while not ownership.acquire():
        # A supervisor of a lost database ends by itself.
        if time.monotonic() >= until or await _is_well(paths):
            holder = f"process {ownership.holder}" if ownership.holder else "another program"
            message = f"This home is in use: {holder} supervises it."
            kill = f" (`kill {ownership.holder}`)" if ownership.holder else ""
            recovery = f"End that program first{kill}; its agents go on without it."
            raise user_error("DATABASE_LOCKED", message, recovery)
        await asyncio.sleep(min(0.1, wait_s))


async def _is_well(paths: Paths) -> bool:
    try:
        async with open_store(paths.database) as store:
            await check_whole(store)
            await run_records.check_behind(paths, store)
    except UserError as error:
        if not error.entry.is_recoverable:
            raise
        return False
    return True


async def _set_aside_if_lost(paths: Paths) -> Path | None:
    """Move a damaged database aside, and return its new path."""
    if await _is_well(paths):
        return None
    if paths.database.is_dir():
        raise user_error("DATABASE_UNUSABLE", f"{paths.database} is a folder.")
    return await asyncio.to_thread(set_aside, paths.database)


async def _rebuild_all(store: Store, paths: Paths, aside: Path | None) -> RecoveryReport:
    known = set(await store.ids())
    config = (await asyncio.to_thread(load_usable, paths)).config
    executors = Executors.of_home(paths, node=_nodes(paths, config))
    known.update((await store.forgotten()).runs)
    runs = events = 0
    unreadable: list[str] = []
    for folder in await asyncio.to_thread(run_records.folders, paths):
        if folder.name in known:
            continue
        made = await _rebuilt(folder, paths, executors)
        if made is None:
            unreadable.append(folder.name)
            run_records.put_aside(folder)
            continue
        await store.put_back(made.run, made.events, made.asks, made.cursors)
        for run in await store.runs(ids=[folder.name]):
            with suppress(OSError):  # the old record stays; the next change of the run writes one
                await asyncio.to_thread(run_records.RunRecords(paths).rewrite, run)
        runs, events = runs + 1, events + len(made.events)
    return RecoveryReport(runs, events, tuple(unreadable), aside)


def _nodes(paths: Paths, config: Config) -> Callable[[str], Executor] | None:
    """Return what makes the executors of nodes; None where there is no cluster to reach."""
    if not config.cluster.scheduler:
        return None
    from engine.execution.cluster.cluster import Cluster
    from engine.execution.cluster.connection import channel_of

    try:
        return Cluster(paths, channel_of(config.cluster)).executor
    except UserError as error:
        _log.warning("runs on nodes are rebuilt without their output: %s", error.message)
        return None


async def _rebuilt(folder: Path, paths: Paths, executors: Executors) -> RebuiltRun | None:
    try:
        return await rebuild(folder, paths, executors)
    except Exception:  # whatever is in that folder, the other runs are rebuilt
        _log.exception("%s cannot be rebuilt", folder)
        return None
