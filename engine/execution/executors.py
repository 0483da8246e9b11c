"""The executors that an engine knows, by the names of their machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from engine.config.paths import Paths
from engine.domain.errors import user_error
from engine.domain.hosts import host_of
from engine.domain.model import ANY_NODE, LOCAL, Run, Workspace
from engine.domain.text import printable_name
from engine.execution.executor import Executor
from engine.execution.host_workspaces import HostWorkspaces


class Executors:
    """Registry of executors; each run has the one of its workspace's machine."""

    def __init__(
        self, by_host: Mapping[str, Executor], node: Callable[[str], Executor] | None = None
    ) -> None:
        self._by_host = dict(by_host)
        self._node = node
        """Function that makes the executor of a node; None without a cluster."""

    @classmethod
    def of_home(
        cls,
        paths: Paths,
        spare: Sequence[str] = (),
        others: Mapping[str, Executor] | None = None,
        node: Callable[[str], Executor] | None = None,
    ) -> Executors:
        """Return the executor of this machine for a home, and those of other machines."""
        from engine.execution.local.executor import LocalExecutor

        return cls({LOCAL: LocalExecutor(paths, spare), **(others or {})}, node)

    @property
    def hosts(self) -> Sequence[str]:
        """The names of the machines that were used by now."""
        return tuple(self._by_host)

    def of_host(self, host: str) -> Executor:
        """Return the executor of a machine; raises `UserError` HOST_UNKNOWN."""
        found = self._by_host.get(host)
        if found is None and self._node and host != ANY_NODE:
            found = self._by_host[host] = self._node(host)
        if found is None:
            raise user_error("HOST_UNKNOWN", f"The machine {printable_name(host)} is not known.")
        return found

    def of_run(self, run: Run) -> Executor:
        """Return the executor of a run; raises `UserError` HOST_UNKNOWN."""
        return self.of_host(host_of(run))

    def workspaces(self, workspace: Workspace) -> HostWorkspaces:
        """Return the workspaces of a workspace's machine; raises `UserError` HOST_UNKNOWN."""
        return self.of_host(workspace.host).workspaces
