"""A program that measures folders: a process of its own, so that nothing else waits for it.

Request on stdin: `{"path": "/…", "inside": false, "rebuildable": […]}`. It answers on stdout:
`{"done": false, …figures}` a few times a second during the scan, then one with `done` true. With
`inside`, the entries directly in the folder are measured one by one, each reported with its `name`,
before the whole. Each message is four bytes with the length of the rest, and the rest as `marshal`
writes it.

Nothing is followed out of the folder: no link, no mount. The standard library only, and little of
it: it starts in a hundredth of a second. Longer scans are shared with helpers (`team`).
"""

from __future__ import annotations

import marshal
import os
import resource
import stat
import sys
import time
from itertools import islice

sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120  no pathlib

from team import ScanTeam
from totals import FolderTotals

TYPE_CHECKING = False  # typing itself would take longer than all the rest of the start
if TYPE_CHECKING:
    from typing import Any, BinaryIO

TELL_S = 0.2
LOOK_UP_S = 0.005  # between two looks around, while looking into folders
SPARE_HANDLES = 40
CHUNK = 1024  # entries of one folder between two chances to report
WORTH_SHARING = 4  # folders that wait
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class FolderScan:
    """One look at a folder and all below it."""

    def __init__(self, asked: dict[str, Any], out: BinaryIO, depth: int) -> None:
        self._asked = asked
        self._rebuildable = frozenset(asked.get("rebuildable", ()))
        self._out = out
        self._depth = depth
        self._told_at = self._looked_up_at = time.monotonic()
        self._device = 0
        self._team = ScanTeam()

    def run(self) -> None:
        """Scan, and report the result."""
        total = FolderTotals()
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
            self._all_below(top, total, rebuildable=False)
        linked = [(*place, *sizes) for place, sizes in total.linked.items()]
        self._send(total, done=True, linked=linked)

    def _no_folder(self, total: FolderTotals, error: OSError) -> None:
        """Report the size of a file or a link; anything else is an error."""
        try:
            info = os.lstat(self._asked["path"])
        except OSError as gone:
            info, error = None, gone
        if info is None or stat.S_ISDIR(info.st_mode):
            total.unread = 1
            self._send(total, done=True, error=error.strerror)
            return
        total.add(info, rebuildable=False)
        self._send(total, done=True, folder=False)

    def _inside(self, top: int, total: FolderTotals) -> None:
        with os.scandir(top) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for name, is_folder in found:
            part = FolderTotals()
            rebuildable, below = name in self._rebuildable, None
            try:
                info = os.stat(name, dir_fd=top, follow_symlinks=False)
                part.add(info, rebuildable)
                if is_folder and info.st_dev == self._device:
                    below = os.open(name, _FOLDER, dir_fd=top)
            except OSError:
                part.unread += 1
            if below is not None:
                self._all_below(below, part, rebuildable)
            self._send(part, name=name, folder=is_folder, is_rebuildable=rebuildable)
            total.merge(part)
        os.close(top)

    def _all_below(self, handle: int, found: FolderTotals, rebuildable: bool) -> None:
        """Add all that lies below an open folder, and close it; with help where it takes long."""
        self._team = ScanTeam()
        try:
            self._below(handle, found, rebuildable)
            if self._team.is_helper:
                self._team.end(found)
        finally:
            if self._team.is_helper:  # no process listens any more, or it is at fault
                os._exit(1)
        self._team.finish(found, lambda: self._send_if_due(found))

    def _below(self, handle: int, found: FolderTotals, rebuildable: bool) -> None:
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
            if time.monotonic() >= self._looked_up_at + LOOK_UP_S:
                self._measure_waiting([waiting for _, waiting, _ in levels], found)

    def _closed(self, handle: int, name: str, found: FolderTotals, rebuildable: bool) -> None:
        """Add a folder that cannot be looked into: it takes room itself."""
        try:
            info = os.stat(name, dir_fd=handle, follow_symlinks=False)
        except OSError:  # it vanished
            return
        if stat.S_ISDIR(info.st_mode) and info.st_dev == self._device:
            found.add(info, rebuildable)

    def _entries(self, handle: int, found: FolderTotals, rebuildable: bool) -> list[str]:
        """Add the entries directly in an open folder, and return the names of its folders."""
        folders: list[str] = []
        try:
            with os.scandir(handle) as entries:
                while some := list(islice(entries, CHUNK)):
                    folders += found.add_all(some, rebuildable)
                    if len(some) == CHUNK:
                        self._send_if_due(found)
        except OSError:
            found.unread += 1
        return folders

    def _measure_waiting(self, waiting: list[list[str]], found: FolderTotals) -> None:
        """Collect the helpers' results, report if it is time, and share the waiting work."""
        self._looked_up_at = time.monotonic()
        self._team.collect(found)
        self._send_if_due(found)
        if sum(map(len, waiting)) < WORTH_SHARING or (half := self._team.shared()) is None:
            return
        if not half:
            found.reset()
        place = half
        for names in waiting:
            count = len(names)
            names[:] = names[place % 2 :: 2]
            place += count

    def _send_if_due(self, found: FolderTotals) -> None:
        now = time.monotonic()
        if now - self._told_at < TELL_S:
            return
        self._told_at = now
        if self._team.is_helper:
            self._team.send(found)
            found.reset()
        elif not self._asked.get("inside"):
            self._send(found)

    def _send(self, found: FolderTotals, *, done: bool = False, **more: object) -> None:
        told = marshal.dumps({"done": done, **found.figures(), **more})
        self._out.write(len(told).to_bytes(4, "big") + told)
        self._out.flush()


def main() -> None:
    """Answer requests until stdin ends."""
    os.nice(5)  # keys come first
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    asks = sys.stdin.buffer
    while size := asks.read(4):
        asked = marshal.loads(asks.read(int.from_bytes(size, "big")))
        FolderScan(asked, sys.stdout.buffer, soft - SPARE_HANDLES).run()


if __name__ == "__main__":
    main()
