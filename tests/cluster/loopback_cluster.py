"""A scheduler and nodes of the cluster's engine in this process, on loopback, for tests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

from engine.execution.cluster.dask import library, scheduler, servers
from engine.execution.cluster.dask.certificates import Certificates, make_certificates
from engine.execution.cluster.dask.membership import Membership
from engine.execution.cluster.dask.node_server import NodeAddress, NodeServer
from engine.execution.cluster.dask.tls import TlsFiles
from engine.execution.cluster.node.lease import now_s

Answering = Callable[[bytes], Awaitable[bytes]]


async def certificates(folder: Path, *nodes: str, days: int = 1) -> Certificates:
    await asyncio.to_thread(make_certificates, folder, nodes, days)
    return Certificates(folder)


async def loaded() -> library.Library:
    return await asyncio.to_thread(library.load)


@contextlib.asynccontextmanager
async def a_scheduler(
    folder: Path, files: TlsFiles | None = None, port: int = 0
) -> AsyncGenerator[str]:
    """A scheduler; yields its address."""
    library = await loaded()
    server = servers.bare_server(library, files, folder)
    scheduler.install(library, server)
    try:
        yield await servers.listen(server, files, "127.0.0.1", port)
    finally:
        await server.close()


class MemoryLease:
    """A lease without a file; its clock is that of the membership."""

    def __init__(self, lasts_s: float = 3.0) -> None:
        self.lasts_s = lasts_s
        self.until = -1.0

    @property
    def is_valid(self) -> bool:
        return self.until > now_s()

    def renew(self, sent_at: float) -> None:
        self.until = max(self.until, sent_at + self.lasts_s)

    def end(self) -> None:
        self.until = -1.0


class Reports:
    """Reports of a node as events to wait for."""

    def __init__(self) -> None:
        self.has_joined = asyncio.Event()
        self.has_ended = asyncio.Event()
        self.has_problem = asyncio.Event()
        self.problems: list[str] = []

    def joined(self) -> None:
        self.has_joined.set()

    def unreachable(self, reason: str) -> None:
        self.problems.append(reason)
        self.has_problem.set()

    def lease_ended(self) -> None:
        self.has_ended.set()


class LoopbackNode:
    """A node whose messages a function of the test answers; `ended` counts ends of all runs."""

    def __init__(self, membership: Membership, lease: MemoryLease, reports: Reports) -> None:
        self.membership = membership
        self.lease = lease
        self.reports = reports
        self.ended = 0

    async def joined(self) -> None:
        async with asyncio.timeout(30):
            await self.reports.has_joined.wait()


@contextlib.asynccontextmanager
async def a_node(
    root: Path,
    scheduler: str,
    name: str,
    answering: Answering,
    *,
    files: TlsFiles | None = None,
    lasts_s: float = 3.0,
    port: int = 0,
) -> AsyncGenerator[LoopbackNode]:
    """A node that renews its lease."""
    root.mkdir(exist_ok=True)
    address = NodeAddress(name, str(root)[-200:], scheduler, files, port=port)
    server = NodeServer(await loaded(), root, address, answering)
    lease, reports = MemoryLease(lasts_s), Reports()
    await server.start()

    async def end_runs() -> None:
        node.ended += 1

    membership = server.membership(lease, end_runs, reports)
    node = LoopbackNode(membership, lease, reports)
    keeping = asyncio.create_task(membership.keep())
    try:
        yield node
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await server.close()


async def until(is_true: Callable[[], bool], within_s: float = 30.0) -> None:
    """Wait for what no event reports."""
    async with asyncio.timeout(within_s):
        while not is_true():  # noqa: ASYNC110  no event reports it
            await asyncio.sleep(0.02)
