"""A program that reads the usage in session files: a process of its own, at low priority.

Started by `engine.usage.other_sessions`. stdin has a `ReadRequest`; stdout gets `ReadBatch`es, each
to be acknowledged by a byte on stdin before the next, and empty messages as signs of life. A
message is four bytes with the length of the rest, and the rest as MessagePack.

It reads where it stopped: what is known is in the database, which another process writes. Nothing
is followed out of the agent's home, and only regular files are opened.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

import msgspec

from engine.agents.session_source import RequestUsage, SessionSource, ThreadUsage
from engine.domain.session_usage import (
    ReadBatch,
    ReadFile,
    ReadFolder,
    ReadLimits,
    ReadThread,
    SlotUsage,
)
from engine.domain.text import printable_name
from engine.domain.usage import SessionProgress
from engine.store.session_index import KnownPlace, SessionIndex, open_index
from engine.system.decoding import msgpack_decoder
from engine.system.files import open_regular
from engine.usage.session_request import PROTOCOL, ReadRequest

if TYPE_CHECKING:
    from engine.agents.session_source import SessionCounter

NICE = 10
READ_BYTES = 1024**2
BATCH_FILES, BATCH_S = 200, 0.5
ALIVE_S = 1.0
CHECK_BYTES = 256
RECENT_S = 3 * 86_400.0
"""A folder with a file that was written since then is listed in each pass."""
LIMITS_S = 8 * 86_400.0
"""Rate limits that were reported longer ago are of no use: the longest window is a week."""
MAX_NS = 2**62
SETTLED_S = 2.0
"""A folder that has just changed may change again without a newer time."""


class _Found(NamedTuple):
    """A file that is new or has changed."""

    home: int
    folder: Path
    name: str
    size: int
    mtime_ns: int


class SessionPass:
    """One pass over the session files of some homes."""

    def __init__(
        self, request: ReadRequest, index: SessionIndex, pipes: tuple[BinaryIO, BinaryIO]
    ) -> None:
        self._request = request
        self._index = index
        self._in, self._out = pipes
        self._sources = [
            cast("SessionSource", import_module(home.source)) for home in request.homes
        ]
        self._now = time.time()
        self._alive_at = self._sent_at = time.monotonic()
        self._threads: dict[str, ThreadUsage] = {}
        self._accounts: dict[str, str] = {}
        self._files: list[ReadFile] = []
        self._gone: list[tuple[bytes, bytes]] = []
        self._folders: dict[Path, ReadFolder] = {}
        self._limits: dict[tuple[str, str], ReadLimits] = {}
        self._progress = SessionProgress()
        self._unread: list[tuple[str, str]] = []

    def run(self) -> None:
        """List what has changed, and read it, the newest first."""
        found = [file for home in range(len(self._sources)) for file in self._changed(home)]
        self._progress = replace(self._request.progress, found=len(found), read=0, failure="")
        self._send()
        for file in found:
            self._read(file)
            self._progress = replace(self._progress, read=self._progress.read + 1)
            self._send_if_due()
        self._progress = self._ended()
        self._send(is_last=True)

    def _ended(self) -> SessionProgress:
        name, reason = self._unread[0] if self._unread else ("", "")
        complete_at = self._now if self._request.is_complete else self._progress.complete_at
        return replace(
            self._progress,
            read_until=self._now,
            complete_at=complete_at,
            unread=len(self._unread),
            unread_name=name,
            unread_reason=reason,
        )

    # Listing

    def _changed(self, home: int) -> Iterator[_Found]:
        """Yield the files of a home that are new or have changed."""
        source, top = self._sources[home], Path(os.fsdecode(self._request.homes[home].path))
        for folder, error in source.folders(top):
            self._beat()
            try:
                if error:
                    raise error
                yield from self._changed_in(home, folder)
            except FileNotFoundError:  # it was removed meanwhile
                continue
            except OSError as failure:
                self._note_unread(folder, failure)

    def _changed_in(self, home: int, folder: Path) -> Iterator[_Found]:
        info, key = folder.lstat(), os.fsencode(folder)
        known = self._index.folder(key)
        if known and not self._request.is_complete and not self._is_due(info, *known):
            return
        is_session = self._sources[home].is_session
        files, newest, there = self._index.files(key), 0.0, set[bytes]()
        with os.scandir(folder) as entries:
            for entry in entries:
                if not is_session(entry.name) or not entry.is_file(follow_symlinks=False):
                    continue
                self._beat()
                try:
                    size, mtime_ns = _size(entry)
                except OSError:  # it vanished
                    continue
                name = os.fsencode(entry.name)
                there.add(name)
                newest = max(newest, mtime_ns / 1e9)
                if files.get(name) != (size, mtime_ns):
                    yield _Found(home, folder, entry.name, size, mtime_ns)
        self._gone += [(key, name) for name in files.keys() - there]
        # It counts as listed only if nothing could have changed it since.
        is_settled = info.st_mtime < self._now - SETTLED_S
        listed = _stored_time(info) if is_settled else 0
        self._folders[folder] = ReadFolder(key, listed, newest)

    def _is_due(self, info: os.stat_result, mtime_ns: int, newest: float) -> bool:
        """Return whether files of a folder may have changed since it was listed."""
        return _stored_time(info) != mtime_ns or newest > self._now - RECENT_S

    # Reading

    def _read(self, file: _Found) -> None:
        path = file.folder / file.name
        try:
            self._read_file(file, path)
        except FileNotFoundError as error:
            if error.filename is None:  # a program is missing, not the file
                self._note_unread(path, error)
        except OSError as error:
            self._note_unread(path, error)
        except Exception as error:  # of one file: the others are read
            self._note_unread(path, OSError(f"{type(error).__name__}: {error}"))

    def _read_file(self, file: _Found, path: Path) -> None:
        source, home = self._sources[file.home], self._request.homes[file.home]
        key, name = os.fsencode(file.folder), os.fsencode(file.name)
        place, is_whole = self._index.place(key, name), source.is_whole(file.name)
        if is_whole or place is None or not _goes_on(path, place):
            place = KnownPlace(0, b"", b"")
        counter = source.counter(path, place.state, self._thread, self._now)
        offset = self._count(source, counter, path, place.offset, file.size)
        if counter.thread is None:
            thread = ""
        else:
            thread = counter.thread.thread
            self._accounts.setdefault(thread, home.account)
        if counter.thread and counter.limits and counter.limits[0] > self._now - LIMITS_S:
            of_thread = (thread, counter.thread.root)
            self._keep_limits(ReadLimits(home.account, *of_thread, *counter.limits))
        check = b"" if is_whole else _check(path, offset)
        entry = ReadFile(
            key, name, file.size, file.mtime_ns, offset, check, thread, counter.state()
        )
        self._files.append(entry)

    def _count(
        self, source: SessionSource, counter: SessionCounter, path: Path, offset: int, size: int
    ) -> int:
        """Count what a file holds from an offset on; returns the end of its last whole line."""
        is_whole = source.is_whole(path.name)
        lines = source.open_lines(path, offset)
        try:
            # A file that grows all the time is read as far as it went when it was listed.
            for _ in range(size // READ_BYTES + 2 if not is_whole else sys.maxsize):
                counter.read(lines.lines(READ_BYTES))
                self._beat()
                if not lines.behind:
                    break
            if is_whole:
                counter.read([lines.rest()])
            if lines.is_damaged:
                raise OSError("the compressed file is damaged or not complete")
            return lines.offset
        finally:
            lines.close()

    def _thread(self, thread: str) -> ThreadUsage:
        """Return a thread as it is stored, with what this batch has counted."""
        found = self._threads.get(thread)
        if found is None:
            known = self._index.thread(thread)
            found = ThreadUsage(thread)
            if known:
                found = ThreadUsage(thread, known.revision, known.keys)
                found.root, found.project = known.root, known.project
            self._threads[thread] = found
        return found

    def _keep_limits(self, limits: ReadLimits) -> None:
        known = self._limits.get((limits.account, limits.thread))
        if known is None or known.at < limits.at:
            self._limits[limits.account, limits.thread] = limits

    def _note_unread(self, path: Path, error: OSError) -> None:
        self._unread.append((printable_name(str(path)), error.strerror or str(error)))
        self._folders.pop(path.parent, None)  # the file is tried again in the next pass

    # Messages

    def _send_if_due(self) -> None:
        if len(self._files) >= BATCH_FILES or time.monotonic() - self._sent_at >= BATCH_S:
            self._send()

    def _send(self, *, is_last: bool = False) -> None:
        """Send the results so far, and wait until they are stored."""
        folders = tuple(self._folders.values()) if is_last else ()
        batch = ReadBatch(
            tuple(self._read_thread(thread) for thread in self._threads.values()),
            tuple(self._files),
            tuple(self._gone),
            folders,
            tuple(self._limits.values()),
            replace(self._progress, at=time.time()),
            is_last,
            PROTOCOL,
        )
        _write(self._out, msgspec.msgpack.encode(batch))
        if not self._in.read(1):
            sys.exit()  # the other side is gone
        self._threads, self._accounts, self._limits = {}, {}, {}
        self._files, self._gone = [], []
        self._sent_at = time.monotonic()

    def _read_thread(self, thread: ThreadUsage) -> ReadThread:
        return ReadThread(
            thread.thread,
            thread.root,
            self._accounts.get(thread.thread, ""),
            thread.project,
            thread.revision,
            thread.keys(),
            tuple(_slot(*place, used) for place, used in thread.slots.items()),
        )

    def _beat(self) -> None:
        """Send a sign of life now and then."""
        now = time.monotonic()
        if now - self._alive_at >= ALIVE_S:
            self._alive_at = now
            _write(self._out, b"")


def _slot(slot: int, model: str, used: RequestUsage) -> SlotUsage:
    return slot, model, used.input, used.cached, used.output, used.reasoning, used.requests


def _size(entry: os.DirEntry[str]) -> tuple[int, int]:
    info = entry.stat(follow_symlinks=False)
    if not stat.S_ISREG(info.st_mode):
        raise FileNotFoundError
    return info.st_size, _stored_time(info)


def _stored_time(info: os.stat_result) -> int:
    """Return a time of change as a database can hold it."""
    return min(max(info.st_mtime_ns, -MAX_NS), MAX_NS)


def _goes_on(path: Path, place: KnownPlace) -> bool:
    """Return whether a file still begins with what was read of it."""
    try:
        return _check(path, place.offset) == place.check
    except OSError:
        return False


def _check(path: Path, offset: int) -> bytes:
    """Return a hash of a file's beginning, and of what lies before an offset."""
    handle = open_regular(path)
    try:
        head = os.pread(handle, min(CHECK_BYTES, offset), 0)
        before = max(0, offset - CHECK_BYTES)
        return blake2b(head + os.pread(handle, offset - before, before), digest_size=8).digest()
    finally:
        os.close(handle)


def _write(out: BinaryIO, data: bytes) -> None:
    out.write(len(data).to_bytes(4, "big") + data)
    out.flush()


def main() -> int:
    """Answer one request."""
    os.nice(NICE)
    pipes = sys.stdin.buffer, sys.stdout.buffer
    size = int.from_bytes(pipes[0].read(4), "big")
    request = msgpack_decoder(ReadRequest)(pipes[0].read(size))
    try:
        with open_index(Path(os.fsdecode(request.database))) as index:
            SessionPass(request, index, pipes).run()
    except sqlite3.Error as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0
