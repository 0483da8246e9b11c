"""Filtering and sorting the list of runs, by function and by key."""

from __future__ import annotations

import pytest
from fake_engine import (
    WIDE,
    FakeEngine,
    S,
    app_on,
    chosen,
    four_runs,
    listed,
    shown,
    until,
)
from textual.pilot import Pilot

from tui.models.grouped_runs import GroupedRuns
from tui.models.list_options import ListOptions, SortOrder


@pytest.fixture
def engine() -> FakeEngine:
    return four_runs()


async def test_the_filter_works_while_it_is_typed(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("slash", *"the")
        await pilot.pause()
        assert listed(app) == ["b2", "c3", "a1"]
        await pilot.press("space", *"!status:fail")
        await pilot.pause()
        assert listed(app) == ["c3", "a1"]
        assert "Runs 2 of 4" in shown(app)
        await pilot.press("enter", "j")
        assert chosen(app) == "a1"
        engine.pass_through("c3", S.FAILED)
        await until(pilot, lambda: listed(app) == ["a1"])
        await pilot.press("escape")
        await pilot.pause()
        assert len(listed(app)) == 4


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "bcda"),
        ("THE", "bca"),
        ("the fix", "b"),
        ("!the", "d"),
        ("status:failed", "b"),
        ("project:parser", "b"),
        ("!project:parser !status:queued", "ca"),
        ("agent:sim", "c"),
        ("nothing", ""),
        ("!", "bcda"),
        ("c3", "c"),
        ("other:x", ""),
    ],
)
def test_filter(engine: FakeEngine, text: str, found: str) -> None:
    runs = GroupedRuns(ListOptions(text=text), engine.view.runs, engine.now)
    assert [run_id[0] for run_id in runs.ids()] == list(found)


def test_sort(engine: FakeEngine) -> None:
    def order(sort: SortOrder, *, is_reversed: bool = False) -> str:
        selection = ListOptions(sort=sort, is_reversed=is_reversed)
        runs = GroupedRuns(selection, engine.view.runs, engine.now)
        return "".join(run_id[0] for run_id in runs.ids())

    assert order(SortOrder.URGENCY) == "bcda"
    assert order(SortOrder.NEWEST) == "dcba"
    assert order(SortOrder.NEWEST, is_reversed=True) == "abcd"
    assert order(SortOrder.TITLE) == "bcda"
    assert order(SortOrder.STATUS) == "bcda"
    assert order(SortOrder.ELAPSED)[0] == "c"


async def test_sort_reverse_and_only_what_needs_me(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("s", "s")
        assert listed(app) == ["b2", "c3", "d4", "a1"]
        await pilot.press("S")
        assert listed(app) == ["a1", "d4", "c3", "b2"]
        assert "by status, reversed" in shown(app)
        await pilot.press("w")
        assert listed(app) == ["b2"]
        await until_and_retry(pilot, engine)
        assert listed(app) == []
        assert "Nothing needs you" in shown(app)


async def until_and_retry(pilot: Pilot[None], engine: FakeEngine) -> None:
    await pilot.press("r")
    await until(pilot, lambda: engine.view.runs["b2"].status is S.QUEUED)
