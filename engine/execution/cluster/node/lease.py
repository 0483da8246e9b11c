"""A node's lease: until when it may carry runs, in a file that the guards of attempts read.

The time is that since the machine was started, time asleep included: a node that was asleep has
lost its lease when it wakes.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

from engine.system.clock import boot_id
from engine.system.durable import write_synced
from engine.system.files import read_regular

NAME = "lease"
LIMIT_BYTES = 1000


def now_s() -> float:
    """Return the seconds since the machine was started, those asleep included."""
    name = time.CLOCK_BOOTTIME if sys.platform == "linux" else time.CLOCK_MONOTONIC
    return time.clock_gettime(name)


class Lease:
    """The lease of the node with this root; it lasts `lasts_s` from the request that renewed it."""

    def __init__(self, root: Path, lasts_s: float) -> None:
        self.path = root / NAME
        self.lasts_s = lasts_s

    @property
    def is_valid(self) -> bool:
        """Return whether it holds at the moment."""
        return self.left_s > 0

    @property
    def left_s(self) -> float:
        """Return for how long it still holds, in seconds; negative after its end."""
        return self._until() - now_s()

    def renew(self, sent_at: float) -> None:
        """Extend it: the scheduler answered a request that was sent at `sent_at`, a `now_s()`.

        An answer that comes late never shortens it. Raises OSError. Blocking.
        """
        until = min(sent_at, now_s()) + self.lasts_s
        if until > max(self._until(), now_s()):
            # A power cut ends the guards, too: nothing needs to be written through for one.
            write_synced(self.path, f"{until:.6f} {boot_id()}\n".encode())

    def end(self) -> None:
        """End it now. Raises OSError. Blocking."""
        # Written, not removed: guards go on with the last lease that they could read.
        write_synced(self.path, f"0 {boot_id()}\n".encode())

    def _until(self) -> float:
        try:
            text = read_regular(self.path, LIMIT_BYTES).decode("ascii", "replace")
        except OSError:
            return -math.inf
        until, _, boot = text.strip().partition(" ")
        try:
            found = float(until)
        except ValueError:
            return -math.inf
        return found if boot == boot_id() and math.isfinite(found) else -math.inf
