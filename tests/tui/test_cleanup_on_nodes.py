"""Questions before a clean-up on nodes: they never promise a trash, which nodes do not have."""

from __future__ import annotations

import pytest

from engine.engine import CleanupItem, CleanupPlan
from tui.cli.commands import cleanup
from tui.formatting import questions
from tui.screens import deleting

HERE = CleanupItem("r1", "fix it", "p", 1000, "ended", "/w/r1", unapplied=1)
THERE = CleanupItem("r2", "fix it", "p", 1000, "ended", "n1:/w/r2", host="n1", unapplied=1)


def kept(item: CleanupItem) -> CleanupItem:
    return CleanupItem(
        item.run, item.title, item.project, 1, "unsaved", item.path, (), True, 1, "", item.host
    )


@pytest.mark.parametrize(
    ("plan", "is_forced", "labels"),
    [
        (CleanupPlan((HERE,)), False, ["Move to the trash (u undoes)"]),
        (CleanupPlan((THERE,)), False, ["Delete for good"]),
        (CleanupPlan((HERE, THERE)), False, ["Delete, 1 on nodes for good"]),
        (CleanupPlan((), (kept(HERE),)), True, ["Move to the trash anyway (u undoes)"]),
        (CleanupPlan((), (kept(THERE),)), True, ["Delete for good anyway"]),
        (
            CleanupPlan((HERE,), (kept(THERE),)),
            True,
            ["Move to the trash (u undoes)", "Delete all 2 anyway"],
        ),
        (
            CleanupPlan((HERE,), (kept(HERE),)),
            True,
            ["Move 1 to the trash (u undoes)", "Move all 2 anyway"],
        ),
    ],
)
def test_choices_name_a_deletion_for_good(
    plan: CleanupPlan, is_forced: bool, labels: list[str]
) -> None:
    found = deleting._choices(plan, can_force=is_forced)  # pyright: ignore[reportPrivateUsage]  its words
    assert [one.label for one in found] == labels


@pytest.mark.parametrize(
    "plan", [CleanupPlan((THERE,)), CleanupPlan((HERE, THERE)), CleanupPlan((), (kept(THERE),))]
)
def test_questions_state_what_is_not_looked_for(plan: CleanupPlan) -> None:
    assert "also those that git ignores" in questions.delete(plan, {})
    if plan.take:
        asked = cleanup._question(plan)  # pyright: ignore[reportPrivateUsage]  its words
        assert "also those that git ignores" in asked


def test_what_stays_is_told_with_the_ways_out(capsys: pytest.CaptureFixture[str]) -> None:
    cleanup.tell_plan(CleanupPlan((), (kept(THERE),)))
    told = capsys.readouterr().out
    assert "nothing to delete" not in told
    assert "--including-unsaved" in told and "`forget RUN`" in told
