"""A disk that is full: a small file system of its own, or where none can be mounted, a limit."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SIZE_KB = 4096
NOBODY = 65534


@dataclass
class Disk:
    """A folder on a disk that can be filled and freed; `code` is how the store tells of it."""

    path: Path
    mounted: bool

    @property
    def code(self) -> str:
        # Beyond a limit on the size of files SQLite tells of an I/O error.
        return "DISK_FULL" if self.mounted else "DATABASE_UNUSABLE"

    def fill(self) -> None:
        """Leave no room."""
        if not self.mounted:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            return
        filler = os.open(self.path / "filler", os.O_WRONLY | os.O_CREAT, 0o600)
        for size in (65536, 4096, 1):
            try:
                while os.write(filler, b"x" * size) == size:
                    pass
            except OSError:
                continue
        os.close(filler)

    def free(self) -> None:
        """Make room."""
        if self.mounted:
            (self.path / "filler").unlink(missing_ok=True)
        else:
            no_limit = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.setrlimit(resource.RLIMIT_FSIZE, no_limit)


@contextmanager
def small_disk(path: Path) -> Iterator[Disk]:
    """Mount a small file system at `path`, if that may be done here."""
    path.mkdir()
    disk = Disk(
        path, mounted=_done("mount", "-t", "tmpfs", "-o", f"size={SIZE_KB}k", "tmpfs", path)
    )
    try:
        yield disk
    finally:
        disk.free()
        if disk.mounted:
            assert _done("umount", "--lazy", path)


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """Let nothing below the folder be written: by a mount, another user, or the folder's mode."""
    bound = _done("mount", "--bind", path, path)
    if bound and not _done("mount", "-o", "remount,bind,ro", path):
        assert _done("umount", "--lazy", path)
        bound = False
    as_nobody = not bound and os.geteuid() == 0
    for inner in (path, *path.rglob("*")):
        if not bound:
            inner.chmod(0o555 if inner.is_dir() else 0o444)
    if as_nobody:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if as_nobody:
            os.seteuid(0)
        if bound:
            assert _done("umount", "--lazy", path)
        else:
            path.chmod(0o700)


def _done(*words: str | Path) -> bool:
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
