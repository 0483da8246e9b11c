"""The leases of nodes on the scheduler: who may be sure of what, and when."""

from typing import Any

import msgspec
import pytest

from engine.execution.cluster.channel import NodeLease
from engine.execution.cluster.dask.leases import LeaseTable
from engine.execution.cluster.dask.wire import Grant, Leave, Refusal, Renewal
from engine.system.decoding import msgpack_decoder

LASTS_S = 30.0


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Node:
    """A node's side of the protocol, with the time until which it holds its lease."""

    def __init__(
        self,
        table: LeaseTable,
        clock: Clock,
        name: str = "n1",
        identity: str = "a",
        lasts_s: float = LASTS_S,
    ) -> None:
        self.table, self.clock = table, clock
        self.name, self.identity, self.lasts_s = name, identity, lasts_s
        self.epoch, self.confirmed, self.until = 1, "", 0.0

    def request(self) -> Renewal:
        return Renewal(
            self.name, self.identity, self.epoch, self.lasts_s, f"tcp://{self.identity}:1",
            self.confirmed,
        )  # fmt: skip

    def renew(self, *, is_answered: bool = True) -> Grant:
        sent_at = self.clock.now
        grant = self.table.renew(self.request())
        if is_answered:
            self.receive(grant, sent_at)
        return grant

    def receive(self, grant: Grant, sent_at: float) -> None:
        if grant.refusal is None:
            self.confirmed = grant.token
            if grant.is_granted:
                self.until = max(self.until, sent_at + self.lasts_s)

    def join(self) -> None:
        assert not self.renew().is_granted, "an epoch begins with a token alone"
        assert self.renew().is_granted

    def begin_again(self) -> None:
        assert self.until <= self.clock.now
        self.epoch += 1
        self.confirmed = ""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table(clock: Clock) -> LeaseTable:
    return LeaseTable(clock)


def lease_of(table: LeaseTable, name: str = "n1") -> NodeLease:
    return {lease.node: lease for lease in table.read()}[name]


def test_renewed_lease_is_young_and_its_node_a_member(table: LeaseTable, clock: Clock) -> None:
    node = Node(table, clock)
    node.join()
    for _ in range(20):
        clock.now += 5
        assert node.renew().is_granted
    lease = lease_of(table)
    assert (lease.granted_s, lease.lasts_s) == (0, LASTS_S)
    assert lease.is_member and not lease.has_expired
    clock.now += 16
    assert not lease_of(table).is_member
    assert table.age_s == 116


def test_silent_node_is_lost_only_after_its_lease_and_a_margin(
    table: LeaseTable, clock: Clock
) -> None:
    node = Node(table, clock)
    node.join()
    clock.now += LASTS_S + 12
    assert not lease_of(table).has_expired
    clock.now += 2
    assert lease_of(table).has_expired
    assert node.until < clock.now


def test_node_whose_answers_are_lost_gets_no_more_grants(table: LeaseTable, clock: Clock) -> None:
    node = Node(table, clock)
    node.join()
    for _ in range(5):
        clock.now += 5
        node.renew()
    lost_at = clock.now
    refused_at = 0.0
    while not lease_of(table).has_expired:
        clock.now += 5
        if node.until <= clock.now and node.epoch == 1:
            node.begin_again()
        if node.renew(is_answered=False).refusal and not refused_at:
            refused_at = clock.now
        assert clock.now < lost_at + 200, "its requests alone kept the lease alive"
    # A new epoch that is never confirmed does not make the lease any younger.
    assert node.epoch == 2
    assert node.until < clock.now
    assert clock.now - lost_at < 2 * LASTS_S + 25


def test_refused_epoch_stays_refused_and_the_next_one_begins(
    table: LeaseTable, clock: Clock
) -> None:
    node = Node(table, clock)
    node.join()
    for _ in range(8):
        clock.now += 5
        node.renew(is_answered=False)
    late = node.request()
    assert node.renew().refusal is Refusal.EPOCH_OVER
    clock.now += 1
    node.begin_again()
    node.join()
    assert table.renew(late).refusal is Refusal.EPOCH_OVER
    assert lease_of(table).is_member


def test_delayed_and_duplicated_renewals_never_shorten_what_engines_wait_for(
    table: LeaseTable, clock: Clock
) -> None:
    node = Node(table, clock)
    node.join()
    clock.now += 5
    delayed = node.request()
    for _ in range(4):
        clock.now += 5
        node.renew()
    assert table.renew(delayed).is_granted
    assert table.renew(delayed).is_granted
    assert node.renew().is_granted, "an old token that comes again takes no newer one back"
    assert lease_of(table).granted_s == 0
    # The answer to a request that took long counts from the moment it was sent.
    sent_at, grant = clock.now, node.renew(is_answered=False)
    clock.now += 20
    node.receive(grant, sent_at)
    assert node.until == sent_at + LASTS_S


def test_second_node_of_one_name_is_refused_until_the_first_lease_has_ended(
    table: LeaseTable, clock: Clock
) -> None:
    first, second = Node(table, clock), Node(table, clock, identity="b")
    first.join()
    assert second.renew().refusal is Refusal.NAME_TAKEN
    clock.now += LASTS_S + 12
    assert second.renew().refusal is Refusal.NAME_TAKEN
    clock.now += 5
    second.join()
    assert table.address("n1") == "tcp://b:1"
    assert first.renew().refusal is Refusal.NAME_TAKEN


def test_node_that_left_is_over_at_once_and_returns_in_a_new_epoch(
    table: LeaseTable, clock: Clock
) -> None:
    node = Node(table, clock)
    node.join()
    late = node.request()
    assert not table.leave(Leave("n1", "another", 1))
    assert table.leave(Leave("n1", "a", 1))
    assert lease_of(table).has_expired and not lease_of(table).is_member
    assert table.address("n1") is None
    assert table.renew(late).refusal is Refusal.EPOCH_OVER
    assert Node(table, clock, identity="b").renew().refusal is None
    assert Node(table, clock, name="n2").renew().refusal is None


def test_restarted_scheduler_trusts_no_token_of_the_one_before(
    table: LeaseTable, clock: Clock
) -> None:
    node = Node(table, clock)
    node.join()
    clock.now += 5
    restarted = LeaseTable(clock)
    assert restarted.read() == []
    node.table = restarted
    held = node.until
    assert not node.renew().is_granted
    # The node may hold the lease of the scheduler before: its lease is as old as this request.
    assert lease_of(restarted).granted_s == 0 and not lease_of(restarted).is_member
    assert node.until == held
    assert node.renew().is_granted
    assert node.epoch == 1, "its runs went on"


def test_longer_lease_of_an_earlier_process_of_the_node_still_counts(
    table: LeaseTable, clock: Clock
) -> None:
    node = Node(table, clock, lasts_s=300)
    node.join()
    restarted = Node(table, clock, lasts_s=10)
    restarted.confirmed = node.confirmed
    assert restarted.renew().is_granted
    clock.now += 100
    assert not lease_of(table).has_expired
    clock.now += 241
    assert lease_of(table).has_expired


def test_node_that_stays_away_is_no_longer_listed(table: LeaseTable, clock: Clock) -> None:
    Node(table, clock).join()
    clock.now += 2 * 86_400
    assert table.read() == []


@pytest.mark.parametrize(
    "change",
    [
        {"node": ""},
        {"node": "x" * 65},
        {"identity": ""},
        {"lasts_s": 0.1},
        {"lasts_s": float("inf")},
        {"lasts_s": float("nan")},
        {"epoch": "1"},
    ],
)
def test_renewal_that_no_node_sends_is_refused(
    table: LeaseTable, clock: Clock, change: dict[str, Any]
) -> None:
    values = {**msgspec.to_builtins(Node(table, clock).request()), **change}
    with pytest.raises(msgspec.ValidationError):
        msgpack_decoder(Renewal)(msgspec.msgpack.encode(values))
