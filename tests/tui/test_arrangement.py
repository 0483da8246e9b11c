"""The order of runs, kept by moving what changed: the same as sorting all of them again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from engine.domain.errors import user_error
from engine.domain.model import Run, RunSpec, Status, Usage
from tui.models.grouped_runs import GroupedRuns, RunGroup
from tui.models.list_options import Grouping, ListOptions, SortOrder

NOW = 1_000.0


def a_run(number: int, chance: random.Random) -> Run:
    spec = RunSpec("p", chance.choice("abc"), chance.choice(["shop", "docs"]), batch="b")
    return changed(Run(f"r{number:03}", spec, NOW - number), chance)


def with_parent(run: Run, runs: dict[str, Run], chance: random.Random) -> Run:
    """Return a run, one of three below an earlier one, which may be forgotten."""
    if not runs or chance.randrange(3):
        return run
    above = chance.choice(list(runs.values()))
    family = (*above.spec.ancestors, above.id)
    return replace(run, spec=replace(run.spec, parent=above.id, ancestors=family))


def changed(run: Run, chance: random.Random) -> Run:
    now = Run(run.id, run.spec, run.created_at, status=chance.choice(list(Status)))
    now.percent, now.attempt = chance.randrange(3) * 20, chance.randrange(1, 3)
    now.usage, now.started_at = Usage(chance.randrange(3)), NOW - chance.randrange(5)
    now.error = user_error(chance.choice(["QUOTA_EXCEEDED", "RUN_STALLED"])).info
    return now


def lines(arrangement: GroupedRuns) -> Iterator[object]:
    for line in range(len(arrangement)):
        found = arrangement[line]
        if isinstance(found, RunGroup):
            yield found.name, len(found), dict(+found.statuses), found.percent, found.needy
        else:
            yield found


def depth_in(arrangement: GroupedRuns, line: int) -> int:
    """Return how many runs above the one on a line are shown in its group, and check their order.

    The nearest of them stands before it, with only runs of its family between them.
    """
    found = arrangement[line]
    assert isinstance(found, str)
    group = arrangement.group_of(found)
    above = [
        one
        for one in arrangement.runs[found].spec.ancestors
        if one in arrangement and arrangement.group_of(one) == group
    ]
    if above:
        start = arrangement.line_of(above[-1])
        assert start is not None
        assert start < line
        between = [arrangement[one] for one in range(start + 1, line)]
        assert all(above[-1] in arrangement.runs[str(one)].spec.ancestors for one in between)
    return len(above)


SELECTIONS = [
    *(ListOptions(sort=sort) for sort in SortOrder),
    *(ListOptions(sort=sort, is_reversed=True) for sort in (SortOrder.NEWEST, SortOrder.STATUS)),
    *(ListOptions(grouping=grouping) for grouping in Grouping),
    ListOptions(grouping=Grouping.PROJECT, sort=SortOrder.TITLE, is_reversed=True),
    ListOptions(text="status:failed,queued"),
    ListOptions(needs_you=True, grouping=Grouping.STATUS),
]


@pytest.mark.parametrize("selection", SELECTIONS, ids=str)
def test_what_is_kept_is_what_would_be_sorted_again(selection: ListOptions) -> None:
    chance = random.Random(7)
    runs: dict[str, Run] = {}
    kept = GroupedRuns(selection, runs, NOW, folded=["docs"])
    for number in range(30):
        runs[f"r{number:03}"] = with_parent(a_run(number, chance), runs, chance)
        kept.update([f"r{number:03}"], NOW)
    for _ in range(40):
        if not chance.randrange(20):
            gone = chance.choice(sorted(runs))
            del runs[gone]
            kept.update([gone], NOW)
        ids = chance.sample(sorted(runs), 3)
        runs.update((one, changed(runs[one], chance)) for one in ids)
        before = list(lines(kept))
        moved = kept.update([*ids, "unknown"], NOW)
        fresh = GroupedRuns(selection, runs, NOW, folded=["docs"])
        assert list(lines(kept)) == list(lines(fresh))
        ids_before = [one for one in before if isinstance(one, str)]
        assert moved or ids_before == [one for one in lines(kept) if isinstance(one, str)]
    assert list(kept.ids()) == list(fresh.ids())
    for line in range(len(kept)):
        found = kept[line]
        if isinstance(found, RunGroup):
            assert kept.heading_of(found.name) == line
            assert list(kept.ids_at(line)) == list(kept.ids_of(found))
        else:
            assert kept.line_of(found) == line
            assert kept.depth_of(found) == fresh.depth_of(found) == depth_in(kept, line)


@pytest.mark.parametrize("selection", SELECTIONS, ids=str)
def test_arranged_in_slices_the_lines_are_those_of_all_at_once(selection: ListOptions) -> None:
    chance = random.Random(11)
    runs: dict[str, Run] = {}
    for number in range(60):
        runs[f"r{number:03}"] = with_parent(a_run(number, chance), runs, chance)
    sliced = GroupedRuns(selection, runs, NOW, folded=["docs"], most=7, cursor="r005")
    assert not sliced.is_whole
    while not sliced.is_whole:
        sliced.add_more(5)
        ids = chance.sample(sorted(runs), 2)
        runs.update((one, changed(runs[one], chance)) for one in ids)
        if not chance.randrange(3):
            gone = chance.choice(sorted(runs))
            del runs[gone]
            ids.append(gone)
        sliced.update(ids, NOW)
    fresh = GroupedRuns(selection, runs, NOW, folded=["docs"])
    assert list(lines(sliced)) == list(lines(fresh))
    assert list(sliced.ids()) == list(fresh.ids())
    assert [sliced.depth_of(one) for one in sliced.ids()] == [
        fresh.depth_of(one) for one in fresh.ids()
    ]
    sliced.update(runs, NOW)
    assert list(lines(sliced)) == list(lines(fresh))


def test_a_run_of_a_folded_group_stands_on_its_heading() -> None:
    chance = random.Random(1)
    runs = {run.id: run for run in (a_run(number, chance) for number in range(20))}
    arrangement = GroupedRuns(ListOptions(grouping=Grouping.PROJECT), runs, NOW)
    whole = len(arrangement)
    arrangement.fold("docs")
    inside = next(one for one in runs if runs[one].spec.project == "docs")
    assert arrangement.line_of(inside) == arrangement.heading_of("docs") == 0
    assert inside in arrangement
    assert arrangement.run_count == 20
    arrangement.fold("docs")
    assert len(arrangement) == whole


def test_causes_come_the_most_frequent_first_and_leave_out_what_did_not_fail() -> None:
    runs: dict[str, Run] = {}
    for number, code in enumerate(["RUN_STALLED", "QUOTA_EXCEEDED", "QUOTA_EXCEEDED", None]):
        run = runs[f"r{number}"] = Run(f"r{number}", RunSpec("p", "t", "shop"), number)
        run.status = Status.FAILED if code else Status.SUCCEEDED
        run.error = user_error(code).info if code else None
    arrangement = GroupedRuns(ListOptions(grouping=Grouping.CAUSE), runs)
    headings = [
        found for found in map(arrangement.__getitem__, range(5)) if isinstance(found, RunGroup)
    ]
    assert [(len(one), one.name) for one in headings] == [
        (2, "quota exceeded"),
        (1, "run stalled"),
    ]
    assert "r3" not in arrangement


def test_the_work_for_an_event_does_not_grow_with_the_runs() -> None:
    """Keys looked at for one run that moves: a logarithm, not the number of runs."""
    looked_at = 0

    class Counted(str):
        def __eq__(self, other: object) -> bool:
            nonlocal looked_at
            looked_at += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    def cost(count: int) -> int:
        nonlocal looked_at
        ids = [Counted(f"r{n:05}") for n in range(count)]
        runs: dict[str, Run] = {one: Run(one, RunSpec("p", "t", "x"), 0) for one in ids}
        arrangement = GroupedRuns(ListOptions(sort=SortOrder.PROGRESS), runs, NOW)
        assert arrangement[count - 1] == ids[-1]
        last = ids[-1]
        runs[last] = Run(last, runs[last].spec, 0, percent=50)
        looked_at = 0
        assert arrangement.update([last], NOW)
        assert arrangement[0] == last
        return looked_at

    assert 0 < cost(50) <= cost(5_000) < 100
