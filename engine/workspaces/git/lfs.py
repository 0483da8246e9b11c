"""Pointers of Git LFS in commits that are pushed: the files behind them are not pushed by git."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

from engine.domain.text import printable_name
from engine.workspaces.git.filters import POINTER, POINTER_BYTES
from engine.workspaces.git.repository import Repository

NAMED = 5
"""Files that an error names."""
LIMIT_BYTES = 64 * 1024**2
_ATTRIBUTES = (":(top).gitattributes", ":(top,glob)**/.gitattributes")


async def pointers_to_push(repository: Repository, remote: str, commit: str) -> list[str]:
    """Return the files whose pointers the commit has, and no known branch of the remote.

    Their content may be missing there. Empty where no `.gitattributes` asks for Git LFS. Raises
    `UserError`.
    """
    git = repository.git
    patterns = replace(git, env={**git.env, "GIT_LITERAL_PATHSPECS": "0"})
    words = ("-q", "-e", "filter=lfs", commit, "--", *_ATTRIBUTES)
    if (await patterns.ask("grep", *words)).code:
        return []
    # A larger file is not a pointer.
    small = f"--filter=blob:limit={POINTER_BYTES}"
    wanted = ("--objects", small, commit, "--not", f"--remotes={remote}")
    out = await git.run("rev-list", *wanted, limit_bytes=LIMIT_BYTES)
    named = (line.partition(b" ") for line in out.splitlines())
    paths = {oid: path for oid, _, path in named if path}
    listed = b"".join(oid + b"\n" for oid in paths)
    content = await git.run("cat-file", "--batch", stdin=listed, limit_bytes=LIMIT_BYTES)
    found = (paths[oid] for oid, text in _blobs(content) if text.startswith(POINTER))
    return sorted({printable_name(os.fsdecode(path)) for path in found})


def problem(remote: str, paths: list[str]) -> str:
    """Return the reason for which a push with these pointers is refused, in words."""
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    files = f"{len(paths)} file{'' if len(paths) == 1 else 's'}"
    named = f"{', '.join(paths[:NAMED])}{more}"
    return f"{files} of Git LFS would be missing on {printable_name(remote)}: {named}"


def _blobs(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Return the objects of `cat-file --batch`: each a line with id, kind and size, its content."""
    place = 0
    while (end := content.find(b"\n", place)) >= 0:
        oid, _, rest = content[place:end].partition(b" ")
        kind, _, size = rest.partition(b" ")
        if not size.isdigit():  # it is missing
            place = end + 1
            continue
        begin, place = end + 1, end + 1 + int(size) + 1
        if kind == b"blob":
            yield oid, content[begin : place - 1]
