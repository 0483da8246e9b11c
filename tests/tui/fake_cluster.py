"""A cluster as a test has put it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from engine.domain.errors import user_error
from engine.domain.node import ClusterSummary
from engine.domain.placement import NodePlaces


class FakeCluster:
    """Answers with `found`; `tell` says that something has changed."""

    def __init__(self) -> None:
        self.found = ClusterSummary("", problem=user_error("CLUSTER_NOT_SET").info)
        self.asked = 0
        self.failure: Exception | None = None
        self.followed = 0
        self._changed: list[Callable[[ClusterSummary], None]] = []

    @property
    def is_set(self) -> bool:
        return bool(self.found.scheduler)

    @property
    def places(self) -> NodePlaces:
        return NodePlaces()

    @property
    def last(self) -> ClusterSummary:
        return self.found

    async def refresh(self) -> ClusterSummary:
        self.asked += 1
        return self.found

    async def follow(self, changed: Callable[[ClusterSummary], None]) -> None:
        self.followed += 1
        if self.failure:
            raise self.failure
        self._changed.append(changed)
        changed(self.found)
        await asyncio.Event().wait()

    def tell(self, found: ClusterSummary) -> None:
        """The cluster is seen in another state."""
        self.found = found
        for changed in self._changed:
            changed(found)
