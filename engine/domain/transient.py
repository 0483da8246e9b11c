"""Conditions of the machine that pass: waited out, never the fault of a run or of Codex."""

from __future__ import annotations

import errno

from engine.domain.errors import UserError

_WORDS = {
    errno.EMFILE: "too many files are open",
    errno.ENFILE: "too many files are open on this machine",
    errno.EAGAIN: "the limit on processes and threads is reached",
    errno.ENOMEM: "there is not enough memory",
    errno.EIO: "a disk reports input/output errors",
    errno.ESTALE: "a network file system is not reachable",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
}
"""What each condition is called in words, by its errno."""

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
"""How many causes of an exception are looked at."""


def transient(error: BaseException | None) -> str | None:
    """Return the condition that `error` or one of its causes reports, in words; None if none."""
    for _ in range(_DEPTH):
        if error is None:
            return None
        if words := _condition(error):
            return words
        error = error.__cause__
    return None


def from_message(text: str) -> OSError | None:
    """Return the condition that another program reported in `text`, as the error it met."""
    lower = text.lower()
    for words, number in _MESSAGES.items():
        if words in lower:
            return OSError(number, _WORDS[number])
    return None


def _condition(error: BaseException) -> str | None:
    match error:
        case UserError():
            return None if error.is_reported else error.entry.condition or None
        case MemoryError():
            return _WORDS[errno.ENOMEM]
        case OSError():
            return _WORDS.get(error.errno or 0)
        case RuntimeError() if "can't start new thread" in str(error):
            return _WORDS[errno.EAGAIN]
        case BaseExceptionGroup():
            found = [transient(inner) for inner in error.exceptions]
            # One lasting fault among them is what counts.
            return found[0] if all(found) else None
        case _:
            return None
