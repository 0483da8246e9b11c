"""The kind of attention that runs ask for, and the cause of a failure in one line."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.activity import activity
from engine.domain.attention import Attention, attention_of
from engine.domain.errors import user_error
from engine.domain.events import ChangesMeasured, Event, Notice, StatusChanged, Step
from engine.domain.failures import failure_text, headline
from engine.domain.interaction import InputRequest, RequestPhase
from engine.domain.model import (
    Applied,
    ChangeCount,
    Run,
    RunSpec,
    Status,
    Workspace,
    WorkspaceKind,
)
from engine.domain.projection import fold
from engine.domain.pull_request import PullRequestSeen, PullRequestState
from engine.domain.push import BranchPushed
from engine.domain.reasons import Subject

S = Status
DONE = Run("r", RunSpec("p", "t", "x"), 0.0, S.SUCCEEDED, changes=ChangeCount(1, 2, 3))
APPLIED = Applied("edits", "/s", 1, 4, 0.0)
ASKED = InputRequest("1.1", RequestPhase.RAISED)
PUSHED = BranchPushed("origin", "git@github.com:o/r.git", "b", "abc", "", "u/pull/7", 4)
MERGED = PullRequestSeen("u/pull/7", 7, PullRequestState.MERGED, commit="abc")
BY_REQUEST = replace(DONE, checkpoint=4, pushed=PUSHED, pull_request=MERGED)
IN_PLACE = Workspace("/w", WorkspaceKind.IN_PLACE)


@pytest.mark.parametrize(
    ("run", "kind"),
    [
        (DONE, Attention.TO_REVIEW),
        (replace(DONE, changes=ChangeCount()), Attention.DONE),
        (replace(DONE, changes=ChangeCount(), baseline=False), Attention.TO_REVIEW),
        (replace(DONE, checkpoint=4, applied=APPLIED), Attention.DONE),
        (replace(DONE, checkpoint=5, applied=APPLIED), Attention.TO_REVIEW),
        (BY_REQUEST, Attention.DONE),
        (replace(BY_REQUEST, checkpoint=5), Attention.TO_REVIEW),
        (replace(BY_REQUEST, uncheckpointed=True), Attention.TO_REVIEW),
        (replace(BY_REQUEST, pull_request=replace(MERGED, commit="")), Attention.TO_REVIEW),
        (
            replace(BY_REQUEST, pull_request=replace(MERGED, state=PullRequestState.CLOSED)),
            Attention.TO_REVIEW,
        ),
        (replace(BY_REQUEST, pushed=replace(PUSHED, checkpoint=None)), Attention.TO_REVIEW),
        (replace(DONE, in_trash=True), Attention.DONE),
        (replace(DONE, workspace=IN_PLACE), Attention.DONE),
        (replace(DONE, status=S.CANCELLED), Attention.TO_REVIEW),
        (replace(DONE, status=S.FAILED), Attention.NEEDS_YOU),
        (replace(DONE, status=S.INTERRUPTED), Attention.NEEDS_YOU),
        (replace(DONE, status=S.INTERRUPTED, is_rejected=True), Attention.DONE),
        (replace(DONE, status=S.QUEUED), Attention.QUEUED),
        (replace(DONE, status=S.RUNNING), Attention.RUNNING),
        (replace(DONE, status=S.CANCELLING), Attention.RUNNING),
        (replace(DONE, status=S.RUNNING, stalled="silent"), Attention.NEEDS_YOU),
        (replace(DONE, stalled="silent"), Attention.TO_REVIEW),
        (replace(DONE, status=S.RUNNING, input_requests=(ASKED,)), Attention.NEEDS_YOU),
        (replace(DONE, input_requests=(ASKED,)), Attention.TO_REVIEW),
        (replace(DONE, status=S.read("hibernating")), Attention.DONE),
    ],
)
def test_each_run_is_of_one_kind(run: Run, kind: Attention) -> None:
    assert attention_of(run) is kind


def test_a_failed_run_in_the_trash_counts_until_it_is_rejected_and_after_a_retry() -> None:
    run = replace(DONE, status=S.FAILED)

    def after(*bodies: Notice | StatusChanged, attempt: int = 1) -> Attention:
        nonlocal run
        events = [Event("r", run.seq + n, 1.0, attempt, body) for n, body in enumerate(bodies, 1)]
        run = fold(run, events)
        return attention_of(run)

    gone = Notice("info", "workspace moved to the trash", trash=True)
    assert after(replace(gone, subject=Subject.CLEAN_UP)) is Attention.NEEDS_YOU
    assert after(gone) is Attention.DONE
    assert after(replace(gone, trash=False)) is Attention.NEEDS_YOU
    assert after(gone) is Attention.DONE
    assert after(StatusChanged(S.QUEUED), StatusChanged(S.FAILED), attempt=2) is (
        Attention.NEEDS_YOU
    )


RUNS = st.builds(
    Run,
    st.just("r"),
    st.just(DONE.spec),
    st.just(0.0),
    st.sampled_from(Status),
    changes=st.sampled_from([ChangeCount(), ChangeCount(1, 1, 0)]),
    stalled=st.sampled_from(["", "silent"]),
    checkpoint=st.sampled_from([None, 4]),
    applied=st.sampled_from([None, APPLIED]),
    in_trash=st.booleans(),
    baseline=st.sampled_from([None, False, True]),
)


@given(st.lists(RUNS, max_size=20))
def test_the_counts_add_up_to_the_number_of_runs(runs: list[Run]) -> None:
    counts = Counter(map(attention_of, runs))
    assert sum(counts[kind] for kind in Attention) == len(runs)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("FAILED t.py::x\n2 failed, 55 passed in 3.41s", "2 failed, 55 passed"),
        ("== 1 failed, 2 passed, 1 warning in 0.1s (0:01:02) ==", "1 failed, 2 passed, 1 warning"),
        ("Test Suites: 1 failed\nTests:       2 failed, 3 passed, 5 total\nTime: 1s",
         "2 failed, 3 passed, 5 total"),
        ("test result: FAILED. 3 passed; 1 failed; 0 ignored; finished in 0.00s",
         "3 passed; 1 failed; 0 ignored"),
        ("Ran 3 tests in 0.1s\n\nFAILED (failures=1)", "failures=1"),
        ("--- FAIL: TestLogin (0.00s)\nFAIL\texample.com/x", "FAIL: TestLogin"),
        ("make: *** [all] Error 2", "make: *** [all] Error 2 (`check` failed with exit 1)"),
    ],
)  # fmt: skip
def test_a_failed_check_begins_with_its_summary(output: str, said: str) -> None:
    error = user_error("VERIFY_FAILED", f"`check` failed with exit 1:\n{output}").info
    assert headline(error) == f"Check failed: {said}"
    assert failure_text(error).startswith(f"Check failed: {said} · `check` failed")


def test_another_failure_is_its_first_line_without_control_characters() -> None:
    error = user_error("AGENT_CRASHED", "\x1b[31mIt broke.\nAnd more.").info
    assert headline(error) == "It broke."
    assert failure_text(error) == "It broke. And more."
    late = user_error("VERIFY_FAILED", "`check` took longer than its limit of 1:00.").info
    assert headline(late) == "Check failed: `check` took longer than its limit of 1:00."


def test_the_activity_is_the_command_or_the_last_message_never_just_thinking() -> None:
    run = replace(DONE, status=S.RUNNING, last_sign_at=0.0)

    def after(*bodies: Step | ChangesMeasured) -> str:
        nonlocal run
        events = [Event("r", run.seq + n, 1.0, 1, body) for n, body in enumerate(bodies, 1)]
        run = fold(run, events)
        return activity(run, 1.0)

    command = ("tool", "command")
    assert after(Step("assistant", "message", "completed", "\nI look.\nMore.")) == "I look."
    assert after(Step(*command, "started", "ls")) == "running `ls` for 0:00"
    assert after(Step("reasoning", "message", "completed", "Hm")) == "running `ls` for 0:00"
    assert after(Step(*command, "completed", "ls")) == "I look."
    assert after(Step("assistant", "message", "completed", "Fixed.")) == "Fixed."
    ended = replace(run, status=S.SUCCEEDED)
    assert activity(ended, 2.0) == "Fixed."
