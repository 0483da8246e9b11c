"""The operations of swarm-tui on a Dask scheduler that exists already.

    dask scheduler --preload engine.execution.cluster.dask.preload

Such a scheduler goes on to accept the tasks of its other users, pickles included.
"""

from __future__ import annotations

from typing import cast

from engine.execution.cluster.dask.library import Library, Server
from engine.execution.cluster.dask.scheduler import install


def dask_setup(scheduler: object) -> None:
    """Add the operations; called by Dask. Its logs, pickles and sizes stay as they are."""
    install(Library(), cast(Server, scheduler))
