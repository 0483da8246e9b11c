"""A scheduler and nodes of the cluster's engine in this process, on loopback, for tests."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from engine.execution.cluster.dask import library, scheduler, servers
from engine.execution.cluster.dask.certificates import Certificates, make_certificates
from engine.execution.cluster.dask.node_server import NodeAddress, NodeServer
from engine.execution.cluster.dask.tls import TlsFiles
from engine.execution.cluster.node.lease import now_s

Answering = Callable[[bytes], Awaitable[bytes]]


async def certificates(folder, *nodes: str) -> Certificates:
    await asyncio.to_thread(make_certificates, folder, nodes)
    return Certificates(folder)


async def loaded() -> library.Library:
    return await asyncio.to_thread(library.load)


@contextlib.asynccontextmanager
async def a_scheduler(folder, files: TlsFiles | None = None, port: int = 0):
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

    def __init__(self, lasts_s: float = 3.0):
        self.lasts_s = lasts_s
        self.until = -1.0

    @property
    def is_valid(self):
        return self.until > now_s()

    def renew(self, sent_at):
        self.until = max(self.until, sent_at + self.lasts_s)

    def end(self):
        self.until = -1.0


class Reports:
    def __init__(self):
        self.has_joined = asyncio.Event()
        self.has_ended = asyncio.Event()
        self.problems = []

    def joined(self):
        self.has_joined.set()

    def unreachable(self, reason):
        self.problems.append(reason)

    def lease_ended(self):
        self.has_ended.set()


class LoopbackNode:
    """A node whose messages a function of the test answers."""

    def __init__(self, server, membership, lease, reports):
        self.server, self.membership = server, membership
        self.lease, self.reports = lease, reports
        self.ended = 0


@contextlib.asynccontextmanager
async def a_node(
    root,
    scheduler: str,
    name: str,
    answering: Answering,
    *,
    files: TlsFiles | None = None,
    lasts_s: float = 3.0,
    port: int = 0,
    identity: str = "",
):
    root.mkdir(exist_ok=True)
    address = NodeAddress(name, identity or str(root), scheduler, files, port=port)
    server = NodeServer(await loaded(), root, address, answering)
    lease, reports = MemoryLease(lasts_s), Reports()
    await server.start()

    async def end_runs():
        node.ended += 1

    membership = server.membership(lease, end_runs, reports)
    node = LoopbackNode(server, membership, lease, reports)
    keeping = asyncio.create_task(membership.keep())
    try:
        yield node
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await server.close()
