"""Pause, slots, order, times and limits, asked for from other processes."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from typing import Any

import pytest
from typed import Detacher, Starter, Swarm

from engine.config.paths import Paths

SIMULATED = ("run", "--empty", "--agent", "simulated")
HANG = "Wait\nsim: say working\nsim: hang"


@pytest.fixture
def supervising(start: Starter) -> Iterator[str]:
    """A `run` in another process, which supervises; give its run's id."""
    run = start(*SIMULATED, HANG)
    yield run.until(type="step", text="working")["run"]
    run.interrupt()
    assert run.end() == 130


@pytest.fixture
def run_of(swarm: Swarm) -> Callable[[str], dict[str, Any]]:
    """Return the run object of a run."""
    return lambda run: swarm("show", run, "--json").json


RunReader = Callable[[str], dict[str, Any]]


@pytest.mark.usefixtures("supervising")
def test_pause_and_unpause_act_elsewhere(
    detached: Detacher, swarm: Swarm, run_of: RunReader
) -> None:
    paused = swarm("pause", "--reason", "lunch \x1b[31m")
    assert (
        paused.out
        == ("the queue is paused: lunch · 0 queued · 1 active · " + swarm("slots").out.strip())
        + " slots\n"
    )
    first, second = detached("sim: say x"), detached("sim: say y", "--priority", "1")
    assert run_of(first)["queue"] == {
        "position": 2,
        "priority": 0,
        "after": [],
        "not_before": None,
        "ignores_pace": False,
        "pause": {
            "reason": "lunch",
            "waiting_for": "user",
            "until": None,
            "agent": None,
            "account": None,
        },
    }
    assert run_of(second)["activity"] == "the queue is paused: lunch (1st)"
    listed = swarm("ls")
    assert listed.err == "the queue is paused: lunch\n"
    assert [line.split()[1:3] for line in listed.out.splitlines()[1:3]] == [
        ["queued", "1st"],
        ["queued", "2nd"],
    ]
    assert "the queue is paused: lunch (2nd)" in swarm("show", first).out
    resumed = swarm("unpause", "--json").json
    assert resumed["pause"] is None
    assert resumed["queued"] in (1, 2)  # whoever supervises may have started one by now
    assert swarm("wait", first, second).code == 0
    assert run_of(second)["started_at"] < run_of(first)["started_at"]
    assert swarm("ls").err == ""


def test_unpause_starts_what_waits_with_nobody_there(swarm: Swarm, start: Starter) -> None:
    assert swarm("pause", "--json").json["pause"]["reason"] == "paused by the user"
    run = start(*SIMULATED, "sim: say x")
    run.until(type="status", status="queued")
    run.process.kill()
    run.process.wait()
    swarm("unpause")
    assert swarm("wait", "@last").code == 0


def test_slots_act_elsewhere(
    start: Starter, detached: Detacher, swarm: Swarm, run_of: RunReader
) -> None:
    assert swarm("slots", "1").out == "1\n"
    run = start(*SIMULATED, HANG)
    run.until(type="step", text="working")
    other = detached("sim: say x")
    assert run_of(other)["activity"] == "waiting for a slot (1st)"
    widened = swarm("slots", "2", "--json").json
    assert (widened["slots"], widened["pause"]) == (2, None)
    assert widened["active"] in (1, 2)  # its supervisor may have started the other by now
    assert swarm("wait", other).code == 0
    assert swarm("slots").out == "2\n"
    run.interrupt()
    assert run.end() == 130


@pytest.mark.usefixtures("supervising")
def test_a_chain_runs_in_order(detached: Detacher, swarm: Swarm, run_of: RunReader) -> None:
    swarm("pause")
    first = detached("sim: say one")
    second = detached("sim: say two", "--after", first)
    third = detached("sim: say three", "--after", "@last", "--after", first)
    assert run_of(third)["queue"]["after"] == [second, first]
    assert f"{second}, {first}" in swarm("show", third).out
    swarm("unpause")
    assert swarm("wait", third).code == 0
    times = [
        (run_of(run)["started_at"], run_of(run)["finished_at"]) for run in (first, second, third)
    ]
    assert times[0][1] <= times[1][0]
    assert times[1][1] <= times[2][0]


@pytest.mark.usefixtures("supervising")
def test_a_chain_ends_where_one_fails(detached: Detacher, swarm: Swarm, run_of: RunReader) -> None:
    swarm("pause")
    first = detached("sim: fail quota")
    second = detached("sim: say two", "--after", first)
    third = detached("sim: say three", "--after", second)
    swarm("unpause")
    assert swarm("wait", first, second, third).code == 1
    assert run_of(second)["status"] == run_of(third)["status"] == "cancelled"
    assert run_of(second)["activity"] == f"{first} did not succeed"
    late = swarm(*SIMULATED, "--after", first, "sim: say four")
    assert late.code == 3
    assert f"The run {first} ended without success: failed." in late.err
    unknown = swarm(*SIMULATED, "--after", "nobody", "sim: say five", "--json")
    assert (unknown.code, unknown.json["error"]["code"]) == (3, "RUN_NOT_FOUND")
    assert len(swarm("ls", "--json").json) == 4


def test_a_run_that_waits_for_another_says_so(
    supervising: str, detached: Detacher, swarm: Swarm, run_of: RunReader
) -> None:
    waits = detached("sim: say x", "--after", supervising)
    assert run_of(waits)["activity"] == f"waiting for {supervising} (1st)"
    assert swarm("cancel", waits).out == f"{waits} cancelled\n"


def test_a_run_for_later_counts_down(detached: Detacher, swarm: Swarm, run_of: RunReader) -> None:
    run = detached("sim: say x", "--at", "+30m")
    shown = run_of(run)
    assert re.fullmatch(r"waiting for its time, starts in (30:00|29:\d\d)", shown["activity"])
    assert shown["queue"]["not_before"]
    assert re.search(r"queued +1st +-(30:00|29:\d\d) ", swarm("ls").out)
    swarm("cancel", run)
    assert swarm("wait", run).code == 130


def test_a_time_that_comes(detached: Detacher, swarm: Swarm, run_of: RunReader) -> None:
    run = detached("sim: say x", "--at", "+2s")
    assert swarm("wait", run).code == 0
    assert run_of(run)["started_at"] >= run_of(run)["created_at"]


def test_a_time_limit_is_exit_code_124(swarm: Swarm, run_of: RunReader) -> None:
    done = swarm(*SIMULATED, "--timeout", "1s", "sim: say slow\nsim: hang")
    assert done.code == 124
    assert "RUN_TIMED_OUT" in done.out
    assert run_of("@last")["error"]["code"] == "RUN_TIMED_OUT"
    assert swarm("wait", "@last").code == 124
    assert swarm("watch", "@last").code == 124


def test_a_budget_ends_the_run(swarm: Swarm, run_of: RunReader) -> None:
    prompt = "sim: usage input=900 output=200\nsim: say over\nsim: hang"
    done = swarm(*SIMULATED, "--budget", "1k", prompt)
    assert done.code == 1
    assert run_of("@last")["error"]["code"] == "BUDGET_EXCEEDED"


@pytest.mark.slow
def test_retries_get_past_what_passes(swarm: Swarm, run_of: RunReader) -> None:
    prompt = "sim: attempt 1\nsim: fail overloaded\nsim: end\nsim: attempt 2+\nsim: say through"
    done = swarm(*SIMULATED, "--retries", "1", "--json", prompt)
    assert done.code == 0
    reasons = [event["reason"] for event in done.events if event.get("status") == "queued"]
    assert reasons[1:] == ["automatic retry 1 after API_OVERLOADED"]
    assert (run_of("@last")["attempts"], run_of("@last")["error"]) == (2, None)


def test_retries_are_not_for_what_stays(swarm: Swarm, run_of: RunReader) -> None:
    assert swarm(*SIMULATED, "--retries", "2", "sim: fail auth").code == 1
    assert run_of("@last")["attempts"] == 1


def test_a_usage_limit_pauses_the_queue(
    start: Starter, detached: Detacher, swarm: Swarm, run_of: RunReader
) -> None:
    limit = "sim: fail You\u2019ve hit your usage limit. Try again later."
    first = f"sim: limits primary=87.5 window=300 resets_in=9000\n{limit}"
    run = detached(f"sim: attempt 1\n{first}\nsim: end\nsim: say through")
    start("watch", run).until(type="status", status="queued", attempt=2)
    other = detached("sim: say x")
    words = r"the queue is paused: .*USAGE_LIMIT_REACHED.*, goes on in (1:0\d|0:\d\d)"
    assert re.search(words, swarm("ls").err)
    assert re.search(words, run_of(other)["activity"])
    assert run_of(other)["queue"]["pause"]["until"]
    assert "USAGE_LIMIT_REACHED" in run_of(run)["activity"]
    assert re.search(r"87.5% used, resets in 2:\d\d:\d\d", swarm("show", run).out)
    assert run_of(run)["limits"][0]["used_percent"] == 87.5
    swarm("unpause")
    assert swarm("wait", run, other).code == 0
    assert run_of(run)["attempts"] == 2


def test_forecast_of_the_limits_is_shown_with_the_queue_and_a_run(
    paths: Paths, detached: Detacher, swarm: Swarm, run_of: RunReader
) -> None:
    swarm("pause")
    run = detached("sim: say x")
    now = time.time()
    add = "INSERT INTO limit_samples VALUES (?, 'secondary', ?, ?, 10080, ?)"
    with closing(sqlite3.connect(paths.database)) as database, database:
        for account in ("default", "simulated"):
            for ago_s, used in ((1800, 50), (60, 60)):
                database.execute(add, (account, now - ago_s, used, now + 4 * 86400))
    words = "at this pace the weekly window is full "
    assert f"\n{words}" in swarm("queue").out
    assert f"\nsimulated: {words}" in swarm("queue").out
    assert f"forecast  simulated: {words}" in swarm("show", run).out
    (window,) = run_of(run)["forecast"]
    assert (window["account"], window["used_percent"]) == ("simulated", 60)
    assert datetime.fromisoformat(window["full_at"]) < datetime.fromisoformat(window["resets_at"])
    assert swarm("cancel", run).code == 0
    assert run_of(run)["forecast"] == []
