"""Helpers of a scan of a large folder: forks that take half of the waiting work.

A process with much waiting work takes a token and forks; one that has finished puts its token back.
So free processors get work, without a process that distributes it. Results come back through one
pipe, in records small enough to be written whole.
"""

from __future__ import annotations

import os
import select
import struct
import time

from totals import FolderTotals

TYPE_CHECKING = False  # typing itself would take longer than all the rest of the start
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

HELP_S = 0.01  # of work, before help is asked for: to fork takes a tenth of it
COLD_HELPERS = 7
"""More help where the disk is waited for: it can do several things at a time."""
COLD = 0.6  # of the time at work; the rest was waiting for the disk
_RECORD = struct.Struct("=qqqqqqd")
_FOUND, _LINKED, _ENDED = range(3)
_READ_BYTES = 1024 * _RECORD.size
_NONE = (-1, -1)
_WHOLE_BYTES = select.PIPE_BUF // _RECORD.size * _RECORD.size


class ScanTeam:
    """The one who was asked, and its helpers, for one look."""

    def __init__(self) -> None:
        self._began = self._asked = time.monotonic()
        self._used = time.process_time()
        self._warm = self._cold = self._results = _NONE
        self._taken: int | None = None
        self._forks = self._ended = 0
        self.is_helper = False

    def shared(self) -> int | None:
        """Fork a helper, if it is time and one is free: returns 0 in the helper, else 1 or None.

        Called while much is waiting; each of the two then keeps half of it.
        """
        now = time.monotonic()
        if now - self._asked < HELP_S:
            return None
        self._asked = now
        if self._results == _NONE:
            self._open()
        token = self._token(now)
        if token is None:
            return None
        self._forks += 1
        if os.fork():
            return 1
        if not self.is_helper:
            os.close(self._results[0])
        self._taken, self.is_helper = token, True
        self._forks = 0
        self._began, self._used = now, time.process_time()
        return 0

    def _open(self) -> None:
        processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
        tokens = max(0, (processors or os.cpu_count() or 1) - 1)
        self._warm, self._cold, self._results = os.pipe(), os.pipe(), os.pipe()
        for pipe, count in ((self._warm, tokens), (self._cold, max(0, COLD_HELPERS - tokens))):
            os.write(pipe[1], b"+" * count)
            os.set_blocking(pipe[0], False)

    def _token(self, now: float) -> int | None:
        """Take a token, and return the pipe it is put back into."""
        pipes = [self._warm]
        if time.process_time() - self._used < COLD * (now - self._began):
            pipes.append(self._cold)
        for taken, back in pipes:
            try:
                if os.read(taken, 1):
                    return back
            except BlockingIOError:
                pass
        return None

    # A helper's side

    def send(self, found: FolderTotals) -> None:
        """Send the results; the sender's count begins again."""
        sizes = (found.disk, found.apparent, found.rebuildable, found.entries, found.unread)
        records = [_RECORD.pack(_FOUND, *sizes, found.newest)]
        for (device, inode), (disk, apparent) in found.linked.items():
            records.append(_RECORD.pack(_LINKED, device, inode, disk, apparent, 0, 0.0))
        self._write(b"".join(records))

    def end(self, found: FolderTotals) -> NoReturn:
        """Send the rest, and end."""
        self.send(found)
        assert self._taken is not None
        os.write(self._taken, b"+")
        self._write(_RECORD.pack(_ENDED, self._forks, 0, 0, 0, 0, 0.0))
        os.close(self._results[1])
        _wait_for_children()
        os._exit(0)

    def _write(self, records: bytes) -> None:
        for start in range(0, len(records), _WHOLE_BYTES):
            os.write(self._results[1], records[start : start + _WHOLE_BYTES])

    # The side of the one who was asked

    def collect(self, found: FolderTotals) -> None:
        """Take in what helpers have sent up to now."""
        while (
            not self.is_helper and self._forks and select.select([self._results[0]], [], [], 0)[0]
        ):
            self._merge(os.read(self._results[0], _READ_BYTES), found)

    def finish(self, found: FolderTotals, tell: Callable[[], None]) -> None:
        """Wait for the helpers, reporting now and then; raises OSError where one vanished."""
        if self._results == _NONE:
            return
        os.write(self._warm[1], b"+")
        os.close(self._results[1])
        while records := os.read(self._results[0], _READ_BYTES):
            self._merge(records, found)
            tell()
        _wait_for_children()
        for handle in (*self._warm, *self._cold, self._results[0]):
            os.close(handle)
        if self._ended != self._forks:
            raise OSError("a helper vanished")

    def _merge(self, records: bytes, found: FolderTotals) -> None:
        for kind, one, two, three, four, five, newest in _RECORD.iter_unpack(records):
            if kind == _LINKED:
                found.link((one, two), (three, four))
            elif kind == _ENDED:
                self._ended += 1
                self._forks += one
            else:
                part = FolderTotals()
                part.disk, part.apparent, part.rebuildable, part.entries = one, two, three, four
                part.unread, part.newest = five, newest
                found.merge(part)


def _wait_for_children() -> None:
    try:
        while True:
            os.wait()
    except ChildProcessError:
        return
