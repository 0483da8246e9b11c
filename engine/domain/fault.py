"""A part of this program that does not work at the moment."""

from __future__ import annotations

from collections.abc import Sequence

from engine.domain.errors import UserError
from engine.domain.reasons import Condition
from engine.domain.record import record
from engine.domain.secrets import hide
from engine.domain.text import one_line

_SHOWN = 160
_LENGTH = 300
SCREEN = "screen "
"""Begins the name of a fault of a screen of the dashboard: its task is not started again."""
SUPERVISOR_LOCK = "supervisor lock"
"""The task of a fault that keeps this process from supervising."""
SETTINGS = "settings file"
"""The task of a fault that is a mistake in the settings file: work goes on without it."""


@record
class Fault:
    """A task or a callback that failed and has not worked since; times in seconds since 1970."""

    task: str
    error: str
    """The exception in one line."""
    count: int
    """Number of failures in a row."""
    since: float
    run: str | None = None
    """The run it belongs to, if it belongs to one."""
    passing: Condition | None = None
    """The condition of the machine that it waits for."""


def fault_words(fault: Fault) -> str:
    """Return one line for people: which part fails, how often, why."""
    if fault.task == SETTINGS:
        return f"settings: {fault.error.partition(': ')[2]}"
    what = f"run {fault.run}" if fault.run else fault.task
    if fault.passing:
        return f"{what} waits: {one_line(fault.passing, _SHOWN)}"
    times = "" if fault.count < 2 else f" {fault.count} times"
    again = "" if fault.task.startswith(SCREEN) else " and is tried again"
    return f"{what} failed{times}{again}: {one_line(fault.error, _SHOWN)}"


def faults_words(faults: Sequence[Fault]) -> str:
    """Return one line for all faults: the first one, and how many more there are."""
    if not faults:
        return ""
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return fault_words(faults[0]) + more


def error_line(error: BaseException) -> str:
    """Return an exception in one line."""
    if isinstance(error, UserError):
        return one_line(f"{error.code}: {error.message}", _LENGTH)
    text = one_line(hide(str(error)), _LENGTH)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
