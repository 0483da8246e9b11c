"""The parts that the supervisors of runs share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from engine.config.paths import Paths
from engine.config.settings import Config
from engine.domain.model import Pause
from engine.execution.budgets import Budgets
from engine.execution.run_hosts import RunHosts
from engine.execution.task_tree import TaskTree
from engine.store.appending import AppendRequest, Committed
from engine.store.store import Store
from engine.system.clock import Clock


@dataclass(frozen=True, slots=True)
class SupervisorContext:
    """Parts that every supervisor works with; `commit` stores entries and publishes them."""

    paths: Paths
    hosts: RunHosts
    """The machines by name."""
    config: Config
    store: Store
    commit: Callable[[Sequence[AppendRequest]], Awaitable[Committed]]
    pause: Callable[[Pause | None], Awaitable[None]]
    checkpoints: asyncio.Semaphore
    """Limit of the checkpoints that are taken at a time."""
    budgets: Budgets
    tasks: TaskTree
    """Tree in which the tasks of runs are started."""
    clock: Clock
