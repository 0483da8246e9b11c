"""Diffs and patches, written bit by bit into an open file.

git writes them, but for files over `IN_MEMORY_BYTES`: of these it would hold both sides in memory,
several times. Their sections are written here, in git's own format: the content after the change,
then the content before it, which `git apply --reverse` needs.
"""

from __future__ import annotations

import base64
import os
import stat
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import BinaryIO

from engine.domain.errors import user_error
from engine.domain.text import bytes_of_name, printable_name, size
from engine.workspaces.checkpoints import changes
from engine.workspaces.checkpoints.changes import DIFF, FileSides, is_submodule
from engine.workspaces.checkpoints.comparison import PATCH, quoted_name, show_links
from engine.workspaces.git import objects
from engine.workspaces.git.contents import piped
from engine.workspaces.git.file_record import IN_MEMORY_BYTES
from engine.workspaces.git.folder_trees import SUBMODULE
from engine.workspaces.git.git import Git
from engine.workspaces.git.gitlinks import entry_path
from engine.workspaces.git.objects import Entry

LIMIT_BYTES = 1023 * 1024**2
"""git applies no patch that is larger."""
NAMED = 5
ABBREVIATED = 7
"""Digits of an object id that a diff shows."""
_CHUNK = 1024 * 1024
_LINE = 52
"""Bytes that one line of a binary patch encodes."""
_NOTHING = b"literal 0\nHcmV?d00001\n\n"


class _TooLarge(Exception):
    """More was written than may be."""


class _Output:
    """An open file, or none, that takes no more than the limit."""

    def __init__(self, file: BinaryIO | None) -> None:
        self._file = file
        self._left = LIMIT_BYTES

    def write(self, data: bytes) -> None:
        """Write all of it; raises `_TooLarge`, OSError."""
        self._left -= len(data)
        if self._left < 0:
            raise _TooLarge
        if self._file:
            self._file.write(data)

    def copy(self, source: BinaryIO) -> None:
        """Write what `source` holds."""
        while chunk := source.read(_CHUNK):
            self.write(chunk)


async def write_diff(
    git: Git, trees: tuple[str, str], paths: Sequence[str], file: BinaryIO
) -> None:
    """Write the unified diff of two trees, of all or some files.

    Raises `UserError` PATCH_TOO_LARGE with the names of the largest files.
    """

    async def section(pair: FileSides, output: _Output) -> None:
        old, new = (b"/dev/null" if side is None else b"" for side in (pair.old, pair.new))
        names = (
            old or quoted_name(b"a/" + pair.path),
            new or quoted_name(b"b/" + pair.path),
        )
        output.write(_head(pair, ABBREVIATED) + b"Binary files %s and %s differ\n" % names)

    names = [name for path in paths if (name := bytes_of_name(path)) is not None]
    if names or not paths:
        await _write(git, trees, names, _Output(file), (), section)


async def write_patch(git: Git, trees: tuple[str, str], file: BinaryIO | None) -> list[FileSides]:
    """Write the difference of two trees so that `git apply` can apply it, and return the changes.

    Raises `UserError` PATCH_TOO_LARGE with the names of the largest files.
    """

    async def section(pair: FileSides, output: _Output) -> None:
        output.write(_head(pair) + b"GIT binary patch\n")
        for side in (pair.new, pair.old):
            if side:
                await _write_content(git, side[1], output)
            else:
                output.write(_NOTHING)

    return await _write(git, trees, (), _Output(file), ("--binary", "--full-index"), section)


async def _write(
    git: Git,
    trees: tuple[str, str],
    paths: Sequence[bytes],
    output: _Output,
    how: tuple[str, ...],
    section: Callable[[FileSides, _Output], Awaitable[None]],
) -> list[FileSides]:
    pairs = await _pairs(git, trees, paths)
    large = await _large(git, pairs)
    try:
        # As in git's own order, what goes stands before what comes into its place.
        output.write(await _links(git, trees, pairs, gone=True))
        for pair in large:
            if pair.new is None:
                await section(pair, output)
        files = await _files(git, trees, pairs, all_too=bool(large))
        without = await _without(git, files, large)
        await piped(git, (*PATCH, *how, *without, "--", *paths), output.copy)
        for pair in large:
            if pair.new:
                await section(pair, output)
        output.write(await _links(git, trees, pairs, gone=False))
    except _TooLarge:
        raise await _too_large(git, pairs) from None
    return pairs


async def _pairs(git: Git, trees: tuple[str, str], paths: Iterable[bytes] = ()) -> list[FileSides]:
    out = await git.run(*DIFF, "--raw", "--no-renames", "--abbrev=64", *trees, "--", *paths)
    return changes.parse_pairs(out)


async def _files(
    git: Git, trees: tuple[str, str], pairs: Iterable[FileSides], *, all_too: bool = False
) -> tuple[str, str]:
    """Return the trees without the commits of nested repositories, whose names git refuses."""
    old, new = trees
    if not all_too and not any(map(is_submodule, pairs)):
        return trees
    return await objects.without_links(git, old), await objects.without_links(git, new)


async def _links(
    git: Git, trees: tuple[str, str], pairs: Iterable[FileSides], *, gone: bool
) -> bytes:
    """Return the sections of the commits of nested repositories, removed ones or all others."""
    links = [pair for pair in pairs if is_submodule(pair)]
    paths = [entry_path(pair.path) for pair in links if gone == (not _is_link(pair.new))]
    if not paths:
        return b""
    return show_links(await git.run(*PATCH, "--no-renames", "--full-index", *trees, "--", *paths))


def _is_link(side: Entry | None) -> bool:
    return side is not None and side[0] == SUBMODULE


async def _large(git: Git, pairs: Iterable[FileSides]) -> list[FileSides]:
    """Return the changes of large files, those apart whose kind changes.

    Changes that git shows without reading the files are left to git: new modes, and plain
    renames.
    """
    sides = [side for one in pairs for side in (one.old, one.new) if side and _is_file(side)]
    sizes = await objects.sizes(git, (oid for _, oid in sides))
    found: list[FileSides] = []
    for pair in pairs:
        old, new = (side if side and _is_file(side) else None for side in (pair.old, pair.new))
        is_same = old and new and old[1] == new[1]
        if not is_same and any(side and sizes[side[1]] > IN_MEMORY_BYTES for side in (old, new)):
            found.append(FileSides(pair.path, old, new))
    gone = Counter(pair.old[1] for pair in found if pair.old and not pair.new)
    come = Counter(pair.new[1] for pair in found if pair.new and not pair.old)
    renamed = {oid for oid in gone if gone[oid] == come[oid]}
    return [pair for pair in found if (pair.old and pair.new) or not renamed & _oids(pair)]


def _oids(pair: FileSides) -> set[str]:
    return {side[1] for side in (pair.old, pair.new) if side}


def _is_file(side: Entry) -> bool:
    return stat.S_ISREG(side[0])


async def _without(git: Git, trees: tuple[str, str], large: list[FileSides]) -> tuple[str, str]:
    """Return the trees without these files."""
    old, new = trees
    gone = {pair.path: None for pair in large if pair.old}
    come = {pair.path: None for pair in large if pair.new}
    return (
        await objects.changed_tree(git, old, gone) if gone else old,
        await objects.changed_tree(git, new, come) if come else new,
    )


async def _write_content(git: Git, oid: str, output: _Output) -> None:
    length = (await objects.sizes(git, [oid]))[oid]
    output.write(b"literal %d\n" % length)

    def encode(content: BinaryIO) -> None:
        for lines in _encoded(content):
            output.write(lines)
        output.write(b"\n")

    await piped(git, ("cat-file", "blob", oid), encode)


def _head(pair: FileSides, digits: int | None = None) -> bytes:
    """Return the lines of a section that stand before its content."""
    old, new = pair.old, pair.new
    nothing = (0, "0" * len((new or old or (0, ""))[1]))
    index = b"index %s..%s" % tuple((one or nothing)[1][:digits].encode() for one in (old, new))
    names = quoted_name(b"a/" + pair.path) + b" " + quoted_name(b"b/" + pair.path)
    if old and new and old[0] == new[0]:
        lines = [b"%s %o" % (index, new[0])]
    elif old and new:
        lines = [b"old mode %o" % old[0], b"new mode %o" % new[0], index]
    elif new:
        lines = [b"new file mode %o" % new[0], index]
    else:
        lines = [b"deleted file mode %o" % (old or nothing)[0], index]
    return b"\n".join((b"diff --git " + names, *lines, b""))


def _encoded(content: BinaryIO) -> Iterator[bytes]:
    """Compress what is read, and return it as lines of a binary patch."""
    packer = zlib.compressobj(1)
    waiting = b""
    while chunk := content.read(_CHUNK):
        waiting += packer.compress(chunk)
        whole = len(waiting) // _LINE * _LINE
        yield _lines(waiting[:whole])
        waiting = waiting[whole:]
    yield _lines(waiting + packer.flush())


def _lines(data: bytes) -> bytes:
    whole = len(data) // _LINE * _LINE
    text = base64.b85encode(data[:whole])
    width = _LINE // 4 * 5
    lines = [b"z%s\n" % text[at : at + width] for at in range(0, len(text), width)]
    if rest := data[whole:]:
        letter = len(rest) + (ord("A") - 1 if len(rest) <= 26 else ord("a") - 27)
        lines.append(b"%c%s\n" % (letter, base64.b85encode(rest, pad=True)))
    return b"".join(lines)


async def _too_large(git: Git, pairs: Iterable[FileSides]) -> Exception:
    """Return the error for a patch over the limit."""
    sides = {
        pair.path: [side[1] for side in (pair.old, pair.new) if side and _is_file(side)]
        for pair in pairs
    }
    sizes = await objects.sizes(git, (oid for oids in sides.values() for oid in oids))
    largest = {path: max(sizes[oid] for oid in oids) for path, oids in sides.items() if oids}
    named = sorted(largest, key=lambda path: (-largest[path], path))
    shown = [f"{printable_name(os.fsdecode(one))} ({size(largest[one])})" for one in named[:NAMED]]
    more = f" and {len(named) - NAMED} smaller" if len(named) > NAMED else ""
    return user_error(
        "PATCH_TOO_LARGE",
        f"The patch is larger than {size(LIMIT_BYTES)}, which is the most that git applies. The "
        f"largest files: {', '.join(shown)}{more}.",
    )
