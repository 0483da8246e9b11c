"""Why a run looks stalled, and when it must be ended: by reason, to the second."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.config.settings import WatchdogSettings
from engine.domain.events import Notice, Progressed, StatusChanged, Step, UsageCounted
from engine.domain.model import Run, RunSpec, Stage, Status, WatchdogOverride
from engine.domain.projection import NETWORK_WAIT, fold
from engine.domain.reasons import Subject
from engine.domain.stamp import stamp
from engine.execution.watchdog import COMMAND_FACTOR, STALLED, of_run, stall, verdict

SPEC = RunSpec(prompt="do it", title="a title", project="a project")
SETTINGS = WatchdogSettings(silent_s=100, first_event_s=10, action="notice")
COMMAND = Step("tool", "command", "started", "make", "make")


def then(run: Run, at: float, *bodies) -> Run:
    return stamp(run, bodies, at)[1]


@pytest.fixture
def started() -> Run:
    """A run whose preparation took from 0 to 500, with Codex started at 500."""
    run = then(Run("a", SPEC, 0.0), 0.0, StatusChanged(Status.QUEUED))
    run = then(run, 1.0, StatusChanged(Status.PREPARING))
    return then(run, 500.0, Progressed(Stage.WORKSPACE_CLONED, "ready", 20),
                StatusChanged(Status.RUNNING))  # fmt: skip


@pytest.fixture
def working(started: Run) -> Run:
    """A run that began to work at 505."""
    details = {"thread_id": "t"}
    return then(started, 505.0, Progressed(Stage.EXECUTING, "thinking", 30, details))


def stall_text(run: Run, now: float, *, idle: bool = False) -> str:
    return stall(run, now, SETTINGS, idle=idle).removeprefix(STALLED)


def test_no_first_event_counts_from_the_start_of_codex(started: Run) -> None:
    assert stall_text(started, 510.0) == ""
    assert stall_text(started, 511.0) == "no first event for 0:11"


def test_silence(working: Run) -> None:
    assert stall_text(working, 605.0) == ""
    assert stall_text(working, 606.0) == "silent for 1:41"
    assert stall_text(working, 606.0, idle=True) == "silent for 1:41, using no processor time"
    assert stall_text(then(working, 600.0, UsageCounted(1, 0, 1)), 650.0) == ""


def test_a_command_may_be_silent_for_longer(working: Run) -> None:
    busy = then(working, 510.0, COMMAND)
    assert stall_text(busy, 510.0 + 100 * COMMAND_FACTOR) == ""
    assert stall_text(busy, 511.0 + 100 * COMMAND_FACTOR) == "running `make` for 5:01"
    idle = stall_text(busy, 511.0 + 100 * COMMAND_FACTOR, idle=True)
    assert idle == "running `make` for 5:01, using no processor time"
    done = then(busy, 900.0, replace(COMMAND, phase="completed"))
    assert stall_text(done, 999.0) == ""
    assert stall_text(done, 1001.0) == "silent for 1:41"


def test_waiting_for_the_network_counts_from_its_begin(working: Run) -> None:
    """Codex says so again and again: that is no sign of life."""
    waiting = working
    for at in range(510, 620, 2):
        waiting = then(
            waiting, at, Notice("warning", f"{NETWORK_WAIT} (no route)", subject=Subject.NETWORK)
        )
    assert stall_text(waiting, 610.0) == ""
    assert stall_text(waiting, 611.0) == f"{NETWORK_WAIT} for 1:41"
    back = then(waiting, 620.0, Step("assistant", "message", "completed", "there"))
    assert stall_text(back, 625.0) == ""


def test_pointing_it_out_is_no_sign_of_life_and_is_done_once(working: Run) -> None:
    stalled = then(
        working,
        606.0,
        Notice("warning", stall(working, 606.0, SETTINGS, idle=False), subject=Subject.STALLED),
    )
    assert stalled.stalled == f"{STALLED}silent for 1:41"
    assert stall_text(stalled, 610.0) == "silent for 1:45"
    again = then(stalled, 620.0, Step("assistant", "message", "completed", "there"))
    assert (again.stalled, stall_text(again, 625.0)) == ("", "")


def test_a_clock_that_was_put_back_stalls_nothing(working: Run) -> None:
    assert stall_text(working, 1.0) == stall_text(working, -(10.0**9)) == ""
    assert verdict(working, 1.0, SETTINGS, "") is None


# The verdict


def of(run: Run, now: float, stalled: str = "", action: str = "notice") -> str | None:
    error = verdict(run, now, replace_action(action), stalled)
    return error.code if error else None


def replace_action(action: str) -> WatchdogSettings:
    return WatchdogSettings(silent_s=100, first_event_s=10, action=action)  # type: ignore[arg-type]  a parameter of the test


def test_a_time_limit(working: Run) -> None:
    limited = replace(working, spec=replace(SPEC, timeout_s=600.0))
    assert of(limited, 601.0) is None
    assert of(limited, 601.1) == "RUN_TIMED_OUT"
    assert "10:00" in verdict(limited, 601.1, SETTINGS, "").message


def test_a_budget_counts_what_went_in_and_what_came_out(working: Run) -> None:
    limited = replace(working, spec=replace(SPEC, budget_tokens=1000))
    assert of(then(limited, 510.0, UsageCounted(900, 800, 100)), 510.0) is None
    spent = then(limited, 510.0, UsageCounted(900, 800, 101))
    assert of(spent, 510.0) == "BUDGET_EXCEEDED"
    assert "1001 tokens" in verdict(spent, 510.0, SETTINGS, "").message


@pytest.mark.parametrize(
    ("action", "code"), [("notice", None), ("fail", "RUN_STALLED"), ("resume", "RUN_STALLED")]
)
def test_a_stall_is_what_the_settings_make_of_it(
    working: Run, action: str, code: str | None
) -> None:
    assert of(working, 700.0, "stalled: silent for 3:15", action) == code
    assert of(working, 700.0, "", action) is None


def test_time_and_budget_go_before_a_stall(working: Run) -> None:
    both = replace(working, spec=replace(SPEC, timeout_s=1.0, budget_tokens=1))
    both = then(both, 510.0, UsageCounted(5, 0, 5))
    assert of(both, 700.0, "stalled: x", "fail") == "RUN_TIMED_OUT"
    assert fold(both, []) == both


def test_what_was_asked_for_a_run_alone_comes_before_the_settings(started: Run) -> None:
    assert of_run(started, SETTINGS) is SETTINGS
    wish = WatchdogOverride(silent_s=30, action="fail")
    run = replace(started, spec=replace(SPEC, watchdog=wish))
    assert of_run(run, SETTINGS) == WatchdogSettings(silent_s=30, first_event_s=10, action="fail")
