"""One attempt's processes: started into files, found again, stopped with all they started.

An agent runs under a shell of a few lines that outlives this program: it claims the attempt, hands
the agent its files, and writes the exit status where the next engine finds it. Everything below it
carries the attempt's mark in its environment, so that also a descendant that left group and session
is known as ours, and a process that merely got the same pid is not.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.config.locks import to_the_end
from engine.config.paths import AttemptFolder, private_folder
from engine.execution.executor import ProcessEnd
from engine.execution.local.process_family import ProcessCensus, ProcessFamily
from engine.execution.local.process_marks import (
    GUARD,
    MARK,
    ProcessInfo,
    carries,
    cpu_s,
    group,
    has_word,
    mark,
    marked,
    process_name,
    session,
)
from engine.system.environment import workspace_environment
from engine.system.files import LineReader, append_regular, open_regular, read_regular
from engine.system.open_files import restoring
from engine.system.reserve import is_full

POLL_S = 0.05
ASK_AGAIN_S = 1.0
KILL_WAIT_S = 10.0
SHELL_WAIT_S = 1.0
CLAIM_TRIES = 100
census = ProcessCensus()
"""The look at all processes that all attempts share."""
NOBODY = -1  # in the place of a pid that is not known

# $1 pid file, $2 exit file, then the command. `set -C` makes the claim exclusive: the process that
# creates the pid file first decides. The trap keeps the shell alive to write the exit status;
# unlike an ignored signal, a trapped one is back to its default in the command.
_SHIM = """
pid=$1 exit=$2; shift 2
(set -C; echo $$ >"$pid") 2>/dev/null || exit 125
trap : TERM INT HUP
"$@"
echo $? >"$exit"
"""
_ABANDONED = "abandoned"


class AttemptProcess:
    """A started attempt, ours or one that another engine started."""

    def __init__(
        self, folder: AttemptFolder, pid: int, child: subprocess.Popen[bytes] | None
    ) -> None:
        self.folder = folder
        self.pid = pid
        self._child = child
        self._mark = mark(folder)
        self._family = ProcessFamily(self._mark)
        self.spare: Sequence[str] = ()
        """Words: processes outside of the agent's session with one in their command line stay."""
        self.survivors: dict[int, str] = {}
        """Processes that could not be ended, pid and name."""
        self._exit = os.fspath(folder.exit)
        self._disk_full = False
        self._output: LineReader | None = None

    def output(self, offset: int) -> LineReader:
        """Return the reader of its output that stands at `offset`."""
        if self._output is None or self._output.offset != offset:
            self.close_output()
            self._output = LineReader(self.folder.stdout, offset)
        return self._output

    def close_output(self) -> None:
        """Read its output no longer."""
        if self._output:
            self._output.close()
            self._output = None

    async def sync_files(self) -> None:
        """Write its files through to the disk; raises OSError where that fails."""
        await asyncio.to_thread(self.folder.sync)

    def ending(self) -> ProcessEnd | None:
        """Return its end, or None while it lives; cheap, called often."""
        code = _read_exit(self._exit)
        if code is not None:
            if self._child:
                self._child.poll()
            return self._ended(code)
        if self._alive():
            return None
        # The status may have been written between the two looks; else only the shell was killed,
        # and what it ran may still be at work.
        code = _read_exit(self._exit)
        if code is None and self._without_spared(self.members()):
            return None
        return self._ended(code)

    def _ended(self, code: int | None) -> ProcessEnd:
        # Remembered: until the end is stored there may be room again.
        self._disk_full = self._disk_full or is_full(self.folder.path)
        return ProcessEnd(code, self._disk_full)

    def _alive(self) -> bool:
        if self._child:
            return self._child.poll() is None
        return self.pid != NOBODY and carries(self.pid, self._mark)

    def members(self) -> list[int]:
        """Return the pids of everything alive that belongs to the attempt."""
        return self.record(census.snapshot(time.monotonic()))

    def record(self, seen: Mapping[int, ProcessInfo]) -> list[int]:
        """Return which of all processes belong to the attempt, and remember them."""
        return self._family.members(seen)

    async def _members(self) -> list[int]:
        """Return the pids of everything alive that is to be ended with the attempt."""
        found = self.record(await asyncio.to_thread(census.snapshot, time.monotonic()))
        return self._without_spared(found)

    def _without_spared(self, pids: list[int]) -> list[int]:
        if not self.spare:
            return pids
        # What is in the shell's own session is the agent, however its command line reads.
        return [pid for pid in pids if session(pid) == self.pid or not has_word(pid, self.spare)]

    def cpu_s(self) -> float:
        """Return the processor time, in seconds, that its living processes have used."""
        # A guard wakes up now and then, also for an agent that does nothing.
        return sum(cpu_s(pid) for pid in self.members() if process_name(pid) != GUARD)

    async def used_cpu_s(self) -> float:
        """Return the processor time, in seconds, that its living processes have used."""
        return await asyncio.to_thread(self.cpu_s)

    def _is_our_child(self) -> bool:
        """Return whether it is our own living child: then no other process has its pid."""
        return self._child is not None and self._child.poll() is None

    def _leads(self) -> bool:
        """Return whether the group is still ours: its number may be a stranger's by now."""
        if self.pid == NOBODY:
            return False
        return self._alive() or any(group(pid) == self.pid for pid in self.members())

    def release(self) -> None:
        """Release it, alive: the next supervisor finds it by its files."""
        if self._child and self._child.poll() is None:
            self._child.returncode = 0  # otherwise Python warns of a child left behind

    async def stop(self, grace_s: float) -> None:
        """End it and all it started: SIGTERM to the group, SIGKILL after `grace_s` seconds."""
        if grace_s > 0 and (self._is_our_child() or await self._members()):
            await self._wait_gone(grace_s)
        await self.kill_remaining()

    async def kill_remaining(self) -> dict[int, str]:
        """Kill what of the attempt is still alive and not spared; return what it left, by pid."""
        killed: dict[int, str] = {}
        now = asyncio.get_running_loop().time
        deadline, alone_until, empty = now() + KILL_WAIT_S, 0.0, 0
        members: list[int] = []
        # Looked at twice: for a moment, while a program is being loaded, it has no environment.
        while empty < 2 and now() < deadline:
            members = await self._members()
            if not members and self._alive():
                members = [self.pid]
            empty = 0 if members else empty + 1
            # The shell goes last, and not at once: it writes down how the command ended.
            victims = [pid for pid in members if pid != self.pid]
            if victims:
                alone_until = now() + SHELL_WAIT_S
            elif now() >= alone_until:
                victims = members
            for pid in victims:
                if pid not in killed:
                    killed[pid] = process_name(pid)
                _signal(pid, signal.SIGKILL)
            await asyncio.sleep(POLL_S / 5)
        self.survivors = {pid: killed.get(pid, "?") for pid in members if pid != self.pid}
        killed = {pid: name for pid, name in killed.items() if pid != self.pid and name != GUARD}
        return {pid: name for pid, name in killed.items() if pid not in self.survivors}

    async def _wait_gone(self, limit_s: float) -> None:
        """Ask everything of it to end, and wait until it has."""
        now = asyncio.get_running_loop().time
        deadline = now() + limit_s
        asked: set[int] = set()
        if self._is_our_child() or await asyncio.to_thread(self._leads):
            _signal_group(self.pid, signal.SIGTERM)
        ask_at = now() + ASK_AGAIN_S
        while now() < deadline:
            if now() >= ask_at:
                ask_at = now() + ASK_AGAIN_S
                if await self._members() == [self.pid]:
                    # The shell outlives the signal, and what it was just starting never saw it.
                    _signal_group(self.pid, signal.SIGTERM)
            if self.ending() is not None or self.pid == NOBODY:
                left = await self._members()
                if not left:
                    return
                # An agent may not hand the signal on to commands that run without a sandbox.
                for pid in set(left) - asked:
                    _signal(pid, signal.SIGTERM)
                asked.update(left)
            await asyncio.sleep(POLL_S)


async def start(
    folder: AttemptFolder,
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: Path,
    base: Mapping[str, str] | None = None,
) -> AttemptProcess:
    """Start an attempt in a session of its own, its output going to its files.

    Its environment is `env` beside `base`, that of its run, or beside our own. Raises OSError
    where the shell cannot be started.
    """
    started: list[AttemptProcess] = []

    async def begin() -> None:
        started.append(await asyncio.to_thread(_start, folder, argv, env, cwd, base))

    try:
        await to_the_end(begin())
    except asyncio.CancelledError:
        # The process goes on, and the next engine finds it by its files.
        for process in started:
            process.release()
        raise
    return started[0]


def _start(
    folder: AttemptFolder,
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: Path,
    base: Mapping[str, str] | None,
) -> AttemptProcess:
    private_folder(folder.path)
    with (
        folder.prompt.open("rb") as stdin,
        os.fdopen(append_regular(folder.stdout), "wb") as stdout,
        os.fdopen(append_regular(folder.stderr), "wb") as stderr,
    ):
        child = subprocess.Popen(
            [
                "/bin/sh",
                "-c",
                restoring() + _SHIM,
                "swarm-tui",
                str(folder.pid),
                str(folder.exit),
                *argv,
            ],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=cwd,
            env=workspace_environment({**env, MARK: mark(folder)}, base),
            start_new_session=True,
        )
    return AttemptProcess(folder, child.pid, child)


async def find(folder: AttemptFolder) -> AttemptProcess | None:
    """Find an attempt that an earlier engine started; None: it was never started.

    After None it never will be: the claim is taken, so that a shell that comes late gives up.
    """
    return await asyncio.to_thread(_find, folder)


def _find(folder: AttemptFolder) -> AttemptProcess | None:
    text = _ABANDONED
    try:
        with folder.pid.open("x") as claim:
            claim.write(_ABANDONED)
    except FileExistsError:
        text = _claim(folder)
    except FileNotFoundError:
        pass
    return _started(folder, text)


async def known(folder: AttemptFolder) -> AttemptProcess | None:
    """Return what was started, as `find` does; but where nothing was, it still can be."""

    def look() -> AttemptProcess | None:
        try:
            return _started(folder, _claim(folder))
        except FileNotFoundError:
            return _started(folder, "")

    return await asyncio.to_thread(look)


def _started(folder: AttemptFolder, text: str) -> AttemptProcess | None:
    """Return what was started, by the text of its claim."""
    if text.isascii() and text.isdigit():
        return AttemptProcess(folder, int(text), None)
    members = marked(mark(folder))
    if not members and not _has_run(folder):
        return None
    # It was started, and then the claim was damaged or removed: not to be started again.
    leader = next((pid for pid in members if group(pid) == pid), NOBODY)
    return AttemptProcess(folder, leader, None)


def _has_run(folder: AttemptFolder) -> bool:
    try:
        return folder.exit.exists() or folder.stdout.stat().st_size > 0
    except FileNotFoundError:
        return False


def _claim(folder: AttemptFolder) -> str:
    """Read who claimed the attempt; the shell writes its pid just after it made the file."""
    for _ in range(CLAIM_TRIES):
        text = read_regular(folder.pid).decode("ascii", "replace").strip()
        if text:
            return text
        time.sleep(POLL_S / 5)
    return ""


def _read_exit(path: str) -> int | None:
    try:
        handle = open_regular(path)  # asked for with every tick
    except OSError:
        return None
    try:
        text = os.read(handle, 100).decode("ascii", "replace")
    except OSError:
        return None
    finally:
        os.close(handle)
    return int(text) if text.endswith("\n") and text.strip().isdigit() else None


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return
