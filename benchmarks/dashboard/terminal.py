"""A program in a pseudo-terminal: what it writes, when, and what it costs."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
COLUMNS, LINES = 160, 45
TICKS = os.sysconf("SC_CLK_TCK")
# Not pty.fork: Python warns of forking where there are threads.
TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.write(1, b'\\0');"
    "os.execv(sys.argv[1], sys.argv[1:])"
)
CACHE = Path(tempfile.gettempdir()) / "swarm-tui-bench-pyc"
"""Compiled modules: a program that was installed has them, whatever the environment here is."""
BYTES = 200_000


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a measured process: modules are compiled once, not each time."""
    outer = os.environ.keys() - {"COLUMNS", "LINES", "PYTHONDONTWRITEBYTECODE", "NO_COLOR"}
    kept = {name: os.environ[name] for name in outer}
    return {**kept, "LC_ALL": "C.UTF-8", "PYTHONPYCACHEPREFIX": str(CACHE), **more}


class Terminal:
    """A command that believes it has a terminal; nobody draws what it writes."""

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str] | None = None,
        size: tuple[int, int] = (COLUMNS, LINES),
    ) -> None:
        self._file, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", TAKE_TERMINAL, *command],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            cwd=ROOT,
            env=environment({"TERM": "xterm-256color", "COLORTERM": "truecolor", **(env or {})}),
            start_new_session=True,
        )
        os.close(inner)
        self.raw = b""
        """The latest of what was written."""
        self.began = self.until(b"\0")
        """Time at which the command was begun."""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, patience_s: float) -> bool:
        """Take in what is there, or comes within a time; say whether anything came."""
        if not select.select([self._file], [], [], patience_s)[0]:
            return False
        try:
            data = os.read(self._file, 1 << 20)
        except OSError:  # what Linux says when the other end has closed
            data = b""
        if not data:
            raise EOFError(self.raw[-2000:].decode(errors="replace"))
        self.raw = (self.raw + data)[-BYTES:]
        return True

    def drain(self, seconds: float) -> None:
        """Take in what comes for a time."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self.read(left)

    def until(self, wanted: bytes, patience_s: float = PATIENCE_S) -> float:
        """Read until the output has what matches a pattern, and return the moment."""
        pattern, end = re.compile(wanted, re.DOTALL), time.perf_counter() + patience_s
        while not pattern.search(self.raw):
            left = end - time.perf_counter()
            if left <= 0:
                raise TimeoutError(f"no {wanted!r}: {self.raw[-2000:]!r}")
            self.read(left)
        return time.perf_counter()

    def key(self, key: bytes, wanted: bytes) -> float:
        """Write a key and return the seconds until its effect is in the output."""
        while self.read(0):
            pass
        self.raw = b""
        began = time.perf_counter()
        os.write(self._file, key)
        return self.until(wanted) - began

    def type(self, keys: bytes) -> None:
        """Write keys."""
        os.write(self._file, keys)

    def cpu_s(self) -> float:
        """Return the processor time of the process so far, threads and ended children included."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        of_children = stat.rpartition(")")[2].split()[13:15]
        own = time.clock_gettime(~self.process.pid << 3 | 2)  # what clock_getcpuclockid(3) gives
        return own + sum(int(field) for field in of_children) / TICKS

    def rss_bytes(self) -> int:
        """Return the memory that the process holds."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def end(self) -> float:
        """Read until the command has ended, and return the moment."""
        try:
            while self.read(PATIENCE_S):
                pass
        except EOFError:
            pass
        return time.perf_counter()

    def cpu_over(self, seconds: float) -> float:
        """Return the processor time of a stretch of time."""
        before = self.cpu_s()
        self.drain(seconds)
        return self.cpu_s() - before

    def close(self) -> None:
        """End it, whatever it does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            end = time.perf_counter() + 10
            while self.process.poll() is None and time.perf_counter() < end:
                try:
                    self.read(0.05)
                except EOFError:
                    break
            if self.process.poll() is None:
                try:
                    self.process.wait(2)
                except subprocess.TimeoutExpired:
                    self.process.kill()
        self.process.wait()
        os.close(self._file)
