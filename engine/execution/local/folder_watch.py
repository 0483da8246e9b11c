"""A watch on chosen folders, each by itself, nothing below it.

A watch on everything below a folder costs a watch of the system for each folder there, those of
`.git` and `node_modules` included. So the folders are chosen, and with new ones the watch is
renewed: ten thousand take a tenth of a second.

Linux reports changes itself (`inotify`). Elsewhere, and where its limits are reached, the folders
are scanned. Neither needs a library with threads of its own: one that ran out of threads would end
this process, and one that knows no file names but UTF-8 would stop at the first other one.
"""

from __future__ import annotations

import errno
import logging
import os
import select
import sys
import threading
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Protocol

from engine.system import inotify

DEBOUNCE_MS, STEP_MS, WAIT_MS = 50, 10, 200
POLL_S = 1.0  # between two scans
SCAN_FACTOR = 20  # scanning takes a twentieth of the time at most
ADDED, MODIFIED, DELETED = 1, 2, 3

Seen = set[tuple[int, str]]
"""Changes seen: `ADDED`, `MODIFIED` or `DELETED`, and a path (as `os.fsdecode` returns it)."""

_MASK = (
    inotify.MODIFY
    | inotify.ATTRIB
    | inotify.MOVED_FROM
    | inotify.MOVED_TO
    | inotify.CREATE
    | inotify.DELETE
    | inotify.MOVE_SELF
    | inotify.ONLY_FOLDERS
    | inotify.NO_LINKS
    | inotify.NO_UNLINKED
)
_ENDED = inotify.IGNORED | inotify.MOVE_SELF
_SKIPPED = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG)
_log = logging.getLogger(__name__)


class _Method(Protocol):
    """A way to see changes in folders."""

    lost: set[str]
    is_incomplete: bool

    def renew(self, folders: Sequence[str]) -> Seen: ...

    def wait(self, limit_ms: int) -> Seen: ...

    def close(self) -> None: ...


class FolderWatch:
    """Watch on folders; used from one thread at a time, never from the event loop's.

    `close` may be called from any thread, also while another one waits.
    """

    def __init__(self) -> None:
        self.is_scanning = False
        """True if the system's limit was reached, and the folders are scanned instead."""
        self._method: _Method | None = None
        self._use = threading.Lock()
        self._is_closed = False

    def renew(self, folders: Iterable[str]) -> Seen:
        """Watch these folders, and return what was seen in the others up to now."""
        with self._in_use() as is_open:
            return self._renew(list(folders)) if is_open else set()

    def _renew(self, wanted: Sequence[str]) -> Seen:
        if self._method is None:
            self._method = self._made()
        try:
            return self._method.renew(wanted)
        except OSError as error:
            if isinstance(self._method, _Scan):
                raise
            self._method.close()
            self._method = self._fallen_back(error)
            return self._method.renew(wanted)

    def wait(self) -> Seen:
        """Return what is seen, at once where something is, else nothing after a moment."""
        with self._in_use() as is_open:
            return self._method.wait(WAIT_MS) if is_open and self._method else set()

    def pop_lost(self) -> tuple[set[str], bool]:
        """Return the folders whose watch ended by itself, and whether events were lost."""
        if self._method is None:
            return set(), False
        lost, is_incomplete = self._method.lost, self._method.is_incomplete
        self._method.lost, self._method.is_incomplete = set(), False
        return lost, is_incomplete

    def close(self) -> None:
        """Watch nothing any more."""
        self._is_closed = True
        self._close_unless_in_use()

    @contextmanager
    def _in_use(self) -> Generator[bool]:
        """Keep the handle open meanwhile; yield whether it was not closed before.

        A task that is cancelled leaves its thread waiting here. Were the handle closed under it,
        the thread would read from the file that gets its number next: the output of a git.
        """
        try:
            with self._use:
                yield not self._is_closed
        finally:
            if self._is_closed:
                self._close_unless_in_use()

    def _close_unless_in_use(self) -> None:
        if not self._use.acquire(blocking=False):
            return  # that thread closes it
        try:
            if self._method:
                self._method.close()
                self._method = None
        finally:
            self._use.release()

    def _made(self) -> _Method:
        if sys.platform != "linux":
            return _Scan()
        try:
            return _Inotify()
        except OSError as error:
            return self._fallen_back(error)

    def _fallen_back(self, error: OSError) -> _Method:
        _log.warning("watching falls back to scanning: %s", error)
        self.is_scanning = True
        return _Scan()


class _Inotify:
    """Changes reported by Linux."""

    def __init__(self) -> None:
        self._handle = inotify.init()
        self._paths: dict[int, str] = {}
        self.lost: set[str] = set()
        self.is_incomplete = False

    def renew(self, folders: Sequence[str]) -> Seen:
        seen = self._read()
        # A folder that is watched already keeps its number, and gets its new name.
        paths: dict[int, str] = {}
        for folder in folders:
            try:
                paths[inotify.add(self._handle, folder, _MASK)] = folder
            except OSError as error:
                if error.errno not in _SKIPPED:
                    raise
                self.lost.add(folder)
        for number in self._paths.keys() - paths.keys():
            inotify.remove(self._handle, number)
        self._paths = paths
        return seen

    def wait(self, limit_ms: int) -> Seen:
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        if not poll.poll(limit_ms):
            return set()
        deadline = time.monotonic() + DEBOUNCE_MS / 1000
        seen = self._read()
        while seen and time.monotonic() < deadline:
            time.sleep(STEP_MS / 1000)  # many at a time cost less than one by one
            if not poll.poll(0):
                break
            seen |= self._read()
        return seen

    def close(self) -> None:
        os.close(self._handle)

    def _read(self) -> Seen:
        seen: Seen = set()
        for number, mask, name in inotify.read(self._handle):
            if mask & inotify.QUEUE_OVERFLOW:
                self.is_incomplete = True
            elif mask & _ENDED:
                self._end(number, mask)
            elif number in self._paths and name:
                seen.add((_kind(mask), f"{self._paths[number]}/{os.fsdecode(name)}"))
        return seen

    def _end(self, number: int, mask: int) -> None:
        path = self._paths.pop(number, None)
        if path is not None:
            self.lost.add(path)
            if mask & inotify.MOVE_SELF:
                inotify.remove(self._handle, number)


def _kind(mask: int) -> int:
    if mask & (inotify.CREATE | inotify.MOVED_TO):
        return ADDED
    return DELETED if mask & (inotify.DELETE | inotify.MOVED_FROM) else MODIFIED


_State = dict[str, tuple[int, int, int, int]]


class _Scan:
    """Changes as found by comparing what lies in the folders, now and then."""

    def __init__(self) -> None:
        self._known: dict[str, _State | None] = {}
        self._next_at = 0.0
        self.lost: set[str] = set()
        self.is_incomplete = False

    def renew(self, folders: Sequence[str]) -> Seen:
        self._known = {
            folder: self._known[folder] if folder in self._known else _state(folder)
            for folder in folders
        }
        return set()

    def wait(self, limit_ms: int) -> Seen:
        left_s = self._next_at - time.monotonic()
        if left_s > 0:
            time.sleep(min(left_s, limit_ms / 1000))
            if left_s > limit_ms / 1000:
                return set()
        began = time.monotonic()
        seen: Seen = set()
        for folder, before in list(self._known.items()):
            now = _state(folder)
            if now is None and before is not None:
                self.lost.add(folder)
            self._known[folder] = now
            seen |= _compare(folder, before or {}, now or {})
        took_s = time.monotonic() - began
        self._next_at = time.monotonic() + max(POLL_S, SCAN_FACTOR * took_s)
        return seen

    def close(self) -> None:
        self._known = {}


def _state(folder: str) -> _State | None:
    """Return the entries of a folder; None where it is not a folder, or unreadable."""
    state: _State = {}
    try:
        # Not through a link that took the folder's place.
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        with os.scandir(handle) as entries:
            for entry in entries:
                try:
                    info = entry.stat(follow_symlinks=False)
                except OSError:
                    continue
                # A folder's times change with what is in it, which is watched by itself.
                is_folder = entry.is_dir(follow_symlinks=False)
                is_folder = entry.is_dir(follow_symlinks=False)
                changed, size = (0, 0) if is_folder else (info.st_ctime_ns, info.st_size)
                state[entry.name] = (info.st_ino, info.st_mode, changed, size)
    except OSError:
        return None
    finally:
        os.close(handle)
    return state


def _compare(folder: str, before: _State, now: _State) -> Seen:
    if before == now:
        return set()
    seen: Seen = {(DELETED, f"{folder}/{name}") for name in before.keys() - now.keys()}
    for name, state in now.items():
        known = before.get(name)
        if known != state:
            is_new = known is None or known[0] != state[0]
            seen.add((ADDED if is_new else MODIFIED, f"{folder}/{name}"))
    return seen
