"""The process of a node: `python -m engine.execution.cluster.dask.node_process`, with a parent.

It keeps nothing in memory that its files do not hold. Its end, however it comes, ends no run: the
next process finds them again, and without one their guards end them with the lease.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import sys
import time
import uuid
from pathlib import Path

from engine.config.paths import private_folder
from engine.domain.errors import UserError, user_error
from engine.execution.cluster.dask.library import load
from engine.execution.cluster.dask.membership import Membership
from engine.execution.cluster.dask.node_runs import NodeRuns
from engine.execution.cluster.dask.node_server import NodeAddress, NodeServer
from engine.execution.cluster.dask.process_messages import (
    EXIT_ERROR,
    Happening,
    NodeTask,
    ProcessReport,
    line,
)
from engine.execution.cluster.node.service import NodeService
from engine.system.decoding import json_decoder
from engine.system.durable import write_synced
from engine.system.files import read_regular

LOCK, IDENTITY = "node.lock", "identity"
LOCK_S = 10.0
"""Longest wait for the end of the process before this one."""
QUIET_S = 15.0
"""Time for engines to fetch results, from the end of the last run to that of the node."""
POLL_S = 1.0
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class _Reports:
    """Reports to the parent; those that repeat are left out."""

    def __init__(self, task: NodeTask) -> None:
        self._task = task
        self._last = ""
        self.address = ""

    def joined(self) -> None:
        """Report that the node has a lease."""
        if self._is_new("joined"):
            self.send(Happening.JOINED)

    def unreachable(self, reason: str) -> None:
        """Report that the scheduler does not answer."""
        if self._is_new(reason):
            self.send(Happening.UNREACHABLE, reason=reason)

    def lease_ended(self) -> None:
        """Report that the runs are ended."""
        self.send(Happening.LEASE_ENDED)

    def failed(self, error: UserError) -> None:
        """Report an error that the user can fix."""
        self.send(Happening.FAILED, error.message, error.code, error.recovery)

    def send(
        self,
        event: Happening,
        reason: str = "",
        code: str = "",
        recovery: str = "",
        runs: int = 0,
    ) -> None:
        """Write a report."""
        report = ProcessReport(
            event=event,
            node=self._task.name,
            scheduler=self._task.scheduler,
            address=self.address,
            slots=self._task.slots,
            runs=runs,
            reason=reason,
            code=code,
            recovery=recovery,
        )
        try:
            os.write(sys.stdout.fileno(), line(report))
        except OSError:
            return  # the parent is gone: this process ends, too

    def _is_new(self, state: str) -> bool:
        is_new, self._last = state != self._last, state
        return is_new


class _Stops:
    """Signals to stop: the first drains the node, the second ends its runs."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._changed = asyncio.Event()

    def add(self) -> None:
        """Count a signal."""
        self._count += 1
        self._changed.set()

    async def reach(self, count: int) -> None:
        """Wait until so many signals have arrived."""
        while self._count < count:
            self._changed.clear()
            await self._changed.wait()

    async def reached(self, count: int, within_s: float) -> bool:
        """Wait for signals, but not for longer than this; return whether they arrived."""
        try:
            async with asyncio.timeout(within_s):
                await self.reach(count)
        except TimeoutError:
            return False
        return True


async def run_node(task: NodeTask) -> int:
    """Run a node until it is stopped; return the exit code. Raises OSError."""
    reports, stops = _Reports(task), _Stops(task.stops)
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), _read_parent, stops)
    for number in SIGNALS:
        # A signal to all processes of a job reaches the parent, too, which counts it. It is not
        # ignored: the programs that this process starts would inherit that.
        loop.add_signal_handler(number, _do_nothing)
    root = Path(task.root)
    try:
        lock = await asyncio.to_thread(_locked, root)
        try:
            await _serve(task, root, reports, stops)
        finally:
            os.close(lock)
    except UserError as error:
        reports.failed(error)
        return EXIT_ERROR
    reports.send(Happening.LEFT)
    return 0


async def _serve(task: NodeTask, root: Path, reports: _Reports, stops: _Stops) -> None:
    library = await asyncio.to_thread(load)
    service = await asyncio.to_thread(
        lambda: NodeService(root, task.name, task.slots, task.lease_s, config=Path(task.config))
    )
    identity = await asyncio.to_thread(identity_of, root)
    files = task.files.value() if task.files else None
    address = NodeAddress(task.name, identity, task.scheduler, files, task.host, task.port)
    server = NodeServer(library, root, address, service.handle)
    runs = NodeRuns(service)
    service.agent.warm_up(service.settings)
    try:
        reports.address = await server.start()
        membership = server.membership(service.lease, runs.end, reports)
        await _until_stopped(membership, _Drain(runs, reports, stops))
        await asyncio.to_thread(service.lease.end)
        await runs.end()
        await membership.leave()
    finally:
        await server.close()
        service.close()


async def _until_stopped(membership: Membership, drain: _Drain) -> None:
    """Keep the lease until the node is drained or has to end its runs."""
    keeping = asyncio.create_task(membership.keep())
    draining = asyncio.create_task(drain.run())
    try:
        await asyncio.wait((keeping, draining), return_when=asyncio.FIRST_COMPLETED)
        if keeping.done():
            keeping.result()
        draining.result()
    finally:
        for one in (keeping, draining):
            one.cancel()
        await asyncio.gather(keeping, draining, return_exceptions=True)


class _Drain:
    """The orderly end of a node."""

    def __init__(self, runs: NodeRuns, reports: _Reports, stops: _Stops) -> None:
        self._runs = runs
        self._reports = reports
        self._stops = stops

    async def run(self) -> None:
        """Wait for the first signal, then for the end of all runs or the second signal."""
        await self._stops.reach(1)
        self._runs.refuse_new()
        busy = await self._runs.at_work()
        self._reports.send(Happening.DRAINING, runs=len(busy))
        had_runs = bool(busy)
        while busy:
            if await self._stops.reached(2, POLL_S):
                self._reports.send(Happening.ENDING, runs=len(busy))
                return
            busy = await self._runs.at_work()
        if had_runs:
            await self._stops.reached(2, QUIET_S)


def _locked(root: Path) -> int:
    """Return the handle that holds the lock of a node's folder. Blocking.

    Raises `UserError` NODE_RUNS_ALREADY, and INPUT_INVALID for a folder that cannot be used.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        private_folder(root)
        handle = os.open(root / LOCK, flags, 0o600)
    except OSError as error:
        text = f"`{root}` cannot be used: {error.strerror or error}."
        raise user_error("INPUT_INVALID", text, "Choose another with --root.") from error
    deadline = time.monotonic() + LOCK_S
    while not _try_lock(handle):
        if time.monotonic() > deadline:
            os.close(handle)
            raise user_error("NODE_RUNS_ALREADY", f"A node works in `{root}` already.")
        time.sleep(0.05)
    return handle


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def identity_of(root: Path) -> str:
    """Return the identity of a node's folder on this machine, made where it is missing. Blocking.

    A copy of the folder on another machine is another node.
    """
    path = root / IDENTITY
    try:
        found = read_regular(path, 100).decode("ascii", "replace").strip()
    except FileNotFoundError:
        found = ""
    if not found:
        found = uuid.uuid4().hex
        write_synced(path, f"{found}\n".encode())
    return f"{found[:64]}@{socket.gethostname()[:150]}"


def main() -> int:
    """Run the node that the first line of stdin describes."""
    task = json_decoder(NodeTask)(sys.stdin.buffer.readline())
    os.set_blocking(sys.stdin.fileno(), False)
    return asyncio.run(run_node(task))


def _do_nothing() -> None:
    pass


def _read_parent(stops: _Stops) -> None:
    """Count the lines of the parent, one for each signal to stop.

    End the process at once when its parent is gone: the next one could not start beside it.
    """
    try:
        found = os.read(sys.stdin.fileno(), 100)
    except BlockingIOError:
        return
    except OSError:
        found = b""
    if not found:
        os._exit(1)
    for _ in found:
        stops.add()


if __name__ == "__main__":
    sys.exit(main())
