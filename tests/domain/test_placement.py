"""The machine on which a run starts: slots of each node, and what a run waits for."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.activity import activity
from engine.domain.clock_time import clock_time
from engine.domain.model import ANY_NODE, LOCAL, Run, RunSpec, Status, Workspace, WorkspaceSpec
from engine.domain.model import WorkspaceKind as Kind
from engine.domain.placement import (
    NO_CLUSTER,
    NOT_TAKEN,
    NodePlaces,
    left_node,
    node_hold,
    place_of,
)
from engine.domain.projection import View
from engine.domain.queue import QueueRules, next_run
from engine.domain.reasons import WaitingFor

SPEC = RunSpec(prompt="do it", title="a title", project="a project")
NOW = 1000.0


def run(
    name: str, on: str = LOCAL, status: Status = Status.QUEUED, at: float = 0.0, **more: Any
) -> Run:
    spec = replace(SPEC, workspace=WorkspaceSpec(host=on), **more)
    return Run(name, spec, 0.0, status, queued_at=at)


def places(**free: int) -> NodePlaces:
    return NodePlaces(is_set=True, free=free)


def lost(*nodes: str, **free: int) -> NodePlaces:
    return replace(places(**free), lost=frozenset(nodes))


def started(view: View, nodes: NodePlaces, slots: int = 1, **rules: Any) -> tuple[str, str] | None:
    found = next_run(view, QueueRules(slots, nodes=nodes, **rules), NOW)
    return (found.run.id, found.host) if found else None


def held(wanted: Run, nodes: NodePlaces, *others: Run) -> str:
    hold = node_hold(View([wanted, *others]), wanted, lambda: nodes)
    assert hold is None or hold.waiting_for is WaitingFor.NODE
    return hold.reason if hold else ""


def with_workspace(known: Run, host: str) -> Run:
    return replace(known, workspace=Workspace("/w", Kind.EMPTY, host=host))


def test_runs_on_nodes_take_no_slot_of_this_machine() -> None:
    far = [run(f"far{n}", "n1", Status.RUNNING) for n in range(5)]
    assert started(View([*far, run("near")]), places(n1=0)) == ("near", LOCAL)


def test_a_full_machine_does_not_hold_runs_for_nodes() -> None:
    view = View([run("here", status=Status.RUNNING), run("near", at=1), run("far", "n1", at=2)])
    assert started(view, places(n1=1)) == ("far", "n1")
    assert started(view, places(n1=0)) is None


def test_a_run_that_waits_for_a_node_does_not_block_those_behind_it() -> None:
    view = View([run("a", "n1", at=1), run("b", ANY_NODE, at=2), run("c", at=3)])
    assert started(view, places(n1=0, n2=1)) == ("b", "n2")
    assert started(view, places(n1=0, n2=0)) == ("c", LOCAL)
    assert started(view, NodePlaces()) == ("c", LOCAL)


def test_any_node_is_the_one_with_most_free_slots() -> None:
    view = View([run("a", ANY_NODE)])
    assert started(view, places(n1=1, n2=3, n3=2)) == ("a", "n2")


def test_equal_nodes_are_all_chosen_in_the_long_run() -> None:
    wanted, nodes = run("a", ANY_NODE), places(n1=2, n2=2, n3=1)
    found = {
        place_of(
            View([wanted]), wanted, nodes, is_full_here=False, pick=lambda names, n=n: names[n]
        )
        for n in (0, 1)
    }
    assert found == {"n1", "n2"}


def test_any_node_is_never_this_machine() -> None:
    assert started(View([run("a", ANY_NODE)]), places()) is None


def test_caps_of_projects_count_runs_on_all_machines() -> None:
    view = View([run("far", "n1", Status.RUNNING), run("near", at=1)])
    assert started(view, places(n1=3), slots=5, per_project=1) is None
    assert started(view, places(n1=3), slots=5, per_project=2) == ("near", LOCAL)


def test_priority_counts_before_the_machine() -> None:
    view = View([run("a", "n1", at=1), run("b", ANY_NODE, at=2, priority=5)])
    assert started(view, places(n1=1)) == ("b", "n1")


def test_a_run_goes_back_to_the_node_of_its_workspace() -> None:
    again = with_workspace(run("a", ANY_NODE), "n1")
    assert started(View([again]), places(n2=4)) is None
    assert held(again, places(n2=4)) == "node n1 does not answer"
    assert started(View([again]), places(n1=1, n2=4)) == ("a", "n1")
    in_trash = replace(again, in_trash=True)
    assert started(View([in_trash]), places(n2=4)) == ("a", "n2")


def test_a_run_starts_over_where_its_node_is_lost() -> None:
    again, nodes = with_workspace(run("a", ANY_NODE), "n1"), lost("n1", n2=1)
    assert started(View([again]), nodes) == ("a", "n2")
    assert left_node(again, "n2", nodes) == "n1"
    named = with_workspace(run("b", "n1"), "n1")
    assert held(named, nodes) == "node n1 is lost"
    told = replace(again, attempt_prompt="go on with this")
    assert started(View([told]), nodes) is None
    assert held(told, nodes) == "node n1 is lost"


def test_wait_for_a_named_node_shows_since_when_and_how_it_ends() -> None:
    wanted = run("a", "n1")
    nodes = replace(places(n2=1), silent_since={"n1": NOW - 60})
    hold = node_hold(View([wanted]), wanted, lambda: nodes)
    assert hold
    since = clock_time(NOW - 60, NOW)
    words = f"waits: node n1 does not answer since {since}; starts when it answers"
    assert activity(wanted, NOW, pause=hold) == words


def test_a_fresh_start_is_free_of_the_node_of_the_workspace() -> None:
    fresh = replace(with_workspace(run("a", "n1"), "n1"), host="n2", requested_host="n2")
    assert started(View([fresh]), places(n1=5, n2=1)) == ("a", "n2")
    assert left_node(fresh, "n2", places(n2=1)) == ""
    here = replace(fresh, host=LOCAL, requested_host=LOCAL)
    assert started(View([here]), places(n1=5)) == ("a", LOCAL)


def test_a_run_from_an_earlier_one_starts_where_that_has_its_workspace() -> None:
    earlier = with_workspace(run("first", ANY_NODE, Status.SUCCEEDED), "n2")
    wish = WorkspaceSpec(Kind.FROM_RUN, "first", host=ANY_NODE)
    after = replace(run("a"), spec=replace(SPEC, workspace=wish, after=("first",)))
    assert started(View([earlier, after]), places(n1=9, n2=1)) == ("a", "n2")
    assert held(after, places(n1=9, n2=0), earlier) == "no free slot on n2"


@pytest.mark.parametrize(
    ("on", "nodes", "reason"),
    [
        (LOCAL, NodePlaces(), ""),
        ("n1", NodePlaces(), NO_CLUSTER),
        ("n1", replace(places(n1=1), is_taken=False), NOT_TAKEN),
        (ANY_NODE, NodePlaces(), NO_CLUSTER),
        (ANY_NODE, places(), "no node answers"),
        (ANY_NODE, places(n1=0), "no free slot on any node"),
        (ANY_NODE, places(n1=1), ""),
        ("n1", places(n1=1), ""),
        ("n1", places(n1=0), "no free slot on n1"),
        ("n1", places(n2=1), "node n1 does not answer"),
        ("folder", NodePlaces(machines=frozenset({"folder"})), ""),
    ],
)
def test_what_a_run_waits_for_is_named(on: str, nodes: NodePlaces, reason: str) -> None:
    assert held(run("a", on), nodes) == reason


def test_a_machine_outside_of_the_cluster_takes_slots_of_this_one() -> None:
    nodes = NodePlaces(machines=frozenset({"folder"}))
    view = View([run("a", "folder", Status.RUNNING), run("b", "folder", at=1)])
    assert started(view, nodes) is None
    assert started(view, nodes, slots=2) == ("b", "folder")


runs = st.lists(
    st.tuples(
        st.sampled_from([Status.QUEUED, Status.RUNNING]),
        st.sampled_from([LOCAL, ANY_NODE, "n1", "n2", "gone"]),
        st.integers(-2, 2),
        st.floats(0, 10),
    ),
    max_size=14,
)


@given(runs, st.integers(1, 4), st.integers(0, 3), st.integers(0, 3))
def test_no_machine_gets_more_runs_than_it_has_slots(
    made: list[tuple[Status, str, int, float]], slots: int, n1: int, n2: int
) -> None:
    view = View(
        [run(f"r{n:02}", on, status, at, priority=prio) for n, (status, on, prio, at) in
         enumerate(made) if (status, on) != (Status.RUNNING, ANY_NODE)]
    )  # fmt: skip
    room = {"n1": n1, "n2": n2}
    before = Counter(one.host or one.spec.workspace.host for one in view.active())
    while found := next_run(view, QueueRules(slots, nodes=places(**room)), NOW):
        assert found.host in (LOCAL, "n1", "n2")
        wish = found.run.spec.workspace.host
        assert found.host == wish or (wish == ANY_NODE and found.host != LOCAL)
        if found.host in room:
            room[found.host] -= 1
        found.run.status, found.run.host = Status.RUNNING, found.host
    assert all(free >= 0 for free in room.values())
    here = sum((one.host or one.spec.workspace.host) == LOCAL for one in view.active())
    assert here <= max(slots, before[LOCAL])
    for left in view.queue():
        wish = left.spec.workspace.host
        assert {LOCAL: here >= slots, ANY_NODE: not any(room.values())}.get(wish, True)
        assert not room.get(wish)
