"""Overlaps of runs, kept current event by event."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from engine.domain.changed_lines import FileLines, parse_hunks, share_lines
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


class Learning(OverlapDetector):
    """A detector that knows at once that a run changes all lines of its files."""

    def update(self, run: Run) -> set[str]:
        lines = {path: FileLines("base") for path in run.touched}
        return super().update(run) | self.learn(run.id, run.checkpoint or 0, lines)


def test_pairs_of_one_source_with_shared_paths() -> None:
    radar = Learning()
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
    radar = Learning()
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
    assert view.runs["r1"].overlaps == 0  # the same file is not enough
    lines = {"a": FileLines("base", ((1, 3),))}
    assert view.learn_lines("r1", 1, lines) == set()
    assert view.learn_lines("r2", 1, lines) == {"r1", "r2"}
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
    radar, now = Learning(), dict[str, Run]()
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


def copy_of(name: str, batch: str | None, prompt: str = "prompt") -> Run:
    made = run(name, "/s", "a")
    made.spec = RunSpec(prompt, "title", "project", batch=batch)
    return made


def test_copies_of_one_batch_task_never_overlap() -> None:
    radar = Learning()
    for one in (copy_of("r1", "b"), copy_of("r2", "b"), copy_of("r3", "b", "another")):
        radar.update(one)
    radar.update(copy_of("r4", "c"))
    radar.update(copy_of("r5", None))
    others = {name: [one.run for one in radar.overlaps(name)] for name in ("r1", "r5")}
    assert others == {"r1": ["r3", "r4", "r5"], "r5": ["r1", "r2", "r3", "r4"]}


def test_a_copy_with_another_prompt_is_no_copy_any_more() -> None:
    radar = Learning()
    for one in (copy_of("r1", "b"), copy_of("r2", "b")):
        radar.update(one)
    assert radar.update(copy_of("r2", "b", "edited")) == {"r1", "r2"}
    assert [one.run for one in radar.overlaps("r1")] == ["r2"]
    assert radar.update(copy_of("r2", "b")) == {"r1", "r2"}
    assert radar.count("r1") == radar.count("r2") == 0


def test_copies_are_candidates_as_soon_as_another_run_changes_their_file() -> None:
    radar = OverlapDetector()
    for one in (copy_of("r1", "b"), copy_of("r2", "b")):
        radar.update(one)
    assert radar.candidates() == {}
    radar.update(copy_of("r3", None))
    assert radar.candidates() == {name: (1, frozenset("a")) for name in ("r1", "r2", "r3")}


def test_many_runs_that_change_one_file_take_memory_by_the_run_not_by_the_pair() -> None:
    tracemalloc.start()
    try:
        radar = Learning()
        for number in range(60):
            radar.update(run(f"r{number}", "/s", "CHANGELOG.md"))
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert radar.count("r0") == 59
    assert taken < 2**19


def test_lines_are_asked_for_once_a_checkpoint_and_only_of_candidates() -> None:
    radar = OverlapDetector()
    for one in (run("r1", "/s", "a", "b"), run("r2", "/s", "a"), run("r3", "/s", "c")):
        radar.update(one)
    wanted = {name: (1, frozenset("a")) for name in ("r1", "r2")}
    assert radar.candidates() == wanted
    radar.learn("r1", 1, {})
    assert radar.candidates() == {"r2": wanted["r2"]}
    later = run("r1", "/s", "a")
    later.checkpoint = 2
    radar.update(later)
    assert radar.candidates() == {"r1": (2, frozenset("a")), "r2": wanted["r2"]}


RANGES = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 3)), min_size=1, max_size=3)


@given(RANGES, RANGES)
def test_runs_share_lines_exactly_where_their_ranges_meet(
    one: list[tuple[int, int]], two: list[tuple[int, int]]
) -> None:
    def cells(found: list[tuple[int, int]]) -> set[float]:
        """Lines as whole numbers, the place before line 3 as 2.5, and those inside of a range."""
        places = set[float]()
        for first, count in found:
            inside = [first + n / 2 for n in range(2 * count - 1)] if count else [first - 0.5]
            places |= set(inside)
        return places

    lines = [
        FileLines("x", tuple((first, first + count) for first, count in found))
        for found in (one, two)
    ]
    assert share_lines(*lines) == bool(cells(one) & cells(two))
    assert not share_lines(lines[0], FileLines("y", lines[1].ranges))


def test_hunks_are_read_in_lines_of_the_base() -> None:
    patch = b"--- a\n+++ b\n@@ -3 +3 @@ def f\n@@ -7,2 +7,0 @@\n@@ -9,0 +8,4 @@\n"
    assert parse_hunks(patch.split(b"\n")) == ((3, 4), (7, 9), (10, 10))
    assert parse_hunks([b"Binary files a and b differ"])[0][0] == 1
