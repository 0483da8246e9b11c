"""Messages between nodes, scheduler and engines: MessagePack inside one operation of Dask.

They are apart from the messages that a node carries out (`cluster/messages.py`), which the
scheduler passes on without reading them.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec import Struct

from engine.execution.cluster.channel import LARGEST_BYTES

OPERATION = "swarm_tui"
"""The name under which Dask knows our operation, on the scheduler and on a node."""
PROTOCOL = 1
LONGEST_NAME = 64
LONGEST_LEASE_S = 86_400.0
SHORTEST_LEASE_S = 1.0


class Kind(StrEnum):
    """Kinds of requests to the scheduler."""

    RENEW = "renew"
    LEAVE = "leave"
    LEASES = "leases"
    CALL = "call"


class Refusal(StrEnum):
    """Reasons why a node gets no lease."""

    NAME_TAKEN = "name taken"
    """Another node of the same name may still have runs."""
    EPOCH_OVER = "epoch over"
    """The node has to end its runs and begin again with the next epoch."""


class Renewal(Struct, frozen=True):
    """A node's request for a lease.

    `identity` distinguishes two nodes of one name. `epoch` is raised by the node after it has ended
    its runs. `confirmed` is the last token that has reached the node, empty at first.
    """

    node: str
    identity: str
    epoch: int
    lasts_s: float
    address: str
    confirmed: str = ""

    def __post_init__(self) -> None:
        """Refuse values that no node sends."""
        if not 0 < len(self.node) <= LONGEST_NAME or not 0 < len(self.identity) <= 256:
            raise ValueError("invalid name of a node")
        if not SHORTEST_LEASE_S <= self.lasts_s <= LONGEST_LEASE_S:
            raise ValueError("invalid lease")


class Grant(Struct, frozen=True):
    """The answer to a renewal: a token to confirm with the next one, or a refusal.

    Only with `is_granted` the lease is renewed: an epoch begins with a token alone.
    """

    token: str = ""
    is_granted: bool = False
    refusal: Refusal | None = None


class Leave(Struct, frozen=True):
    """A node's notice that it has ended all its runs and stops."""

    node: str
    identity: str
    epoch: int


class LeaseFacts(Struct, frozen=True, array_like=True):
    """A node's lease, as `NodeLease`."""

    node: str
    granted_s: float
    lasts_s: float
    is_member: bool


class LeaseList(Struct, frozen=True):
    """All leases, and for how long the scheduler has been running."""

    leases: tuple[LeaseFacts, ...]
    age_s: float
    protocol: int = PROTOCOL


class NodeCall(Struct, frozen=True):
    """A message for a node, which answers within `limit_s` seconds, with `limit_bytes` at most."""

    node: str
    limit_s: float
    message: bytes
    limit_bytes: int = LARGEST_BYTES


class NodeAnswer(Struct, frozen=True):
    """A node's answer; without one, the reason, and whether no such node is known.

    `is_too_large`: it had more bytes than were asked for.
    """

    answer: bytes | None = None
    problem: str = ""
    is_missing: bool = False
    is_too_large: bool = False


class Answer(Struct, frozen=True):
    """The answer to any request: a message, or the reason why the request was refused."""

    body: bytes = b""
    refused: str = ""


def encode(value: Struct) -> bytes:
    """Return a message as it is sent."""
    return msgspec.msgpack.encode(value)
