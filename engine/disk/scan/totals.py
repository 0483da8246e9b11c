"""Totals of scanned folders: used by the program that scans, and light as it is."""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False  # typing itself would take longer than all the rest of the start
if TYPE_CHECKING:
    from collections.abc import Iterable

BLOCK_BYTES = 512  # the unit of st_blocks, whatever the file system's: stat(2)
Sizes = tuple[int, int]


class FolderTotals:
    """Totals so far; sizes in bytes, `linked` the files that have other names too."""

    __slots__ = ("apparent", "disk", "entries", "linked", "newest", "rebuildable", "unread")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin to count again."""
        self.disk = 0
        self.apparent = 0
        self.rebuildable = 0
        self.entries = 0
        self.newest = 0.0
        self.unread = 0
        self.linked: dict[tuple[int, int], Sizes] = {}

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

    def add_all(self, entries: Iterable[os.DirEntry[str]], rebuildable: bool) -> list[str]:
        """Add the entries directly in a folder, and return the names of its folders."""
        folders: list[str] = []
        blocks = apparent = count = 0
        newest = self.newest
        for entry in entries:  # as `add`, at half its price
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
                continue
            try:
                info = entry.stat(follow_symlinks=False)
            except OSError:  # it vanished between the two looks
                continue
            if info.st_nlink > 1:
                self.add(info, rebuildable)
                continue
            count += 1
            blocks += info.st_blocks
            apparent += info.st_size
            if info.st_mtime > newest:
                newest = info.st_mtime
        self.entries += count
        self.disk += blocks * BLOCK_BYTES
        self.apparent += apparent
        if rebuildable:
            self.rebuildable += blocks * BLOCK_BYTES
        else:
            self.newest = max(self.newest, newest)
        return folders

    def merge(self, other: FolderTotals) -> None:
        """Take in what was found in a part; files that both know count once."""
        self.disk += other.disk
        self.apparent += other.apparent
        self.rebuildable += other.rebuildable
        self.entries += other.entries
        self.unread += other.unread
        self.newest = max(self.newest, other.newest)
        for place, sizes in other.linked.items():
            self.link(place, sizes)

    def link(self, place: tuple[int, int], sizes: Sizes) -> None:
        """Add a file with other names that another process has counted."""
        if place in self.linked:
            self.disk -= sizes[0]
            self.apparent -= sizes[1]
        self.linked[place] = sizes

    def figures(self) -> dict[str, float]:
        """Return the figures by their names."""
        names = ("disk", "apparent", "rebuildable", "entries", "newest", "unread")
        return {name: getattr(self, name) for name in names}
