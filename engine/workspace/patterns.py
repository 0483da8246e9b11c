"""Patterns of file names, as people know them from `.gitignore`, and the files they name."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase

from engine.workspace.below import Below, is_gits

WILD = re.compile(r"[*?\[]")


def ignoring(patterns: Sequence[str]) -> Callable[[str, bool], bool]:
    """Give what says of a relative path, and whether it is a folder, if `patterns` leave it out.

    As in `.gitignore`: a `/` before the end ties a pattern to the root, one at the end means
    folders only, `**` is any number of folders, `!` takes back what came before; the last pattern
    that fits decides.
    """
    rules = [
        (re.compile(_regex(pattern.removeprefix("!"))), not pattern.startswith("!"))
        for pattern in patterns
        if pattern.strip("!/ ")
    ]

    def ignored(path: str, is_folder: bool) -> bool:
        whole = f"{path}/" if is_folder else path
        return next((leaves for rule, leaves in reversed(rules) if rule.fullmatch(whole)), False)

    return ignored


def _regex(pattern: str) -> str:
    plain = pattern.rstrip("/")
    parts = re.sub(r"(^|/)\*\*(/\*\*)+(?=/|$)", r"\1**", plain).strip("/").split("/")
    found = "" if "/" in plain else "(?:.*/)?"
    for part in parts[:-1]:
        found += "(?:.*/)?" if part == "**" else f"{_part(part)}/"
    found += ".+" if parts[-1] == "**" else _part(parts[-1])
    return f"(?s:{found}{'/' if pattern.endswith('/') else '/?'})"


def _part(part: str) -> str:
    """Write what stands between two slashes as a regular expression."""
    pieces = re.split(r"(\*+|\?|\[[!^]?\]?[^\]/]*\])", part)
    return "".join(_piece(piece) for piece in pieces)


def _piece(piece: str) -> str:
    if piece.startswith("*"):
        return "[^/]*"
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


def named(root: Below, pattern: str) -> Iterator[bytes]:
    """Give the relative paths below `root` that `pattern` names, files, links and folders.

    `*`, `?` and `[…]` stand for what one folder holds. No link is followed, and nothing of git's
    own is named.
    """
    parts = pattern.strip("/").split("/")
    if not {"", ".", ".."} & set(parts):
        yield from _named(root, b"", parts)


def _named(root: Below, folder: bytes, parts: Sequence[str]) -> Iterator[bytes]:
    for name in _names(root, folder, parts[0]):
        path = folder + b"/" + name if folder else name
        info = root.stat(path)
        if info is None or is_gits(path):
            continue
        if len(parts) == 1:
            yield path
        elif stat.S_ISDIR(info.st_mode):
            yield from _named(root, path, parts[1:])


def _names(root: Below, folder: bytes, part: str) -> list[bytes]:
    if not WILD.search(part):
        return [os.fsencode(part)]
    try:
        found = os.listdir(root.folder(folder))  # noqa: PTH208  a handle, not a path
    except OSError:
        return []
    return sorted(os.fsencode(name) for name in found if fnmatchcase(name, part))
