r"""The inbox of an attempt: a file that records are appended to, and a bell that announces them.

A record stands between two newlines and is written at once: one that a crash tore apart spoils no
other, and writers need no lock. The file alone counts: the bell, a FIFO beside it, saves waiting.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path

_FILE = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
_BELL = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW


def bell_of(inbox: Path) -> Path:
    """Return the path of an inbox's bell."""
    return inbox.with_name(f"{inbox.name}.bell")


def append_records(inbox: Path, records: Iterable[bytes], *, may_create: bool = True) -> None:
    """Append records in order, through to the disk, and ring; raises OSError.

    Without `may_create`, an inbox that was removed is not made again.
    """
    data = b"".join(b"\n%b\n" % record for record in records)
    if not data:
        return
    handle = os.open(inbox, _FILE | os.O_CREAT if may_create else _FILE, 0o600)
    try:
        if os.write(handle, data) != len(data):  # a torn record; all are written again
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(inbox))
        os.fsync(handle)
    finally:
        os.close(handle)
    _ring(bell_of(inbox))


def remove_inbox(inbox: Path) -> None:
    """Delete an inbox that no process reads any more, and its bell."""
    for path in (inbox, bell_of(inbox)):
        path.unlink(missing_ok=True)


def _ring(bell: Path) -> None:
    try:
        handle = os.open(bell, _BELL)
    except OSError:  # no process listens: the next one reads the file
        return
    try:
        if stat.S_ISFIFO(os.fstat(handle).st_mode):
            os.write(handle, b"!")
    except OSError:  # full of rings that are not heard yet
        return
    finally:
        os.close(handle)
