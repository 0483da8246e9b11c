"""The channel over Dask: calls to the scheduler, which passes them on to nodes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from engine.domain.errors import UserError
from engine.execution.cluster.channel import (
    LARGEST_BYTES,
    AnswerTooLargeError,
    ChannelError,
    NodeLease,
    NodeMissingError,
    RefusedError,
)
from engine.execution.cluster.dask import roles
from engine.execution.cluster.dask.library import Library, Pool, load
from engine.execution.cluster.dask.requests import ENVELOPE_BYTES, Limits, Requester, is_refused
from engine.execution.cluster.dask.tls import TlsFiles, outgoing
from engine.execution.cluster.dask.wire import (
    PROTOCOL,
    Kind,
    LeaseList,
    NodeAnswer,
    NodeCall,
    encode,
)
from engine.system.decoding import msgpack_decoder

MOST_CONNECTIONS = 128
LEASES_S, LEASES_BYTES = 5.0, 8 * 1024**2
REFUSED_S = 2.0
"""Time for which it counts that no process listens at the address."""
Body = TypeVar("Body")


class DaskChannel:
    """A connection to the scheduler at an address, for one event loop.

    Calls at the same time use connections of a pool, which are kept. It is made by the first call:
    the import of the library takes about a second, in a thread.
    """

    def __init__(self, address: str, files: TlsFiles | None) -> None:
        """Read the certificates; raises `UserError` CERTIFICATE_INVALID."""
        self._address = address
        self._arguments = outgoing(files)
        self._starting = asyncio.Lock()
        self._pool: Pool | None = None
        self._requester: Requester | None = None
        self._is_closed = self._was_reached = False
        self._refused_until = 0.0

    async def call(
        self, node: str, message: bytes, limit_s: float, limit_bytes: int = LARGEST_BYTES
    ) -> bytes:
        """Return a node's answer to a message; raises `ChannelError` after `limit_s` seconds.

        One of more than `limit_bytes` is not read: raises `AnswerTooLargeError`.
        """
        data = encode(NodeCall(node, limit_s, message, limit_bytes))
        limit_bytes += ENVELOPE_BYTES
        reply = await self._ask(Kind.CALL, data, limit_s, NodeAnswer, limit_bytes)
        if reply.is_too_large:
            raise AnswerTooLargeError(f"{node}: {reply.problem}")
        if reply.is_missing:
            raise NodeMissingError(f"{node}: {reply.problem}")
        if reply.answer is None:
            raise ChannelError(f"{node}: {reply.problem}")
        return reply.answer

    async def leases(self) -> Sequence[NodeLease]:
        """Return the leases of all nodes that the scheduler has known; raises `ChannelError`."""
        listed = await self._read_leases()
        return [
            NodeLease(facts.node, facts.granted_s, facts.lasts_s, facts.is_member)
            for facts in listed.leases
        ]

    async def scheduler_age_s(self) -> float:
        """Return for how long the scheduler has been running; raises `ChannelError`."""
        return (await self._read_leases()).age_s

    async def close(self) -> None:
        """Close the connections; calls at work fail."""
        self._is_closed = True
        async with self._starting:
            pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def _read_leases(self) -> LeaseList:
        listed = await self._ask(Kind.LEASES, b"", LEASES_S, LeaseList, LEASES_BYTES)
        if listed.protocol != PROTOCOL:
            raise ChannelError(f"{self._address}: it has another version of swarm-tui")
        return listed

    async def _ask(
        self, kind: Kind, data: bytes, limit_s: float, answer: type[Body], limit_bytes: int
    ) -> Body:
        if time.monotonic() < self._refused_until:
            raise self._refused()
        try:
            requester = await self._ready()
            limits = Limits(limit_s, limit_bytes)
            body = await requester.send(self._address, roles.SCHEDULER, kind, data, limits)
        except RefusedError as error:
            self._refused_until = time.monotonic() + REFUSED_S
            raise self._refused() from error
        self._was_reached = True
        try:
            return msgpack_decoder(answer)(body)
        except msgspec.ValidationError as error:
            raise ChannelError(f"{self._address}: invalid answer: {error}") from error

    def _refused(self) -> ChannelError:
        """Return the error of a call that no process listens to.

        It is of a kind of its own until one was reached: then it was started again, perhaps.
        """
        kind = ChannelError if self._was_reached else RefusedError
        return kind(f"{self._address}: no process listens there")

    async def _ready(self) -> Requester:
        if self._requester is None:
            async with self._starting:
                if self._requester is None:
                    self._requester = await self._start()
        if self._is_closed:
            raise ChannelError(f"{self._address}: the connection is closed")
        return self._requester

    async def _start(self) -> Requester:
        if await is_refused(self._address):  # at once, without the import
            raise self._refused()
        try:
            library: Library = await asyncio.to_thread(load)
        except UserError as error:
            raise ChannelError(str(error)) from error
        self._pool = library.new_pool(
            limit=MOST_CONNECTIONS, allow_offload=False, connection_args=self._arguments
        )
        await self._pool.start()
        return Requester(library, self._pool)
