"""Guard of one part of an attempt: the parent of its command, which ends it without a lease.

    python -I -S guard.py LEASE FOLDER GRACE_S COMMAND…

A program of its own, of the standard library alone: it holds whatever becomes of the node that
started it. The command has its files, its signals and its exit status as without a guard. When the
lease has run out, the guard notes `fenced` in FOLDER and ends all processes of the attempt: those
with its mark, and their descendants, which the kernel hands to it when they lose their parent.

The command dies with its guard. A second process sees the guard's death, and kills what else it
has started; after an orderly end it watches what the command left behind, up to the lease's end.
"""

# ruff: noqa: PTH104, PTH123, PTH208  no pathlib: it takes long to import

from __future__ import annotations

import ctypes
import errno
import os
import signal
import sys
import time

NAME = b"swarm-guard"
MARK = b"SWARM_MARK="
MADE, FENCED = "guarded", "fenced"
POLL_S = 1.0
"""Time between two reads of the lease; the end of the command is seen at once."""
AGAIN_S = 0.25
"""Time after which the lease is read a second time, before any process is ended."""
LONGEST_S = 1e12
STEP_S = 0.05
KILL_S = 30.0
"""A process that waits for a disk for longer than this was killed, and ends by itself."""
REFUSED = 75
"""The exit status where the lease ran out before the command was started."""
NOT_FOUND, NOT_STARTED = 127, 126
"""The exit status of a shell whose command is missing, or cannot be started."""

SET_DEATH_SIGNAL, SET_DUMPABLE, SET_NAME, SET_REAPER = 1, 4, 15, 36
SYNCHRONOUS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT}
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
ASKED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_libc = ctypes.CDLL(None)


def now_s() -> float:
    """Return the seconds since the machine was started, those asleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class WatchedLease:
    """The lease of the node; one that cannot be read lasts for as long as it did."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._until = 0.0

    def left_s(self) -> float:
        """Read it, and return for how long it holds."""
        found = self._read()
        if 0 <= found < LONGEST_S:  # also not where it is not a number
            self._until = found
        return self._until - now_s()

    def _read(self) -> float:
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            try:
                return float(os.read(handle, 1000).split()[0])
            finally:
                os.close(handle)
        except (OSError, ValueError, IndexError):
            return -1.0

    def has_run_out(self) -> bool:
        """Return whether it has run out, by two looks."""
        if self.left_s() > 0:
            return False
        time.sleep(AGAIN_S)
        return self.left_s() <= 0


class Seen:
    """A living process; its mark is None where its environment has none."""

    def __init__(self, pid: int) -> None:
        fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        if len(fields) < 20 or fields[0] in (b"Z", b"X"):
            raise ProcessLookupError(pid)
        self.parent = int(fields[1])
        self.started = int(fields[19])
        try:
            environment = b"\0" + _read(f"/proc/{pid}/environ")
        except OSError:
            environment = b""
        _, found, rest = environment.partition(b"\0" + MARK)
        self.mark = rest.partition(b"\0")[0] if found else None


class Family:
    """All processes of the attempt but for those set `apart`: its shell and its guards."""

    def __init__(self, mark: bytes, apart: set[int]) -> None:
        self.apart = apart
        self._mark = mark
        self._known: dict[int, int] = {}
        """Start times by pid: those that lose their parents stay known."""

    def members(self) -> list[int]:
        """Return the pids of those that are alive, and remember them."""
        seen = processes()
        found = {pid for pid, one in seen.items() if self._is_known(pid, one)}
        while True:
            # Those of another attempt that was started from this one have another mark.
            more = {pid for pid, it in seen.items() if it.mark is None and it.parent in found}
            if more <= found:
                break
            found |= more
        self._known = {pid: seen[pid].started for pid in found}
        return sorted(found - self.apart)

    def known(self) -> bytes:
        """Return what is known, for another process; the last line marks its end."""
        known = (one for one in self._known.items() if one[0] not in self.apart)
        return b"".join(b"%d %d\n" % one for one in known) + b"\n"

    def learn(self, known: bytes) -> None:
        """Take over what another process knows."""
        for line in known.splitlines():
            if line:
                pid, started = map(int, line.split())
                self._known[pid] = started

    def end(self, grace_s: float) -> None:
        """End them, at first with SIGTERM, and with SIGKILL after `grace_s` seconds."""
        asked: set[int] = set()
        began, empty = now_s(), 0
        # Looked at twice: for a moment, while a program is being loaded, it has no environment.
        while empty < 2 and now_s() - began < grace_s + KILL_S:
            members = self.members()
            empty = 0 if members else empty + 1
            for pid in members:
                if now_s() - began >= grace_s:
                    _send(pid, signal.SIGKILL)
                elif pid not in asked:
                    _send(pid, signal.SIGTERM)
            asked.update(members)
            time.sleep(STEP_S)
            _reap()

    def _is_known(self, pid: int, one: Seen) -> bool:
        return one.mark == self._mark or self._known.get(pid) == one.started


class Guard:
    """The guard of one command."""

    def __init__(self, lease: str, folder: str, grace_s: float) -> None:
        self._lease = WatchedLease(lease)
        self._folder = folder
        self._grace_s = grace_s
        self._second = 0
        mark = os.environb.get(MARK[:-1], b"")
        self._family = Family(mark, {os.getppid(), os.getpid()})

    def run(self, argv: list[str]) -> int:
        """Run the command, and return its wait status."""
        every = signal.valid_signals() - SYNCHRONOUS
        before = signal.pthread_sigmask(signal.SIG_BLOCK, every)
        _control(SET_NAME, ctypes.c_char_p(NAME))
        _control(SET_REAPER, 1)
        if self._lease.has_run_out():
            self._note()
            return REFUSED << 8
        self._prepare_note()
        link = self._begin_second()
        agent = _begin(argv, before)
        # Signals to the group that arrived before the command was there are for it.
        for number in signal.sigpending() & set(ASKED):
            _send(agent, number)
        status = self._watch(agent)
        self._leave_to_second(link)
        return status

    def _watch(self, agent: int) -> int:
        """Wait for the end of the command or of the lease; return the command's wait status."""
        while True:
            ends = _reap()
            if agent in ends:
                return ends[agent]
            left_s = self._lease.left_s()
            if left_s <= 0 and self._lease.has_run_out():
                self._note()
                self._family.end(self._grace_s)
                return signal.SIGKILL
            signal.sigtimedwait({signal.SIGCHLD}, min(max(left_s, STEP_S), POLL_S))

    def _leave_to_second(self, link: int) -> None:
        """Report to the second process what is left; if nothing is, wait for its end."""
        left = self._family.members()
        _write(link, self._family.known())
        os.close(link)
        if not left:
            _wait(self._second)

    def _begin_second(self) -> int:
        """Start the process that outlives this one; return the pipe by which it knows."""
        read, write = os.pipe()
        guard = os.getpid()
        pid = os.fork()
        if pid:
            os.close(read)
            self._second = pid
            self._family.apart.add(pid)
            return write
        try:
            os.close(write)
            self._family.apart |= {guard, os.getpid()}
            self._follow(read)
        finally:
            os._exit(0)

    def _follow(self, read: int) -> None:
        known = b""
        while piece := os.read(read, 65536):
            known += piece
        if not known.endswith(b"\n"):  # killed: its command was killed with it by the kernel
            self._family.end(0)
            return
        self._family.learn(known)
        while known.strip() and self._family.members():
            if self._lease.has_run_out():
                self._family.end(self._grace_s)
            time.sleep(POLL_S)

    def _prepare_note(self) -> None:
        """Make the file that becomes the note: later the disk may be full."""
        try:
            os.close(os.open(f"{self._folder}/{MADE}", os.O_WRONLY | os.O_CREAT, 0o600))
        except OSError:
            return

    def _note(self) -> None:
        """Note that the lease has run out: the exit status that follows is not the agent's."""
        path = f"{self._folder}/{FENCED}"
        try:
            os.rename(f"{self._folder}/{MADE}", path)
        except OSError:
            try:
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
            except OSError:
                return


def processes() -> dict[int, Seen]:
    """Return all living processes by pid."""
    found: dict[int, Seen] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                found[int(name)] = Seen(int(name))
            except (OSError, ValueError):
                continue
    return found


def leave(status: int) -> None:
    """End as the command did, by the same signal or with the same exit status."""
    if not os.WIFSIGNALED(status):
        os._exit(os.WEXITSTATUS(status))
    number = os.WTERMSIG(status)
    _control(SET_DUMPABLE, 0)  # the command has left its memory dump, if it is to have one
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    os.kill(os.getpid(), number)
    os._exit(128 + number)


def _begin(argv: list[str], mask: set[signal.Signals | int]) -> int:
    guard = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        _control(SET_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != guard:
            os._exit(NOT_STARTED)
        for number in IGNORED_BY_PYTHON:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        _become(argv)
    finally:
        os._exit(NOT_STARTED)


def _become(argv: list[str]) -> None:
    """Become the command, as a shell starts one."""
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        if error.errno == errno.ENOEXEC:  # a script that does not name its interpreter
            os.execv("/bin/sh", ["/bin/sh", *argv])
        os.write(2, os.fsencode(f"{argv[0]}: {error.strerror}\n"))
        os._exit(NOT_FOUND if error.errno in (errno.ENOENT, errno.ENOTDIR) else NOT_STARTED)


def _reap() -> dict[int, int]:
    """Return the wait statuses of the children that have ended, by pid."""
    ends: dict[int, int] = {}
    try:
        while (end := os.waitpid(-1, os.WNOHANG))[0]:
            ends[end[0]] = end[1]
    except ChildProcessError:
        pass
    return ends


def _wait(pid: int) -> None:
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        return


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except OSError:
        return


def _write(handle: int, data: bytes) -> None:
    try:
        os.write(handle, data)
    except OSError:  # its reader was killed
        return


def _control(option: int, value: ctypes.c_char_p | int) -> None:
    _libc.prctl(option, value if isinstance(value, ctypes.c_char_p) else ctypes.c_ulong(value))


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read()


if __name__ == "__main__":
    leave(Guard(sys.argv[1], sys.argv[2], float(sys.argv[3])).run(sys.argv[4:]))
