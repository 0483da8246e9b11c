"""The server of a node: messages that the scheduler passes on, to the node's service."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from engine.domain.errors import user_error
from engine.domain.record import record
from engine.execution.cluster.dask import roles
from engine.execution.cluster.dask.library import Comm, Library
from engine.execution.cluster.dask.membership import Member, Membership, NodeLeaseFile, NodeReports
from engine.execution.cluster.dask.requests import Requester
from engine.execution.cluster.dask.servers import bare_server, listen
from engine.execution.cluster.dask.tls import TlsFiles
from engine.execution.cluster.dask.wire import OPERATION, Answer, encode

_log = logging.getLogger(__name__)


@record
class NodeAddress:
    """A node's place in the cluster; `scheduler` is as `checked_address` returns it."""

    name: str
    identity: str
    scheduler: str
    files: TlsFiles | None
    host: str = ""
    """The host to listen at, and to name to others; empty for all."""
    port: int = 0


class NodeServer:
    """A node on the network; `handle` answers a message."""

    def __init__(
        self,
        library: Library,
        root: Path,
        address: NodeAddress,
        handle: Callable[[bytes], Awaitable[bytes]],
    ) -> None:
        self._library = library
        self._root = root
        self._address = address
        self._handle = handle
        self._server = bare_server(library, address.files, root / "scratch")
        self._server.handlers[OPERATION] = self._answer
        self._shown = ""

    async def start(self) -> str:
        """Listen; return the address. Raises `UserError` CLUSTER_ADDRESS_UNAVAILABLE."""
        wanted = self._address
        host = urlsplit(wanted.scheduler).hostname or ""
        shown = wanted.host or await asyncio.to_thread(own_address, host)
        bound = shown if wanted.host or wanted.files is None else ""
        try:
            self._shown = await listen(self._server, wanted.files, bound, wanted.port, shown)
        except OSError as error:
            text = f"{bound or '*'}:{wanted.port}: {error.strerror or error}"
            raise user_error("CLUSTER_ADDRESS_UNAVAILABLE", f"Cannot listen at {text}.") from error
        return self._shown

    def membership(
        self,
        lease: NodeLeaseFile,
        end_runs: Callable[[], Awaitable[None]],
        reports: NodeReports,
    ) -> Membership:
        """Return the membership of this node."""
        address = self._address
        member = Member(address.name, address.identity, self._shown, address.scheduler)
        requester = Requester(self._library, self._server.rpc)
        return Membership(self._root, member, lease, requester, end_runs, reports)

    async def close(self) -> None:
        """Stop listening and close all connections."""
        await self._server.close()

    async def _answer(self, comm: Comm, kind: str = "", data: bytes = b"") -> bytes:
        """Answer a message of the scheduler; never raises, because Dask answers with a pickle."""
        if not roles.may(comm.extra_info.get("peercert"), roles.SCHEDULER):
            return encode(Answer(refused="only the scheduler may send messages to a node"))
        if kind != "message":
            return encode(Answer(refused=f"unknown request: {kind!r}"))
        try:
            return encode(Answer(await self._handle(data)))
        except Exception as error:
            _log.exception("a message to the node failed")
            return encode(Answer(refused=f"the node failed: {type(error).__name__}"))


def own_address(host: str) -> str:
    """Return the address from which this machine reaches a host. Blocking.

    Nothing is sent: connecting a datagram socket only chooses the route.
    """
    try:
        family, kind, proto, _, place = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, proto) as probe:
            probe.connect(place)
            return str(ipaddress.ip_address(probe.getsockname()[0]))
    except (OSError, ValueError):
        return socket.gethostname()
