"""The workspaces of a node in this process: real messages, real git, answers that get lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.config.paths import Paths
from engine.execution.cluster.calls import NodeCalls
from engine.execution.cluster.channel import LARGEST_BYTES, ChannelError, NodeLease
from engine.execution.cluster.messages import Envelope, Reply
from engine.execution.cluster.node import checkpoints, clearing, files, forgetting, workspaces
from engine.execution.cluster.node.service import NodeService
from engine.execution.cluster.workspaces import NodeWorkspaces

NODE = "one"
HOME = "h1"
KINDS = (
    *workspaces.HANDLERS,
    *checkpoints.HANDLERS,
    *files.HANDLERS,
    *forgetting.HANDLERS,
    *clearing.HANDLERS,
)


class Node:
    """A channel to one node; `lose` are names of messages, the next answer of each is lost."""

    def __init__(self, folder: Path) -> None:
        self._root = folder / "node"
        self._root.mkdir()
        self.paths = Paths(self._root / "homes" / HOME, folder / "node.yaml")
        self.restart()
        self.is_silent = self.is_lost = False
        self.lose: list[str] = []
        self.tries = 0
        self.calls: list[str] = []
        self.sent: list[Any] = []
        self.answers: list[tuple[str, int]] = []

    def restart(self) -> None:
        """Forget all that is not in files."""
        self.service = NodeService(self._root, NODE, 2, config=self.paths.config)

    def answered_bytes(self, name: str) -> int:
        """Return how much the answers to messages of this name held."""
        return sum(size for one, size in self.answers if one == name)

    def answered(self) -> None:
        pass

    async def failed(self) -> None:
        pass

    async def call(
        self, node: str, message: bytes, limit_s: float, limit_bytes: int = LARGEST_BYTES
    ) -> bytes:
        self.tries += 1
        if self.is_silent or self.is_lost:
            raise ChannelError("silent")
        envelope = msgspec.msgpack.decode(message, type=Envelope)
        self.calls.append(envelope.name)
        kind = next(one for one in KINDS if one.kind_name() == envelope.name)
        self.sent.append(msgspec.msgpack.decode(bytes(envelope.body), type=kind))
        reply = msgspec.msgpack.decode(await self.service.handle(message), type=Reply)
        self.answers.append((envelope.name, len(bytes(reply.body))))
        if envelope.name in self.lose:
            self.lose.remove(envelope.name)
            raise ChannelError("lost")
        return msgspec.msgpack.encode(reply)

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
        return HOME

    watch: Any = node
    return NodeWorkspaces(paths, NODE, NodeCalls(node, NODE, home, watch, patience_s=patience_s))
