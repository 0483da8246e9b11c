"""The leases of nodes, as the scheduler keeps them: a table in memory, which a restart empties.

Two facts decide. `granted` is the last moment at which a grant was sent: a lease of the node counts
from an earlier moment, so that every run has ended once it is long enough ago. `confirmed` is the
moment of the last token that the node has confirmed to have got. An epoch begins with a token
alone; grants follow once it is confirmed. A node that has not confirmed for a whole lease gets no
more grants in this epoch, because answers no longer reach it: otherwise its requests alone would
keep a lease alive that it does not have.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from engine.execution.cluster.channel import NodeLease
from engine.execution.cluster.dask.wire import Grant, Leave, Refusal, Renewal

FORGOTTEN_S = 86_400.0
"""A node that has been away for this long is no longer listed."""
MOST_NODES = 10_000
MOST_TOKENS = 100
NEVER_S = 1e9
"""The age of a lease that a node gave back."""


@dataclass
class _Entry:
    """The lease of one node."""

    identity: str
    epoch: int
    lasts_s: float
    granted: float
    address: str = ""
    confirmed: float | None = None
    """None until the first token of the epoch is confirmed: there are no grants before."""
    tokens: dict[str, float] = field(default_factory=dict[str, float])
    """Tokens that the node has not confirmed, with their moments, oldest first."""
    is_over: bool = False
    """No more grants in this epoch."""
    has_left: bool = False

    def confirm(self, token: str) -> None:
        """Note a token that has reached the node; the older ones no longer matter."""
        if token not in self.tokens:
            return
        for name in list(self.tokens):
            moment = self.tokens.pop(name)
            self.confirmed = max(self.confirmed or moment, moment)
            if name == token:
                return

    def send(self, token: str, now: float) -> None:
        """Note a token on its way to the node."""
        self.tokens[token] = now
        while len(self.tokens) > MOST_TOKENS:
            del self.tokens[next(iter(self.tokens))]


class LeaseTable:
    """The leases of all nodes; `clock` is a monotonic clock in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        # Grants of an earlier scheduler must not be taken for those of this one.
        self._life = uuid.uuid4().hex
        self._tokens = 0
        self._entries: dict[str, _Entry] = {}

    @property
    def age_s(self) -> float:
        """Return for how long the table has existed, in seconds."""
        return self._clock() - self._began

    def renew(self, request: Renewal) -> Grant:
        """Return a token, with or without a grant, or the reason why there is none."""
        now = self._clock()
        entry = self._entries.get(request.node)
        if entry is None or self._may_replace(entry, request, now):
            if entry is None and not self._has_room(now):
                return Grant(refusal=Refusal.NAME_TAKEN)
            entry = self._entries[request.node] = _begun(entry, request, now)
        elif refusal := _refusal(entry, request, now):
            return Grant(refusal=refusal)
        # In one epoch, a longer lease from before a restart of the node may still hold.
        entry.lasts_s = max(entry.lasts_s, request.lasts_s)
        entry.address = request.address
        is_granted = entry.confirmed is not None
        if is_granted:
            entry.granted = now
        self._tokens += 1
        token = f"{self._life}:{self._tokens}"
        entry.send(token, now)
        return Grant(token, is_granted)

    def leave(self, notice: Leave) -> bool:
        """End the lease of a node that has no runs; return whether it was this node's."""
        entry = self._entries.get(notice.node)
        if entry is None or entry.identity != notice.identity or entry.epoch > notice.epoch:
            return False
        entry.epoch = notice.epoch
        entry.is_over = entry.has_left = True
        entry.tokens.clear()
        return True

    def read(self) -> Sequence[NodeLease]:
        """Return all leases."""
        now = self._clock()
        self._forget(now)
        return [_lease(node, entry, now) for node, entry in self._entries.items()]

    def address(self, node: str) -> str | None:
        """Return where a node answers; None where it is not known, or has left."""
        entry = self._entries.get(node)
        return None if entry is None or entry.has_left else entry.address

    def _may_replace(self, entry: _Entry, request: Renewal, now: float) -> bool:
        """Return whether a request begins a new epoch, or another node may take the name."""
        if entry.identity == request.identity:
            return request.epoch > entry.epoch
        return _lease("", entry, now).has_expired

    def _has_room(self, now: float) -> bool:
        self._forget(now)
        return len(self._entries) < MOST_NODES

    def _forget(self, now: float) -> None:
        for node, entry in list(self._entries.items()):
            if now - entry.granted > FORGOTTEN_S + entry.lasts_s:
                del self._entries[node]


def _begun(before: _Entry | None, request: Renewal, now: float) -> _Entry:
    """Return the entry of a new epoch.

    The node has ended its runs, so that the last grant of its epoch before still counts. One that
    is not known may hold the lease of a scheduler before this one.
    """
    is_known = before is not None and before.identity == request.identity
    granted = before.granted if before and is_known else now
    return _Entry(request.identity, request.epoch, request.lasts_s, granted)


def _refusal(entry: _Entry, request: Renewal, now: float) -> Refusal | None:
    """Return why a node gets no more grants; also note the token that it confirms."""
    if entry.identity != request.identity:
        return Refusal.NAME_TAKEN
    if request.epoch < entry.epoch or entry.is_over:
        return Refusal.EPOCH_OVER
    entry.confirm(request.confirmed)
    if entry.confirmed is not None and now - entry.confirmed > entry.lasts_s:
        entry.is_over = True
        return Refusal.EPOCH_OVER
    return None


def _lease(node: str, entry: _Entry, now: float) -> NodeLease:
    """Return an entry as engines see it."""
    age_s = NEVER_S if entry.has_left else now - entry.granted
    is_renewed = entry.confirmed is not None and age_s <= entry.lasts_s / 2
    return NodeLease(node, age_s, entry.lasts_s, is_renewed and not entry.is_over)
