"""The log file: what went wrong inside, kept from the user's eyes and named where it matters.

Several processes of a home write it at once. It stays small whatever happens: its older half goes
when it has grown too large, and a line that repeats is counted instead of written.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from engine.config.paths import Paths, find, private_folder
from engine.domain.secrets import hide

LIMIT_BYTES = 2 * 1024**2
REPEATED_S = 60.0
"""Time for which a line is only counted before it is written again."""
KEYS = 200
DROPPED = b"... older lines were dropped\n"


class LogFile(logging.Handler):
    """Log file for warnings; without it they would land on the screen."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(logging.WARNING)
        self._path = path
        self._clock = clock
        self._repeated: dict[str, int] = {}
        """Number of times that each of the latest lines came again since it was written."""
        self._written_at: dict[str, float] = {}
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Append a record, or count it; a log that cannot be written stops nothing."""
        try:
            key, text = _key(record), self.format(record)
        except Exception as error:  # the arguments do not fit the message
            key = text = f"{record.levelname} {record.name}: {record.msg!r} ({error!r})"
        now = self._clock()
        written_at = self._written_at.get(key)
        if written_at is not None and now - written_at < REPEATED_S:
            self._repeated[key] = self._repeated.get(key, 0) + 1
            return
        if written_at is None:
            self._write_counts()
        else:
            text = f"{_told(self._repeated.pop(key, 0), key)}{text}"
        self._remember(key, now)
        append(self._path, text)

    def flush(self) -> None:
        """Write how often the latest lines were repeated."""
        self.acquire()
        try:
            self._write_counts()
        finally:
            self.release()

    def close(self) -> None:
        """Write what was only counted."""
        self.flush()
        super().close()

    def _remember(self, key: str, now: float) -> None:
        self._written_at.pop(key, None)
        self._written_at[key] = now
        while len(self._written_at) > KEYS:
            del self._written_at[next(iter(self._written_at))]

    def _write_counts(self) -> None:
        told = "".join(_told(count, key) for key, count in self._repeated.items())
        self._repeated.clear()
        if told:
            append(self._path, told)


def keep(paths: Paths) -> None:
    """Send warnings of this process to the home's log file, and nowhere else."""
    logging.getLogger().handlers = [LogFile(paths.log)]


def write_down(error: BaseException) -> str:
    """Append an exception to the log file; return the file's name, or nothing if that failed."""
    log = find().log
    when = time.strftime("%Y-%m-%d %H:%M:%S")
    told = "".join(traceback.format_exception(error))
    return str(log) if append(log, f"{when} ERROR {told}") else ""


def append(path: Path, text: str) -> bool:
    """Append to a file that only its owner may read; return whether that succeeded."""
    text = hide(text[-LIMIT_BYTES // 4 :]).rstrip("\n") + "\n"
    data = text.encode("utf-8", "backslashreplace")[-LIMIT_BYTES // 4 :]
    try:
        private_folder(path.parent)
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _shorten(handle, len(data))
            os.write(handle, data)
        finally:
            os.close(handle)
    except OSError:
        return False
    return True


def _shorten(handle: int, more: int) -> None:
    """Drop the older half of a file that would become too large; it stays the same file.

    A supervisor in the background has it open as its stderr.
    """
    if os.fstat(handle).st_size + more <= LIMIT_BYTES:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # another process does it
    size = os.fstat(handle).st_size
    if size + more > LIMIT_BYTES:
        kept = os.pread(handle, LIMIT_BYTES // 2, max(0, size - LIMIT_BYTES // 2))
        os.ftruncate(handle, 0)
        os.write(handle, DROPPED + kept.partition(b"\n")[2])


def _key(record: logging.LogRecord) -> str:
    """Return the key that equal records share."""
    error = record.exc_info[1] if record.exc_info else None
    said = f"{record.levelname} {record.name}: {record.getMessage()}"
    return said if error is None else f"{said} ({error!r})"


def _told(count: int, key: str) -> str:
    if not count:
        return ""
    when = time.strftime("%Y-%m-%d %H:%M:%S")
    times = "once more" if count == 1 else f"{count} times"
    return f"{when} … repeated {times}: {key.splitlines()[0][:300]}\n"
