"""A private folder for files on their way to a place, and the journal of the plan.

The journal lies in our home only. The folder lies there, too, where files can be renamed from there
to their place; else beside the files, under a random name. It is opened once and used by its
descriptor: after a crash the journal's device and inode must fit before anything in it is used.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import secrets
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

from engine.config.paths import private_folder
from engine.system.durable import sync_handle, write_synced
from engine.system.files import real_path
from engine.workspaces.files import removal

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_log = logging.getLogger(__name__)

Identity = tuple[int, int]
"""Device and inode of a folder."""


def journal_for(home: Path, root: Path) -> Path:
    """Return the path of the journal for changes to the files of `root`."""
    digest = hashlib.sha256(os.fsencode(real_path(root))).hexdigest()[:24]
    return home / "placing" / f"{digest}.json"


def identity(handle: int) -> Identity:
    """Return the device and inode of an open folder."""
    info = os.fstat(handle)
    return info.st_dev, info.st_ino


def identity_of(folder: Path) -> Identity:
    """Return the device and inode of a folder that is not a link; raises OSError."""
    handle = os.open(folder, _FOLDER)
    try:
        return identity(handle)
    finally:
        os.close(handle)


@dataclass(slots=True)
class Staging:
    """An open staging folder: its name in the open folder `parent`, and its own descriptor."""

    parent_path: Path
    name: str
    parent: int
    handle: int

    @classmethod
    def create(cls, root: Path, places: Iterable[Path]) -> Self:
        """Make a folder in the first of `places` from which files can be renamed into `root`."""
        parent_path = next((place for place in places if _shares_mount(place, root)), root)
        parent = os.open(parent_path, _FOLDER)
        try:
            name = f".swarm-{secrets.token_hex(12)}"
            os.mkdir(name, 0o700, dir_fd=parent)
            return cls(parent_path, name, parent, os.open(name, _FOLDER, dir_fd=parent))
        except BaseException:
            os.close(parent)
            raise

    @classmethod
    def reopen(cls, parent_path: Path, name: str, wanted: Identity) -> Self:
        """Open the folder that a journal names; raises OSError where it is another one."""
        parent = os.open(parent_path, _FOLDER)
        handle = -1
        try:
            handle = os.open(name, _FOLDER, dir_fd=parent)
            if identity(handle) != wanted:
                raise FileNotFoundError(errno.ENOENT, "is another folder", name)
        except BaseException:
            for one in (parent, handle):
                if one >= 0:
                    os.close(one)
            raise
        return cls(parent_path, name, parent, handle)

    @property
    def identity(self) -> Identity:
        """The folder's device and inode."""
        return identity(self.handle)

    def sync(self) -> None:
        """Write both folders through to the disk."""
        sync_handle(self.handle)
        sync_handle(self.parent)

    def remove(self) -> None:
        """Remove it with all that is in it, and close it; a second call does nothing."""
        if self.handle < 0:
            return
        with suppress(OSError):
            info = os.stat(self.name, dir_fd=self.parent, follow_symlinks=False)
            if (info.st_dev, info.st_ino) == self.identity:
                removal.remove_in(self.parent, self.name)
        self.close()

    def close(self) -> None:
        """Close its descriptors."""
        for handle in (self.handle, self.parent):
            if handle >= 0:
                os.close(handle)
        self.handle = self.parent = -1


def _shares_mount(folder: Path, root: Path) -> bool:
    try:
        return _mount(folder) == _mount(root)
    except OSError:
        return False


def _mount(folder: Path) -> tuple[int, str]:
    """Return the file system of a folder and, where the system shows it, its mount point."""
    handle = os.open(folder, _FOLDER)
    try:
        lines: list[str] = []
        with suppress(OSError):  # no Linux
            lines = Path(f"/proc/self/fdinfo/{handle}").read_text("ascii").splitlines()
        mount = next((line for line in lines if line.startswith("mnt_id:")), "")
        return os.fstat(handle).st_dev, mount
    finally:
        os.close(handle)


def write_journal(path: Path, content: dict[str, Any]) -> None:
    """Replace the journal on the disk, all or nothing; raises OSError."""
    write_synced(path, json.dumps(content).encode())


def read_journal(path: Path) -> dict[str, Any] | None:
    """Return the journal, or None; one that is damaged is set aside, so that it blocks nothing."""
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError:
        found = None
    if isinstance(found, dict):
        return cast("dict[str, Any]", found)
    set_aside(path, "it is damaged")
    return None


def set_aside(path: Path, why: str) -> None:
    """Keep a journal that cannot be followed under another name, with a line in the log."""
    kept = path.with_name(f"{path.name}.{time.time_ns()}")
    path.rename(kept)
    _log.warning("files on their way cannot be taken back (%s): see %s", why, kept)


def prepare_home(journal: Path) -> Path:
    """Make the journal's folder, readable by its owner only."""
    return private_folder(journal.parent)
