"""A process that has imported the program, and becomes a command in a fork of itself.

    python fork_server.py SOCKET

A request is the folder, the environment and the words of a command as JSON, and four files: its
standard input, output and error, and a pipe that gets its pid and its exit status. A command is a
process of its own like any other, but imports nothing: that is most of its processor time.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TypedDict

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 1 << 20
"""The most bytes of a request."""
COMMANDS = ("apply", "changes", "ls", "run", "show")
"""Those that are typed most."""


def become_command(link: socket.socket) -> list[str] | None:
    """Return in a new process, which is to be a command, its words; None when all is over."""
    while True:
        data, files, _, _ = socket.recv_fds(link, LIMIT, 4)
        if not data:
            return None
        if not os.fork():
            command = os.fork()
            if not command:
                return _prepared(json.loads(data), files)
            _report(command, files)
        for handle in files:
            os.close(handle)


class Asked(TypedDict):
    """A request; its words and texts are as `os.fsdecode` returns them."""

    folder: str
    environment: dict[str, str]
    words: list[str]


def _prepared(asked: Asked, files: list[int]) -> list[str]:
    for number in range(3):
        os.dup2(files[number], number)
    os.closerange(3, max(files) + 1)
    # A stream remembers of its file whether it has positions.
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  open to the end
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115  open to the end
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115  open to the end
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    time.tzset()
    return asked["words"]


def _report(command: int, files: list[int]) -> None:
    """Report a command's end, and end; the server may take the next request meanwhile."""
    for handle in files[:3]:
        os.close(handle)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.write(files[3], b"%d\n" % command)
    code = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
    os.write(files[3], b"%d\n" % code)
    os._exit(0)


def main() -> None:
    """Import the program and serve; then run a command in a process of its own."""
    link = socket.socket(fileno=int(sys.argv[1]))
    sys.path[0] = str(ROOT)
    from engine import preload

    for name in preload.modules(with_receivers=False):
        import_module(name)
    for name in COMMANDS:
        import_module(f"tui.cli.commands.{name}")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    words = become_command(link)
    if words is not None:
        sys.argv[:] = [str(ROOT / "swarm_tui.py"), *words]
        import_module("swarm_tui").main()


if __name__ == "__main__":
    main()
