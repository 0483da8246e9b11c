"""Contents of files on their way from a store: in memory where small, in a file where large."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from engine.workspaces.files.rooted_dir import RootedDir
from engine.workspaces.git import objects
from engine.workspaces.git.file_record import IN_MEMORY_BYTES
from engine.workspaces.git.git import Git
from engine.workspaces.git.objects import Entry
from engine.workspaces.git.pack import file_id, object_id

Content = bytes | Path
"""A file's content, or a file of ours that holds it for as long as its group is worked on."""
Group = dict[bytes, Entry | None]
GROUP_FILES = 256
_CHUNK = 1024 * 1024
_BLOCK = 64 * 1024
_ZEROS = bytes(_BLOCK)
_READ = os.O_RDONLY | os.O_CLOEXEC


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
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        await piped(git, arguments, lambda pipe: copy_sparse(pipe, file))


async def piped(
    git: Git, arguments: Iterable[str | bytes], read: Callable[[BinaryIO], None]
) -> None:
    """Run git while `read` takes in, in a thread, what it prints; raises what either raises."""
    here, there = os.pipe()

    def reading() -> None:
        with os.fdopen(here, "rb", _CHUNK) as pipe:
            read(pipe)

    reader = asyncio.ensure_future(asyncio.to_thread(reading))
    try:
        await git.run(*arguments, stdout=there)
    finally:
        os.close(there)  # the reader comes to its end; where it failed, that is why git did
        await reader


def copy_sparse(source: BinaryIO, file: BinaryIO) -> None:
    """Copy into an empty file; blocks of zeros become holes, which take no room."""
    length = 0
    while block := source.read(_BLOCK):
        length += len(block)
        if block == _ZEROS[: len(block)]:
            file.seek(length)
        else:
            file.write(block)
    file.truncate(length)


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
        size = min(size, IN_MEMORY_BYTES)  # a large file is alone: it goes before the next comes
        if group and (size > room or len(group) >= GROUP_FILES):
            with TemporaryDirectory(prefix="contents-", dir=git.git_dir) as folder:
                yield group, Path(folder)
            group, room = {}, IN_MEMORY_BYTES
        group[path] = entry
        room -= size
    if group:
        with TemporaryDirectory(prefix="contents-", dir=git.git_dir) as folder:
            yield group, Path(folder)


def opened(content: Content) -> bytes | int:
    """Return what git reads a content from; an open file is closed by it."""
    where = content if isinstance(content, Path) else os.devnull
    return content if content and isinstance(content, bytes) else os.open(where, _READ)


def id_below(algorithm: str, below: RootedDir, path: bytes) -> str:
    """Return the object id of a file or link; raises OSError."""
    info = below.stat(path)
    if info and stat.S_ISLNK(info.st_mode):
        return object_id(algorithm, below.link_target(path))
    with os.fdopen(below.open(path), "rb") as file:
        return file_id(algorithm, file)


def is_same(below: RootedDir, path: bytes, content: BinaryIO) -> bool:
    """Return whether a file holds what another open one does; raises OSError."""
    content.seek(0)
    with os.fdopen(below.open(path), "rb") as file:
        while chunk := file.read(_CHUNK):
            if chunk != content.read(_CHUNK):
                return False
    return not content.read(1)


async def store_file(git: Git, root: Path, path: bytes) -> None:
    """Store a file or link of a folder, however large; one that has gone is left out."""
    with RootedDir(root) as below:
        info = await asyncio.to_thread(below.stat, path)
        if info is None:
            return
        if stat.S_ISLNK(info.st_mode):
            await objects.store(git, below.link_target(path))
        else:
            how = ("hash-object", "-w", "--stdin", "--no-filters")
            await git.run(*how, stdin=below.open(path))
