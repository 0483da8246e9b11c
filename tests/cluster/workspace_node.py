"""The workspaces of a node in this process: real messages, real git, answers that get lost."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.execution.cluster.calls import NodeCalls
from engine.execution.cluster.channel import ChannelError, NodeLease
from engine.execution.cluster.messages import Envelope, Failure, Reply
from engine.execution.cluster.node import checkpoints, files, workspaces
from engine.execution.cluster.workspaces import NodeWorkspaces
from engine.execution.local.workspaces import LocalWorkspaces

NODE = "one"
HANDLERS = {**workspaces.HANDLERS, **checkpoints.HANDLERS, **files.HANDLERS}


class Home:
    """The home of a node for that of a sender."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.workspaces = LocalWorkspaces(paths)


class Node:
    """A channel to one node; `lose` are names of messages, the next answer of each is lost."""

    def __init__(self, folder: Path) -> None:
        self.paths = Paths(folder / "node", folder / "node.yaml")
        self.paths.prepare()
        self.home = Home(self.paths)
        self.is_silent = self.is_lost = False
        self.lose: list[str] = []
        self.tries = 0
        self.calls: list[str] = []
        self.sent: list[Any] = []
        self.answers: list[tuple[str, int]] = []

    def restart(self) -> None:
        """Forget all that is not in files."""
        self.home = Home(self.paths)

    def answered_bytes(self, name: str) -> int:
        """Return how much the answers to messages of this name held."""
        return sum(size for one, size in self.answers if one == name)

    def answered(self) -> None:
        pass

    async def failed(self) -> None:
        pass

    async def call(self, node: str, message: bytes, limit_s: float) -> bytes:
        self.tries += 1
        if self.is_silent or self.is_lost:
            raise ChannelError("silent")
        envelope = msgspec.msgpack.decode(message, type=Envelope)
        self.calls.append(envelope.name)
        kind = next(one for one in HANDLERS if one.kind_name() == envelope.name)
        decoded = msgspec.msgpack.decode(bytes(envelope.body), type=kind)
        self.sent.append(decoded)
        reply = await self._reply(HANDLERS[kind], decoded)
        self.answers.append((envelope.name, len(bytes(reply.body))))
        if envelope.name in self.lose:
            self.lose.remove(envelope.name)
            raise ChannelError("lost")
        return msgspec.msgpack.encode(reply)

    async def _reply(self, handler: Any, message: Any) -> Reply:
        try:
            answer = await handler(self.home, message)
            return Reply(msgspec.Raw(msgspec.msgpack.encode(answer)))
        except UserError as error:
            return Reply(failure=Failure(error.code, error.message, error.recovery))
        except OSError as error:
            return Reply(os_error=error.errno or errno.EIO)

    async def leases(self) -> Sequence[NodeLease]:
        return []

    async def scheduler_age_s(self) -> float:
        return 0.0

    async def close(self) -> None:
        pass


def workspaces_of(paths: Paths, node: Node, patience_s: float = 2.0) -> NodeWorkspaces:
    """Return the workspaces of a node for a home."""

    async def home() -> str:
        await asyncio.sleep(0)
        return "h1"

    watch: Any = node
    return NodeWorkspaces(paths, NODE, NodeCalls(node, NODE, home, watch, patience_s=patience_s))
