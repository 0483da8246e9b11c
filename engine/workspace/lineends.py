"""Line ends and encodings: files as the repository stores them and as they lie in its folder.

Only git's built-in conversions; filters that `.gitattributes` asks for are unknown here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from engine.workspace import objects
from engine.workspace.changes import Pair
from engine.workspace.git import Git
from engine.workspace.objects import Entry
from engine.workspace.scan import LINK

_ATTRIBUTES = ("text", "eol", "crlf", "ident", "working-tree-encoding")
_ALWAYS = ("ident", "working-tree-encoding")


class LineEnds:
    """Converts files between the store `git` and the working tree `top` of the repository."""

    def __init__(self, git: Git, top: Path | None) -> None:
        self._git = replace(git, files=top, watched=top is not None)
        self._known = top is not None
        self._automatic = any(line in _AUTOMATIC for line in git.settings)

    async def stored(self, pairs: Iterable[Pair]) -> list[Pair]:
        """Give these changes as the repository would store them."""
        some, always = await self._concerned(pair.path for pair in pairs)
        wanted = [
            side[1]
            for pair in pairs
            if pair.path in some
            for side in (pair.old, pair.new)
            if side and side[0] != LINK
        ]
        data = await objects.blobs(self._git, wanted)
        found: list[Pair] = []
        for pair in pairs:
            if pair.path in some:
                sure = pair.path in always
                old = await self._store(pair.path, pair.old, data, sure=sure)
                new = await self._store(pair.path, pair.new, data, sure=sure)
                found.append(Pair(pair.path, old, new))
            else:
                found.append(pair)
        return found

    async def _store(
        self, path: bytes, side: Entry | None, data: dict[str, bytes], *, sure: bool
    ) -> Entry | None:
        if side is None or side[0] == LINK:
            return side
        content = data[side[1]]
        if not sure and b"\r\n" not in content:
            return side
        return side[0], await objects.store(self._git, content, path)

    async def laid_out(self, entries: dict[bytes, Entry]) -> dict[bytes, bytes]:
        """Give the content of these stored files as it belongs into the working tree."""
        data = await objects.blobs(self._git, (oid for _, oid in entries.values()))
        some, _ = await self._concerned(entries)
        found: dict[bytes, bytes] = {}
        for path, (mode, oid) in entries.items():
            if path in some and mode != LINK:
                out = await self._git.run("cat-file", "--filters", b"--path=" + path, oid)
                found[path] = out
            else:
                found[path] = data[oid]
        return found

    async def _concerned(self, paths: Iterable[bytes]) -> tuple[set[bytes], set[bytes]]:
        """Give the paths that any conversion may concern, and those that one always does."""
        asked = list(paths)
        if not self._known or not asked:
            return set(), set()
        request = b"".join(path + b"\0" for path in asked)
        out = await self._git.run("check-attr", "-z", "--stdin", *_ATTRIBUTES, stdin=request)
        some: set[bytes] = set(asked) if self._automatic else set()
        always: set[bytes] = set()
        parts = out.split(b"\0")
        for path, name, value in zip(parts[::3], parts[1::3], parts[2::3], strict=False):
            if value not in (b"unspecified", b"unset"):
                some.add(path)
                if name.decode() in _ALWAYS:
                    always.add(path)
        return some, always


_AUTOMATIC = ("core.autocrlf=true", "core.autocrlf=input")
