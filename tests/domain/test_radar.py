"""Which runs change the same files, kept current event by event."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.domain.lifecycle import FINISHED
from engine.domain.model import Applied, Run, RunSpec, Status, Workspace, WorkspaceKind
from engine.domain.projection import View
from engine.domain.radar import RECENT_S, Overlap, OverlapDetector

S = Status
SPEC = RunSpec("prompt", "title", "project")


def run(
    name: str,
    source: str | None,
    *paths: str,
    status: Status = S.RUNNING,
    at: float = 0.0,
    applied: int | None = None,
) -> Run:
    """A run that has changed these files, and has a checkpoint 1."""
    return Run(
        name,
        SPEC,
        0.0,
        status,
        seq=int(at),
        touched=paths,
        workspace=Workspace(f"/w/{name}", WorkspaceKind.WORKTREE, source),
        last_event_at=at,
        finished_at=at if status in FINISHED else None,
        checkpoint=1,
        applied=(applied and Applied("edits", "/s", 1, applied, at)) or None,
    )


def test_pairs_of_one_source_with_shared_paths() -> None:
    radar = OverlapDetector()
    assert radar.update(run("r3", "/s", "a", "b")) == set()
    assert radar.update(run("r1", "/s", "b", "a", "c")) == {"r1", "r3"}
    assert radar.update(run("r2", "/s", "c")) == {"r1", "r2"}
    for name, source in (("r4", "/other"), ("r5", None), ("r6", None)):
        assert radar.update(run(name, source, "a")) == set()
    assert radar.overlaps("r1") == [Overlap("r2", ("c",)), Overlap("r3", ("a", "b"))]
    assert radar.overlaps("r4") == []
    assert radar.update(run("r1", "/s", "b")) == {"r1", "r2", "r3"}
    assert radar.overlaps("r1") == [Overlap("r3", ("b",))]
    assert radar.update(run("r1", "/s", "b")) == set()


def test_what_has_ended_counts_until_it_is_applied_or_old() -> None:
    radar = OverlapDetector()
    radar.update(run("r1", "/s", "a", status=S.SUCCEEDED, at=10))
    radar.update(run("r2", "/s", "a", at=20))
    assert radar.count("r2") == 1
    # Of what was applied, more came since.
    radar.update(run("r1", "/s", "a", status=S.SUCCEEDED, at=30, applied=0))
    assert radar.count("r2") == 1
    radar.update(run("r1", "/s", "a", status=S.SUCCEEDED, at=30, applied=1))
    assert radar.count("r2") == 0
    radar.update(run("r3", "/s", "a", status=S.CANCELLED, at=30))
    radar.update(run("r4", "/s", "a", status=S.FAILED, at=40))
    assert [one.run for one in radar.overlaps("r2")] == ["r4"]
    assert radar.update(run("r5", "/t", "x", at=41 + RECENT_S)) == {"r2", "r4"}
    assert radar.count("r2") == 0
    radar.update(run("r6", "/s", "a", status=S.SUCCEEDED, at=30))
    assert radar.count("r2") == 0


def test_a_view_tells_every_run_that_looks_different() -> None:
    view = View([run("r1", "/s", "a", at=1), run("r2", "/s", "a", at=2)])
    assert [view.runs[name].overlaps for name in ("r1", "r2")] == [1, 1]
    assert view.put(run("r2", "/s", "b", at=3)) == {"r1", "r2"}
    assert [view.runs[name].overlaps for name in ("r1", "r2")] == [0, 0]


steps = st.lists(
    st.tuples(
        st.sampled_from("1234"),
        st.sampled_from([None, "/s", "/t"]),
        st.sets(st.sampled_from("xyz")),
        st.sampled_from([S.RUNNING, S.SUCCEEDED, S.CANCELLED]),
        st.sampled_from([None, 1]),
    ),
    max_size=12,
)


@given(steps)
def test_step_by_step_it_knows_what_a_look_at_all_would_find(
    told: list[tuple[str, str | None, set[str], Status, int | None]],
) -> None:
    radar, now = OverlapDetector(), dict[str, Run]()
    before: dict[str, list[Overlap]] = {}
    for at, (name, source, paths, status, applied) in enumerate(told, start=1):
        now[name] = run(name, source, *paths, status=status, at=at, applied=applied)
        changed = radar.update(now[name])
        found = {name: radar.overlaps(name) for name in now}
        assert changed >= {name for name in now if found[name] != before.get(name, [])}
        before = found
    counts = {
        name: one
        for name, one in now.items()
        if one.status is S.RUNNING or (one.status is S.SUCCEEDED and not one.is_applied)
    }
    for name, one in now.items():
        wanted = [
            Overlap(other, tuple(sorted(shared)))
            for other, two in sorted(counts.items())
            if name in counts and other != name
            if source_of(one) == source_of(two) is not None
            if (shared := set(one.touched) & set(two.touched))
        ]
        assert radar.overlaps(name) == wanted


def source_of(one: Run) -> str | None:
    assert one.workspace
    return one.workspace.source
