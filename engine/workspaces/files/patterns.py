"""Patterns of file names, as people know them from `.gitignore`, and the files they name."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase

from engine.workspaces.files.rooted_dir import RootedDir, is_gits

WILD = re.compile(r"[*?\[]")
LONGEST = 4096
"""Characters of a pattern: no path is longer, and a longer pattern names nothing."""


def ignoring(patterns: Sequence[str]) -> Callable[[str, bool], bool]:
    """Return a predicate `(path, is_folder) -> bool`, true for a path that `patterns` leave out.

    As in `.gitignore`: a `/` before the end ties a pattern to the root, one at the end means
    folders only, `**` is any number of folders, `!` reverts earlier patterns; the last pattern
    that fits decides. Paths are relative.
    """
    rules = [
        (re.compile(_regex(pattern.removeprefix("!"))), not pattern.startswith("!"))
        for pattern in patterns
        if pattern.strip("!/ ") and len(pattern) <= LONGEST
    ]

    def ignored(path: str, is_folder: bool) -> bool:
        whole = f"{path}/" if is_folder else path
        return next((leaves for rule, leaves in reversed(rules) if rule.fullmatch(whole)), False)

    return ignored


def _regex(pattern: str) -> str:
    """Write a pattern as a regular expression that takes linear time.

    The first place where the parts between two wildcards fit is as good as any later one, so none
    of it is tried again (`(?>…)`); the parts after the last wildcard are tied to the end.
    """
    plain = pattern.rstrip("/")
    parts = re.sub(r"(^|/)\*\*(/\*\*)+(?=/|$)", r"\1**", plain).strip("/").split("/")
    if "/" not in plain:
        parts.insert(0, "**")
    *blocks, last = _divided(parts)
    folders = ["".join(f"{_part(part)}/" for part in block) for block in blocks]
    found = folders[0] if folders else ""
    found += "".join(f"(?>(?:[^/]*/)*?{block})" for block in folders[1:])
    if last == []:  # `**` at the end
        found += ".+"
    else:
        found += "(?:.*/)?" if blocks else ""
        found += "/".join(map(_part, last))
    return f"(?s:{found}{'/' if pattern.endswith('/') else '/?'})"


def _divided(parts: Sequence[str]) -> list[list[str]]:
    """Return the parts of a pattern between one `**` and the next."""
    blocks: list[list[str]] = [[]]
    for part in parts:
        if part == "**":
            blocks.append([])
        else:
            blocks[-1].append(part)
    return blocks


def _part(part: str) -> str:
    """Write what stands between two slashes as a regular expression."""
    pieces = re.split(r"(\*+|\?|\[[!^]?\]?[^\]/]*\])", part)
    between = [""]
    for piece in pieces:
        if piece.startswith("*"):
            between.append("")
        else:
            between[-1] += _piece(piece)
    first, *inner = between
    if not inner:
        return first
    *inner, last = inner
    return f"{first}{''.join(f'(?>[^/]*?{text})' for text in inner)}[^/]*{last}"


def _piece(piece: str) -> str:
    if piece == "?":
        return "[^/]"
    found = re.fullmatch(r"\[([!^]?)(.+)\]", piece, re.DOTALL)
    if not found:
        return re.escape(piece)
    inside = re.sub(r"([^\w-]|(?<=-)-)", r"\\\1", found[2])
    kind = f"(?!/)[{'^' if found[1] else ''}{inside}]"
    try:
        re.compile(kind)
    except re.error:  # a range that runs backwards
        return re.escape(piece)
    return kind


def named(root: RootedDir, pattern: str) -> Iterator[bytes]:
    """Yield the relative paths below `root` that `pattern` names, files, links and folders.

    `*`, `?` and `[…]` stand for what one folder holds. No link is followed, and nothing of git's
    own is named.
    """
    parts = pattern.strip("/").split("/")
    if {"", ".", ".."} & set(parts) or len(pattern) > LONGEST:
        return
    waiting = [(b"", 0)]
    while waiting:
        folder, depth = waiting.pop()
        inner: list[tuple[bytes, int]] = []
        for name in _names(root, folder, parts[depth]):
            path = folder + b"/" + name if folder else name
            info = root.stat(path)
            if info is None or is_gits(path):
                continue
            if depth + 1 == len(parts):
                yield path
            elif stat.S_ISDIR(info.st_mode):
                inner.append((path, depth + 1))
        waiting += reversed(inner)


def _names(root: RootedDir, folder: bytes, part: str) -> list[bytes]:
    if not WILD.search(part):
        return [os.fsencode(part)]
    try:
        found = os.listdir(root.folder(folder))  # noqa: PTH208  a handle, not a path
    except OSError:
        return []
    return sorted(os.fsencode(name) for name in found if fnmatchcase(name, part))
