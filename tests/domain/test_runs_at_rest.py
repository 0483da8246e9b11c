"""Runs at rest: they read like all others, in a tenth of the memory, and wake where they change."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from copy import copy
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from run_streams import streams
from support import quick, settled, spec

from engine.config.paths import Paths
from engine.domain import lifecycle, projection
from engine.domain.annotation import Annotation
from engine.domain.events import Body, Event, StatusChanged
from engine.domain.model import Applied, LimitWindow, Run, RunSpec, Status, Workspace
from engine.domain.model import WorkspaceKind as Kind
from engine.domain.projection import View, fold
from engine.domain.pull_request import PullRequestSeen, PullRequestState
from engine.domain.stamp import stamp
from engine.engine import Engine
from engine.store import codec, reading, resting
from tui.models.filters import STATES
from tui.models.grouped_runs import GroupedRuns
from tui.models.list_options import Grouping, ListOptions, SortOrder
from tui.models.run_standings import RunCounts
from tui.services.alerts import AlertTracker

FIELDS = [one.name for one in fields(Run)]
ASKED = [name for name, one in vars(Run).items() if isinstance(one, property)]
OF_SPEC = [one.name for one in fields(RunSpec)] + ["searched_prompt"]
ENDS = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.INTERRUPTED)


def ended(number: int) -> Run:
    """A run that ended, different from its neighbours in all that lists look at."""
    wish = replace(
        RunSpec(f"Do\n“{number}” Ünïcode", f"Task {number}", f"project-{number % 3}"),
        batch=f"b{number % 2}" if number % 5 == 0 else None,
        model="o3" if number % 3 else None,
        template="fix" if number % 4 == 0 else None,
        ancestors=("run-000",) if number % 7 == 3 else (),
        parent="run-000" if number % 7 == 3 else None,
    )
    run = Run(f"run-{number:03}", wish, 100.0 + number, ENDS[number % 4], seq=number + 1)
    run.started_at, run.finished_at = run.created_at + 1, run.created_at + 2.5 * number
    run.last_event_at, run.skipped_s = run.finished_at, 0.5 * (number % 2)
    run.usage = replace(run.usage, input=100 * number, output=number)
    run.changes = replace(run.changes, files=number % 2, insertions=number % 2)
    run.checkpoint, run.uncheckpointed = 1 + number % 2, number % 9 == 8
    run.applied = Applied("edits", "/", 1, 1, 5.0) if number % 3 == 0 else None
    run.workspace = Workspace("/w", (Kind.COPY, Kind.IN_PLACE)[number % 11 == 10], host="local")
    run.host = "node-1" if number % 6 == 5 else ""
    run.baseline = number % 8 != 7
    run.tags = ("slow", "ci") if number % 4 == 1 else ()
    run.is_archived, run.is_dismissed = number % 13 == 12, number % 10 == 9
    run.limits = (LimitWindow("primary", 10.0 + number, 300, None),) if number % 2 else ()
    run.pull_request = PullRequestSeen("https://x/pull/1", 1, PullRequestState.OPEN)
    run.account = "work" if number % 4 == 2 else ""
    run.reason, run.message, run.touched = f"reason {number}", f"said {number}", ("a", "b")
    return run


def rows(runs: Iterable[Run]) -> list[resting.RunRow]:
    return [(codec.spec_text(run.spec), codec.state_text(run), run.id) for run in runs]


def assert_reads_alike(one: Run, whole: Run) -> None:
    for name in FIELDS + ASKED:
        assert getattr(one, name) == getattr(whole, name), name
    for name in OF_SPEC:
        assert getattr(one.spec, name) == getattr(whole.spec, name), name
    assert one == whole
    assert whole == one
    assert one.spec == whole.spec


def test_a_run_at_rest_reads_like_the_whole_one() -> None:
    runs = [ended(number) for number in range(40)]
    found = resting.put_to_rest(runs)
    assert all(map(resting.is_at_rest, found))
    for one, whole in zip(found, runs, strict=True):
        assert_reads_alike(one, whole)


@given(streams())
@settings(max_examples=30, deadline=None)
def test_so_does_any_run_whatever_happened_in_it(stream: list[Body]) -> None:
    run = Run("a", RunSpec("do it", "a title", "a project"), 100.0)
    for number, body in enumerate(stream):
        run = stamp(run, [body], 100.0 + number)[1]
    (found,) = resting.put_to_rest([run])
    assert resting.is_at_rest(found) is (run.status in lifecycle.FINISHED)
    assert_reads_alike(found, run)


def test_what_is_made_of_it_is_whole() -> None:
    run = ended(3)
    (found,) = resting.put_to_rest([run])
    found.overlaps = 2
    for made in (copy(found), replace(found), fold(found, ())):
        assert type(made) is Run
        assert made == replace(run, overlaps=2)
    assert type(replace(found.spec, title="other")) is RunSpec
    again = resting.put_to_rest([replace(found, note="a word")])[0]
    assert_reads_alike(again, replace(run, overlaps=2, note="a word"))


def test_a_row_that_cannot_be_read_costs_no_other_run() -> None:
    good = rows(ended(number) for number in range(6))
    spec_, state, id = good[2]
    live = replace(ended(8), status=Status.RUNNING)
    odd: list[Any] = [
        (spec_, "none", id),
        (spec_, "", id),
        ("[", state, id),
        ("{}", state, id),
        (spec_.replace('"Task 2"', "7"), state, id),
        (spec_, state.replace('"succeeded"', '"unheard-of"').replace('"cancelled"', '"odd"'), id),
        (spec_, state.replace(id, "another"), id),
        (spec_, state.replace("{", "{\n", 1), id),
        (spec_, b"\xff\x00", id),
        (spec_, f'{state[:-1]},"unknown":{"[" * 100_000}', id),
        (f'{spec_[:-1]},"unknown":{"[" * 100_000}', state, id),
        *rows([live]),
    ]
    found = resting.at_rest([good[0], *odd, good[1]])
    assert [resting.is_at_rest(run) for run in found] == [True, *[False] * len(odd), True]
    assert found[1:-1] == codec.runs_from(odd)
    assert_reads_alike(found[-1], ended(1))


def test_lists_alerts_and_counts_take_both_alike() -> None:
    whole = {run.id: run for run in map(ended, range(90))}
    found = dict(zip(whole, resting.put_to_rest(list(whole.values())), strict=True))
    texts = [
        "",
        "task 1",
        "ünï",
        "!task",
        "project:-1",
        "cause:reason",
        "tag:ci",
        "batch:b",
        "pr:open",
    ]
    texts += ["model:o3", "account:work", "on:node", "parent:run-000", "template:fix"]
    options = [ListOptions(text) for text in texts + [f"is:{state}" for state in STATES]]
    options += [ListOptions(sort=sort) for sort in SortOrder]
    options += [ListOptions(grouping=grouping) for grouping in Grouping]
    options += [ListOptions(needs_you=True), ListOptions(is_reversed=True)]
    for option in options:
        one, other = GroupedRuns(option, whole, 9e3), GroupedRuns(option, found, 9e3)
        assert list(one.ids()) == list(other.ids()), option
        assert figures(one) == figures(other), option
    counts = RunCounts(), RunCounts()
    for count, runs in zip(counts, (whole, found), strict=True):
        count.count_all(runs)
    assert counts[0].kinds == counts[1].kinds
    assert counts[0].limits._windows == counts[1].limits._windows  # pyright: ignore[reportPrivateUsage]  what no port shows
    trackers = AlertTracker(), AlertTracker()
    assert trackers[0].hear(whole, whole, (), None) == trackers[1].hear(found, found, (), None)


def figures(arranged: GroupedRuns) -> list[object]:
    groups = arranged._groups.values()  # pyright: ignore[reportPrivateUsage]  what no port shows
    return [
        (one.name, one.keys, one.statuses, one.percent, one.tokens, one.took_s) for one in groups
    ]


# A view


def resting_view() -> View:
    view = View()
    view.rest = resting.put_to_rest
    return view


def put_all(view: View, runs: Sequence[Run]) -> None:
    for run in runs:
        view.put(run)


def test_a_view_holds_few_runs_whole_however_many_have_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(projection, "WHOLE", 10)
    view = resting_view()
    live = replace(ended(500), status=Status.RUNNING, finished_at=None)
    put_all(view, [live, *(ended(number) for number in range(400))])
    whole = [run for run in view.runs.values() if not resting.is_at_rest(run)]
    assert live in whole
    assert len(whole) <= 1 + 10 + projection.AT_REST
    resting._whole.cache_clear()  # pyright: ignore[reportPrivateUsage]  decoded by this test
    del whole
    gc.collect()
    ours = {run.id for run in view.runs.values()}
    held = [one for one in gc.get_objects() if type(one) is Run and one.id in ours]
    assert len(held) <= 1 + 10 + projection.AT_REST
    assert not view.radar._checkpoints.keys() - {one.id for one in held}  # pyright: ignore[reportPrivateUsage]  kept by run


def test_a_run_that_wakes_is_whole_and_rests_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "WHOLE", 0)
    monkeypatch.setattr(projection, "AT_REST", 1)
    view = resting_view()
    run = ended(0)
    view.put(run)
    assert resting.is_at_rest(view.runs[run.id])
    _, events = told(view, run.id, Annotation(note="look"))
    view.apply(events)
    assert resting.is_at_rest(view.runs[run.id])
    assert view.runs[run.id].note == "look"
    view.apply(told(view, run.id, StatusChanged(Status.QUEUED, run.status))[1])
    assert type(view.runs[run.id]) is Run
    assert view.live == {run.id}
    view.apply(told(view, run.id, StatusChanged(Status.CANCELLED, Status.QUEUED))[1])
    assert resting.is_at_rest(view.runs[run.id])
    view.remove([run.id], 1e4)
    assert run.id not in view.runs
    assert view.runs[run.id].note == "look"  # a caller that still holds its id


def told(view: View, run: str, body: Body) -> tuple[Run, list[Event]]:
    events, after = stamp(view.runs[run], [body], 1e4)
    return after, list(events)


def test_what_cannot_be_put_to_rest_stays_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "WHOLE", 0)
    monkeypatch.setattr(projection, "AT_REST", 1)

    def fails(_: Sequence[Run]) -> Sequence[Run]:
        raise ValueError

    view = View()
    view.rest = fails
    with pytest.raises(ValueError):  # the journal records it
        view.put(ended(1))
    assert view.runs == {ended(1).id: ended(1)}
    view.rest = resting.put_to_rest
    view.put(ended(2))
    assert resting.is_at_rest(view.runs[ended(2).id])


# An engine


async def test_an_engine_opens_a_home_with_old_runs_at_rest_and_works_on_them(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection, "WHOLE", 2)
    monkeypatch.setattr(reading, "WHOLE", 2)
    async with Engine.open(paths, quick()) as engine:
        ids = [(await engine.start(spec(f"say {number}"))).id for number in range(7)]
        for run in ids[:-1]:
            await engine.cancel(run)
    with closing(sqlite3.connect(paths.database, isolation_level=None)) as database:
        odd = "UPDATE runs SET state = json_set(state, '$.percent', 'x') WHERE id = ?"
        database.execute(odd, (ids[1],))
        nested = "UPDATE runs SET state = substr(state, 1, length(state) - 1) || ? WHERE id = ?"
        database.execute(nested, (f',"unknown":{"[" * 100_000}', ids[4]))
        bits = """UPDATE runs SET state =
            CAST(replace(CAST(state AS BLOB), x'7b226964', x'7bff6964') AS TEXT) WHERE id = ?"""
        database.execute(bits, (ids[5],))
    async with Engine.open(paths, quick(), supervise=True) as engine:
        runs = engine.view.runs
        await settled(engine)
        assert [resting.is_at_rest(runs[run]) for run in ids[2:4]] == [True, True]
        assert sorted(runs) == sorted(ids)
        assert {runs[run].status for run in ids[:6]} == {Status.CANCELLED}
        await engine.annotations.note(ids[0], "an old one")
        await engine.retry(ids[2])
        await settled(engine)
        assert runs[ids[0]].note == "an old one"
        assert runs[ids[2]].status is Status.SUCCEEDED
        assert runs[ids[2]].attempt == 2
        await engine.forgetting.forget([ids[3]])
        assert ids[3] not in runs
        stored = {run.id: run for run in await engine.runs()}
        assert all(runs[run] == stored[run] for run in runs)
