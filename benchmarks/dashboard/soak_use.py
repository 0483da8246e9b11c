"""The use of a soaking dashboard: keys as a user presses them, and agents that are killed."""

from __future__ import annotations

import os
import random
import re
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle
from pathlib import Path

from benchmarks.dashboard.terminal import Terminal

AGENT = b"simulated/__main__.py"
ESCAPE, RIGHT, DOWN, ENTER, CLEAR = b"\x1b", b"\x1b[C", b"\x1b[B", b"\r", b"\x15"
LIST = (b"j", b"j", b"k", b"l", b"k", b"j", ESCAPE, b"j", b"f", ESCAPE, b"s", b"b", b"b", b"g")
DISK = (b"2", DOWN, RIGHT, DOWN, b"]", b"[", b"s", ESCAPE)
SEARCH = (b"\x06", CLEAR, b"passed", b" status:succeeded", DOWN, ENTER, b"j", ESCAPE, ESCAPE)
FILTER = (b"/", b"soak", b" 0", b" status:running", DOWN, b"j", ESCAPE, ESCAPE)
SHOWN = {
    "disk screen": (DISK[0], rb"Disk usage"),
    "history search": (SEARCH[2], rb"Found [1-9]"),
    "filter": (FILTER[0], rb"filter"),
}
"""Keys that are counted, each with the text that has to be on the screen after it."""
KILL_S = 40.0


def keys() -> Iterator[bytes]:
    """Return the keys, one a second, for ever; each of the scenes comes about once in 80 s."""
    return cycle((*LIST, *DISK, *LIST, *SEARCH, *LIST, *FILTER))


class SoakUse:
    """A user of the dashboard, and somebody who kills agents beside it."""

    def __init__(self, terminal: Terminal, home: Path) -> None:
        self.seen: Counter[str] = Counter()
        """Number of times that something was seen, or done."""
        self._terminal = terminal
        self._home = home
        self._keys = keys()
        self._chance = random.Random(2)
        self._kill_at = KILL_S

    def second(self, elapsed_s: float) -> None:
        """Press a key, and take in what comes for a second; kill an agent when it is time."""
        if elapsed_s >= self._kill_at:
            self._kill_at += KILL_S
            self._kill_agent()
        key = next(self._keys)
        self._terminal.raw = b""
        self._terminal.type(key)
        self._terminal.drain(1.0)
        for name, (typed, shown) in SHOWN.items():
            if key == typed and re.search(shown, self._terminal.raw):
                self.seen[name] += 1

    def _kill_agent(self) -> None:
        pids = agents(self._home)
        if pids:
            with suppress(ProcessLookupError):
                os.kill(self._chance.choice(pids), signal.SIGKILL)
                self.seen["agent killed"] += 1


def agents(home: Path) -> list[int]:
    """Return the processes of the agents that work in a home, and the shells that wait for them."""
    found: list[int] = []
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            with suppress(OSError):  # it has ended
                is_agent = AGENT in (place / "cmdline").read_bytes()
                if is_agent and (place / "cwd").readlink().is_relative_to(home):
                    found.append(int(place.name))
    return sorted(found)
