"""A node's home for one sender: its attempts and workspaces, found again by their files alone."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.config.paths import Paths, safe_name
from engine.domain.errors import user_error
from engine.domain.text import printable_name
from engine.execution.cluster.messages import Message, Ref
from engine.execution.executor import AttemptPart, AttemptRef
from engine.execution.local.executor import LocalExecutor
from engine.execution.local.process import AttemptProcess
from engine.execution.local.workspaces import LocalWorkspaces
from engine.system.files import real_path

if TYPE_CHECKING:
    from engine.execution.cluster.node.service import NodeService

HOMES = "homes"
LARGEST_ATTEMPT = 1_000_000
_HOME_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class NodeHome:
    """The home of one sender on a node; `service` is the node."""

    def __init__(self, service: NodeService, id: str, paths: Paths) -> None:
        self.service = service
        self.id = id
        self.paths = paths
        self.executor = LocalExecutor(paths, service.spare, service.guard)
        self._handles: dict[AttemptRef, AttemptProcess] = {}
        self._locks: dict[object, tuple[asyncio.Lock, int]] = {}

    @property
    def workspaces(self) -> LocalWorkspaces:
        """The workspaces of this home on this machine."""
        return self.executor.workspaces

    @property
    def handles(self) -> Mapping[AttemptRef, AttemptProcess]:
        """The parts of attempts that were asked for since the node was started."""
        return self._handles

    def run(self, run: str) -> str:
        """Return the id of a run; raises `UserError` unless it is a plain file name."""
        if safe_name(run) != run:
            raise user_error("INPUT_INVALID", f"Invalid run id: {printable_name(run[:80])}.")
        return run

    def ref(self, ref: Ref) -> AttemptRef:
        """Return the name of a part; raises `UserError` for one that no run has."""
        self.run(ref.run)
        is_part = ref.part in {part.value for part in AttemptPart}
        if not is_part or not 0 < ref.attempt <= LARGEST_ATTEMPT:
            raise user_error("INPUT_INVALID", f"The run {ref.run} has no such attempt.")
        return ref.value()

    def below(self, name: str) -> Path:
        """Return a path in this home; raises `UserError` for one elsewhere. Blocking."""
        home = real_path(self.paths.home)
        found = real_path(name)
        # A path with a NUL is one that no file can have.
        if not name.startswith("/") or "\0" in name or not found.is_relative_to(home):
            raise user_error("INPUT_INVALID", f"{printable_name(name[:200])} is not in this home.")
        return found

    @asynccontextmanager
    async def locked(self, key: object) -> AsyncGenerator[None]:
        """Hold the lock of a run or of one of its parts."""
        lock, users = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks.pop(key)
            if users > 1:
                self._locks[key] = (lock, users - 1)

    async def known(self, ref: AttemptRef) -> AttemptProcess | None:
        """Return a part that was started, by this process or by one before it."""
        if found := self._handles.get(ref):
            return found
        return self.remember(ref, await self.executor.known(ref))

    def remember(self, ref: AttemptRef, found: AttemptProcess | None) -> AttemptProcess | None:
        """Keep a part that was found, or the one that was kept meanwhile; return it."""
        if found is None:
            return self._handles.get(ref)
        return self._handles.setdefault(ref, found)

    def forget(self, run: str) -> None:
        """Release the parts of a run."""
        for ref in [ref for ref in self._handles if ref.run == run]:
            _let_go(self._handles.pop(ref))

    def close(self) -> None:
        """Release all parts, alive: the next process finds them by their files."""
        for handle in self._handles.values():
            _let_go(handle)
        self._handles.clear()


Handler = Callable[[NodeHome, Any], Awaitable[object]]
Handlers = Mapping[type[Message[Any]], Handler]
"""The functions that answer messages, by the message's class."""


def paths_of(root: Path, id: str, config: Path) -> Paths:
    """Return the paths of a sender's home; raises `UserError` unless the id is a plain name."""
    if not _HOME_ID.fullmatch(id):
        raise user_error("INPUT_INVALID", f"Invalid id of a home: {printable_name(id[:80])}.")
    return Paths(root / HOMES / id, config)


def _let_go(handle: AttemptProcess) -> None:
    handle.close_output()
    handle.release()
