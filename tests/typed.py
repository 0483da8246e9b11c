"""Commands as they are typed: how they are started, and what they leave."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
COMMAND = [sys.executable, str(ROOT / "swarm_tui.py")]
PATIENCE_S = 60


class Result:
    """What a finished command left behind."""

    def __init__(self, done: subprocess.CompletedProcess[bytes]) -> None:
        self.code = done.returncode
        self.out = done.stdout.decode()
        self.err = done.stderr.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Swarm = Callable[..., Result]
Detacher = Callable[..., str]


class Started:
    """A command that is still running; its JSON lines are read as they come."""

    def __init__(self, process: subprocess.Popen[bytes], errors: Path) -> None:
        self.process = process
        self._errors = errors
        self.events: list[dict[str, Any]] = []

    def until(self, **wanted: Any) -> dict[str, Any]:
        """Read on until an event has all the fields that are wanted."""
        assert self.process.stdout
        for line in self.process.stdout:
            event = json.loads(line)
            self.events.append(event)
            if wanted.items() <= event.items():
                return event
        code = self.process.wait(PATIENCE_S)
        errors = self._errors.read_text(errors="replace")
        raise AssertionError(f"it ended with {code} before {wanted}: {self.events}\n{errors}")

    def interrupt(self, number: int = signal.SIGINT) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Read the rest and return the exit code."""
        assert self.process.stdout
        self.events += [json.loads(line) for line in self.process.stdout]
        return self.process.wait(PATIENCE_S)

    def lines(self) -> Iterator[str]:
        """Return the lines of a command that writes no JSON."""
        assert self.process.stdout
        yield from (line.decode().rstrip("\n") for line in self.process.stdout)


Starter = Callable[..., Started]
