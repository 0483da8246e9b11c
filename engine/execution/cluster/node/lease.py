"""A node's lease: until when it may carry runs, in a file that the guards of attempts read.

The time is that since the machine was started, time asleep included: a node that was asleep has
lost its lease when it wakes.
"""

from __future__ import annotations

import errno
import math
import os
import sys
import time
from pathlib import Path
from threading import get_ident

from engine.system.clock import boot_id
from engine.system.files import read_regular

NAME = "lease"
LIMIT_BYTES = 1000
DIGITS = 20
"""The width of the time: all contents of the file have one length."""


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
            self._write(until)

    def end(self) -> None:
        """End it now. Raises OSError. Blocking."""
        # Written, not removed: guards go on with the last lease that they could read.
        self._write(0.0)

    def _write(self, until: float) -> None:
        data = f"{until:0{DIGITS}.3f} {boot_id()}\n".encode()
        try:
            self._replace(data)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            # The runs are not to end for a full disk: the file that is there has room for it.
            self._overwrite(data)

    def _replace(self, data: bytes) -> None:
        # Not written through: a power cut ends the attempts, too, and a slow disk takes long.
        part = self.path.with_name(f"{NAME}.{os.getpid()}-{get_ident()}.part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
                file.write(data)
            part.replace(self.path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    def _overwrite(self, data: bytes) -> None:
        handle = os.open(self.path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.pwrite(handle, data, 0)
        finally:
            os.close(handle)

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
