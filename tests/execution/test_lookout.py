"""An engine that does not supervise sees whether another one does."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support import spec

from engine.config.paths import Paths
from engine.domain.model import Status
from engine.engine import Engine, read_holder, start_if_needed, supervise
from engine.execution import supervision_monitor
from engine.execution.supervision_monitor import SupervisionMonitor
from engine.execution.supervisor_lock import SupervisorLock

HOLD = """
import sys, time
from pathlib import Path
from engine.execution.supervisor_lock import SupervisorLock
assert SupervisorLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
time.sleep(600)
"""


def looking(paths: Paths, *, needed: bool = True) -> tuple[SupervisionMonitor, list[str]]:
    changes: list[str] = []
    found = SupervisionMonitor(
        SupervisorLock(paths.lock), lambda: needed, lambda: changes.append("")
    )
    return found, changes


async def test_runs_without_a_supervisor_are_reported(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.prepare()
    found, changes = looking(paths)
    await found.check()
    assert not found.problem  # one engine may be handing over to the next
    monkeypatch.setattr(supervision_monitor, "ABSENT_S", 0.0)
    await found.check()
    assert "No process supervises" in found.problem
    assert found.since is not None
    assert len(changes) == 1
    owner = SupervisorLock(paths.lock)
    assert owner.acquire()
    await found.check()
    owner.release()
    assert (found.problem, found.since, len(changes)) == ("", None, 2)


async def test_nothing_is_reported_where_nothing_is_left_to_do(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.prepare()
    monkeypatch.setattr(supervision_monitor, "ABSENT_S", 0.0)
    found, changes = looking(paths, needed=False)
    await found.check()
    assert (found.problem, changes) == ("", [])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_stopped_supervisor_is_reported_until_it_continues(paths: Paths) -> None:
    paths.prepare()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(paths.lock)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        found, _ = looking(paths)
        asyncio.run(found.check())
        assert not found.problem
        holder.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, holder.pid, os.WSTOPPED | os.WNOWAIT)
        asyncio.run(found.check())
        assert f"kill -CONT {holder.pid}" in found.problem
        holder.send_signal(signal.SIGCONT)
        os.waitid(os.P_PID, holder.pid, os.WCONTINUED | os.WNOWAIT)
        asyncio.run(found.check())
        assert not found.problem
    finally:
        holder.kill()
        holder.wait()
        assert holder.stdout
        holder.stdout.close()


async def test_a_process_that_only_reads_the_lock_does_not_count_as_a_supervisor(
    paths: Paths,
) -> None:
    async with Engine.open(paths, follow=False) as engine:
        run = await engine.start(spec("say hello"))
    reader = os.open(paths.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    try:
        fcntl.flock(reader, fcntl.LOCK_SH)
        assert not read_holder(paths.lock).is_alive
        child = start_if_needed(paths, ["true"])
        assert child
        child.leave()
        supervising = asyncio.create_task(supervise(paths, standby=False))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.3, fcntl.flock, reader, fcntl.LOCK_UN)
        await supervising
    finally:
        os.close(reader)
    async with Engine.open(paths, follow=False) as engine:
        assert (await engine.find(run.id)).status is Status.SUCCEEDED
