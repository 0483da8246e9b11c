"""Two states of a workspace held against each other: what differs, and file by file, how."""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass

from engine.workspaces.checkpoints import changes
from engine.workspaces.checkpoints.changes import DIFF, Changes, FileDelta
from engine.workspaces.git.git import Git
from engine.workspaces.git.gitlinks import entry_path

RENAMES = 1000  # files at most that are compared with each other to find renames
PATCH = (
    *(word for word in DIFF if word != "-z"),
    *("-p", "-M", f"-l{RENAMES}", "--src-prefix=a/", "--dst-prefix=b/"),
)
FILE_BYTES = 64 * 1024**2
"""Largest diff of one file; git shows no lines of files over 16 MiB anyway."""

_LETTERS = dict(zip(b'\a\b\t\n\v\f\r"\\', 'abtnvfr"\\', strict=True))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two remembered trees and what differs between them; they stay, whatever the agent does."""

    git: Git
    old: str
    new: str
    changes: Changes

    @classmethod
    async def between(
        cls,
        git: Git,
        old: str,
        new: str,
        left_out: tuple[str, ...] = (),
        checkpoint: int | None = None,
    ) -> Comparison:
        """Hold two trees against each other; raises `UserError`."""
        if old == new:
            return cls(git, old, new, Changes((), left_out, checkpoint))
        counted = ("-M", f"-l{RENAMES}", "--raw", "--abbrev=64", "--numstat")
        out = await git.run(*DIFF, *counted, old, new)
        return cls(git, old, new, Changes(changes.parse_changes(out), left_out, checkpoint))

    async def diff(self, file: FileDelta) -> bytes:
        """Return the unified diff of one file alone; raises `UserError`."""
        old = os.fsencode(file.old_path or file.path)
        path = os.fsencode(file.path)
        asked = {entry_path(one) for one in (old, path)} if file.is_submodule else {old, path}
        out = await self.git.run(*PATCH, self.old, self.new, "--", *asked, limit_bytes=FILE_BYTES)
        out = show_links(out)
        head = b"diff --git " + quoted_name(b"a/" + old) + b" " + quoted_name(b"b/" + path)
        return await asyncio.to_thread(_of_file, out, head)


_LINK_HEAD = re.compile(rb'^diff --git .*/\.git"?\n(?:(?!diff --git |@@ ).*\n)*', re.M)
_LINK_NAME = re.compile(rb'/\.git(?="?(?: "?b/|\t?\n))')


def show_links(patch: bytes) -> bytes:
    """Return a patch with the commits of nested repositories at their paths, as git prints them."""
    return _LINK_HEAD.sub(lambda found: _LINK_NAME.sub(b"", found[0]), patch)


def _of_file(out: bytes, head: bytes) -> bytes:
    """Leave out files below a folder that has taken the place of the file, or made way for it."""
    sections = (b"\n" + out).split(b"\ndiff --git ")[1:]
    found = [part for part in sections if (b"diff --git " + part).startswith(head + b"\n")]
    if not found:  # paired otherwise than among all files: better too much than nothing
        return out
    return b"".join(b"diff --git " + part.removesuffix(b"\n") + b"\n" for part in found)


def quoted_name(path: bytes) -> bytes:
    """Return a path as git writes it in the head of a diff."""
    text = "".join(
        f"\\{_LETTERS[byte]}"
        if byte in _LETTERS
        else (chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}")
        for byte in path
    )
    return (f'"{text}"' if "\\" in text else text).encode("ascii")
