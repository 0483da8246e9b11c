"""Transaction of files: all are put into a folder or none, even if this program is killed.

New files are written aside first (`staging`), and a journal records the plan. Then old files are
moved aside (never overwritten: they may have changed just now), and the new files are linked into
their place. The next call finds the journal and reverts an unfinished transaction. The journal lies
in our home and is bound to the folder's device and inode: nothing that an agent or a repository
writes is ever taken for ours.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.system.durable import sync_handle
from engine.workspaces.apply import staging
from engine.workspaces.apply.staging import Identity, Staging
from engine.workspaces.files.file_mark import FileMark, file_mark
from engine.workspaces.files.rooted_dir import RootedDir, is_control
from engine.workspaces.git.contents import Content, copy_sparse

SAVED = ".swarm-saved"
SYNCED_AT_ONCE = 16
_NO_LINKS = (errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


class ConcurrentChange(Exception):
    """A change in the folder during the transaction, which was reverted."""

    def __init__(self, path: bytes) -> None:
        super().__init__(os.fsdecode(path))
        self.path = path


@dataclass(frozen=True, slots=True)
class _Step:
    path: str
    before: FileMark | None
    inode: int | None


def obstacle(below: RootedDir, path: bytes, going: set[bytes]) -> bytes | None:
    """Return the obstacle to a file at `path` once the files `going` are removed, or None."""
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


class FileTransaction:
    """One set of files on its way below `root`, noted in the file `journal`; single-threaded.

    `near` is a folder for what is staged, used where the journal's is on another mount.
    """

    def __init__(self, root: Path, journal: Path, near: Path | None = None) -> None:
        self.root = root
        self.journal = journal
        self._root_identity = staging.identity_of(root)
        self._steps: list[_Step] = []
        places = [staging.prepare_home(journal), *([near] if near else [])]
        self._staging = Staging.create(root, places)
        self._begun = False
        try:
            self._note("")
        except BaseException:
            self._staging.remove()
            raise

    @property
    def count(self) -> int:
        """The number of files that were added."""
        return len(self._steps)

    @property
    def paths(self) -> list[bytes]:
        """The paths that will change."""
        return [os.fsencode(step.path) for step in self._steps]

    def add(
        self, path: bytes, before: os.stat_result | None, mode: int | None, data: Content = b""
    ) -> None:
        """Note a file to be put to `path`, or removed where `mode` (git's) is None.

        `before` is what was found there. Raises OSError for a path below a control folder.
        """
        _check(path)
        inode = None
        if mode is not None:
            inode = self._write(len(self._steps), before, mode, data)
        self._steps.append(_Step(os.fsdecode(path), file_mark(before), inode))

    def _write(self, number: int, before: os.stat_result | None, mode: int, data: Content) -> int:
        name, folder = f"new-{number}", self._staging.handle
        if stat.S_ISLNK(mode):
            data = data if isinstance(data, bytes) else data.read_bytes()
            os.symlink(data, os.fsencode(name), dir_fd=folder)
            return os.stat(name, dir_fd=folder, follow_symlinks=False).st_ino
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(name, flags, mode & 0o777 | 0o022, dir_fd=folder)
        with os.fdopen(handle, "wb") as file:
            if isinstance(data, bytes):
                file.write(data)
            else:
                with data.open("rb") as source:
                    copy_sparse(source, file)
            if before and stat.S_ISREG(before.st_mode):
                os.fchmod(file.fileno(), _permissions(before.st_mode, mode))
            file.flush()
            info = os.fstat(file.fileno())
            if not info.st_mode & stat.S_IRUSR:  # it cannot be opened again
                os.fsync(file.fileno())
            return info.st_ino

    def place(self, note: str = "") -> None:
        """Put everything into its place, or nothing; raises `ConcurrentChange` or OSError.

        It can be reverted until `finish`; `note` is the purpose, for `recover`.
        """
        self._sync_staged()  # what the journal speaks of
        self._begun = True
        self._note(note)
        try:
            with RootedDir(self.root) as below:
                self._check_root(below)
                for number, step in enumerate(self._steps):
                    if step.before:
                        self._move_aside(below, number, step)
                for number, step in enumerate(self._steps):
                    if step.inode is not None:
                        self._put(below, number, step)
                self._sync(below)
        except BaseException:
            self.undo()
            raise

    def _sync_staged(self) -> None:
        """Write the new files through to the disk, many at a time: it syncs them as fast as one."""
        staged = [number for number, step in enumerate(self._steps) if step.inode is not None]
        with ThreadPoolExecutor(min(SYNCED_AT_ONCE, len(staged) or 1)) as pool:
            try:
                for _ in pool.map(self._sync_one, staged):
                    pass
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        self._staging.sync()

    def _sync_one(self, number: int) -> None:
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            handle = os.open(f"new-{number}", flags, dir_fd=self._staging.handle)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EACCES):  # a link, or synced when it was written
                return
            raise
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _sync(self, below: RootedDir) -> None:
        """Write the changed folders through to the disk: the files were before."""
        folders = {b""}
        for step in self._steps:
            parts = os.fsencode(step.path).split(b"/")[:-1]
            folders |= {b"/".join(parts[: count + 1]) for count in range(len(parts))}
        for folder in folders:
            with suppress(FileNotFoundError, NotADirectoryError):  # removed: it was empty
                sync_handle(below.folder(folder))

    def _note(self, note: str) -> None:
        """Write the journal: the steps only once they may have begun."""
        content = {
            "root": str(self.root),
            "root_identity": self._root_identity,
            "staging": [str(self._staging.parent_path), self._staging.name],
            "staging_identity": self._staging.identity,
            "note": note,
            "steps": [asdict(step) for step in self._steps] if self._begun else [],
        }
        staging.write_journal(self.journal, content)

    def _check_root(self, below: RootedDir) -> None:
        if below.identity != self._root_identity:
            raise OSError(errno.ESTALE, "was replaced by another folder", str(self.root))

    def _move_aside(self, below: RootedDir, number: int, step: _Step) -> None:
        path = os.fsencode(step.path)
        aside, folder = f"old-{number}", self._staging.handle
        try:
            name, there = below.place(path)
            os.rename(name, aside, src_dir_fd=there, dst_dir_fd=folder)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ConcurrentChange(path) from error
        if file_mark(os.stat(aside, dir_fd=folder, follow_symlinks=False)) != step.before:
            raise ConcurrentChange(path)
        if step.inode is None:
            below.prune(path)

    def _put(self, below: RootedDir, number: int, step: _Step) -> None:
        path = os.fsencode(step.path)
        try:
            name, folder = below.place(path, make=True)
            _appear(self._staging.handle, f"new-{number}", name, folder)
        except (FileExistsError, NotADirectoryError) as error:
            raise ConcurrentChange(path) from error

    def undo(self) -> None:
        """Take back what was placed; a file that came meanwhile stays, the old one beside it."""
        with RootedDir(self.root) as below:
            self._check_root(below)
            for step in reversed(self._steps):
                if step.inode is not None:
                    _vanish(below, os.fsencode(step.path), step.inode)
            for number, step in enumerate(self._steps):
                if step.before:
                    _put_back(below, self._staging.handle, f"old-{number}", step.path)
        self.finish()

    def finish(self) -> None:
        """Drop the replaced files: from here on nothing is reverted."""
        if self._staging.handle < 0:
            return
        self._begun = False
        self._note("")
        self._staging.remove()
        self.journal.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the folders; what is staged and noted stays for `recover`."""
        self._staging.close()

    @classmethod
    def resume(cls, journal: Path, found: dict[str, Any], root: Path) -> FileTransaction:
        """Return what a journal describes; raises OSError or ValueError where it does not fit."""
        self = cls.__new__(cls)
        self.root, self.journal, self._begun = root, journal, True
        self._root_identity = _identity(found["root_identity"])
        if staging.identity_of(root) != self._root_identity:
            raise OSError(errno.ESTALE, "is another folder now", str(root))
        self._steps = [_step(step) for step in found["steps"]]
        parent, name = found["staging"]
        wanted = _identity(found["staging_identity"])
        self._staging = Staging.reopen(Path(parent), name, wanted)
        return self


def is_unfinished(journal: Path) -> bool:
    """Return whether files of an earlier call may still have to be put back."""
    return journal.exists()


def recover(
    root: Path, journal: Path, done: Callable[[str], bool] = lambda _: False
) -> FileTransaction | None:
    """End what an earlier call noted in `journal`: back, or forward where `done(note)` is true.

    Returns what goes forward, to be finished. A journal that does not fit is set aside.
    """
    found = staging.read_journal(journal)
    if found is None:
        return None
    try:
        placing = FileTransaction.resume(journal, found, root)
    except (OSError, ValueError, TypeError, KeyError) as error:
        staging.set_aside(journal, str(error))
        return None
    if done(str(found.get("note"))):
        return placing
    try:
        placing.undo()
    finally:
        placing.close()
    return None


def _identity(value: Sequence[int]) -> Identity:
    device, inode = value
    return int(device), int(inode)


def _step(found: dict[str, Any]) -> _Step:
    before, inode = found["before"], found["inode"]
    _check(os.fsencode(found["path"]))
    return _Step(str(found["path"]), tuple(before) if before else None, inode)


def _check(path: bytes) -> None:
    if is_control(path):
        raise OSError(errno.EPERM, "is below a control folder", os.fsdecode(path))


def _permissions(before: int, mode: int) -> int:
    kept = before & 0o777
    if bool(before & stat.S_IXUSR) == bool(mode & stat.S_IXUSR):
        return kept
    return kept | (kept & 0o444) >> 2 if mode & stat.S_IXUSR else kept & ~0o111


def _appear(staged: int, source: str, name: bytes, folder: int) -> None:
    """Link the staged file to its name, never over another; raises FileExistsError."""
    try:
        os.link(source, name, src_dir_fd=staged, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        try:
            os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(source, name, src_dir_fd=staged, dst_dir_fd=folder)
        else:
            raise FileExistsError(errno.EEXIST, "is there", name) from error


def _vanish(below: RootedDir, path: bytes, inode: int) -> None:
    info = below.stat(path)
    if info and info.st_ino == inode and not stat.S_ISDIR(info.st_mode):
        name, folder = below.place(path)
        os.unlink(name, dir_fd=folder)
        below.prune(path)


def _put_back(below: RootedDir, staged: int, aside: str, text: str) -> None:
    try:
        info = os.stat(aside, dir_fd=staged, follow_symlinks=False)
    except FileNotFoundError:
        return
    path = os.fsencode(text)
    while True:
        try:
            name, folder = below.place(path, make=True)
            if stat.S_ISDIR(info.st_mode):
                os.rename(aside, name, src_dir_fd=staged, dst_dir_fd=folder)
            else:
                _appear(staged, aside, name, folder)
            return
        except (FileExistsError, NotADirectoryError, OSError) as error:
            if error.errno not in (errno.EEXIST, errno.ENOTDIR, errno.ENOTEMPTY, errno.EISDIR):
                raise
            below.forget()
            parts = path.split(b"/")
            path = b"/".join([*parts[:-1], parts[-1] + SAVED.encode()])
            if error.errno == errno.ENOTDIR:  # a folder above is a file now
                path = parts[-1] + SAVED.encode()
