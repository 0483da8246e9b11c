"""The file of a thread copied from one Codex home into another, where the thread goes on.

The copy lies at the same relative path: to Codex, and for the tokens, it is the same thread. A file
that is there is replaced only by one that begins with all of it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager, suppress
from enum import Enum, auto
from pathlib import Path, PurePath

from engine.agents.codex import rollout
from engine.domain.errors import user_error
from engine.domain.text import printable_name
from engine.system.durable import sync_handle
from engine.system.files import real_path

CHUNK_BYTES = 1_048_576
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def bring_thread(thread: str, sources: Iterable[Path], target: Path) -> None:
    """Copy the file of a thread from the first home that has it; blocking.

    Nothing is done where none has it. Raises `UserError` ACCOUNT_THREAD_DIFFERS where the thread
    went on differently in `target`, and OSError.
    """
    for source in sources:
        found = rollout.find(source, thread)
        if found is None or real_path(source) == real_path(target):
            continue
        _bring(source, target, PurePath(os.path.relpath(found, source)))
        return


def _bring(source: Path, target: Path, place: PurePath) -> None:
    with ExitStack() as stack:
        folder = stack.enter_context(_folder(source, place.parent, create=False))
        original = stack.enter_context(_regular(place.name, folder))
        there = stack.enter_context(_folder(target, place.parent, create=True))
        present = _compare(original, place.name, there)
        if present is _Match.WHOLE:
            return
        if present is _Match.OTHER:
            name = printable_name(str(target / place))
            raise user_error(
                "ACCOUNT_THREAD_DIFFERS", f"The thread went on differently in the file {name}."
            )
        _write(original, place.name, there, is_new=present is _Match.MISSING)


class _Match(Enum):
    """The part of the original that the file in the target has."""

    MISSING = auto()
    BEGINNING = auto()
    WHOLE = auto()
    OTHER = auto()


def _compare(original: int, name: str, folder: int) -> _Match:
    """Compare a file with the one of its name in a folder."""
    try:
        handle = os.open(name, _READ, dir_fd=folder)
    except FileNotFoundError:
        return _Match.MISSING
    except OSError:  # a link, for instance
        return _Match.OTHER
    with _closing(handle):
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return _Match.OTHER
        both = min(os.fstat(original).st_size, os.fstat(handle).st_size)
        for offset in range(0, both, CHUNK_BYTES):
            length = min(CHUNK_BYTES, both - offset)
            if os.pread(original, length, offset) != os.pread(handle, length, offset):
                return _Match.OTHER
        has_all = os.fstat(original).st_size <= os.fstat(handle).st_size
        return _Match.WHOLE if has_all else _Match.BEGINNING


def _write(original: int, name: str, folder: int, *, is_new: bool) -> None:
    """Put a copy into a folder: at once, readable by its owner alone, through to the disk."""
    part = f".{name}.part"  # one name: what a crash left is replaced
    with suppress(FileNotFoundError):
        os.unlink(part, dir_fd=folder)
    info = os.fstat(original)
    handle = os.open(part, _CREATE, 0o600, dir_fd=folder)
    try:
        with _closing(handle):
            offset = 0
            while chunk := os.pread(original, CHUNK_BYTES, offset):
                offset += len(chunk)
                while chunk:
                    chunk = chunk[os.write(handle, chunk) :]
            os.utime(handle, ns=(info.st_atime_ns, info.st_mtime_ns))
            sync_handle(handle)
        if not is_new or not _linked(part, name, folder):
            os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(part, dir_fd=folder)
    sync_handle(folder)


def _linked(part: str, name: str, folder: int) -> bool:
    """Name a file where no other has that name; return False where links are not possible."""
    try:
        os.link(part, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise
    return True


@contextmanager
def _folder(home: Path, place: PurePath, *, create: bool) -> Generator[int]:
    """Open a folder below a home, no link on the way; raises OSError."""
    handle = os.open(real_path(home), _FOLDER)
    try:
        for name in place.parts:
            if create:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=handle)
                    sync_handle(handle)
            inner = os.open(name, _FOLDER, dir_fd=handle)
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


@contextmanager
def _regular(name: str, folder: int) -> Generator[int]:
    with _closing(os.open(name, _READ, dir_fd=folder)) as handle:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{printable_name(name)} is not a regular file")
        yield handle


@contextmanager
def _closing(handle: int) -> Generator[int]:
    try:
        yield handle
    finally:
        os.close(handle)
