"""Other machines that an engine was given beside those of its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from engine.config.settings import Config
from engine.domain.placement import NodePlaces

if TYPE_CHECKING:
    from engine.execution.cluster.cluster import ClusterPort
    from engine.execution.executor import Executor


@dataclass(slots=True)
class OtherMachines:
    """Executors of machines by name, and a cluster in the place of the one of the settings."""

    executors: Mapping[str, Executor] = field(default_factory=dict[str, "Executor"])
    cluster: ClusterPort | None = None
    seen: Callable[[], NodePlaces] = NodePlaces
    """Returns the places on nodes, as the supervising engine saw them last."""

    def places(self, config: Config) -> NodePlaces:
        """Return the places on nodes, as the nodes were last seen."""
        is_set = self.cluster is not None or bool(config.cluster.scheduler)
        return replace(self.seen(), is_set=is_set, machines=frozenset(self.executors))
