"""A queue that keeps a reserve, on the command line: the reasons, and one run that passes."""

from __future__ import annotations

from typing import Any

import pytest
from typed import Detacher, Swarm

from engine.config.paths import Paths
from engine.domain.model import Pause
from engine.domain.reasons import WaitingFor
from tui.cli.support.waiting import hold_note

REPORT = "sim: limits primary=10 secondary=72 secondary_resets_in=86400"
WORDS = "30 % of the week is reserved; 72 % used; resets "


@pytest.fixture
def held(paths: Paths, swarm: Swarm, detached: Detacher) -> str:
    """A queue that is held by the report of a run that has ended, with a run that waits."""
    paths.config.write_text("queue: {reserve: {weekly: 30%}}\n")
    first = detached(REPORT)
    assert swarm("wait", first).code == 0
    return detached("sim: say hello")


def test_what_is_held_shows_why_and_one_run_passes(swarm: Swarm, held: str) -> None:
    run: dict[str, Any] = swarm("show", held, "--json").json
    assert run["waiting_for"] == "reserve"
    assert run["activity"].startswith(f"waits: {WORDS}")
    hold = run["queue"]["pause"]
    assert (hold["account"], hold["waiting_for"]) == ("simulated", "reserve")
    assert hold["reason"] == "30 % of the week is reserved; 72 % used"
    assert run["queue"]["ignores_pace"] is False
    assert WORDS in swarm("ls").out
    assert WORDS in swarm("show", held).out
    assert swarm("queue").out.startswith(f"the queue waits: {WORDS}")
    queue = swarm("queue", "--json").json
    assert queue["holds"] == [hold]
    assert (queue["pause"], queue["queued"]) == (None, 1)
    assert swarm("queue", "start", held).out.startswith(f"{held} ")
    assert swarm("wait", held).code == 0
    again = swarm("queue", "start", held)
    assert (again.code, "RUN_NOT_QUEUED" in again.err) == (3, True)
    retried = swarm("retry", held, "--ignore-pace", "--prompt", "sim: say again")
    assert retried.code == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("queue", "start"), "start needs a RUN."),
        (("queue", "show", "x"), "Name runs with `queue start RUN...`."),
        (("queue", "stop"), "stop"),
    ],
)
def test_a_wrong_use_is_named(swarm: Swarm, words: tuple[str, ...], told: str) -> None:
    result = swarm(*words)
    assert result.code == 2
    assert told in result.err


def test_an_invalid_reserve_is_named_with_its_line(paths: Paths, swarm: Swarm) -> None:
    paths.config.write_text("queue:\n  reserve:\n    weekly: lots\n")
    checked = swarm("config", "check")
    assert ":3: `queue.reserve.weekly`: a percentage from 0% to 100% is needed" in checked.err


def test_a_full_account_is_named_as_an_account() -> None:
    full = Pause("the 5 h window is full", 60.0, WaitingFor.LIMIT, account="work")
    words = "the account work is held: the 5 h window is full, goes on in 1:00"
    assert hold_note(full, 0.0) == words
    kept = Pause("20 % is reserved", None, WaitingFor.RESERVE, account="work")
    assert hold_note(kept, 0.0) == "the queue waits: account work: 20 % is reserved"
