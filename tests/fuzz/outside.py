"""The rest of the disk: files that no command may change, read or run, and how that is seen."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import repos

from engine.system import inotify

ACCESS, OPEN = 0x1, 0x20
CHANGES = (
    inotify.MODIFY
    | inotify.ATTRIB
    | inotify.MOVED_FROM
    | inotify.MOVED_TO
    | inotify.CREATE
    | inotify.DELETE
)


class Outside:
    """A folder beside the source, with secrets, a repository and programs; watched by inotify."""

    def __init__(self, folder: Path, ran: Path) -> None:
        self.folder, self.ran = folder, ran
        self.private = repos.repository(folder / "private", {"secret.txt": "secret\n"})
        repos.write(folder, {"secret.txt": "secret\n", "folder/inner.txt": "inner\n"})
        repos.write(folder, {"include.cfg": f'[hook "x"]\n\tcommand = touch {ran}\n'})
        os.mkfifo(folder / "pipe")
        self.program = folder / "program"
        self.program.write_text(f"#!/bin/sh\ntouch {ran}\n")
        self.program.chmod(0o755)
        self._before = dict(self._state())
        self._handle = inotify.init()
        self._watched = {
            inotify.add(self._handle, str(path), ACCESS | OPEN | CHANGES): path
            for path in (folder, *folder.rglob("*"))
            if path.is_dir() and not path.is_symlink()
        }

    def faults(self) -> list[str]:
        """Return what happened here since the last call; nothing is to happen."""
        found = [f"ran {self.ran}"] if self.ran.exists() else []
        self.ran.unlink(missing_ok=True)
        while events := list(inotify.read(self._handle)):
            found += [line for event in events if (line := self._describe(*event))]
        now = dict(self._state())
        found += [f"changed {path}" for path in now.keys() | self._before.keys()
                  if now.get(path) != self._before.get(path)]  # fmt: skip
        list(inotify.read(self._handle))  # of this very look
        while list(inotify.read(self._handle)):
            pass
        self._before = now
        return sorted(set(found))

    def close(self) -> None:
        """Stop watching."""
        os.close(self._handle)

    def _describe(self, number: int, mask: int, name: bytes) -> str:
        path = self._watched.get(number, self.folder) / os.fsdecode(name)
        if mask & CHANGES:
            return f"changed {path} ({mask:#x})"
        # Folders are opened to walk through them; git asks of what a nested `.git` names whether it
        # is a repository; what settings include is read as settings. None of it is used or shown.
        is_passed = mask & 0x4000_0000 or path.name in ("HEAD", "commondir", "include.cfg")
        return "" if is_passed else f"read {path}"

    def _state(self) -> Iterator[tuple[str, object]]:
        for path in sorted(self.folder.rglob("*")):
            info = path.lstat()
            content = path.read_bytes() if stat.S_ISREG(info.st_mode) else b""
            yield str(path), (info.st_mode, info.st_size, info.st_mtime_ns, content)
