"""The machines of runs, each with the tasks that follow the runs there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from engine.domain.errors import UserError
from engine.domain.model import LOCAL
from engine.execution.executor import Executor
from engine.execution.executors import Executors
from engine.execution.follower import OutputFollower
from engine.execution.host_workspaces import ChangeWatcher
from engine.execution.task_tree import TaskTree
from engine.store.appending import AppendRequest, Committed

Commit = Callable[[Sequence[AppendRequest]], Awaitable[Committed]]


@dataclass(frozen=True, slots=True)
class RunHost:
    """A machine with what follows the runs there: each machine is read by a task of its own."""

    executor: Executor
    follower: OutputFollower
    watcher: ChangeWatcher


class RunHosts:
    """Machines by name; a node of the cluster is followed from its first run on."""

    def __init__(self, executors: Executors, commit: Commit, tasks: TaskTree) -> None:
        self._executors = executors
        self._commit = commit
        self._tasks = tasks
        self._known: dict[str, RunHost] = {}

    def follow_known(self) -> None:
        """Follow the machines that are known from the start."""
        for host in self._executors.hosts:
            self.get(host)

    def get(self, host: str) -> RunHost | None:
        """Return a machine; None where it is not known."""
        if host not in self._known:
            try:
                executor = self._executors.of_host(host)
            except UserError:
                return None
            self._known[host] = self._follow(host, executor)
        return self._known[host]

    def _follow(self, name: str, executor: Executor) -> RunHost:
        """Read the output on a machine in a task of its own: a slow one delays no other."""
        follower = OutputFollower(executor, self._commit, self._tasks.faults)
        made = RunHost(executor, follower, executor.workspaces.watcher(self._commit))
        of_host = "" if name == LOCAL else f" {name}"
        self._tasks.start(f"follower{of_host}", made.follower.run)
        self._tasks.start(f"watcher{of_host}", made.watcher.run)
        return made
