"""A node's membership: its lease, renewed by round trips to the scheduler that the node begins.

A lease counts from the moment at which its request was sent. Once it has run out, the node ends
its runs before it asks again, in a new epoch: engines may have started them elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from engine.domain.errors import user_error
from engine.domain.record import record
from engine.execution.cluster.channel import MARGIN_S, SAFETY, ChannelError
from engine.execution.cluster.dask import roles
from engine.execution.cluster.dask.requests import ENVELOPE_BYTES, Limits, Requester
from engine.execution.cluster.dask.wire import Grant, Kind, Leave, Refusal, Renewal, encode
from engine.execution.cluster.node.lease import now_s
from engine.system.decoding import msgpack_decoder
from engine.system.durable import write_synced
from engine.system.files import read_regular

RENEWALS = 6
"""Renewals in the time of one lease."""
EPOCH = "epoch"
LEAVE_S = 3.0


class NodeLeaseFile(Protocol):
    """The lease of this node, as `node.lease.Lease`."""

    @property
    def lasts_s(self) -> float:
        """Return its length in seconds, counted from the request."""
        ...

    @property
    def is_valid(self) -> bool:
        """Return whether it holds at the moment."""
        ...

    def renew(self, sent_at: float) -> None:
        """Extend it. Blocking."""
        ...

    def end(self) -> None:
        """End it now. Blocking."""
        ...


@record
class Member:
    """A node as the scheduler knows it."""

    name: str
    identity: str
    address: str
    scheduler: str


class NodeReports(Protocol):
    """Notices of a node for the user."""

    def joined(self) -> None:
        """Report that the node has a lease, after a time without one."""
        ...

    def unreachable(self, reason: str) -> None:
        """Report that the scheduler does not answer; called for every try."""
        ...

    def lease_ended(self) -> None:
        """Report that the lease has run out, and the runs are ended."""
        ...


class Membership:
    """The membership of a node; `end_runs` returns once no process of a run is left."""

    def __init__(
        self,
        root: Path,
        member: Member,
        lease: NodeLeaseFile,
        requester: Requester,
        end_runs: Callable[[], Awaitable[None]],
        reports: NodeReports,
    ) -> None:
        self._root = root
        self._member = member
        self._lease = lease
        self._requester = requester
        self._end_runs = end_runs
        self._reports = reports
        self._epoch = read_epoch(root)
        self._confirmed = ""
        self._has_lease = False
        self._is_used = True
        """True if runs may have been started in this epoch: the next one follows a lease."""
        self._taken_since: float | None = None
        self._was_member = False

    @property
    def interval_s(self) -> float:
        """Return the time between two renewals."""
        return self._lease.lasts_s / RENEWALS

    async def keep(self) -> None:
        """Renew the lease for ever; raises `UserError` NODE_NAME_TAKEN, OSError."""
        while True:
            began = now_s()
            if not await self._renew():
                await asyncio.sleep(max(0.0, began + self.interval_s - now_s()))

    async def leave(self) -> None:
        """End the lease: the node has no runs and stops."""
        await asyncio.to_thread(self._lease.end)
        notice = Leave(self._member.name, self._member.identity, self._epoch)
        try:
            await self._send(Kind.LEAVE, encode(notice), LEAVE_S)
        except ChannelError:
            return  # the lease runs out by itself

    async def _renew(self) -> bool:
        """Renew the lease once; return whether to go on at once."""
        if not await asyncio.to_thread(lambda: self._lease.is_valid):
            await self._begin_again()
        request = Renewal(
            node=self._member.name,
            identity=self._member.identity,
            epoch=self._epoch,
            lasts_s=self._lease.lasts_s,
            address=self._member.address,
            confirmed=self._confirmed,
        )
        sent_at = now_s()
        try:
            grant = await self._ask(request)
        except ChannelError as error:
            self._reports.unreachable(str(error))
            return False
        return await self._apply(grant, sent_at)

    async def _apply(self, grant: Grant, sent_at: float) -> bool:
        if grant.refusal is Refusal.NAME_TAKEN:
            self._check_name()
            return False
        if grant.refusal:
            self._is_used = True
            return False  # without a new grant the lease runs out, and the next epoch begins
        self._taken_since = None
        self._confirmed = grant.token
        if not grant.is_granted:
            return True
        await asyncio.to_thread(self._lease.renew, sent_at)
        self._has_lease = self._was_member = self._is_used = True
        self._reports.joined()
        return False

    async def _begin_again(self) -> None:
        """End the runs of the epoch and begin the next one, unless that was done."""
        if self._has_lease:
            self._has_lease = False
            self._reports.lease_ended()
        if not self._is_used:
            return
        await self._end_runs()
        self._epoch += 1
        await asyncio.to_thread(write_epoch, self._root, self._epoch)
        self._is_used = False
        self._confirmed = ""

    def _check_name(self) -> None:
        """Wait for another node's lease to end; a node that was never a member, not for ever."""
        self._reports.unreachable("another node of this name has a lease")
        if self._was_member:
            return
        now = now_s()
        self._taken_since = self._taken_since or now
        # That of a node that was removed ends in this time.
        if now - self._taken_since > self._lease.lasts_s * SAFETY + MARGIN_S + self.interval_s:
            raise user_error(
                "NODE_NAME_TAKEN", f"The cluster has another node called {self._member.name}."
            )

    async def _ask(self, request: Renewal) -> Grant:
        # Two tries fit into the time in which a lost connection must not end the lease.
        body = await self._send(Kind.RENEW, encode(request), 2 * self.interval_s)
        try:
            return msgpack_decoder(Grant)(body)
        except ValueError as error:
            raise ChannelError(f"invalid answer: {error}") from error

    async def _send(self, kind: Kind, data: bytes, limit_s: float) -> bytes:
        address = self._member.scheduler
        limits = Limits(limit_s, ENVELOPE_BYTES)
        return await self._requester.send(address, roles.SCHEDULER, kind, data, limits)


def read_epoch(root: Path) -> int:
    """Return the epoch of a node's folder, 0 in a new one. Blocking."""
    try:
        return int(read_regular(root / EPOCH, 100))
    except (OSError, ValueError):
        return 0


def write_epoch(root: Path, epoch: int) -> None:
    """Store the epoch of a node's folder. Blocking."""
    write_synced(root / EPOCH, b"%d\n" % epoch)
