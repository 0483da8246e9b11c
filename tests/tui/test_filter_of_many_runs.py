"""The filter of a long list: a key that is typed costs what it may change, not all runs again."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from engine.domain.model import Run, RunSpec, Status
from tui.models import filters, grouped_runs
from tui.models.filters import narrows
from tui.models.grouped_runs import GroupedRuns
from tui.models.list_options import Grouping, ListOptions, SortOrder

RUNS, FEW = 400, 7


@pytest.fixture
def runs() -> dict[str, Run]:
    return {
        f"r{number:03}": Run(
            f"r{number:03}",
            RunSpec("Work.", f"Task {'needle' if number < FEW else 'hay'} {number}", "project"),
            float(number),
            status=Status.FAILED if number % 5 == 0 else Status.SUCCEEDED,
            seq=3,
        )
        for number in range(RUNS)
    }


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the keys that are made, and the texts that are searched."""
    counts: Counter[str] = Counter()
    key, holds = ListOptions.key, filters._holds  # pyright: ignore[reportPrivateUsage]  what no port shows

    def made(self: ListOptions, run: Run, *rest: object) -> object:
        counts["key"] += 1
        return key(self, run, *rest)  # type: ignore[arg-type]  passed on as they came

    def held(run: Run, text: str) -> bool:
        counts["text"] += 1
        return holds(run, text)

    monkeypatch.setattr(grouped_runs.ListOptions, "key", made)
    monkeypatch.setattr(filters, "_holds", held)
    return counts


def _typed(runs: dict[str, Run], before: GroupedRuns, text: str) -> GroupedRuns:
    return GroupedRuns(replace(before.selection, text=text), runs, before=before)


def test_key_that_is_typed_costs_the_runs_that_matched_before(
    runs: dict[str, Run], work: Counter[str]
) -> None:
    shown = _typed(runs, GroupedRuns(ListOptions(), runs), "nee")
    work.clear()
    shown = _typed(runs, shown, "need")
    assert work == {"text": FEW}  # and no key is made again
    assert list(shown.ids()) == list(GroupedRuns(shown.selection, runs).ids())


def test_word_that_is_taken_back_makes_only_the_keys_of_runs_that_come_back(
    runs: dict[str, Run], work: Counter[str]
) -> None:
    shown = _typed(runs, GroupedRuns(ListOptions(), runs), "needle")
    work.clear()
    shown = _typed(runs, shown, "needl")
    assert work == {"text": RUNS}
    assert shown.run_count == FEW


@pytest.mark.parametrize("sort", SortOrder)
@pytest.mark.parametrize("grouping", [Grouping.NONE, Grouping.STATUS])
def test_list_after_typing_is_as_one_made_at_once(
    runs: dict[str, Run], sort: SortOrder, grouping: Grouping
) -> None:
    shown = GroupedRuns(ListOptions(sort=sort, grouping=grouping), runs)
    for text in ("t", "ta", "task", "task !hay", "task !hay 3", "task 3", "", "status:f", "task"):
        runs["r003"] = replace(runs["r003"], seq=runs["r003"].seq + 1, percent=len(text))
        shown.update(["r003"], 0.0)
        shown = _typed(runs, shown, text)
        fresh = GroupedRuns(shown.selection, runs)
        assert list(shown.ids()) == list(fresh.ids())
        assert len(shown) == len(fresh)


@pytest.mark.parametrize(
    ("before", "text", "is_so"),
    [
        ("ta", "tas", True),
        ("", "t", True),
        ("status:failed ta", "status:failed tas", True),
        ("ta", "ta x", True),
        ("ta", "ta !x", False),
        ("!ta", "!tas", False),
        ("status:failed", "status:failed,c", False),
        ("ta", "ta is:archived", False),
        ('"a', '"a b', False),
        ("tas", "ta", False),
        ("ta", "ta", False),
    ],
)
def test_only_a_plain_word_that_goes_on_narrows(before: str, text: str, is_so: bool) -> None:
    assert narrows(before, text) is is_so
