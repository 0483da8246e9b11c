"""A clean-up takes nothing that is live, not ours, wanted, or nowhere else."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from engine.disk.cleanup_plan import CleanupCandidate, CleanupFilter, plan
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run, RunSpec, Status, Workspace, WorkspaceKind

NOW = 1_800_000_000.0
DAY = 86_400.0


def candidate(
    name: str = "r1",
    status: Status = Status.SUCCEEDED,
    days: float = 9,
    kind: WorkspaceKind = WorkspaceKind.COPY,
    project: str = "p",
    unsaved: str = "",
    rebuildable: int = 100,
) -> CleanupCandidate:
    run = Run(name, RunSpec("do", f"Do {name}", project), NOW - days * DAY - 60, status=status)
    run.finished_at = NOW - days * DAY if status in FINISHED else None
    run.workspace = Workspace(f"/w/{name}", kind)
    return CleanupCandidate(run, 1000, rebuildable, unsaved)


def kept(one: CleanupCandidate, wish: CleanupFilter) -> str | None:
    found = plan([one], wish, NOW)
    return found.keep[0].why if found.keep else None


def test_why_it_is_kept() -> None:
    assert kept(candidate(), CleanupFilter()) is None
    assert kept(candidate(status=Status.RUNNING), CleanupFilter()) == "is running"
    assert kept(candidate(kind=WorkspaceKind.IN_PLACE), CleanupFilter()) == "is the source itself"
    assert kept(candidate(days=2), CleanupFilter(older_than_s=3 * DAY)) == "ended only 2 days ago"
    assert (
        kept(candidate(days=0), CleanupFilter(older_than_s=DAY))
        == "ended only less than an hour ago"
    )
    assert kept(candidate(), CleanupFilter(keep=1)) == "is one of the last 1 of p"
    unsaved = candidate(unsaved="3 files are nowhere else")
    assert kept(unsaved, CleanupFilter()) == "3 files are nowhere else"
    assert kept(unsaved, CleanupFilter(including_unsaved=True)) is None
    assert kept(unsaved, CleanupFilter(artefacts_only=True)) is None
    bare = candidate(rebuildable=0)
    assert kept(bare, CleanupFilter(artefacts_only=True)) == "has nothing that can be made again"


def test_what_is_not_asked_for_is_not_mentioned() -> None:
    for wish in (
        CleanupFilter(project="q"),
        CleanupFilter(statuses=frozenset({"failed"})),
        CleanupFilter(runs=frozenset("x")),
    ):
        found = plan([candidate()], wish, NOW)
        assert (found.take, found.keep) == ((), ())


def test_the_newest_of_each_project_stay() -> None:
    runs = [candidate(f"r{n}", project=project) for n in range(4) for project in "pq"]
    runs = [
        replace(one, run=replace(one.run, id=f"{one.run.id}{one.run.spec.project}")) for one in runs
    ]
    found = plan(runs, CleanupFilter(keep=3), NOW)
    assert {item.run for item in found.take} == {"r0p", "r0q"}
    assert found.size == 2000


def test_it_says_what_goes_and_why() -> None:
    found = plan(
        [candidate(), candidate("r2", unsaved="2 commits are nowhere else")],
        CleanupFilter(including_unsaved=True),
        NOW,
    )
    assert {item.why for item in found.take} == {
        "succeeded, ended 9 days ago; nothing is lost",
        "succeeded, ended 9 days ago; 2 commits are nowhere else",
    }


candidates = st.builds(
    candidate,
    name=st.text("abc0", min_size=1, max_size=4),
    status=st.sampled_from(Status),
    days=st.floats(0, 60),
    kind=st.sampled_from(WorkspaceKind),
    project=st.sampled_from("pq"),
    unsaved=st.sampled_from(["", "work"]),
    rebuildable=st.sampled_from([0, 10]),
)
wishes = st.builds(
    CleanupFilter,
    older_than_s=st.sampled_from([0.0, 5 * DAY]),
    statuses=st.frozensets(st.sampled_from(["failed", "succeeded", "running"])),
    project=st.sampled_from([None, "p"]),
    keep=st.integers(0, 3),
    artefacts_only=st.booleans(),
    including_unsaved=st.booleans(),
)


@given(st.lists(candidates, unique_by=lambda one: one.run.id), wishes)
def test_whatever_is_taken_satisfies_every_rule(
    runs: list[CleanupCandidate], wish: CleanupFilter
) -> None:
    found = plan(runs, wish, NOW)
    known = {one.run.id: one for one in runs}
    for item in found.take:
        one = known[item.run]
        assert one.run.status in FINISHED
        assert one.run.workspace
        assert one.run.workspace.kind is not WorkspaceKind.IN_PLACE
        assert not one.unsaved or wish.including_unsaved or wish.artefacts_only
        assert (one.run.finished_at or 0) <= NOW - wish.older_than_s
        assert not wish.statuses or one.run.status in wish.statuses
        newer = [
            o for o in runs if o.run.spec.project == one.run.spec.project and o.run.id > item.run
        ]
        assert len(newer) >= wish.keep
    assert len({item.run for item in (*found.take, *found.keep)}) == len(found.take + found.keep)
