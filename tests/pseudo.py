"""Commands in a pseudo-terminal, as a terminal emulator sees them."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pyte
from typed import COMMAND, PATIENCE_S

LINES, COLUMNS = 24, 80
# Not pty.fork: Python warns of forking where there are threads.
TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execv(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """A command in a pseudo-terminal, and what is on its screen."""

    def __init__(
        self,
        here: Path,
        words: Sequence[str],
        env: Mapping[str, str],
        command: Sequence[str] = tuple(COMMAND),
        size: tuple[int, int] = (COLUMNS, LINES),
    ) -> None:
        columns, lines = size
        self.screen = pyte.Screen(columns, lines)
        self.raw = b""
        self._stream = pyte.ByteStream(self.screen)
        self._file, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        unicode = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
        outer = {name: os.environ[name] for name in os.environ.keys() - {"COLUMNS", "LINES"}}
        self._process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, *command, *words],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            cwd=here,
            env={**outer, **unicode, **env},
            start_new_session=True,
        )
        os.close(inner)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display).strip()

    def until(self, *wanted: str) -> None:
        """Read on until all of these are on the screen."""
        last = time.monotonic() + PATIENCE_S  # a dashboard always has something to write
        while not all(text in self.text for text in wanted):
            assert self._read(), f"it ended before {wanted}:\n{self.text}"
            assert time.monotonic() < last, f"no {wanted} for {PATIENCE_S} s:\n{self.text}"

    def until_not(self, unwanted: str) -> None:
        """Read on until this is no longer on the screen."""
        last = time.monotonic() + PATIENCE_S
        while unwanted in self.text:
            assert self._read(), f"it ended:\n{self.text}"
            assert time.monotonic() < last, f"{unwanted} stays:\n{self.text}"

    def hang_up(self) -> None:
        """Take the terminal away, as closing its window does, and wait for the command's end."""
        os.close(self._file)
        self._file = -1
        self._process.wait(PATIENCE_S)

    def type(self, keys: bytes) -> None:
        os.write(self._file, keys)

    def end(self) -> int:
        """Read the rest and return the exit code."""
        while self._read():
            pass
        return self._process.wait(PATIENCE_S)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._process.kill()
        self._process.wait(PATIENCE_S)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._file], [], [], PATIENCE_S)
        assert ready, f"nothing for {PATIENCE_S} s:\n{self.text}"
        try:
            data = os.read(self._file, 65536)
        except OSError:  # what Linux says when the other end has closed
            data = b""
        self.raw += data
        self._stream.feed(data)
        return bool(data)


class Opener(Protocol):
    def __call__(self, *words: str, **env: str) -> Terminal: ...
