"""Protocol of the cluster: its nodes as they were last seen, and now."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from engine.ports.run_list import PlacesPort

if TYPE_CHECKING:
    from engine.domain.node import ClusterSummary


class NodesPort(PlacesPort, Protocol):
    """The nodes of the cluster. No connection is made before they are asked for."""

    @property
    def is_set(self) -> bool:
        """Return whether the settings name a cluster."""
        ...

    @property
    def last(self) -> ClusterSummary:
        """Return the cluster as it was last seen, without a wait."""
        ...

    async def refresh(self) -> ClusterSummary:
        """Ask the cluster now, for a few seconds at most.

        Where it cannot be asked, the answer has a `problem`, and the nodes as they were last seen.
        """
        ...

    async def follow(self, changed: Callable[[ClusterSummary], None]) -> None:
        """Ask the cluster from time to time, and call `changed` with what is new."""
        ...
