"""The best of several runs, and the reasons for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.domain.errors import user_error
from engine.domain.model import Applied, ChangeCount, Run, RunSpec, Status, Usage
from engine.domain.ranking import CheckOutcome, Merit, check_outcome, of_same_task, ranked
from tui.formatting.batches import ranked as batch_rows
from tui.formatting.comparison import MERITS, ComparedRun, file_row, merit_words

BEST = Run(
    "a1",
    RunSpec(prompt="do it", title="", project="p", verify="make test"),
    0.0,
    status=Status.SUCCEEDED,
    changes=ChangeCount(1, 5, 5),
    usage=Usage(100, 0, 10),
)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (replace(BEST, id="b2", status=Status.FAILED), Merit.ONLY_SUCCESS),
        (replace(BEST, id="b2", changes=ChangeCount()), Merit.ONLY_CHANGE),
        (replace(BEST, id="b2", changes=ChangeCount(1, 9, 5)), Merit.SMALLEST_CHANGE),
        (replace(BEST, id="b2", changes=ChangeCount(2, 5, 5)), Merit.FEWEST_FILES),
        (replace(BEST, id="b2", usage=Usage(200, 0, 10)), Merit.FEWEST_TOKENS),
        (replace(BEST, id="b2"), Merit.SAME_AS_NEXT),
        (replace(BEST, id="b2", store_lost=True), Merit.ONLY_KNOWN),
    ],
)
def test_the_first_difference_to_the_next_run_is_the_reason(other: Run, why: Merit) -> None:
    found = ranked([other, BEST])
    assert found.winner == BEST
    assert found.merits == (Merit.CHECK_PASSED, why)
    unchecked = [replace(run, spec=replace(run.spec, verify=None)) for run in (BEST, other)]
    assert ranked(unchecked).merits == (why,)


def test_without_a_best_run_the_reason_is_named() -> None:
    failed = replace(BEST, id="b2", status=Status.FAILED)
    live = replace(BEST, id="c3", status=Status.RUNNING)
    assert (ranked([BEST, live]).merits, ranked([BEST]).merits) == ((), ())
    assert merit_words(ranked([BEST, live])) == "no best yet: 1 still at work"
    assert merit_words(ranked([failed])) == "no best: none has succeeded"
    assert set(MERITS) == set(Merit)


@pytest.mark.parametrize("decision", ["in_trash", "is_dismissed", "is_archived"])
def test_a_rejected_run_is_neither_the_best_nor_deleted_in_favour_of_it(decision: str) -> None:
    rejected = replace(BEST, id="b2", **{decision: True})
    larger = replace(BEST, id="c3", changes=ChangeCount(1, 9, 9))
    found = ranked([rejected, larger])
    assert found.runs == (larger, rejected)
    assert found.winner == larger
    assert found.merits == (Merit.CHECK_PASSED, Merit.ONLY_CANDIDATE)
    assert ranked([rejected]).winner is None
    assert merit_words(ranked([rejected])) == "no best: all were rejected"
    rows = [parts for parts, _ in batch_rows([found], 0.0, 120)]
    assert rows[0][0][0].startswith("★ 1")
    assert rows[1][0][0].strip() == ""
    assert any("trash" in text or "dismissed" in text or "archived" in text for text, _ in rows[1])


def test_an_applied_run_is_the_best_as_long_as_it_is_applied() -> None:
    applied = replace(
        BEST,
        id="c3",
        checkpoint=4,
        changes=ChangeCount(1, 9, 9),
        applied=Applied("edits", "/s", 1, 4, 0.0),
    )
    found = ranked([BEST, applied, replace(BEST, id="d4", status=Status.RUNNING)])
    assert (found.winner, found.merits) == (applied, (Merit.APPLIED,))
    assert applied not in found.rest
    gone = replace(applied, in_trash=True)
    assert ranked([BEST, gone]).winner == gone
    later = ranked([BEST, replace(applied, checkpoint=5)])
    assert (later.winner, later.rest) == (BEST, ())
    assert any("⇡ applied" in text for text, _ in next(iter(batch_rows([found], 0.0, 120)))[0])


def test_the_files_of_a_run_in_the_trash_say_why_they_are_empty() -> None:
    gone = replace(BEST, id="b2", in_trash=True)
    compared = {
        "a1": ComparedRun({"a.txt": "+1 −0"}),
        "b2": ComparedRun(problem="It is in the trash."),
    }
    _, cells = file_row("a.txt", [BEST, gone, replace(BEST, id="c3")], compared)
    assert [text for text, _ in cells] == ["+1 −0", "in the trash", ""]


def test_the_outcome_of_the_check_is_known_from_the_run() -> None:
    wrong = user_error("VERIFY_FAILED").info
    assert check_outcome(BEST) is CheckOutcome.PASSED
    failed = replace(BEST, status=Status.FAILED)
    assert check_outcome(replace(failed, error=wrong)) is CheckOutcome.FAILED
    assert check_outcome(failed) is CheckOutcome.NOT_RUN
    assert check_outcome(replace(BEST, spec=replace(BEST.spec, verify=None))) is None


def test_runs_of_the_same_task_have_batch_prompt_and_parameters_in_common() -> None:
    def run(name: str, **more: object) -> Run:
        return replace(BEST, id=name, spec=replace(BEST.spec, **more))  # pyright: ignore[reportArgumentType]  options by name

    same = run("a", batch="x"), run("b", batch="x")
    others = (
        run("c", batch="y"),
        run("d", batch="x", prompt="z"),
        run("e", batch="x", given={"n": "1"}),
    )
    assert of_same_task(same[0], [*same, *others]) == list(same)
