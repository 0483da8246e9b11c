"""The door for commands that list runs: a reader of the database, without an engine.

It neither follows nor changes anything, and needs no event loop: each question is answered at once.
Where a home is not plainly in order, or where its settings change the content of a list, an engine
has to be opened.
"""

from __future__ import annotations

import os
from collections.abc import Coroutine, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from engine.config import workspace_roots
from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.model import Run
from engine.runs.finder import find_run, find_shortest_ends
from engine.store import shared_values
from engine.store.direct import open_direct
from engine.store.reading import StoreReader
from engine.system.decoding import json_decoder
from engine.system.environment import distrust

if TYPE_CHECKING:
    from engine.config.settings import Config
    from engine.domain.batch import Batch
    from engine.domain.model import Pause
    from engine.domain.placement import NodePlaces
    from engine.execution.supervision_state import SupervisionState
    from engine.usage.run_costs import RunCosts


Result = TypeVar("Result")


class NoHolds:
    """The pace of a queue whose settings hold nothing."""

    def holds(self, now: float) -> Mapping[str, Pause]:
        """Return no hold."""
        return {}


class BatchNames:
    """The batches by their names."""

    def __init__(self, store: StoreReader) -> None:
        self._store = store

    async def find(self, name: str) -> Batch:
        """Return the batch that `name` means; raises `UserError` BATCH_NOT_FOUND."""
        from engine.domain.batch_names import named_batch

        return named_batch(name, await self._store.batches())


class RunReader:
    """The runs of one home as they are stored, and what is shown beside them."""

    def __init__(self, paths: Paths, store: StoreReader, stored: Mapping[str, str]) -> None:
        self.paths = paths
        self._store = store
        self.pause = shared_values.pause_from(stored.get(shared_values.PAUSE))
        self.faults = shared_values.faults_from(stored.get(shared_values.FAULTS))
        self._seen = shared_values.nodes_from(stored.get(shared_values.NODES))
        self.queue_pace = NoHolds()
        self.swarms = BatchNames(store)

    @property
    def cluster(self) -> RunReader:
        """The nodes of the cluster: only their places are known here."""
        return self

    @property
    def places(self) -> NodePlaces:
        """Return the places on nodes, as the supervising engine saw them last."""
        return replace(self._seen, is_set=False, machines=frozenset())  # a cluster needs an engine

    @property
    def costs(self) -> RunCosts:
        """Estimated costs of runs."""
        return self._costs

    @cached_property
    def _costs(self) -> RunCosts:
        from engine.usage.prices import PriceList
        from engine.usage.run_costs import RunCosts

        return RunCosts(PriceList(_config(self.paths).prices))

    async def runs(self, **wanted: Any) -> list[Run]:  # noqa: ANN401  as the store takes them
        """Return the runs that match, newest first."""
        return await self._store.runs(**wanted)

    async def find(self, name: str) -> Run:
        """Return the run that `name` means; raises `UserError` RUN_NOT_FOUND or RUN_AMBIGUOUS."""
        return await find_run(self._store, name)

    async def shortest_ends(self, runs: Iterable[str]) -> dict[str, str]:
        """Return for the id of each of these runs the shortest end that names it."""
        return await find_shortest_ends(self._store, runs)


@contextmanager
def open_reader(paths: Paths) -> Generator[RunReader | None]:
    """Open a home to be read; None where an engine has to be opened."""
    if not _is_plain(paths):
        yield None
        return
    with open_direct(paths.database) as store:
        yield store and _reader(paths, store)


def supervision_state(paths: Paths) -> SupervisionState:
    """Return how a home is supervised."""
    from engine.execution import supervision_state  # late: few lists have live runs

    return supervision_state.supervision_state(paths.lock)


def finish(work: Coroutine[Any, Any, Result]) -> Result:
    """Do work that never waits for anything but its turn, and return its result."""
    while True:
        try:
            work.send(None)
        except StopIteration as done:
            return done.value


def _reader(paths: Paths, store: StoreReader) -> RunReader | None:
    try:
        stored = finish(store.settings())
        reader = RunReader(paths, store, stored)
        begin = len(shared_values.WORKED_IN)
        folders = [name[begin:] for name in stored if name.startswith(shared_values.WORKED_IN)]
        distrust(map(json_decoder(str), folders))
    except (msgspec.MsgspecError, UserError, RecursionError):  # an engine logs it, or names it
        return None
    distrust(map(str, workspace_roots.known(paths.home)))
    return reader


def _is_plain(paths: Paths) -> bool:
    """Return whether the home and its settings ask for nothing that only an engine does."""
    if _is_there(paths.forgotten):
        return False  # files of runs that were about to be forgotten
    if not (_is_there(paths.config) or _is_there(paths.valid_config)):
        return True
    from engine.config import settings

    try:
        text = settings.read(paths.config)
        config = settings.parse(text, "")
        is_kept = settings.read(paths.valid_config) == text
    except UserError:
        return False
    return is_kept and not (config.queue.has_pace or config.accounts or config.cluster.scheduler)


def _is_there(path: Path) -> bool:
    """Return whether there is a file, or something that cannot be seen."""
    try:
        os.stat(path)  # noqa: PTH116  `exists` raises some errors
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass
    return True


def _config(paths: Paths) -> Config:
    from engine.config import settings

    return settings.parse(settings.read(paths.config), "")
