"""Folders as archives: written where the source is, extracted on a node.

An archive is a pax file, which keeps names of any bytes, modes, times and links. Nothing of one is
written outside its folder or through a link, whatever is in it.
"""

from __future__ import annotations

import errno
import os
import stat
import tarfile
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO

from engine.domain.errors import UserError, user_error
from engine.domain.text import printable_name
from engine.workspaces.files.copying import MODE, SET_IDS, is_full
from engine.workspaces.files.rooted_dir import RootedDir, is_gits

_CHUNK = 1024**2
_NS = 1_000_000_000
Stop = Callable[[], bool]


def write(folder: Path, file: BinaryIO, stop: Stop) -> None:
    """Write a folder that does not change into an open file.

    `stop` is asked between files whether to give up, which raises InterruptedError.
    """
    with tarfile.open(
        fileobj=file,
        mode="w|",
        format=tarfile.PAX_FORMAT,
        encoding="utf-8",
        errors="surrogateescape",
    ) as archive:
        for path, info in _walk(os.fsencode(folder)):
            if stop():
                raise InterruptedError
            _add(archive, os.fsencode(folder), path, info)


def _walk(folder: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
    """Yield everything below a folder, each folder before what is in it."""
    waiting = [b""]
    while waiting:
        inside = waiting.pop()
        with os.scandir(os.path.join(folder, inside)) as entries:  # noqa: PTH118  bytes
            names = sorted(entry.name for entry in entries)
        for name in names:
            path = inside + b"/" + name if inside else name
            info = os.lstat(os.path.join(folder, path))  # noqa: PTH118  bytes
            yield path, info
            if stat.S_ISDIR(info.st_mode):
                waiting.append(path)


def _add(archive: tarfile.TarFile, folder: bytes, path: bytes, info: os.stat_result) -> None:
    entry = tarfile.TarInfo(os.fsdecode(path))
    entry.mode = stat.S_IMODE(info.st_mode) & MODE & ~SET_IDS
    entry.mtime = info.st_mtime_ns / _NS
    whole = os.path.join(folder, path)  # noqa: PTH118  bytes
    if stat.S_ISLNK(info.st_mode):
        entry.type, entry.linkname = tarfile.SYMTYPE, os.fsdecode(os.readlink(whole))  # noqa: PTH115  bytes
        archive.addfile(entry)
    elif stat.S_ISDIR(info.st_mode):
        entry.type = tarfile.DIRTYPE
        archive.addfile(entry)
    elif stat.S_ISREG(info.st_mode):
        entry.size = info.st_size
        with open(whole, "rb") as content:  # noqa: PTH123  bytes
            archive.addfile(entry, content)


@dataclass(slots=True)
class Extraction:
    """The extraction of one archive into the folder `root`.

    `is_copy`: the archive is of a whole folder, git's own files too. `replaces`: a file takes the
    place of one that is there, which otherwise stays.
    """

    root: Path
    is_copy: bool = False
    replaces: bool = False
    lost: list[str] = field(default_factory=list[str])
    """Files that could not be put in place."""

    def run(self, file: BinaryIO, stop: Stop) -> None:
        """Put the files of an archive in place; raises `UserError`, OSError where the disk is full.

        `stop` is asked between files whether to give up, which raises InterruptedError.
        """
        folders: list[tuple[bytes, int, int]] = []
        try:
            with (
                tarfile.open(
                    fileobj=file, mode="r|", encoding="utf-8", errors="surrogateescape"
                ) as archive,
                RootedDir(self.root) as below,
            ):
                for entry in archive:
                    if stop():
                        raise InterruptedError
                    path = os.fsencode(entry.name)
                    self._check(path, entry)
                    self._extract(archive, below, path, entry)
                    if entry.isdir() and self.is_copy:
                        folders.append((path, entry.mode, _ns(entry)))
                for path, mode, at in reversed(folders):  # what is in them would change both
                    name, folder = below.place(path)
                    os.chmod(name, mode & MODE & ~SET_IDS, dir_fd=folder)
                    os.utime(name, ns=(at, at), dir_fd=folder)
        except (tarfile.TarError, UnicodeError, ValueError, EOFError) as error:
            raise user_error("NODE_FAILED", f"The files arrived damaged: {error}.") from error

    def _check(self, path: bytes, entry: tarfile.TarInfo) -> None:
        is_known = (
            entry.isdir() or entry.issym() or entry.type in (tarfile.REGTYPE, tarfile.AREGTYPE)
        )
        is_apart = is_gits(path) and not self.is_copy
        parts = path.split(b"/")
        if not is_known or is_apart or any(part in (b"", b".", b"..") for part in parts):
            name = printable_name(os.fsdecode(path))
            raise user_error("NODE_FAILED", f"The files hold {name}, which may not be there.")

    def _extract(
        self, archive: tarfile.TarFile, below: RootedDir, path: bytes, entry: tarfile.TarInfo
    ) -> None:
        try:
            if entry.isdir():
                below.folder(path, make=True)
                return
            name, folder = below.place(path, make=True)
            if not self._is_free(name, folder):
                return
            if entry.issym():
                os.symlink(os.fsencode(entry.linkname), name, dir_fd=folder)
                os.utime(name, ns=(_ns(entry), _ns(entry)), dir_fd=folder, follow_symlinks=False)
                return
            content = archive.extractfile(entry)
            assert content
            _write(content, name, folder, entry)
        except OSError as error:
            if is_full(error):
                raise
            self.lost.append(printable_name(os.fsdecode(path)))

    def _is_free(self, name: bytes, folder: int) -> bool:
        """Return whether a file may be put there, after removing one that it replaces."""
        try:
            os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return True
        if self.replaces:
            os.unlink(name, dir_fd=folder)
        return self.replaces


def _write(content: IO[bytes], name: bytes, folder: int, entry: tarfile.TarInfo) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    handle = os.open(name, flags, 0o600, dir_fd=folder)
    with os.fdopen(handle, "wb") as file:
        while chunk := content.read(_CHUNK):
            file.write(chunk)
        file.flush()
        os.fchmod(handle, entry.mode & MODE & ~SET_IDS)
        os.utime(handle, ns=(_ns(entry), _ns(entry)))


def _ns(entry: tarfile.TarInfo) -> int:
    return int(entry.mtime * _NS)


def remove(root: Path, paths: Iterable[bytes]) -> None:
    """Remove files, which are gone in the source, and folders that are empty then."""
    with RootedDir(root) as below:
        for path in paths:
            if is_gits(path):
                raise user_error("NODE_FAILED", "The files that are gone hold one of git's own.")
            try:
                name, folder = below.place(path)
                os.unlink(name, dir_fd=folder)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR):
                    continue
                raise
            below.prune(path)


@contextmanager
def full_named() -> Generator[None]:
    """Name a disk that is full as that of the node."""
    try:
        yield
    except (UserError, OSError) as error:
        is_known = isinstance(error, UserError) and error.code == "DISK_FULL"
        if not is_known and not (isinstance(error, OSError) and is_full(error)):
            raise
        said = error.message if isinstance(error, UserError) else "The disk of the node is full."
        hint = "Free some space on the node, then retry."
        raise user_error("NODE_FAILED", said, hint) from error
