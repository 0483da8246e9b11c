"""Commands in processes that were forked from one that has imported the program already."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from typed import PATIENCE_S, ROOT

FIXED = ("PYTHON", "LANG", "LC_")
"""Prefixes of the variables that Python reads only when it starts."""


class ForkServer:
    """The server of this test process, started with the first command."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        self._environment = _fixed(os.environ)

    def can_run(self, environment: Mapping[str, str]) -> bool:
        """Return whether a command with this environment is as one that was started."""
        return _fixed(environment) == self._environment

    def run(
        self, words: Sequence[str], stdin: bytes, folder: Path, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end, as `subprocess.run` does."""
        asked = {"folder": str(folder), "environment": dict(environment), "words": list(words)}
        pipes = [os.pipe() for _ in range(4)]
        (input_, typed), (read, out), (errors, err), (told, report) = pipes
        link = self._link or self._start()
        theirs = (input_, out, err, report)
        socket.send_fds(link, [json.dumps(asked).encode()], theirs)
        for handle in theirs:
            os.close(handle)
        texts = [_Reader(handle) for handle in (read, errors)]
        writer = threading.Thread(target=_write, args=(typed, stdin), daemon=True)
        writer.start()
        with os.fdopen(told, "rb") as lines:
            pid = int(lines.readline())
            killer = threading.Timer(PATIENCE_S, _kill, [pid])
            killer.start()
            code = int(lines.readline())
        for thread in (writer, *texts):
            thread.join(PATIENCE_S)
        if killer.finished.is_set():
            raise subprocess.TimeoutExpired(list(words), PATIENCE_S)
        killer.cancel()
        return subprocess.CompletedProcess(words, code, texts[0].data, texts[1].data)

    def close(self) -> None:
        """End the server."""
        if self._link and self._process:
            self._link.close()
            self._process.wait(PATIENCE_S)

    def _start(self) -> socket.socket:
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(ROOT / "tests" / "fork_server.py"), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        return self._link


class _Reader(threading.Thread):
    def __init__(self, handle: int) -> None:
        super().__init__(daemon=True)
        self.data = b""
        self._handle = handle
        self.start()

    def run(self) -> None:
        with os.fdopen(self._handle, "rb") as file:
            self.data = file.read()


def _write(handle: int, data: bytes) -> None:
    with suppress(BrokenPipeError), os.fdopen(handle, "wb") as file:
        file.write(data)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _fixed(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in environment.items() if name.startswith(FIXED)}
