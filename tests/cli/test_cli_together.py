"""Several processes on one home: one supervises, the others watch, cancel, retry."""

from __future__ import annotations

import json
import signal

from typed import Starter, Swarm

HANG = "Wait\nsim: say working\nsim: hang"


def test_watch_and_cancel_from_elsewhere(start: Starter, swarm: Swarm) -> None:
    run = start("run", "--empty", "--agent", "simulated", HANG)
    run.until(type="step", text="working")
    watch = start("watch", "@last")
    watch.until(type="step", text="working")
    cancelled = swarm("cancel", "@last", "--json")
    assert (cancelled.code, cancelled.err) == (0, "")
    assert cancelled.json[0]["status"] in ("cancelling", "cancelled")
    assert (watch.end(), run.end()) == (130, 130)
    assert watch.events == run.events
    assert run.events[-1]["status"] == "cancelled"


def test_a_queued_run_of_another_process_is_carried_too(start: Starter, swarm: Swarm) -> None:
    first = start("run", "--empty", "--agent", "simulated", HANG)
    first.until(type="step", text="working")
    second = swarm("run", "--empty", "--agent", "simulated", "--json", "sim: say quick")
    assert second.code == 0
    assert second.events[-1]["status"] == "succeeded"
    swarm("cancel", "--all")
    assert first.end() == 130


def test_cancel_all(start: Starter, swarm: Swarm) -> None:
    runs = [start("run", "--empty", "--agent", "simulated", HANG) for _ in range(2)]
    for run in runs:
        run.until(type="step", text="working")
    done = swarm("cancel", "--all", "--kill")
    assert done.code == 0
    assert len(done.out.splitlines()) == 2
    assert [run.end() for run in runs] == [130, 130]
    assert swarm("cancel", "--all").out == "nothing to cancel\n"


def test_cancelling_what_has_ended_changes_nothing(simulated: Swarm, swarm: Swarm) -> None:
    simulated("sim: say x")
    done = swarm("cancel", "@last")
    assert done.code == 3
    assert "RUN_NOT_CANCELLABLE" in done.err
    assert swarm("show", "@last", "--json").json["status"] == "succeeded"


def test_watching_stops_without_stopping_the_run(start: Starter, swarm: Swarm) -> None:
    run = start("run", "--empty", "--agent", "simulated", HANG)
    run.until(type="step", text="working")
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        watch = start("watch", "@last")
        watch.until(type="step", text="working")
        watch.interrupt(number)
        assert watch.end() == code
    assert swarm("show", "@last", "--json").json["status"] == "running"
    run.interrupt()
    assert run.end() == 130


def test_watch_since(simulated: Swarm, swarm: Swarm) -> None:
    events = simulated("sim: say x", "--json").events
    again = swarm("watch", "@last", "--json")
    assert (again.code, again.events) == (0, events)
    assert swarm("watch", "@last", "--json", "--since", "4").events == events[4:]
    assert swarm("watch", "@last", "--json", "--since", "999").events == []


def test_watching_several_names_whose_line_it_is(simulated: Swarm, swarm: Swarm) -> None:
    simulated("sim: say red")
    simulated("sim: fail quota")
    ids = [run["id"] for run in swarm("ls", "--json").json]
    done = swarm("watch", *ids)
    assert done.code == 1
    assert {line.split()[0] for line in done.out.splitlines() if "  end  " in line} == set(ids)


def test_retry_is_the_next_attempt(simulated: Swarm, swarm: Swarm) -> None:
    script = "sim: attempt 1\nsim: crash\nsim: end\nsim: say better"
    assert simulated(script).code == 1
    before = len(swarm("watch", "@last", "--json").events)
    done = swarm("retry", "@last", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.events[0] | {"status": "queued", "attempt": 2} == done.events[0]
    assert done.events[0]["seq"] == before + 1
    run = swarm("show", "@last", "--json").json
    assert (run["status"], run["attempts"], run["error"]) == ("succeeded", 2, None)


def test_retrying_what_runs_is_refused(start: Starter, swarm: Swarm) -> None:
    run = start("run", "--empty", "--agent", "simulated", HANG)
    run.until(type="step", text="working")
    done = swarm("retry", "@last", "--json")
    assert done.code == 3
    assert json.loads(done.out)["error"]["code"] == "RUN_NOT_RETRYABLE"
    run.interrupt()
    assert run.end() == 130
