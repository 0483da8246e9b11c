"""Removal of folders for good: nothing behind a link or a mount is touched, despite swaps."""

from __future__ import annotations

import os
import re
import resource
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SPARE_HANDLES = 100
_OCTAL = re.compile(rb"\\([0-7]{3})")
_LEFT_SHOWN = 20


@dataclass(slots=True)
class RemovalResult:
    """The result of a removal: entries removed, and the first that had to stay, with the reason."""

    entries: int = 0
    left: list[str] = field(default_factory=list[str])
    stopped: bool = False


@dataclass(slots=True)
class _Level:
    handle: int
    name: str
    folders: list[str]
    listed: bool = False


def remove(path: Path, stop: Callable[[], bool] = lambda: False) -> RemovalResult:
    """Remove the file or folder at `path`; a missing one is fine. Blocking; can be repeated.

    An entry that cannot be removed stays and is reported; the rest is still removed.
    """
    try:
        parent = os.open(path.parent, _FOLDER)
    except FileNotFoundError:
        return RemovalResult()
    except OSError as error:
        done = RemovalResult()
        _leave(done, path.name, error)
        return done
    try:
        return remove_in(parent, path.name, stop)
    finally:
        os.close(parent)


def mounted_in(path: Path) -> str:
    """Return the name of a mount at or below a folder; empty where there is none."""
    try:
        parent = os.open(path.parent, _FOLDER)
    except OSError:
        return ""
    try:
        return _mount_below(parent, path.name)
    finally:
        os.close(parent)


def remove_in(parent: int, name: str, stop: Callable[[], bool] = lambda: False) -> RemovalResult:
    """Remove what is called `name` in an open folder, as `remove` does."""
    done = RemovalResult()
    try:
        info = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if not stat.S_ISDIR(info.st_mode):
            os.unlink(name, dir_fd=parent)
            done.entries += 1
        elif info.st_dev != os.fstat(parent).st_dev:
            done.left.append(f"{name}: is another file system")
        elif mount := _mount_below(parent, name):
            done.left.append(f"{name}: {mount} is mounted in it")
        else:
            _Removal(info.st_dev, stop, done).run(parent, name)
    except FileNotFoundError:
        pass
    except OSError as error:
        _leave(done, name, error)
    return done


def _mount_below(parent: int, name: str) -> str:
    """Return the mount at or below a folder; only this finds one of the same file system."""
    try:
        top = str(Path(f"/proc/self/fd/{parent}").readlink() / name)
        lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:  # no Linux: there are no such mounts
        return ""
    for line in lines:
        place = os.fsdecode(_OCTAL.sub(lambda found: bytes([int(found[1], 8)]), line.split()[4]))
        if place == top or place.startswith(f"{top}/"):
            return place.rpartition("/")[2]
    return ""


class _Removal:
    def __init__(self, device: int, stop: Callable[[], bool], done: RemovalResult) -> None:
        self._device = device
        self._stop = stop
        self._done = done
        self._depth = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _SPARE_HANDLES

    def run(self, parent: int, name: str) -> None:
        """Remove a folder from the inside out."""
        levels = [_Level(self._opened(name, parent), name, [])]
        try:
            while levels:
                if self._stop():
                    self._done.stopped = True
                    return
                level = levels[-1]
                if not level.listed:
                    level.listed = True
                    level.folders = self._empty(level.handle)
                if not level.folders:
                    levels.pop()
                    os.close(level.handle)
                    self._drop(level.name, levels[-1].handle if levels else parent)
                    continue
                inner = level.folders.pop()
                if len(levels) >= self._depth:
                    self._raise_up(level.handle, inner, levels[0])
                    continue
                try:
                    levels.append(_Level(self._opened(inner, level.handle), inner, []))
                except OSError as error:
                    _leave(self._done, inner, error)
        finally:
            for level in levels:
                os.close(level.handle)

    def _raise_up(self, handle: int, name: str, top: _Level) -> None:
        """Move a folder that lies too deep to the top, where it is as good as any other."""
        higher = f".deep-{self._done.entries}-{len(top.folders)}"
        try:
            os.rename(name, higher, src_dir_fd=handle, dst_dir_fd=top.handle)
            top.folders.append(higher)
        except OSError as error:
            _leave(self._done, name, error)

    def _opened(self, name: str, parent: int) -> int:
        try:
            handle = os.open(name, _FOLDER, dir_fd=parent)
        except PermissionError:
            _permit(name, parent)
            handle = os.open(name, _FOLDER, dir_fd=parent)
        info = os.fstat(handle)
        if info.st_dev != self._device:
            os.close(handle)
            raise OSError("is another file system")
        if stat.S_IMODE(info.st_mode) & 0o700 != 0o700:  # such as Go's module cache
            os.fchmod(handle, 0o700)
        return handle

    def _empty(self, handle: int) -> list[str]:
        """Remove all but folders, and return the folders' names."""
        folders: list[str] = []
        with os.scandir(handle) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for name, is_folder in found:
            if is_folder:
                folders.append(name)
                continue
            try:
                os.unlink(name, dir_fd=handle)
                self._done.entries += 1
            except FileNotFoundError:
                continue
            except IsADirectoryError:  # swapped in between
                folders.append(name)
            except OSError as error:
                _leave(self._done, name, error)
        return folders

    def _drop(self, name: str, parent: int) -> None:
        try:
            os.rmdir(name, dir_fd=parent)
            self._done.entries += 1
        except FileNotFoundError:
            return
        except OSError as error:
            _leave(self._done, name, error)


def _permit(name: str, parent: int) -> None:
    """Set our permissions for a folder, never through a link."""
    if sys.platform != "linux":
        os.chmod(name, 0o700, dir_fd=parent, follow_symlinks=False)
        return
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        Path(f"/proc/self/fd/{handle}").chmod(0o700)
    finally:
        os.close(handle)


def _leave(done: RemovalResult, name: str, error: OSError) -> None:
    if len(done.left) < _LEFT_SHOWN:
        done.left.append(f"{name}: {error.strerror or error}")
