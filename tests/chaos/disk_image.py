"""A file system in a file: it can be filled, and copied as a power cut would leave it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SIZE_MIB = 3072
"""Room for the files of the 900 runs that 1,000 faults take: a full disk is a fault of its own."""
COPIES = 50


@dataclass
class DiskImage:
    """A mounted image; `image` is None where nothing can be mounted."""

    path: Path
    image: Path | None

    def fill(self) -> None:
        """Leave no room."""
        with suppress(OSError), (self.path / "filler").open("ab", buffering=0) as filler:
            os.posix_fallocate(filler.fileno(), 0, max(1, shutil.disk_usage(self.path).free))
        with suppress(OSError), (self.path / "filler-rest").open("ab", buffering=0) as filler:
            while True:
                filler.write(b"x" * 4096)

    def free(self) -> None:
        """Make room again."""
        for name in ("filler", "filler-rest"):
            (self.path / name).unlink(missing_ok=True)

    def cut(self, to: Path) -> None:
        """Copy what the disk holds now: what the kernel has not written back is missing.

        A disk stops at one moment: a copy during which the image changed is made again. Raises
        `RuntimeError` where it changes all the time; stop its writers before.
        """
        assert self.image
        for _ in range(COPIES):
            before = self.image.stat().st_mtime_ns
            # Read from the file below the mount: the loop device's own cache is not flushed by it.
            subprocess.run(["cp", "--sparse=always", str(self.image), str(to)], check=True)
            if self.image.stat().st_mtime_ns == before:
                return
        raise RuntimeError("the disk was never at rest")


@contextmanager
def disk_image(folder: Path) -> Iterator[DiskImage]:
    """Mount an image at `folder`/disk, or use a plain folder there where that is not possible."""
    path, image = folder / "disk", folder / "disk.img"
    path.mkdir()
    with image.open("wb") as file:
        file.truncate(SIZE_MIB * 1024**2)
    mounted = _done("mkfs.ext4", "-q", "-F", "-i", "2048", image) and _done(
        "mount", "-o", "loop", image, path
    )
    path.chmod(0o700)
    try:
        yield DiskImage(path, image if mounted else None)
    finally:
        if mounted and not _done("umount", path):
            _done("umount", "--lazy", path)


def _done(*words: str | Path) -> bool:
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
