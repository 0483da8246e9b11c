"""The kinds of faults that a storm injects; each says whether it found something to break."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from chaos_home import ChaosHome, wait_a_moment

from engine.execution.local.process_marks import marks

MAX_CUTS = 6


@dataclass(frozen=True)
class Fault:
    """One kind of fault; `weight` says how often it is chosen."""

    name: str
    inject: Callable[[ChaosHome], bool]
    weight: float = 1.0
    works_on: Callable[[ChaosHome], bool] = lambda home: True


def _kill(pid: int | None, number: signal.Signals = signal.SIGKILL) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def kill_supervisor(home: ChaosHome) -> bool:
    """Kill the process that supervises, whichever command it is."""
    wait_a_moment(home.chance, 0.5)
    return _kill(home.supervisor())


def stop_supervisor(home: ChaosHome) -> bool:
    """Stop the supervisor for a moment, as ctrl+z in another shell does."""
    pid = home.supervisor()
    if not _kill(pid, signal.SIGSTOP):
        return False
    wait_a_moment(home.chance, 1.0)
    return _kill(pid, signal.SIGCONT)


def kill_dashboard(home: ChaosHome) -> bool:
    """Kill a dashboard, or take its terminal away."""
    for process, _ in home.dashboards:
        number = home.chance.choice([signal.SIGKILL, signal.SIGHUP, signal.SIGTERM])
        return _kill(process.pid, number)
    return False


def kill_waiter(home: ChaosHome) -> bool:
    """Kill a command that waits for runs."""
    if not home.waiters:
        return False
    name, process = home.waiters.pop(home.chance.randrange(len(home.waiters)))
    process.kill()
    process.wait()
    return bool(name)


def _of_runs(home: ChaosHome, *, shims: bool) -> list[int]:
    root = os.path.realpath(home.paths.home)
    found = [pid for mark, pids in marks().items() if mark.startswith(root) for pid in pids]
    return [pid for pid in found if _is_shim(pid) == shims]


def _is_shim(pid: int) -> bool:
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return words[0].endswith(b"/sh") and b"swarm-tui" in words
    return False


def kill_shim(home: ChaosHome) -> bool:
    """Kill the shell above an agent."""
    found = _of_runs(home, shims=True)
    return bool(found) and _kill(home.chance.choice(found))


def kill_agent(home: ChaosHome) -> bool:
    """Kill an agent, a set-up command or a check."""
    found = _of_runs(home, shims=False)
    return bool(found) and _kill(home.chance.choice(found))


def kill_git(home: ChaosHome) -> bool:
    """Kill a git that the supervisor started, if one is caught at work."""
    pid = home.supervisor()
    if pid is None:
        return False
    for _ in range(40):
        with suppress(psutil.Error):
            children = psutil.Process(pid).children(recursive=True)
            for git in [child.pid for child in children if child.name() == "git"]:
                return _kill(git)
        wait_a_moment(home.chance, 0.02)
    return False


def cancel(home: ChaosHome) -> bool:
    """Cancel a run, gently or at once."""
    live = home.live_runs()
    if not live:
        return False
    words = ["cancel", home.chance.choice(live), *home.chance.choice([[], ["--kill"]])]
    return home.swarm(*words).returncode in (0, 3)  # 3: it had ended in that moment


def fill_disk(home: ChaosHome) -> bool:
    """Leave no room on the disk for a while."""
    home.disk.fill()
    wait_a_moment(home.chance, 1.5)
    home.disk.free()
    return True


def cut_power(home: ChaosHome) -> bool:
    """Keep a copy of the disk as a power cut in this moment would leave it."""
    if len(home.cuts) >= MAX_CUTS:
        return False
    home.cut_power()
    return True


def move_clock(home: ChaosHome) -> bool:
    """Set the wall clock forwards or backwards, by seconds or by days."""
    home.clock.write_text(str(home.chance.choice([-86_400, -3600, -5, 0, 5, 3600, 86_400])))
    return True


def crowd_of_processes(home: ChaosHome) -> bool:
    """Kill every process of the home at once, as the kernel does when memory runs out."""
    found = [*_of_runs(home, shims=True), *_of_runs(home, shims=False)]
    supervisor = home.supervisor()
    for pid in [*found, *([supervisor] if supervisor else [])]:
        _kill(pid)
    return bool(found)


def _is_image(home: ChaosHome) -> bool:
    return home.disk.image is not None


def _can_unshare(home: ChaosHome) -> bool:
    probe = ["unshare", "-m", "-p", "-f", "--mount-proc", "true"]
    try:
        return _is_image(home) and subprocess.run(probe, check=False).returncode == 0
    except OSError:
        return False


FAULTS = (
    Fault("kill supervisor", kill_supervisor, 4),
    Fault("stop supervisor", stop_supervisor),
    Fault("kill dashboard", kill_dashboard, 2),
    Fault("kill waiter", kill_waiter, 2),
    Fault("kill shim", kill_shim),
    Fault("kill agent", kill_agent),
    Fault("kill git", kill_git, 2),
    Fault("cancel", cancel),
    Fault("fill disk", fill_disk, 1, _is_image),
    Fault("cut power", cut_power, 0.5, _can_unshare),
    Fault("move clock", move_clock),
    Fault("kill everything", crowd_of_processes, 0.3),
)
