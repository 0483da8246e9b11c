"""Runs that runs started in the dashboard: below their parent, in the details, and cancelled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from fake_engine import (
    NARROW,
    WIDE,
    FakeEngine,
    S,
    app_on,
    choose,
    painted,
    plain,
    screen_of,
    taken,
    until,
)
from textual.pilot import Pilot

from engine.domain.events import StatusChanged
from engine.domain.model import Run
from tui.app import SwarmApp
from tui.formatting import symbols
from tui.models.grouped_runs import GroupedRuns
from tui.models.list_options import Grouping, ListOptions, SortOrder
from tui.models.run_tree import run_tree


@pytest.fixture
def engine() -> FakeEngine:
    """A run with three runs below it, one of them on the second level, and two others."""
    made = FakeEngine()
    made.add("p1", "Split the release notes")
    made.pass_through("p1", S.PREPARING, S.RUNNING)
    made.add("a1", "Fix the parser", project="other")
    for run_id, title, parent in (
        ("c1", "Write the part about the store", "p1"),
        ("c2", "Review the notes", "p1"),
        ("g1", "Check each link of the part about the store", "c1"),
    ):
        made.add(run_id, title, parent=parent)
    made.pass_through("c1", S.PREPARING, S.RUNNING)
    made.add("b1", "Tidy up")
    return made


def listed(engine: FakeEngine, options: ListOptions) -> list[tuple[str, int]]:
    runs = GroupedRuns(options, engine.view.runs, engine.now)
    return [(one, runs.depth_of(one)) for one in runs.ids()]


TREE = [("p1", 0), ("c1", 1), ("g1", 2), ("c2", 1)]


@pytest.mark.parametrize("sort", [SortOrder.NEWEST, SortOrder.URGENCY, SortOrder.TITLE])
@pytest.mark.parametrize("is_reversed", [False, True])
def test_children_follow_their_parent_in_every_order(
    engine: FakeEngine, sort: SortOrder, is_reversed: bool
) -> None:
    found = listed(engine, ListOptions(sort=sort, is_reversed=is_reversed))
    start = found.index(("p1", 0))
    assert sorted(found[start : start + 4]) == sorted(TREE)
    assert [one for one in found if one[0] in ("c1", "g1")] == [("c1", 1), ("g1", 2)]
    assert {one for one in found if not one[1]} == {("p1", 0), ("a1", 0), ("b1", 0)}


def test_family_stands_where_its_most_urgent_run_would(engine: FakeEngine) -> None:
    engine.pass_through("b1", S.PREPARING, S.RUNNING)
    assert [one for one, depth in listed(engine, ListOptions()) if not depth] == ["b1", "p1", "a1"]
    engine.pass_through("g1", S.PREPARING, S.RUNNING, S.FAILED)
    found = listed(engine, ListOptions())
    assert found[:3] == [("p1", 0), ("c1", 1), ("g1", 2)]
    assert found[4:] == [("b1", 0), ("a1", 0)]
    by_need = listed(engine, ListOptions(needs_you=True))
    assert by_need == [("g1", 0)]


def test_run_whose_parent_is_not_shown_stands_below_the_next_one(engine: FakeEngine) -> None:
    assert listed(engine, ListOptions(text="store")) == [("c1", 0), ("g1", 1)]
    assert listed(engine, ListOptions(text="!about,the", sort=SortOrder.NEWEST))
    by_status = listed(engine, ListOptions(grouping=Grouping.STATUS))
    assert ("g1", 0) in by_status  # it is queued, and the run above it is not
    assert [one for one in by_status if one[0] in ("p1", "c1")] == [("p1", 0), ("c1", 1)]
    found = listed(engine, ListOptions(text="parent:p1"))
    assert found == [("c1", 0), ("g1", 1), ("c2", 0)]


def test_tree_of_a_list_keeps_its_order(engine: FakeEngine) -> None:
    newest: list[Run] = list(engine.view.runs.values())[::-1]
    assert [(run.id, depth) for run, depth in run_tree(newest)] == [
        ("b1", 0),
        ("a1", 0),
        ("p1", 0),
        ("c2", 1),
        ("c1", 1),
        ("g1", 2),
    ]


async def test_children_that_come_and_go_are_drawn_below_their_parent(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "p1")
        text = plain(app)
        assert "└ Write the part" in text
        assert "└ Check each link" in text
        engine.add("n1", "Translate the notes", parent="c1")
        await taken(pilot)
        assert "└ Translate the notes" in plain(app)
        assert screen_of(app).panes.run_list.cursor_run == "p1"
        await pilot.press("j", "space", "space")  # each goes on to the next
        assert screen_of(app).panes.run_list.marks.ids == {"c1", "g1"}


@pytest.mark.parametrize(
    ("keys", "asked"),
    [
        ("xx", [("cancel", "p1")]),
        ("xc", [("cancel", one) for one in ("p1", "c1", "c2", "g1")]),
        ("XX", [("kill", "p1")]),
        ("Xc", [("kill", one) for one in ("p1", "c1", "c2", "g1")]),
    ],
)
async def test_cancel_of_a_parent_offers_its_children(
    engine: FakeEngine, keys: str, asked: list[tuple[str, str]]
) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await choose(pilot, "p1")
        await pilot.press(keys[0])
        await pilot.pause()
        text = " ".join(plain(app).split())
        assert "[c] Also 3 runs below" in text
        assert engine.asked == []
        await pilot.press(keys[1])
        await until(pilot, lambda: len(engine.asked) == len(asked))
        assert engine.asked == asked


async def test_run_whose_children_have_ended_is_cancelled_at_once(engine: FakeEngine) -> None:
    engine.happen("g1", StatusChanged(S.CANCELLED))
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await choose(pilot, "c1")
        await pilot.press("x")
        await until(pilot, lambda: engine.asked == [("cancel", "c1")])


async def test_details_lead_to_parent_and_children(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c1")
        await pilot.press("i")
        await pilot.pause()
        text = plain(app)
        assert "p1 · Split the release notes" in text
        assert "1 run, 1 not ended" in text
        assert "g1 queued · Check each link" in text
        await pilot.press(*["down"] * 4, "enter")
        await until(pilot, lambda: screen_of(app).panes.run_list.cursor_run == "p1")
        assert app.screen is screen_of(app)


@pytest.fixture
def _same_everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One kind of terminal on all machines."""
    for name, value in (("TZ", "UTC"), ("LANG", "C.UTF-8"), ("TERM", "xterm-256color")):
        monkeypatch.setenv(name, value)
    for name in ("LC_ALL", "LC_CTYPE"):
        monkeypatch.delenv(name, raising=False)
    symbols.unicode_ok.cache_clear()
    time.tzset()
    yield
    monkeypatch.undo()
    symbols.unicode_ok.cache_clear()
    time.tzset()


async def _log_read(pilot: Pilot[None], text: str) -> None:
    """Wait until the log of the chosen run is drawn, where it is shown."""
    app = pilot.app
    assert isinstance(app, SwarmApp)
    if app.size.width > NARROW[0]:
        await until(pilot, lambda: text in plain(app))
    for _ in range(2):  # what a worker found is shown by a message
        while any(not worker.is_finished for worker in app.workers):
            await pilot.pause()
        await painted(pilot)


@pytest.mark.usefixtures("_same_everywhere")
@pytest.mark.parametrize("size", [(80, 24)], ids=["narrow"])
def test_tree_in_the_list(
    snap_compare: Callable[..., bool], engine: FakeEngine, size: tuple[int, int]
) -> None:
    async def prepare(pilot: Pilot[None]) -> None:
        await choose(pilot, "c1")
        await _log_read(pilot, "Please Write the part")

    assert snap_compare(app_on(engine), terminal_size=size, run_before=prepare)


@pytest.mark.usefixtures("_same_everywhere")
@pytest.mark.parametrize("size", [(160, 45), (80, 24)], ids=["wide", "narrow"])
def test_cancel_dialog_with_children(
    snap_compare: Callable[..., bool], engine: FakeEngine, size: tuple[int, int]
) -> None:
    async def prepare(pilot: Pilot[None]) -> None:
        await choose(pilot, "p1")
        await _log_read(pilot, "Please Split the release notes")
        await pilot.press("x")
        await painted(pilot)

    assert snap_compare(app_on(engine), terminal_size=size, run_before=prepare)
