"""The nodes that a home has seen: for how long their leases last, and under which scheduler.

A scheduler that was started again knows neither. Both decide when an absent node is lost.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from engine.config.paths import Paths
from engine.execution.cluster.channel import NodeLease
from engine.system.decoding import json_decoder
from engine.system.durable import write_synced
from engine.system.files import read_regular

UNKNOWN_S = 300.0
"""The lease of a node that was never seen."""
_log = logging.getLogger(__name__)


class SeenNode(Struct, frozen=True):
    """A node as it was last seen."""

    lasts_s: float
    scheduler: str


class NodeBook:
    """Notes about the nodes of a home, kept in it; `scheduler` is the present one's address."""

    def __init__(self, paths: Paths, scheduler: str) -> None:
        self._path = paths.home / "cluster-nodes.json"
        self._scheduler = scheduler
        self._seen: dict[str, SeenNode] | None = None

    def note(self, leases: Sequence[NodeLease]) -> None:
        """Take note of nodes with a lease. Blocking."""
        known = self._known()
        new = {one.node: SeenNode(one.lasts_s, self._scheduler) for one in leases}
        if any(known.get(name) != seen for name, seen in new.items()):
            self._seen = {**known, **new}
            try:
                write_synced(self._path, msgspec.json.encode(self._seen))
            except OSError as error:
                _log.warning("the nodes of the cluster were not noted: %s", error)

    def lasts_s(self, node: str) -> float:
        """Return for how long a lease lasts that an earlier scheduler may have granted to a node.

        It never ends for a node of another scheduler, which may renew it at any moment.
        """
        seen = (self._seen or {}).get(node)
        if seen is None:
            return UNKNOWN_S
        return seen.lasts_s if seen.scheduler == self._scheduler else math.inf

    def _known(self) -> dict[str, SeenNode]:
        if self._seen is None:
            try:
                self._seen = json_decoder(dict[str, SeenNode])(read_regular(self._path))
            except FileNotFoundError:
                self._seen = {}
            except (OSError, msgspec.MsgspecError, RecursionError) as error:
                _log.warning("the noted nodes of the cluster cannot be read: %s", error)
                self._seen = {}
        return self._seen
