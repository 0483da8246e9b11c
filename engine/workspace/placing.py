"""Files put into a folder all or none, also when this program is killed in the middle.

What is new is written aside first, and a journal says what is meant. Then what has to go is moved
aside (never overwritten: it may have changed just now), and the new files are linked into its
place. Whoever comes next finds the journal and takes back what was not finished.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.durable import sync_handle, sync_path, write_synced
from engine.paths import private_folder
from engine.workspace.below import Below

STAGING = ".swarm-staging"
SAVED = ".swarm-saved"
_JOURNAL = "journal.json"
_NO_LINKS = (errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)

Mark = tuple[int, int, int, int]


class PlaceChanged(Exception):
    """Something in the folder changed while files were put there; everything was taken back."""

    def __init__(self, path: bytes) -> None:
        super().__init__(os.fsdecode(path))
        self.path = path


@dataclass(frozen=True, slots=True)
class _Step:
    path: str
    before: Mark | None
    inode: int | None


def mark(info: os.stat_result | None) -> Mark | None:
    """Give what tells a file from another and from itself after a change."""
    return info and (info.st_ino, info.st_size, info.st_mtime_ns, info.st_mode)


def obstacle(below: Below, path: bytes, going: set[bytes]) -> bytes | None:
    """Give what stands in the way of a file at `path` once the files `going` have gone, or None."""
    parts = path.split(b"/")
    for count in range(1, len(parts)):
        parent = b"/".join(parts[:count])
        info = below.stat(parent)
        if info is None or parent in going:
            return None
        if not stat.S_ISDIR(info.st_mode):
            return parent
    info = below.stat(path)
    if info is None or path in going:
        return None
    if not stat.S_ISDIR(info.st_mode):
        return path
    return next((inner for inner in below.files(path) if inner not in going), None)


def staging_for(root: Path, preferred: Path) -> Path:
    """Give a folder on the file system of `root`: `preferred` if it is there, else one inside."""
    parent = preferred.parent
    same = parent.is_dir() and parent.stat().st_dev == root.stat().st_dev
    return preferred if same else root / STAGING


class Placing:
    """One set of files on its way below `root`, by way of the folder `staging`; single-threaded."""

    def __init__(self, root: Path, staging: Path) -> None:
        self.root = root
        self.staging = staging
        self._steps: list[_Step] = []
        shutil.rmtree(staging, ignore_errors=True)
        private_folder(staging / "old")
        private_folder(staging / "new")

    @property
    def paths(self) -> list[bytes]:
        """What will change."""
        return [os.fsencode(step.path) for step in self._steps]

    def add(
        self, path: bytes, before: os.stat_result | None, mode: int | None, data: bytes = b""
    ) -> None:
        """Note a file to be put to `path`, or removed where `mode` (git's) is None.

        `before` is what was found there.
        """
        inode = None
        if mode is not None:
            inode = self._write(len(self._steps), before, mode, data)
        self._steps.append(_Step(os.fsdecode(path), mark(before), inode))

    def _write(self, number: int, before: os.stat_result | None, mode: int, data: bytes) -> int:
        path = self.staging / "new" / str(number)
        if stat.S_ISLNK(mode):
            os.symlink(data, os.fsencode(path))  # noqa: PTH211  bytes
            return path.lstat().st_ino
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, mode & 0o777 | 0o022), "wb") as file:
            file.write(data)
            if before and stat.S_ISREG(before.st_mode):
                os.fchmod(file.fileno(), _permissions(before.st_mode, mode))
            file.flush()
            os.fsync(file.fileno())
            return os.fstat(file.fileno()).st_ino

    def place(self, note: str = "") -> None:
        """Put everything into its place, or nothing; raises `PlaceChanged` or OSError.

        It can be taken back until `finish`; `note` tells `recover` what it was for.
        """
        journal = {"root": str(self.root), "note": note, "steps": [asdict(s) for s in self._steps]}
        write_synced(self.staging / _JOURNAL, json.dumps(journal).encode())
        for folder in ("new", "old", ""):  # what the journal speaks of
            sync_path(self.staging / folder)
        sync_path(self.staging.parent)
        try:
            with Below(self.root) as below:
                for number, step in enumerate(self._steps):
                    if step.before:
                        self._take_away(below, number, step)
                for number, step in enumerate(self._steps):
                    if step.inode is not None:
                        self._put(below, number, step)
                self._sync(below)
        except BaseException:
            self.undo()
            raise

    def _sync(self, below: Below) -> None:
        """Write the changed folders through to the disk: the files were when they were written."""
        folders = {b""}
        for step in self._steps:
            parts = os.fsencode(step.path).split(b"/")[:-1]
            folders |= {b"/".join(parts[: count + 1]) for count in range(len(parts))}
        for folder in folders:
            with suppress(FileNotFoundError, NotADirectoryError):  # removed: it was empty
                sync_handle(below.folder(folder))

    def _take_away(self, below: Below, number: int, step: _Step) -> None:
        path = os.fsencode(step.path)
        aside = self.staging / "old" / str(number)
        try:
            name, folder = below.place(path)
            os.rename(name, aside, src_dir_fd=folder)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise PlaceChanged(path) from error
        if mark(aside.lstat()) != step.before:
            raise PlaceChanged(path)
        if step.inode is None:
            below.prune(path)

    def _put(self, below: Below, number: int, step: _Step) -> None:
        path = os.fsencode(step.path)
        try:
            name, folder = below.place(path, make=True)
            _appear(self.staging / "new" / str(number), name, folder)
        except (FileExistsError, NotADirectoryError) as error:
            raise PlaceChanged(path) from error

    def undo(self) -> None:
        """Take back what was placed; a file that came meanwhile stays, the old one beside it."""
        with Below(self.root) as below:
            for step in reversed(self._steps):
                if step.inode is not None:
                    _vanish(below, os.fsencode(step.path), step.inode)
            for number, step in enumerate(self._steps):
                aside = self.staging / "old" / str(number)
                if step.before and os.path.lexists(aside):
                    _put_back(below, aside, os.fsencode(step.path))
        self.finish()

    def finish(self) -> None:
        """Let go of what was replaced: from here on nothing is taken back."""
        (self.staging / _JOURNAL).unlink(missing_ok=True)
        shutil.rmtree(self.staging, ignore_errors=True)

    @classmethod
    def _resumed(cls, staging: Path, steps: Iterable[dict[str, Any]], root: Path) -> Placing:
        self = cls.__new__(cls)
        self.root, self.staging = root, staging
        self._steps = [
            _Step(step["path"], tuple(step["before"]) if step["before"] else None, step["inode"])
            for step in steps
        ]
        return self


def recover(root: Path, staging: Path, done: Callable[[str], bool] = lambda _: False) -> str | None:
    """End what an earlier call left in `staging`: back, or forward where `done(note)` says so.

    Gives the note of what went forward.
    """
    journal = staging / _JOURNAL
    try:
        found = json.loads(journal.read_text())
    except FileNotFoundError:
        shutil.rmtree(staging, ignore_errors=True)
        return None
    placing = Placing._resumed(staging, found["steps"], root)  # pyright: ignore[reportPrivateUsage]
    note: str = found["note"]
    if done(note):
        return note
    placing.undo()
    return None


def forget(staging: Path) -> None:
    """Let go of what `recover` found to be done."""
    (staging / _JOURNAL).unlink(missing_ok=True)
    shutil.rmtree(staging, ignore_errors=True)


def _permissions(before: int, mode: int) -> int:
    kept = before & 0o777
    if bool(before & stat.S_IXUSR) == bool(mode & stat.S_IXUSR):
        return kept
    return kept | (kept & 0o444) >> 2 if mode & stat.S_IXUSR else kept & ~0o111


def _appear(staged: Path, name: bytes, folder: int) -> None:
    """Give the staged file its name, never over another; raises FileExistsError."""
    try:
        os.link(staged, name, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        try:
            os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(staged, name, dst_dir_fd=folder)
        else:
            raise FileExistsError(errno.EEXIST, "is there", name) from error


def _vanish(below: Below, path: bytes, inode: int) -> None:
    info = below.stat(path)
    if info and info.st_ino == inode and not stat.S_ISDIR(info.st_mode):
        name, folder = below.place(path)
        os.unlink(name, dir_fd=folder)
        below.prune(path)


def _put_back(below: Below, aside: Path, path: bytes) -> None:
    while True:
        try:
            name, folder = below.place(path, make=True)
            if aside.is_dir() and not aside.is_symlink():
                os.rename(aside, name, dst_dir_fd=folder)
            else:
                _appear(aside, name, folder)
            return
        except (FileExistsError, NotADirectoryError, OSError) as error:
            if error.errno not in (errno.EEXIST, errno.ENOTDIR, errno.ENOTEMPTY, errno.EISDIR):
                raise
            below.forget()
            parts = path.split(b"/")
            path = b"/".join([*parts[:-1], parts[-1] + SAVED.encode()])
            if error.errno == errno.ENOTDIR:  # a folder above is a file now
                path = parts[-1] + SAVED.encode()
