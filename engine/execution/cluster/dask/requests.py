"""Requests over a pool of Dask's connections: one deadline each, and a check of the peer's role."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from engine.domain.record import record
from engine.execution.cluster.channel import AnswerTooLargeError, ChannelError, RefusedError
from engine.execution.cluster.dask import roles
from engine.execution.cluster.dask.ceilings import MessageTooLargeError, reading_at_most
from engine.execution.cluster.dask.library import Comm, Library, Pool
from engine.execution.cluster.dask.tls import tls_problem
from engine.execution.cluster.dask.wire import OPERATION, Answer
from engine.system.decoding import msgpack_decoder

UNKNOWN_OPERATION = (
    "it does not know the operations of swarm-tui: start it with `swarm-tui cluster scheduler`, or "
    "add `--preload engine.execution.cluster.dask.preload` to `dask scheduler`"
)

CLOSED = ("Stream is closed", "Connection reset", "Broken pipe")
SOON_S = 0.3
"""Time for a connection before it is found out whether a process listens at all."""
CONNECT_S = 5.0
"""Dask tries for this long to connect, also to a port that no process listens at."""


ENVELOPE_BYTES = 64 * 1024
"""Room for what our answers and Dask add to the answer of a node."""


@record
class Limits:
    """The longest wait for an answer, and the most bytes that it has."""

    limit_s: float
    limit_bytes: int


class Requester:
    """Sends requests; every failure is a `ChannelError`, at the latest when its time is over."""

    def __init__(self, library: Library, pool: Pool) -> None:
        self._library = library
        self._pool = pool

    async def send(self, address: str, role: str, kind: str, data: bytes, limits: Limits) -> bytes:
        """Return the answer of the process of this role at an address; raises `ChannelError`."""
        limit_s = limits.limit_s
        try:
            async with asyncio.timeout(limit_s):
                answer = await self._exchange(address, role, kind, data, limits)
        except ChannelError:
            raise
        except MessageTooLargeError as error:
            raise AnswerTooLargeError(f"{address}: {error}") from error
        except TimeoutError as error:
            raise ChannelError(_explained(address, error, f"no answer in {limit_s:g} s")) from error
        except Exception as error:
            raise ChannelError(_explained(address, error, _text(address, error))) from error
        return _body(address, answer)

    async def _exchange(
        self, address: str, role: str, kind: str, data: bytes, limits: Limits
    ) -> object:
        comm = await self._connected(address, min(limits.limit_s, CONNECT_S))
        try:
            _check(address, comm, role)
            with reading_at_most(limits.limit_bytes):
                return await self._library.send_recv(comm, op=OPERATION, kind=kind, data=data)
        finally:
            self._pool.reuse(address, comm)

    async def _connected(self, address: str, limit_s: float) -> Comm:
        """Return a connection; raises `RefusedError` soon where no process listens."""
        connecting = asyncio.ensure_future(self._pool.connect(address, limit_s))
        try:
            await asyncio.wait({connecting}, timeout=SOON_S)
            if not connecting.done() and await is_refused(address):
                raise RefusedError(f"{address}: no process listens there")
            return await connecting
        finally:
            connecting.cancel()


async def is_refused(address: str) -> bool:
    """Return whether no process listens at an address: Dask tries again and again there."""
    parts = urlsplit(address)
    try:
        async with asyncio.timeout(SOON_S):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    except ConnectionRefusedError:
        return True
    except (TimeoutError, OSError, ValueError):
        return False
    writer.close()
    return False


def _check(address: str, comm: Comm, role: str) -> None:
    """Raise `ChannelError` where the certificate at an address is for another role."""
    certificate = comm.extra_info.get("peercert")
    if not roles.may(certificate, role):
        comm.abort()
        found = roles.described(certificate)
        raise ChannelError(f"{address}: its certificate is for {found}, not for {role}")


def _body(address: str, answer: object) -> bytes:
    if not isinstance(answer, bytes):
        raise ChannelError(f"{address}: {UNKNOWN_OPERATION}")
    try:
        decoded = msgpack_decoder(Answer)(answer)
    except ValueError as error:
        raise ChannelError(f"{address}: invalid answer: {error}") from error
    if decoded.refused:
        raise ChannelError(f"{address}: {decoded.refused}")
    return decoded.body


def _explained(address: str, error: BaseException, otherwise: str) -> str:
    return f"{address}: {tls_problem(error) or otherwise}"


def _text(address: str, error: Exception) -> str:
    """Return an error as text, with the most likely reason of a connection that was closed."""
    if isinstance(error, OSError) and any(sign in str(error) for sign in CLOSED):
        hint = "" if address.startswith("tls://") else "; it may demand TLS"
        return f"the connection was closed{hint}"
    return f"{type(error).__name__}: {error}"
