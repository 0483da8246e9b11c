"""The limit on open files: raised for this process, given back as it was to what it starts."""

from __future__ import annotations

import resource
from collections.abc import Sequence
from contextlib import suppress

WANTED = (10_240, 4_096, 1_024)
"""Soft limits to try, the largest first; macOS begins with 256 and allows no more than 10,240."""

_before: int | None = None


def raise_limit() -> None:
    """Raise the soft limit on open files as far as the system allows, up to the first of WANTED."""
    global _before
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in WANTED:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if soft == resource.RLIM_INFINITY or allowed <= soft:
            return
        with suppress(ValueError, OSError):  # the system has a limit of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
            _before = soft
            return


def restoring() -> str:
    """Return the line of shell that restores a process's earlier limit; empty if there is none."""
    return f"ulimit -S -n {_before} 2>/dev/null\n" if _before is not None else ""


def with_own_limit(command: Sequence[str]) -> list[str]:
    """Return the command, changed so that it begins with the limit from before."""
    line = restoring()
    return ["/bin/sh", "-c", f'{line}exec "$@"', "sh", *command] if line else list(command)
