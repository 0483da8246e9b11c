"""Files on their way to and from a node, in pieces; each is named by its sender. Blocking."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from engine.config.paths import private_folder
from engine.domain.errors import user_error
from engine.domain.text import size
from engine.execution.cluster.messages import CHUNK_BYTES

STALE_S = 24 * 3600.0
"""So long after its last piece, a file that no message asked for again is removed."""
_NAME = re.compile(r"[0-9a-f]{32}")


class Transfers:
    """The files of one home in the folder `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, name: str) -> Path:
        """Return where a file is; raises `UserError` for a name that no sender uses."""
        if not _NAME.fullmatch(name):
            raise user_error("NODE_FAILED", "A file on its way has no valid name.")
        return self._folder / name

    def new(self, name: str) -> Path:
        """Return where a file is to be written, in place of an earlier one."""
        path = self.path(name)
        private_folder(self._folder)
        path.unlink(missing_ok=True)
        return path

    def put(self, name: str, offset: int, content: bytes, total_bytes: int) -> int:
        """Store a piece; return how many bytes are there. Raises OSError, and `UserError`."""
        path = self.path(name)
        if not offset:
            private_folder(self._folder)
            self._drop_stale()
            _check_room(self._folder, total_bytes)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(path, flags, 0o600)
        try:
            there = os.fstat(handle).st_size
            if not 0 <= offset <= there:
                return there
            view, at = memoryview(content), offset
            while view:
                count = os.pwrite(handle, view, at)
                view, at = view[count:], at + count
            return max(there, at)
        finally:
            os.close(handle)

    def read(self, name: str, offset: int) -> bytes:
        """Return a piece of a file; raises FileNotFoundError where it was removed."""
        with self.path(name).open("rb") as file:
            file.seek(max(0, offset))
            return file.read(CHUNK_BYTES)

    def drop(self, names: Iterable[str]) -> None:
        """Remove files."""
        for name in names:
            self.path(name).unlink(missing_ok=True)

    def _drop_stale(self) -> None:
        for path in self._folder.iterdir():
            try:
                if path.stat().st_mtime < time.time() - STALE_S:
                    path.unlink()
            except OSError:
                continue


def _check_room(folder: Path, total_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if total_bytes > free:
        message = f"The files take {size(total_bytes)}, and only {size(free)} are free on the node."
        raise user_error("NODE_FAILED", message, "Free some space on the node, then retry.")
