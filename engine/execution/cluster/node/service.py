"""The service of a node: bytes of a message in, bytes of its answer out.

It keeps nothing that is not in files below its root: one that was killed and started again goes on
with the same attempts.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.config.config_file import load_usable
from engine.config.paths import AttemptFolder, Paths, find, private_folder
from engine.config.settings import Config
from engine.domain.errors import UserError, user_error
from engine.domain.text import printable_name
from engine.execution.cluster.messages import PROTOCOL, Envelope, Failure, Message, Reply
from engine.execution.cluster.node import (
    attempts,
    checkpoints,
    clearing,
    files,
    forgetting,
    guard,
    inspection,
    workspaces,
)
from engine.execution.cluster.node.admission import Admission
from engine.execution.cluster.node.home import Handler, NodeHome, paths_of
from engine.execution.cluster.node.inspection import AgentInspection
from engine.execution.cluster.node.lease import Lease
from engine.execution.cluster.node.output_bell import OutputBell
from engine.execution.cluster.node.tending import end_runs, tend
from engine.system.child_files import hold, path_of
from engine.system.decoding import msgpack_decoder

DEFAULT_LEASE_S = 30.0
GRACE_S = 2.0
"""Time from SIGTERM to SIGKILL where the lease has run out."""
GUARD = Path(guard.__file__)
_TABLES = (
    attempts.HANDLERS,
    forgetting.HANDLERS,
    clearing.HANDLERS,
    inspection.HANDLERS,
    workspaces.HANDLERS,
    checkpoints.HANDLERS,
    files.HANDLERS,
)
_HANDLERS: Mapping[str, tuple[type[Message[Any]], Handler]] = {
    kind.kind_name(): (kind, handler) for table in _TABLES for kind, handler in table.items()
}
"""All messages and their functions by the message's name."""
_log = logging.getLogger(__name__)


class NodeService:
    """A node's answers to messages, with its files in `root`."""

    def __init__(
        self,
        root: Path,
        name: str,
        slots: int,
        lease_s: float = DEFAULT_LEASE_S,
        *,
        config: Path | None = None,
    ) -> None:
        self.root = root
        self.name = name
        self.lease = Lease(root, lease_s)
        self._config = config or find().config
        """The settings file of this machine."""
        hold(GUARD)
        self.spare = self.settings().spare
        self.admission = Admission(self, slots)
        self.agent = AgentInspection()
        self.bell = OutputBell()
        self._tending: asyncio.Task[None] | None = None
        self._homes: dict[str, NodeHome] = {}

    @property
    def slots(self) -> int:
        """The number of runs that may be at work here at a time."""
        return self.admission.slots

    @property
    def homes(self) -> Mapping[str, NodeHome]:
        """The homes of senders that were asked for since this process was started."""
        return self._homes

    async def handle(self, data: bytes) -> bytes:
        """Return the answer to a message; raises nothing but a cancel."""
        if self._tending is None:
            self._tending = asyncio.create_task(tend(self))
        return msgspec.msgpack.encode(await self._reply(data))

    def close(self) -> None:
        """Release all attempts, alive, and end work on workspaces."""
        self.agent.close()
        self.bell.close()
        if self._tending:
            self._tending.cancel()
        for home in self._homes.values():
            workspaces.close(home)
            home.close()
        self._homes.clear()

    def guard(self, folder: AttemptFolder) -> Sequence[str]:
        """Return the command below which a part of an attempt runs."""
        words = (os.path.realpath(self.lease.path), os.path.realpath(folder.path), str(GRACE_S))
        return (sys.executable, "-I", "-S", str(path_of(GUARD)), *words)

    async def end_runs(self) -> None:
        """Return once no process of an attempt is left; to be called without a lease.

        Before it has a lease again, a node ends what is left from the last one.
        """
        await end_runs(self)

    def settings(self) -> Config:
        """Return the settings of this machine; after a mistake, the last valid ones. Blocking."""
        return load_usable(Paths(self.root, self._config)).config

    def require_lease(self) -> None:
        """Raise `UserError` where the node may carry no runs at the moment."""
        if not self.lease.is_valid:
            raise user_error(
                "NODE_UNREACHABLE", f"The node {self.name} does not reach the scheduler."
            )

    async def home(self, id: str) -> NodeHome:
        """Return the home of a sender, made where it is missing; raises `UserError`, OSError."""
        if found := self._homes.get(id):
            return found
        paths = paths_of(self.root, id, self._config)
        await asyncio.to_thread(private_folder, paths.home)
        return self._homes.setdefault(id, NodeHome(self, id, paths))

    async def _reply(self, data: bytes) -> Reply:
        try:
            answer = await self._answer(data)
            return Reply(msgspec.Raw(msgspec.msgpack.encode(answer)))
        except UserError as error:
            return Reply(failure=Failure(error.code, error.message, error.recovery))
        except OSError as error:
            return Reply(os_error=error.errno or errno.EIO)
        except Exception as error:
            # A defect of one message: the log has it, and the node goes on.
            _log.exception("a message to the node %s failed", self.name)
            said = f"The node {self.name} failed: {type(error).__name__}."
            return Reply(failure=Failure("NODE_FAILED", said))

    async def _answer(self, data: bytes) -> object:
        envelope = _decoded(Envelope, data)
        if envelope.protocol != PROTOCOL:
            raise self._incompatible(f"it speaks version {PROTOCOL} of the protocol")
        kind, handler = _HANDLERS.get(envelope.name, (None, None))
        if kind is None or handler is None:
            name = printable_name(envelope.name[:80])
            raise self._incompatible(f"it does not know the message {name}")
        message = _decoded(kind, bytes(envelope.body))
        return await handler(await self.home(envelope.home), message)

    def _incompatible(self, reason: str) -> UserError:
        return user_error("NODE_INCOMPATIBLE", f"The node {self.name} is not compatible: {reason}.")


def _decoded(kind: type[Any], data: bytes) -> Any:  # noqa: ANN401  a message of any class
    try:
        return msgpack_decoder(kind)(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise user_error(
            "NODE_INCOMPATIBLE", f"The node got a message that it cannot read: {error}."
        ) from error
