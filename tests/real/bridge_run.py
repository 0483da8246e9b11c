"""The bridge with the real Codex: started, followed line by line, and answered."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import psutil
from loopback import LoopbackServer, Step, call, codex_env, codex_home

from engine.execution.local.inbox_file import append_records

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "engine/agents/codex/interactive/bridge/__main__.py"
LIMIT_S = 60.0

Json = dict[str, Any]


def newest_codex() -> str | None:
    """Return npm's newest Codex, where SWARM_TEST_CODEX names one."""
    named = os.environ.get("SWARM_TEST_CODEX")
    return named if named and os.access(named, os.X_OK) else None


def escalated(cmd: str, reason: str = "May I?") -> Step:
    """Run a shell command outside the sandbox: Codex asks first."""
    wish = {"sandbox_permissions": "require_escalated", "justification": reason}
    return call("exec_command", {"cmd": cmd, **wish})


class BridgeRun:
    """One bridge and its app-server, whose lines are read as they come."""

    def __init__(
        self,
        argv: Sequence[str],
        folder: Path,
        env: dict[str, str],
        prompt: str,
        inbox: Path,
    ) -> None:
        self.inbox = inbox
        self.lines: list[Json] = []
        self.raw: list[bytes] = []
        self._read = 0
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            env=env,
            start_new_session=True,
        )
        assert self._process.stdin
        self._process.stdin.write(prompt.encode())
        self._process.stdin.close()
        # A line that never comes fails the test instead of holding it.
        self._timer = threading.Timer(LIMIT_S, self.kill)
        self._timer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._process.poll() is None:
            self.kill()
        assert self._process.stdout
        self._process.stdout.close()
        self._process.wait()

    @property
    def pid(self) -> int:
        """The bridge's process number."""
        return self._process.pid

    @property
    def thread(self) -> str:
        """The id of the thread."""
        return str(next(line["result"]["thread"]["id"] for line in self.lines if _opens(line)))

    def kill(self) -> None:
        """Kill the bridge alone."""
        os.kill(self.pid, signal.SIGKILL)

    def write(self, *records: Json) -> None:
        """Append records to the inbox at once."""
        append_records(self.inbox, [json.dumps(record).encode() for record in records])

    def until(self, wanted: Callable[[Json], object]) -> Json:
        """Return the next line that is wanted; those before it are passed over."""
        while True:
            for line in self.lines[self._read :]:
                self._read += 1
                if wanted(line):
                    return line
            assert self._next(), f"it ended without the wanted line: {self.lines}"

    def end(self) -> int:
        """Read to the end and return the exit code."""
        while self._next():
            pass
        return self._process.wait()

    @property
    def server(self) -> int:
        """The app-server's process number."""
        return int(self.notes("started")[0]["server"])

    def notes(self, subject: str) -> list[Json]:
        """Return the bridge's own lines about a subject."""
        return [line for line in self.lines if line.get("bridge") == subject]

    def said(self, method: str) -> list[Json]:
        """Return the parameters of the server's lines with a method."""
        return [line["params"] for line in self.lines if line.get("method") == method]

    def _next(self) -> bool:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if line:
            self.raw.append(line.rstrip(b"\n"))
            self.lines.append(json.loads(line))
        return bool(line)


class BridgeHouse:
    """A workspace, a CODEX_HOME and an inbox for bridges of one thread."""

    def __init__(self, lab: Path, server: LoopbackServer, codex: str, extra: str = "") -> None:
        self.codex = codex
        self.home = codex_home(lab / "codex", server, extra=extra)
        self.workspace = lab / "work"
        self.workspace.mkdir()
        self.outside = lab / "outside"
        self.outside.mkdir()
        self._inboxes = lab / "inboxes"
        self._inboxes.mkdir()
        self._count = 0

    def start(
        self, prompt: str, *options: str, sandbox: str = "workspace-write", codex: str | None = None
    ) -> BridgeRun:
        """Start a bridge with an inbox of its own."""
        self._count += 1
        inbox = self._inboxes / f"inbox-{self._count}.jsonl"
        argv = [sys.executable, "-I", "-S", str(PROGRAM), "--codex", codex or self.codex]
        argv += ["--inbox", str(inbox), "--prompt-id", f"prompt:{self._count}"]
        argv += ["--sandbox", sandbox, "--approvals", "on-request", *options]
        return BridgeRun(argv, self.workspace, codex_env(self.home), prompt, inbox)


def note(subject: str, **fields: object) -> Callable[[Json], bool]:
    """Match a line of the bridge's own."""
    wanted = {"bridge": subject, **fields}
    return lambda line: wanted.items() <= line.items()


def method(name: str) -> Callable[[Json], bool]:
    """Match a line of the server with a method."""
    return lambda line: line.get("method") == name


def item(event: str, kind: str) -> Callable[[Json], bool]:
    """Match an event of an item of a kind: `started` or `completed`."""

    def matches(line: Json) -> bool:
        is_event = line.get("method") == f"item/{event}"
        return is_event and line["params"]["item"]["type"] == kind

    return matches


def gone(pid: int) -> bool:
    """Return whether a process ends in time."""
    try:
        psutil.Process(pid).wait(LIMIT_S)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def _opens(line: Json) -> bool:
    result = line.get("result")
    return isinstance(result, dict) and "thread" in result
