"""A program that measures folders: a process of its own, so that nothing else waits for it.

Asked on stdin, a JSON line each: `{"path": "/…", "inside": false, "rebuildable": […]}`. It
answers on stdout in JSON lines: `{"done": false, …figures}` a few times a second while it
looks, then one with `done` true. With `inside`, what lies directly in the folder is measured one by
one, each told with its `name`, before the whole. Names are JSON with surrogate escapes.

Nothing is followed out of the folder: no link, no mount. The standard library only, and little of
it: it starts in a hundredth of a second.
"""

from __future__ import annotations

import json
import os
import resource
import stat
import sys
import time
from typing import Any, TextIO

TELL_S = 0.2
BLOCK_BYTES = 512  # the unit of st_blocks, whatever the file system's: stat(2)
SPARE_HANDLES = 40
LOOK_AT_CLOCK = 256  # entries between two looks at the clock
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Figures:
    """What was found so far; sizes in bytes, `linked` the files that have other names too."""

    __slots__ = ("apparent", "disk", "entries", "linked", "newest", "rebuildable", "unread")

    def __init__(self) -> None:
        self.disk = 0
        self.apparent = 0
        self.rebuildable = 0
        self.entries = 0
        self.newest = 0.0
        self.unread = 0
        self.linked: dict[tuple[int, int], tuple[int, int]] = {}

    def add(self, info: os.stat_result, rebuildable: bool) -> None:
        """Take in a file or folder."""
        self.entries += 1
        is_folder = stat.S_ISDIR(info.st_mode)
        size = info.st_blocks * BLOCK_BYTES
        if info.st_nlink > 1 and not is_folder:
            place = (info.st_dev, info.st_ino)
            if place in self.linked:
                return
            self.linked[place] = (size, info.st_size)
        self.disk += size
        self.apparent += info.st_size
        if rebuildable:
            self.rebuildable += size
        elif info.st_mtime > self.newest and not is_folder:
            self.newest = info.st_mtime

    def merge(self, other: Figures) -> None:
        """Take in what was found in a part; files that both know count once."""
        self.disk += other.disk
        self.apparent += other.apparent
        self.rebuildable += other.rebuildable
        self.entries += other.entries
        self.unread += other.unread
        self.newest = max(self.newest, other.newest)
        for place, (size, apparent) in other.linked.items():
            if place in self.linked:
                self.disk -= size
                self.apparent -= apparent
            self.linked[place] = (size, apparent)

    def told(self) -> dict[str, float]:
        """Give the figures by their names."""
        names = ("disk", "apparent", "rebuildable", "entries", "newest", "unread")
        return {name: getattr(self, name) for name in names}


class Look:
    """One look at a folder and all below it."""

    def __init__(self, asked: dict[str, Any], out: TextIO, depth: int) -> None:
        self._asked = asked
        self._rebuildable = frozenset(asked.get("rebuildable", ()))
        self._out = out
        self._depth = depth
        self._told_at = time.monotonic()
        self._device = 0

    def run(self) -> None:
        """Look, and tell what there is."""
        total = Figures()
        try:
            top = os.open(self._asked["path"], _FOLDER)
        except OSError as error:
            self._no_folder(total, error)
            return
        info = os.fstat(top)
        self._device = info.st_dev
        total.add(info, rebuildable=False)
        if self._asked.get("inside"):
            self._inside(top, total)
        else:
            self._below(top, total, rebuildable=False)
        linked = [[*place, *sizes] for place, sizes in total.linked.items()]
        self._tell(total, done=True, linked=linked)

    def _no_folder(self, total: Figures, error: OSError) -> None:
        """Tell the size of what is a file or a link; anything else is an error."""
        try:
            info = os.lstat(self._asked["path"])
        except OSError as gone:
            info, error = None, gone
        if info is None or stat.S_ISDIR(info.st_mode):
            total.unread = 1
            self._tell(total, done=True, error=error.strerror)
            return
        total.add(info, rebuildable=False)
        self._tell(total, done=True, folder=False)

    def _inside(self, top: int, total: Figures) -> None:
        with os.scandir(top) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for name, is_folder in found:
            part = Figures()
            rebuildable = name in self._rebuildable
            try:
                info = os.stat(name, dir_fd=top, follow_symlinks=False)
                part.add(info, rebuildable)
                if is_folder and info.st_dev == self._device:
                    self._below(os.open(name, _FOLDER, dir_fd=top), part, rebuildable)
            except OSError:
                part.unread += 1
            self._tell(part, name=name, folder=is_folder, is_rebuildable=rebuildable)
            total.merge(part)
        os.close(top)

    def _below(self, handle: int, found: Figures, rebuildable: bool) -> None:
        """Add all that lies below an open folder, and close it."""
        # Each level: its handle, the names of folders still to be looked into, what it counts as.
        levels = [(handle, self._entries(handle, found, rebuildable), rebuildable)]
        while levels:
            handle, waiting, rebuildable = levels[-1]
            if not waiting:
                os.close(handle)
                levels.pop()
                continue
            name = waiting.pop()
            inner = rebuildable or name in self._rebuildable
            try:
                if len(levels) >= self._depth:
                    raise OSError("is too deep")
                below = os.open(name, _FOLDER, dir_fd=handle)
                info = os.fstat(below)
                if info.st_dev != self._device:
                    os.close(below)
                    continue
            except OSError:
                found.unread += 1
                self._closed(handle, name, found, inner)
                continue
            found.add(info, inner)
            levels.append((below, self._entries(below, found, inner), inner))

    def _closed(self, handle: int, name: str, found: Figures, rebuildable: bool) -> None:
        """Add a folder that cannot be looked into: it takes room itself."""
        try:
            info = os.stat(name, dir_fd=handle, follow_symlinks=False)
        except OSError:  # it vanished
            return
        if stat.S_ISDIR(info.st_mode) and info.st_dev == self._device:
            found.add(info, rebuildable)

    def _entries(self, handle: int, found: Figures, rebuildable: bool) -> list[str]:
        """Add what lies directly in an open folder, and give the names of its folders."""
        folders: list[str] = []
        try:
            with os.scandir(handle) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
                        continue
                    try:
                        found.add(entry.stat(follow_symlinks=False), rebuildable)
                    except OSError:  # it vanished between the two looks
                        continue
                    if not found.entries % LOOK_AT_CLOCK and not self._asked.get("inside"):
                        self._tell_now_and_then(found)
        except OSError:
            found.unread += 1
        return folders

    def _tell_now_and_then(self, found: Figures) -> None:
        now = time.monotonic()
        if now - self._told_at >= TELL_S:
            self._told_at = now
            self._tell(found)

    def _tell(self, found: Figures, *, done: bool = False, **more: object) -> None:
        told = {"done": done, **found.told(), **more}
        self._out.write(json.dumps(told) + "\n")
        self._out.flush()


def main() -> None:
    """Answer until nobody asks any more."""
    os.nice(5)  # keys come first
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    for line in sys.stdin:
        Look(json.loads(line), sys.stdout, soft - SPARE_HANDLES).run()


if __name__ == "__main__":
    main()
