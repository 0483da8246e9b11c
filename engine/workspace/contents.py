"""Contents of files on their way from a store: in memory where small, in a file where large."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncGenerator, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.workspace import objects
from engine.workspace.below import Below
from engine.workspace.git import Git
from engine.workspace.objects import Entry
from engine.workspace.scan import IN_MEMORY_BYTES

Content = bytes | Path
"""A file's content, or a file of ours that holds it for as long as its group is worked on."""
Group = dict[bytes, Entry | None]
GROUP_FILES = 256


async def contents(git: Git, oids: Iterable[str], folder: Path) -> dict[str, Content]:
    """Read these files' contents, large ones into `folder`; raises `UserError`."""
    found = await objects.sizes(git, oids)
    small = [oid for oid, size in found.items() if size <= IN_MEMORY_BYTES]
    read: dict[str, Content] = {**await objects.blobs(git, small)}
    for oid in found.keys() - read.keys():
        read[oid] = folder / oid
        await save(git, folder / oid, "cat-file", "blob", oid)
    return read


async def save(git: Git, path: Path, *arguments: str | bytes) -> None:
    """Write what git prints into a file that is not there yet; raises `UserError`, OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    handle = os.open(path, flags, 0o600)
    try:
        await git.run(*arguments, stdout=handle)
    finally:
        os.close(handle)


async def grouped(
    git: Git, files: Mapping[bytes, Entry | None]
) -> AsyncGenerator[tuple[Group, Path]]:
    """Split files into groups whose small contents fit into memory together.

    With each comes a folder for the large ones, which is there until the next group.
    """
    wanted = await objects.sizes(git, (entry[1] for entry in files.values() if entry))
    group: Group = {}
    room = IN_MEMORY_BYTES
    for path in sorted(files):
        entry = files[path]
        size = wanted[entry[1]] if entry else 0
        size = 0 if size > IN_MEMORY_BYTES else size
        if group and (size > room or len(group) >= GROUP_FILES):
            with TemporaryDirectory(prefix="contents-", dir=git.git_dir) as folder:
                yield group, Path(folder)
            group, room = {}, IN_MEMORY_BYTES
        group[path] = entry
        room -= size
    if group:
        with TemporaryDirectory(prefix="contents-", dir=git.git_dir) as folder:
            yield group, Path(folder)


async def store_file(git: Git, root: Path, path: bytes) -> None:
    """Store a file or link of a folder, however large; one that has gone is left out."""
    with Below(root) as below:
        info = await asyncio.to_thread(below.stat, path)
        if info is None:
            return
        if stat.S_ISLNK(info.st_mode):
            await objects.store(git, below.link_target(path))
        else:
            how = ("hash-object", "-w", "--stdin", "--no-filters")
            await git.run(*how, stdin=below.open(path))
