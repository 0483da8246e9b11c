"""Conditions of the machine that pass: waited out, never the fault of a run or of its agent."""

from __future__ import annotations

import errno

from engine.domain.errors import UserError
from engine.domain.reasons import Condition

_CONDITIONS = {
    errno.EMFILE: Condition.FILES,
    errno.ENFILE: Condition.FILES_OF_ALL,
    errno.EAGAIN: Condition.PROCESSES,
    errno.ENOMEM: Condition.MEMORY,
    errno.EIO: Condition.INPUT_OUTPUT,
    errno.ESTALE: Condition.NETWORK_FILES,
    errno.ENOSPC: Condition.DISK,
    errno.EDQUOT: Condition.QUOTA,
}
"""The conditions by their errno."""

# As the C library and git write them, in lower case.
_MESSAGES = {
    "too many open files in system": errno.ENFILE,
    "too many open files": errno.EMFILE,
    "resource temporarily unavailable": errno.EAGAIN,
    "unable to create thread": errno.EAGAIN,
    "can't start new thread": errno.EAGAIN,
    "cannot fork": errno.EAGAIN,
    "cannot allocate memory": errno.ENOMEM,
    "out of memory": errno.ENOMEM,
    "input/output error": errno.EIO,
    "stale file handle": errno.ESTALE,
    "stale nfs file handle": errno.ESTALE,
    "no space left on device": errno.ENOSPC,
    "disk quota exceeded": errno.EDQUOT,
    "quota exceeded": errno.EDQUOT,
}
_DEPTH = 10
"""Number of causes of an exception that are looked at."""


def transient(error: BaseException | None) -> Condition | None:
    """Return the condition that `error` or one of its causes reports; None if none."""
    for _ in range(_DEPTH):
        if error is None:
            return None
        if condition := _condition(error):
            return condition
        error = error.__cause__
    return None


def from_message(text: str) -> OSError | None:
    """Return the condition that another program reported in `text`, as the error it met."""
    lower = text.lower()
    for words, number in _MESSAGES.items():
        if words in lower:
            return OSError(number, _CONDITIONS[number].value)
    return None


def _condition(error: BaseException) -> Condition | None:
    match error:
        case UserError():
            return None if error.is_reported else error.entry.condition
        case MemoryError():
            return Condition.MEMORY
        case OSError():
            return _CONDITIONS.get(error.errno or 0)
        case RuntimeError() if "can't start new thread" in str(error):
            return Condition.PROCESSES
        case BaseExceptionGroup():
            found = [transient(inner) for inner in error.exceptions]
            # One lasting fault among them is what counts.
            return found[0] if all(found) else None
        case _:
            return None
