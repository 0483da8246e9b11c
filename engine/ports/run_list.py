"""Protocol of what a list of runs is made from: an engine, or a reader of the database alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from engine.config.paths import Paths
    from engine.domain.batch import Batch
    from engine.domain.fault import Fault
    from engine.domain.model import Pause, Run
    from engine.domain.placement import NodePlaces
    from engine.ports.usage import CostsPort


class HoldsPort(Protocol):
    """The accounts that may start no run at the moment."""

    def holds(self, now: float) -> Mapping[str, Pause]:
        """Return the hold of each account that may start no run at `now`."""
        ...


class PlacesPort(Protocol):
    """The nodes of the cluster, as they were last seen."""

    @property
    def places(self) -> NodePlaces:
        """Return the places for runs there, as the supervising engine saw them last."""
        ...


class BatchNamesPort(Protocol):
    """The batches by their names."""

    async def find(self, name: str) -> Batch:
        """Return the batch that `name` means: its id, a unique prefix of it, or `@last`.

        Raises `UserError` BATCH_NOT_FOUND.
        """
        ...


class RunListPort(Protocol):
    """The runs as they are stored, with what is shown beside them."""

    @property
    def paths(self) -> Paths:
        """The folders of the home."""
        ...

    @property
    def pause(self) -> Pause | None:
        """The reason why the queue starts nothing, and its end; None while it runs."""
        ...

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Current faults of the engine that supervises the home."""
        ...

    @property
    def queue_pace(self) -> HoldsPort:
        """The accounts that may start no run, to keep a reserve or to spread starts."""
        ...

    @property
    def cluster(self) -> PlacesPort:
        """The nodes of the cluster."""
        ...

    @property
    def swarms(self) -> BatchNamesPort:
        """Runs started together."""
        ...

    @property
    def costs(self) -> CostsPort:
        """Estimated costs of runs."""
        ...

    async def runs(
        self,
        *,
        ids: Iterable[str] = (),
        statuses: Iterable[str] = (),
        project: str | None = None,
        batch: str | None = None,
        below: str | None = None,
        like: str = "",
        older_than: str | None = None,
        limit: int = -1,
    ) -> list[Run]:
        """Return the runs that match, newest first; `below`: those that this run started.

        They count whether the run started them itself, or a run below it did. `like` is the
        beginning or the end of their ids, `older_than` the id of a run that all of them are older
        than. Without `ids`, all runs may match.
        """
        ...

    async def find(self, name: str) -> Run:
        """Return the run that `name` means: an id, its unique beginning or end, or `@last`.

        Raises `UserError` RUN_NOT_FOUND or RUN_AMBIGUOUS.
        """
        ...

    async def shortest_ends(self, runs: Iterable[str]) -> dict[str, str]:
        """Return for the id of each of these runs the shortest end that names it."""
        ...
