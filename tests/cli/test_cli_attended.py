"""No command waits for runs that nobody supervises."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from pseudo import Opener
from typed import COMMAND, Detacher, Started, Starter, Swarm

from engine.config.paths import Paths
from engine.execution.supervisor_status import HUNG_S, HolderState, is_stopped, read_holder

HANG = "Wait\nsim: say working\nsim: hang"
SHORT = "sim: numbered 100 every=0.05"


def _supervisor(paths: Paths, *, is_not: int | None = None) -> int:
    """Wait until a process, or another one, supervises, and return its id."""
    while (pid := read_holder(paths.lock).pid) in (None, is_not):
        time.sleep(0.02)
    assert pid
    return pid


def _wait_until_stopped(pid: int) -> None:
    while not is_stopped(pid):
        time.sleep(0.02)


@pytest.mark.parametrize("waiter", ["wait", "watch"])
def test_a_supervisor_killed_while_another_shell_waits_is_replaced(
    detached: Detacher, start: Starter, paths: Paths, waiter: str
) -> None:
    run = detached(SHORT)
    waiting = start(waiter, run)
    os.kill(_supervisor(paths), signal.SIGKILL)
    assert waiting.end() == 0


def test_a_supervisor_that_cannot_begin_is_reported_by_the_waiter(
    detached: Detacher, swarm: Swarm, paths: Paths, tmp_path: Path
) -> None:
    run = detached(HANG)
    pid = _supervisor(paths)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import os, sys\nif 'supervise' in sys.orig_argv:\n"
        "    sys.stderr.write('no luck\\n')\n    os._exit(7)"
    )
    os.kill(pid, signal.SIGKILL)
    done = swarm("wait", run, PYTHONPATH=str(broken))
    assert done.code == 3
    assert "started 3 times, and ended with exit code 7" in done.err
    assert "no luck" in done.err
    assert swarm("cancel", run).code == 0
    assert swarm("wait", run).code == 130


def test_a_stopped_supervisor_is_reported_and_never_doubled(
    detached: Detacher, swarm: Swarm, paths: Paths
) -> None:
    run = detached(HANG)
    pid = _supervisor(paths)
    os.kill(pid, signal.SIGSTOP)
    try:
        done = swarm("wait", run, "--timeout", "2")
        assert done.code == 124
        assert f"process {pid}) is stopped" in done.err
        assert f"kill -CONT {pid}" in done.err
        found = json.loads(swarm("doctor", "--json").out)["findings"]
        finding = next(one for one in found if one["name"] == "supervisor")
        assert finding["health"] == "warning"
        assert f"kill -CONT {pid}" in finding["recovery"]
        assert read_holder(paths.lock).pid == pid
    finally:
        os.kill(pid, signal.SIGCONT)
    assert swarm("cancel", run).code == 0
    assert swarm("wait", run).code == 130


def test_a_stopped_supervisor_is_reported_by_every_command_that_needs_one(
    detached: Detacher, swarm: Swarm, terminal: Opener, paths: Paths, here: Path
) -> None:
    run = detached(HANG)
    while swarm("ls", "--json").json[0]["status"] != "running":
        pass
    pid = _supervisor(paths)
    rows = here / "rows.csv"
    rows.write_text("prompt\nsim: say one\n")
    simulated = ("--empty", "--agent", "simulated", "--detach")
    os.kill(pid, signal.SIGSTOP)
    try:
        for words in (
            ("run", *simulated, "sim: say hi"),
            ("batch", "start", *simulated, "--from", str(rows)),
            ("cancel", run),
        ):
            done = swarm(*words)
            assert f"process {pid}) is stopped" in done.err, (words, done.out, done.err)
            assert f"kill -CONT {pid}" in done.err, words
        shown = terminal()
        shown.until("is stopped: no run is supervised")
        shown.type(b"q")
        shown.until("3 runs continue")
        shown.end()
        assert read_holder(paths.lock).pid == pid
    finally:
        os.kill(pid, signal.SIGCONT)
    assert swarm("wait", run).code == 130
    assert swarm("wait", "--all").code in (0, 130)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_clocks_of_runs_that_nobody_supervises_stand_still(
    detached: Detacher, swarm: Swarm, paths: Paths, number: signal.Signals
) -> None:
    run = detached(HANG)
    while swarm("ls", "--json").json[0]["status"] != "running":
        pass
    assert swarm("ls", "--json").json[0]["supervised"] is True
    pid = _supervisor(paths)
    os.kill(pid, number)
    try:
        while swarm("ls", "--json").json[0]["supervised"]:
            pass
        for words in (("ls",), ("show", run)):
            first, second = (swarm(*words, "--json").json for _ in range(2))
            first, second = (one[0] if words == ("ls",) else one for one in (first, second))
            assert first["elapsed_s"] == pytest.approx(second["elapsed_s"], abs=0.1)
            assert (first["status"], first["supervised"]) == ("running", False)
            shown = swarm(*words)
            assert "?" in shown.out
            assert "supervise" in shown.err
            assert "Times marked ?" in shown.err
    finally:
        os.kill(pid, signal.SIGCONT) if number == signal.SIGSTOP else None
    assert swarm("cancel", run, "--kill").code == 0
    assert swarm("wait", run).code == 130
    assert "?" not in swarm("ls").out


def test_ctrl_z_hands_the_runs_over_and_the_command_stands_by_when_it_continues(
    start: Starter, swarm: Swarm, paths: Paths
) -> None:
    words = ["run", "--empty", "--agent", "simulated", "--json", HANG]
    # A group of its own: what the kernel stops has a shell beside it.
    with subprocess.Popen(
        [*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, process_group=0
    ) as process:
        running = Started(process, Path(os.devnull))
        running.until(type="step", text="working")
        assert _supervisor(paths) == process.pid
        for _ in range(2):
            process.send_signal(signal.SIGTSTP)
            _wait_until_stopped(process.pid)
            successor = _supervisor(paths)
            assert successor != process.pid
            (run,) = swarm("ls", "--json").json
            assert (run["status"], run["supervised"]) == ("running", True)
            process.send_signal(signal.SIGCONT)
            os.kill(successor, signal.SIGKILL)
            assert _supervisor(paths, is_not=successor) == process.pid
        assert swarm("cancel", run["id"]).code == 0
        assert running.end() == 130


def test_ctrl_z_in_the_dashboard_hands_over_and_fg_shows_it_again(
    terminal: Opener, detached: Detacher, swarm: Swarm, paths: Paths
) -> None:
    run = detached(HANG)
    shown = terminal()
    shown.until("Wait", "1 running")
    first = _supervisor(paths)
    os.kill(first, signal.SIGKILL)
    pid = _supervisor(paths, is_not=first)
    assert pid == shown.pid
    shown.type(b"\x1a")
    _wait_until_stopped(pid)
    assert _supervisor(paths) != pid
    shown.screen.reset()
    os.kill(pid, signal.SIGCONT)
    shown.until("Wait", "1 running")
    assert swarm("cancel", run).code == 0
    shown.until("0 running")
    shown.type(b"q")
    assert shown.end() == 0


@pytest.mark.parametrize(
    ("age_s", "condition"), [(0.0, HolderState.RUNNING), (HUNG_S + 5, HolderState.HUNG)]
)
def test_a_heartbeat_that_ceased_is_a_hung_supervisor(
    tmp_path: Path, age_s: float, condition: HolderState
) -> None:
    path = tmp_path / "lock"
    path.write_text(f"{os.getpid()}\n{time.time():.0f} {time.monotonic() - age_s:017.3f}\n")
    assert read_holder(path).condition is HolderState.ABSENT
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert read_holder(path).condition is condition


@pytest.mark.parametrize("text", ["", "x", "12", "1 2 x", "\0\0"])
def test_a_lock_of_another_version_is_a_supervisor_that_works(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lock"
    path.write_text(text)
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert read_holder(path).condition is HolderState.RUNNING


def test_wait_reports_a_paused_queue(swarm: Swarm) -> None:
    assert swarm("pause", "--reason", "lunch, then a walk").code == 0
    assert swarm("run", "sim: say hi", "--agent", "simulated", "--detach").code == 0
    waited = swarm("wait", "--all", "--timeout", "2s")
    assert waited.code == 124
    assert waited.err.count("the queue is paused: lunch, then a walk") == 1
    assert swarm("unpause").code == 0
    assert swarm("wait", "--all").code == 0


def test_a_foreground_run_makes_no_new_home_where_its_home_was_moved_away(
    start: Starter, swarm: Swarm, paths: Paths
) -> None:
    options = ("run", "--agent", "simulated", "--empty", "--json")
    running = start(*options, "sim: numbered 2000 every=0.05")
    running.until(type="step", text="n 1")
    moved = paths.home.with_name("moved")
    paths.home.rename(moved)
    assert running.end() == 3
    assert not paths.home.exists()
    moved.rename(paths.home)
    (run,) = json.loads(swarm("ls", "--json").out)
    assert swarm("cancel", run["id"], "--kill").code == 0
    assert swarm("wait", run["id"]).code == 130
