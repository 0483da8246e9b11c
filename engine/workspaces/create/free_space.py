"""The size of a folder, and the check that a copy of it fits."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from engine.domain.errors import user_error
from engine.domain.text import printable_name, size
from engine.system.files import real_path
from engine.workspaces.files.copying import shares_blocks
from engine.workspaces.files.patterns import ignoring
from engine.workspaces.git.git import Git

BLOCK_BYTES = 512
PLENTY_BYTES = 16 * 1024**3
"""With more than this free, no commit is too large to be checked out."""
Ignored = Callable[[str, bool], bool]
"""Asked with each relative path, and whether it is a folder: is it left out?"""


def check_size(source: Path, limit_bytes: int, ignored: Ignored) -> None:
    """Raise `UserError` WORKSPACE_TOO_LARGE where a folder is larger than a limit."""
    total = 0
    for entry in _walk(real_path(source), ignored):
        if entry.is_file(follow_symlinks=False):
            with suppress(FileNotFoundError):
                total += entry.stat(follow_symlinks=False).st_size
            if total > limit_bytes:
                name, limit = printable_name(str(source)), f"{limit_bytes / 1024**3:.1f} GiB"
                raise user_error("WORKSPACE_TOO_LARGE", f"{name} is larger than {limit}.")


def size_of(folder: Path, ignore: Sequence[str] = ()) -> int:
    """Return the bytes of the files in a folder, without what `ignore` leaves out."""
    total = 0
    for entry in _walk(real_path(folder), ignoring(ignore)):
        with suppress(OSError):
            if entry.is_file(follow_symlinks=False):
                total += entry.stat(follow_symlinks=False).st_size
    return total


def _walk(folder: Path, ignored: Ignored) -> Iterator[os.DirEntry[str]]:
    waiting, above = [str(folder)], len(str(folder)) + 1
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    is_folder = entry.is_dir(follow_symlinks=False)
                    if ignored(entry.path[above:], is_folder):
                        continue
                    yield entry
                    if is_folder:
                        waiting.append(entry.path)
        except OSError:  # a folder that vanished or may not be read counts as empty
            continue


def check_room(source: Path, target: Path, ignored: Ignored) -> None:
    """Raise `UserError` DISK_FULL where a copy of `source` at `target` finds no room."""
    needed, is_shared = 0, False
    for entry in _walk(source, ignored):
        with suppress(OSError):
            if entry.is_file(follow_symlinks=False):
                info = entry.stat(follow_symlinks=False)
                is_shared = is_shared or (
                    not needed and shares_blocks(Path(entry.path), target.parent)
                )
                needed += min(info.st_size, info.st_blocks * BLOCK_BYTES)
        if is_shared:
            return
    _check_free(needed, target, "copy")


async def check_checkout(git: Git, commit: str, target: Path) -> None:
    """Raise `UserError` DISK_FULL where the files of a commit find no room at `target`."""
    if shutil.disk_usage(target.parent).free > PLENTY_BYTES:
        return  # to ask git for every size takes a while
    listed = await git.run("ls-tree", "-r", "-l", "-z", commit)
    sizes = (entry.split(None, 4)[3] for entry in listed.split(b"\0") if entry)
    _check_free(sum(int(one) for one in sizes if one.isdigit()), target, "checkout")


def _check_free(needed: int, target: Path, what: str) -> None:
    free = shutil.disk_usage(target.parent).free
    if needed > free:
        room = f"The {what} takes {size(needed)}, and only {size(free)} are free"
        raise user_error("DISK_FULL", f"{room}: nothing was copied.")
