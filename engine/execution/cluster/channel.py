"""The port to the cluster's engine: calls to nodes, their list, and their leases.

An implementation keeps no state of runs and repeats no call by itself: every message can be sent
again after a lost answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

LARGEST_BYTES = 64 * 1024**2
"""The most that any message or answer has."""


class ChannelError(OSError):
    """A call that got no answer: it may have been carried out, or not."""


class RefusedError(ChannelError):
    """No process listens at the scheduler's address, and none has since this one began."""


class NodeMissingError(ChannelError):
    """No node of this name is a member of the cluster at the moment."""


class AnswerTooLargeError(ChannelError):
    """An answer of more bytes than were accepted; it was not read."""


class NodeLease(Struct, frozen=True):
    """A node's lease, as the scheduler knows it."""

    node: str
    granted_s: float
    """Seconds, by the scheduler's clock, since the last moment at which it may have begun again."""
    lasts_s: float
    """Length of the lease from then on; afterwards the node ends its runs."""
    is_member: bool
    """True if the node is connected to the scheduler."""

    @property
    def has_expired(self) -> bool:
        """Return whether every run of the node was ended, however far its clock is off."""
        return self.granted_s > self.lasts_s * SAFETY + MARGIN_S


SAFETY = 1.1
"""The clocks of two machines run at most this far apart."""
MARGIN_S = 10.0
"""The longest time from the end of a lease to the end of the last process."""


class Channel(Protocol):
    """A connection to the cluster; it is made by the first call and again after a failure."""

    async def call(
        self, node: str, message: bytes, limit_s: float, limit_bytes: int = LARGEST_BYTES
    ) -> bytes:
        """Return a node's answer to a message; raises `ChannelError` after `limit_s` seconds.

        One of more than `limit_bytes` is not read: raises `AnswerTooLargeError`.
        """
        ...

    async def leases(self) -> Sequence[NodeLease]:
        """Return the leases of all nodes that the scheduler has known; raises `ChannelError`.

        A scheduler that was started again knows those that have reached it since.
        """
        ...

    async def scheduler_age_s(self) -> float:
        """Return for how long the scheduler has been running; raises `ChannelError`."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...
