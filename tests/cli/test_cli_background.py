"""Runs that go on with nobody there, and those who wait for them."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest
from typed import Detacher, Starter, Swarm

SIMULATED = ("run", "--empty", "--agent", "simulated")
HANG = "Wait\nsim: say working\nsim: hang"


def _numbers(swarm: Swarm) -> list[str]:
    """Return what the last run counted, after checking that no event is missing or doubled."""
    events = swarm("watch", "@last", "--json").events
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    told = [event["text"] for event in events if event["type"] == "step"]
    return [text for text in told if text.startswith("n ")]


def test_a_detached_run_ends_with_nobody_there(detached: Detacher, swarm: Swarm) -> None:
    run = detached("Greet\nsim: say hello\nsim: write hello.txt hi")
    done = swarm("wait", run)
    assert (done.code, done.err) == (0, "")
    assert re.match(rf"{run} succeeded after (0:0\d|0\.\ds) ", done.out)
    shown = swarm("show", run, "--json").json
    assert (Path(shown["workspace"]["path"]) / "hello.txt").read_text() == "hi\n"


def test_detached_as_json_is_the_run_object_on_one_line(swarm: Swarm) -> None:
    done = swarm(*SIMULATED, "--detach", "--json", HANG)
    assert (done.code, done.err, done.out.count("\n")) == (0, "", 1)
    assert done.json["status"] == "queued"
    assert done.json["title"] == "Wait"
    assert done.json["queue"]["position"] == 1


def test_a_home_named_from_here_is_the_same_in_the_background(swarm: Swarm, here: Path) -> None:
    where = {"SWARM_HOME": "../home", "SWARM_CONFIG": "../config.yaml"}
    assert swarm(*SIMULATED, "--detach", "sim: say hello", **where).code == 0
    assert swarm("wait", "@last", **where).code == 0
    assert swarm("show", "@last", "--json").json["status"] == "succeeded"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_run_in_the_background(
    start: Starter, swarm: Swarm, number: signal.Signals
) -> None:
    run = start(*SIMULATED, HANG)
    run.until(type="step", text="working")
    run.interrupt(number)
    assert run.end() == 128 + number
    assert swarm("show", "@last", "--json").json["status"] == "running"
    assert swarm("cancel", "@last").code == 0
    assert swarm("wait", "@last").code == 130


@pytest.mark.parametrize("next_one", [["supervise"], ["watch", "@last"], ["wait", "@last"]])
def test_after_a_kill_the_run_goes_on_without_gap_or_double(
    start: Starter, swarm: Swarm, next_one: list[str]
) -> None:
    run = start(*SIMULATED, "sim: numbered 120 every=0.01")
    run.until(type="step", text="n 30")
    run.process.kill()
    run.process.wait()
    done = swarm(*next_one)
    assert (done.code, done.err) == (0, "")
    assert _numbers(swarm) == [f"n {number}" for number in range(1, 121)]
    assert swarm("wait", "@last").code == 0


def test_a_cancel_after_a_kill_ends_the_run(start: Starter, swarm: Swarm) -> None:
    run = start(*SIMULATED, HANG)
    run.until(type="step", text="working")
    run.process.kill()
    run.process.wait()
    swarm("cancel", "--all", "--kill")
    assert swarm("wait", "@last").code == 130
    assert "no processes are left" in swarm("doctor").out


def test_what_others_queued_goes_on_when_the_supervising_run_ends(
    start: Starter, detached: Detacher, swarm: Swarm
) -> None:
    run = start(*SIMULATED, HANG)
    run.until(type="step", text="working")
    other = detached("sim: say long\nsim: numbered 30 every=0.05")
    run.interrupt()
    assert run.end() == 130
    assert swarm("wait", other).code == 0
    assert len(_numbers(swarm)) == 30


def test_supervise_tells_what_it_does(start: Starter, swarm: Swarm) -> None:
    assert swarm("supervise").out == ""  # there is nothing to do
    run = start(*SIMULATED, "Greet\nsim: say working\nsim: numbered 5 every=0.1")
    run.until(type="step", text="working")
    run.process.kill()
    run.process.wait()
    done = swarm("supervise", "-v")
    run_id = swarm("show", "@last", "--json").json["id"]
    assert done.code == 0
    *_, last, end = done.out.splitlines()
    assert last.split()[1:3] == [run_id, "succeeded"]
    assert last.endswith("Greet (simulated)")
    assert end == "nothing is left to do"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_supervise_leaves_runs_alive_at_a_signal(
    start: Starter, detached: Detacher, swarm: Swarm, number: signal.Signals
) -> None:
    swarm("slots", "1")
    run = start(*SIMULATED, HANG)
    run_id = run.until(type="step", text="working")["run"]
    other = detached(HANG)
    run.process.kill()
    run.process.wait()
    supervising = start("supervise", "-v", as_json=False)
    swarm("slots", "2")
    assert any(f"{other}  running" in line for line in supervising.lines())
    supervising.interrupt(number)
    list(supervising.lines())
    assert supervising.process.wait() == 128 + number
    assert [one["status"] for one in swarm("ls", "--json").json] == ["running"] * 2
    swarm("cancel", run_id)
    assert swarm("wait", run_id).code == 130


def test_one_supervisor_in_the_background_is_enough(start: Starter, swarm: Swarm) -> None:
    run = start(*SIMULATED, HANG)
    run.until(type="step", text="working")
    assert swarm("supervise", "--unless-supervised").code == 0
    run.interrupt()
    assert run.end() == 130


def test_wait_tells_by_its_exit_code(detached: Detacher, start: Starter, swarm: Swarm) -> None:
    good, long = detached("sim: say x"), detached(HANG)
    start("watch", long).until(type="step", text="working")
    bad = detached("sim: fail quota")  # pauses the queue: nothing would start behind it
    assert swarm("wait", good).code == 0
    assert swarm("wait", good, bad).code == 1
    late = swarm("wait", long, "--timeout", "0.2s")
    assert (late.code, late.err) == (124, f"{long} is still running\n")
    waiting = start("wait", long)
    waiting.interrupt()
    assert waiting.process.wait() in (130, -signal.SIGINT)
    swarm("cancel", long)
    done = swarm("wait", long, bad, "--json")
    assert (done.code, done.err, done.out.count("\n")) == (1, "", 1)
    assert [run["status"] for run in done.json] == ["cancelled", "failed"]
    assert swarm("wait", "--all").code == 0
    assert swarm("wait", "nobody").code == 3


def test_logs_follow_a_run_to_its_end(start: Starter, detached: Detacher, swarm: Swarm) -> None:
    run = detached("sim: say working\nsim: stderr oh dear\nsim: hang")
    start("watch", run).until(type="step", text="working")
    assert "working" in swarm("logs", run).out
    assert json.loads(swarm("logs", run, "--raw").out.splitlines()[0])["type"] == "thread.started"
    followers = {
        flag: start("logs", run, "--follow", *flag.split(), as_json=False).lines()
        for flag in ("", "--raw", "--stderr", "--json")
    }
    firsts = {
        "": next(line for line in followers[""] if "working" in line),
        "--raw": next(line for line in followers["--raw"] if "working" in line),
        "--stderr": next(followers["--stderr"]),
        "--json": next(line for line in followers["--json"] if "working" in line),
    }
    assert json.loads(firsts["--raw"])["type"] == "item.completed"
    assert json.loads(firsts["--json"])["text"] == "working"
    assert firsts["--stderr"] == "oh dear"
    swarm("cancel", run)
    rest = {flag: list(lines) for flag, lines in followers.items()}
    assert "cancelled" in rest[""][-1]
    assert json.loads(rest["--json"][-1])["status"] == "cancelled"


def test_logs_follow_into_the_next_attempt(start: Starter, simulated: Swarm, swarm: Swarm) -> None:
    simulated("sim: attempt 1\nsim: say one\nsim: crash\nsim: end\nsim: say two\nsim: hang")
    retry = start("retry", "@last")
    retry.until(type="step", text="two")
    lines = start("logs", "@last", "--raw", "--follow", as_json=False).lines()
    assert any('"two"' in line for line in lines)
    retry.interrupt()
    assert retry.end() == 130
    list(lines)
