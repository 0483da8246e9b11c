"""The scheduler: leases of nodes, and calls of engines that are passed on to nodes.

It stores nothing and runs nothing: after a restart, nodes renew their leases and engines call
again. It is a plain server of Dask with one operation of ours, without tasks and without HTTP.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from engine.execution.cluster.channel import LARGEST_BYTES, AnswerTooLargeError, ChannelError
from engine.execution.cluster.dask import roles
from engine.execution.cluster.dask.leases import LeaseTable
from engine.execution.cluster.dask.library import Comm, Library, Server
from engine.execution.cluster.dask.requests import ENVELOPE_BYTES, Limits, Requester
from engine.execution.cluster.dask.wire import (
    OPERATION,
    Answer,
    Kind,
    LeaseFacts,
    LeaseList,
    Leave,
    NodeAnswer,
    NodeCall,
    Renewal,
    encode,
)
from engine.system.decoding import msgpack_decoder

LONGEST_CALL_S = 600.0
Request = TypeVar("Request")


class _RefusedError(Exception):
    """A request that is not carried out, with the reason."""


class SchedulerService:
    """The operation of swarm-tui on a scheduler."""

    def __init__(self, library: Library, server: Server) -> None:
        self._requester = Requester(library, server.rpc)
        # Not the clock that goes on while the machine sleeps: leases then seem younger than they
        # are, which is the safe direction.
        self._table = LeaseTable(time.monotonic)

    async def handle(self, comm: Comm, kind: str = "", data: bytes = b"") -> bytes:
        """Answer a request; never raises, because Dask would answer with a pickle."""
        try:
            answer = await self._answer(comm.extra_info.get("peercert"), kind, data)
        except _RefusedError as error:
            return encode(Answer(refused=str(error)))
        return encode(Answer(encode(answer)))

    async def _answer(
        self, certificate: Mapping[str, Any] | None, kind: str, data: bytes
    ) -> msgspec.Struct:
        match kind:
            case Kind.RENEW:
                request = _read(Renewal, data)
                _allow(certificate, roles.node(request.node))
                return self._table.renew(request)
            case Kind.LEAVE:
                notice = _read(Leave, data)
                _allow(certificate, roles.node(notice.node))
                self._table.leave(notice)
                return Answer()
            case Kind.LEASES:
                _allow(certificate, roles.CLIENT)
                return self._leases()
            case Kind.CALL:
                _allow(certificate, roles.CLIENT)
                return await self._call(_read(NodeCall, data))
            case _:
                raise _RefusedError(f"unknown request: {kind!r}")

    def _leases(self) -> LeaseList:
        facts = (
            LeaseFacts(lease.node, lease.granted_s, lease.lasts_s, lease.is_member)
            for lease in self._table.read()
        )
        return LeaseList(tuple(facts), self._table.age_s)

    async def _call(self, call: NodeCall) -> NodeAnswer:
        address = self._table.address(call.node)
        if address is None:
            return NodeAnswer(problem="it is not a member", is_missing=True)
        limit_s = min(max(call.limit_s, 0.1), LONGEST_CALL_S)
        limit_bytes = min(max(call.limit_bytes, 0), LARGEST_BYTES) + ENVELOPE_BYTES
        try:
            role = roles.node(call.node)
            limits = Limits(limit_s, limit_bytes)
            answer = await self._requester.send(address, role, "message", call.message, limits)
        except AnswerTooLargeError as error:
            return NodeAnswer(problem=str(error), is_too_large=True)
        except ChannelError as error:
            return NodeAnswer(problem=str(error))
        return NodeAnswer(answer)


def _read(kind: type[Request], data: bytes) -> Request:
    try:
        return msgpack_decoder(kind)(data)
    except ValueError as error:
        raise _RefusedError(f"invalid request: {error}") from error


def _allow(certificate: Mapping[str, Any] | None, role: str) -> None:
    if not roles.may(certificate, role):
        found = roles.described(certificate)
        raise _RefusedError(f"your certificate is for {found}, and this needs {role}")


def install(library: Library, server: Server) -> None:
    """Add our operation to a server of Dask."""
    server.handlers[OPERATION] = SchedulerService(library, server).handle
