"""The app-server: a child process that is spoken to in lines."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable

from .json_values import Json

READ_BYTES = 262_144
LINE_BYTES = 67_108_864
END_S = 5.0
WAIT_S = 0.01


class ServerEnded(Exception):
    """The server ended by itself, or sent what no server sends; the text is the reason."""


class ServerMissing(Exception):
    """The server cannot be started; the text is the reason."""


class AppServer:
    """One `codex app-server` over stdio. It ends, with all its commands, when its stdin ends."""

    def __init__(self, program: list[str], settings: list[str]) -> None:
        argv = [*program, "app-server", *(word for one in settings for word in ("-c", one))]
        try:
            self._child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            raise ServerMissing(f"{program[0]}: {error.strerror}") from error
        assert self._child.stdin
        assert self._child.stdout
        self.stdin, self.stdout = self._child.stdin.fileno(), self._child.stdout.fileno()
        os.set_blocking(self.stdin, False)
        os.set_blocking(self.stdout, False)
        self._unsent = b""
        self._parts: list[bytes] = []
        self._length = 0

    @property
    def pid(self) -> int:
        """The process number."""
        return self._child.pid

    @property
    def has_unsent(self) -> bool:
        """Return whether something waits until the server reads again."""
        return bool(self._unsent)

    def send(self, sent: Json) -> None:
        """Send a message, now or when the server reads again."""
        self._unsent += json.dumps(sent).encode() + b"\n"
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as the server reads."""
        try:
            while self._unsent:
                self._unsent = self._unsent[os.write(self.stdin, self._unsent) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._unsent = b""  # its end is read from its stdout

    def read(self) -> list[bytes]:
        """Return the whole lines that have come; raises `ServerEnded`."""
        try:
            data = os.read(self.stdout, READ_BYTES)
        except BlockingIOError:
            return []
        if not data:
            raise ServerEnded(f"the app-server ended by itself with {self._wait()}")
        return self._lines(data)

    def _wait(self) -> int:
        try:
            return self._child.wait(END_S)
        except subprocess.TimeoutExpired:  # it closed its stdout, and lives
            self._child.kill()
            return self._child.wait()

    def _lines(self, data: bytes) -> list[bytes]:
        if b"\n" not in data:
            self._parts.append(data)
            self._length += len(data)
            if self._length > LINE_BYTES:
                raise ServerEnded("the app-server sent a line that is too long")
            return []
        *lines, rest = b"".join((*self._parts, data)).split(b"\n")
        self._parts, self._length = [rest], len(rest)
        return lines

    def end(self, add: Callable[[bytes], None]) -> None:
        """End it and all its commands; `add` gets the lines that it writes meanwhile."""
        assert self._child.stdin
        self._child.stdin.close()
        deadline = time.monotonic() + END_S
        while self._child.poll() is None and time.monotonic() < deadline:
            self._drain(add)
            time.sleep(WAIT_S)
        if self._child.poll() is None:
            self._child.kill()
            self._child.wait()
        self._drain(add)

    def _drain(self, add: Callable[[bytes], None]) -> None:
        try:
            while data := os.read(self.stdout, READ_BYTES):
                for line in self._lines(data):
                    add(line)
        except (BlockingIOError, ServerEnded):
            return
