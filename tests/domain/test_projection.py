"""One fold for live, replay and the command line: they cannot tell different stories."""

from __future__ import annotations

import asyncio
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from run_streams import SPEC, streams

from engine.domain.activity import activity, clock, elapsed_s, ordinal
from engine.domain.events import (
    Body,
    ChangesMeasured,
    CheckpointTaken,
    Event,
    FileChange,
    Notice,
    Progressed,
    StatusChanged,
    Step,
)
from engine.domain.model import Applied, ErrorInfo, Run, Stage, Status
from engine.domain.projection import View, fold
from engine.domain.reasons import Cause, Subject
from engine.domain.stamp import stamp
from engine.store.appending import AppendRequest
from engine.store.store import open_store


def stamped(stream: list[Body], name: str = "a") -> tuple[Run, list[Event]]:
    """The run as it was made, and its events, a second apart."""
    made = run = Run(name, SPEC, 100.0)
    events: list[Event] = []
    for number, body in enumerate(stream):
        more, run = stamp(run, [body], 100.0 + number)
        events += more
    return made, events


@given(streams(), st.data())
def test_any_batches_fold_to_the_same_run(stream: list[Body], data: st.DataObject) -> None:
    made, events = stamped(stream)
    run, place = made, 0
    while place < len(events):
        size = data.draw(st.integers(1, len(events)))
        again = data.draw(st.integers(0, place))  # what is known already is told once more
        run = fold(run, events[again : place + size])
        place += size
    assert run == fold(made, events)


@given(streams(), streams(), st.randoms())
def test_a_view_folds_interleaved_runs_each_by_itself(one, other, random) -> None:
    made, events = zip(stamped(one, "a"), stamped(other, "b"), strict=True)
    view, waiting = View(made), [list(events[0]), list(events[1])]
    while any(waiting):
        source = random.choice([left for left in waiting if left])
        view.apply([source.pop(0) for _ in range(random.randint(1, len(source)))])
    assert view.runs == {run.id: fold(run, told) for run, told in zip(made, events, strict=True)}
    assert view.live == {id for id, run in view.runs.items() if run.finished_at is None}


@given(streams())
@settings(max_examples=25, deadline=None)
def test_the_store_holds_what_the_fold_gives(stream: list[Body]) -> None:
    async def keep(path: Path) -> None:
        async with open_store(path) as store:
            run = next(iter((await store.create(SPEC, [])).runs.values()))
            for body in stream[1:]:
                await store.append([AppendRequest(run.id, [body])])
        async with open_store(path) as store:
            (stored,) = await store.runs()
            told = await store.events(run.id)
        assert [event.seq for event in told] == list(range(1, len(stream) + 1))
        assert fold(Run(run.id, SPEC, run.created_at), told) == stored

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(keep(Path(folder) / "swarm.db"))


@given(streams())
def test_percent_never_goes_back_within_an_attempt(stream: list[Body]) -> None:
    run, events = stamped(stream)
    seen = [(run.attempt, run.percent)]
    for event in events:
        run = fold(run, [event])
        seen.append((run.attempt, run.percent))
    assert all(a[0] < b[0] or a[1] <= b[1] for a, b in pairwise(seen))


@given(streams())
def test_the_run_that_was_given_stays_as_it_was(stream: list[Body]) -> None:
    made, events = stamped(stream)
    before = repr(made)
    fold(made, events)
    assert repr(made) == before


def test_a_view_skips_events_of_runs_it_does_not_know() -> None:
    _, events = stamped([StatusChanged(Status.QUEUED)])
    assert View().apply(events) == set()


def test_a_view_keeps_what_it_knows_better() -> None:
    made, events = stamped([StatusChanged(Status.QUEUED), Notice("info", "later")])
    view = View([fold(made, events)])
    view.put(fold(made, events[:1]))
    assert view.runs["a"].notice == "later"


def test_the_queue_is_in_the_order_of_asking() -> None:
    early, late = Run("b", SPEC, 1.0, queued_at=1.0), Run("a", SPEC, 2.0, queued_at=2.0)
    assert [run.id for run in View([late, early]).queue()] == ["b", "a"]


def test_a_new_attempt_starts_from_nothing() -> None:
    error = ErrorInfo("AGENT_CRASHED", "It crashed.", "Retry.", "docs")
    run = Run(
        "a", SPEC, 1.0, Status.FAILED, "AGENT_CRASHED", 7, percent=60, error=error, exit_code=1,
        started_at=1.0, finished_at=2.0, thread_id="t", notice="n",
    )  # fmt: skip
    _, run = stamp(run, [StatusChanged(Status.QUEUED, cause=Cause.RETRY)], 3.0)
    assert (run.attempt, run.percent, run.error, run.exit_code) == (2, 0, None, None)
    assert (run.started_at, run.finished_at, run.notice, run.stage) == (None, None, "", None)
    assert run.queued_at == 3.0
    assert run.thread_id == "t"


# Activity, in words

COMMAND = Step("tool", "command", "started", "pytest -q")
FILES = tuple(FileChange(name, "modified") for name in "abc")


def working(*bodies: Body, at: float = 100.0) -> Run:
    ways = [StatusChanged(Status(status)) for status in ("queued", "preparing", "running")]
    _, run = stamp(Run("a", SPEC, at), [*ways, *bodies], at)
    return run


def words(run: Run, after_s: float = 0) -> str:
    return activity(run, 100.0 + after_s)


@pytest.mark.parametrize(
    ("body", "after_s", "said"),
    [
        (COMMAND, 42, "running `pytest -q` for 0:42"),
        (COMMAND, 3723, "running `pytest -q` for 1:02:03"),
        (Step("tool", "file_change", "started", "a", changes=FILES), 1, "editing 3 files"),
        (Step("tool", "file_change", "started", "a", changes=FILES[:1]), 1, "editing 1 file"),
        (Step("tool", "web_search", "started", "x"), 1, "searching the web"),
        (Step("tool", "mcp", "started", "docs.find"), 1, "using docs.find"),
        (Step("reasoning", "message", "completed", "hm"), 1, "thinking"),
        (Step("reasoning", "message", "completed", "hm"), 130, "silent for 2:10"),
        (
            Notice("warning", "waiting for network (down)", subject=Subject.NETWORK),
            5,
            "waiting for network",
        ),
    ],
)
def test_a_running_run_says_what_it_does(body: Body, after_s: float, said: str) -> None:
    assert words(working(body), after_s) == said


def test_what_is_done_is_not_said_to_go_on() -> None:
    assert words(working(COMMAND, Step("tool", "command", "completed", "pytest -q"))) == "thinking"


def test_of_two_things_at_once_the_open_one_counts() -> None:
    run = working(COMMAND, COMMAND, Step("tool", "command", "completed", "ls"))
    assert words(run, 3) == "running `pytest -q` for 0:03"


def test_the_first_word_of_a_run_is_that_it_thinks() -> None:
    assert words(working()) == "thinking"


def test_a_queued_run_says_its_place() -> None:
    assert activity(Run("a", SPEC, 1.0), 2.0, 3) == "waiting for a slot (3rd)"
    assert activity(Run("a", SPEC, 1.0), 2.0) == "waiting for a slot"


def test_a_run_being_cancelled_says_since_when() -> None:
    assert words(working(StatusChanged(Status.CANCELLING)), 4) == "stopping for 0:04"


def test_a_preparing_run_says_its_stage() -> None:
    queued = [StatusChanged(Status.QUEUED), StatusChanged(Status.PREPARING)]
    _, run = stamp(Run("a", SPEC, 1.0), queued, 1.0)
    assert activity(run, 2.0) == "preparing the workspace"
    _, run = stamp(run, [Progressed(Stage.WORKSPACE_PREP, "copying", 0)], 1.0)
    assert activity(run, 2.0) == "copying"


@pytest.mark.parametrize(
    ("number", "said"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (21, "21st"),
     (112, "112th"), (123, "123rd")],
)  # fmt: skip
def test_places_are_said_as_people_say_them(number: int, said: str) -> None:
    assert ordinal(number) == said


@given(st.floats(allow_nan=False, allow_infinity=False, max_value=1e9))
def test_a_clock_is_never_negative(seconds: float) -> None:
    assert not clock(seconds).startswith("-")


def test_elapsed_time_stands_still_at_the_end() -> None:
    run = Run("a", SPEC, 1.0, started_at=10.0)
    assert elapsed_s(run, 12.5) == 2.5
    run.finished_at = 11.0
    assert elapsed_s(run, 99.0) == 1.0
    assert elapsed_s(run, 5.0) == 1.0
    assert elapsed_s(Run("a", SPEC, 1.0), 99.0) == 0.0


def test_what_was_applied_is_known_until_there_is_more() -> None:
    applied = Applied("edits", "/s", 1, 1, 5.0)
    place = {"path": "/w/1", "kind": "copy", "source": "/s"}
    bodies = [
        Progressed(Stage.WORKSPACE_CLONED, "ready", 20, place),
        ChangesMeasured(1, 2, 0, ("a",)),
        CheckpointTaken(1, "executing", "ref"),
    ]
    _, run = stamp(Run("abc", SPEC, 0.0, Status.RUNNING), bodies, 1.0)
    assert (run.touched, run.is_applied) == (("a",), False)
    _, run = stamp(run, [Notice("info", "applied", applied), ChangesMeasured(1, 3, 0)], 2.0)
    assert (run.touched, run.is_applied, run.applied) == (("a",), True, applied)
    _, more = stamp(run, [CheckpointTaken(2, "executing", "ref")], 3.0)
    assert (more.is_applied, more.applied) == (False, applied)
    fresh = Progressed(Stage.WORKSPACE_CLONED, "ready", 20, place | {"path": "/w/2"})
    _, anew = stamp(run, [fresh], 4.0)
    assert (anew.touched, anew.applied) == ((), None)
