"""The commits that submodules and other nested repositories of a workspace have checked out.

A tree cannot hold a commit and files at the same path. A checkpoint holds the commit of a
repository at `lib` as `lib/.git`, next to its files: no file is ever remembered by that name. Where
pairs of a checkpoint are parsed, the path is `lib` again, as in the user's own trees.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.system.files import real_path
from engine.workspaces.files.rooted_dir import RootedDir, is_gits
from engine.workspaces.git.foreign_repository import ForeignRepository, read_text
from engine.workspaces.git.index import IndexEntry

_SUFFIX = b"/.git"
_NOTED = "swarm-gitlinks"
_ID = rb"[0-9a-f]{40}(?:[0-9a-f]{24})?"
_HEAD = re.compile(rb"(?:ref: (refs/[^\0\n]+)|(" + _ID + rb"))\n?")
_WORKTREE = re.compile(r"(.+)/worktrees/[^/]+")


def entry_path(path: bytes) -> bytes:
    """Return the path that a checkpoint's tree has for the repository at `path`."""
    return path + _SUFFIX


def repository_path(path: bytes) -> bytes:
    """Return the path of the repository that a tree has an entry for."""
    return path.removesuffix(_SUFFIX)


def note_links(store: Path) -> None:
    """Write down that the checkpoints of a store hold these commits from the first one on."""
    (store / _NOTED).touch()


def are_noted(store: Path) -> bool:
    """Return whether they do; those of a store of an earlier version do not."""
    return (store / _NOTED).exists()


@dataclass(frozen=True, slots=True)
class NestedRepository:
    """The git directory of a nested repository: `inside` is its path below `base`.

    `common` is that of the repository it is a linked worktree of, or the same.
    """

    base: Path
    inside: str
    common: str

    @property
    def foreign(self) -> ForeignRepository:
        """Return it as a repository that an agent can write."""
        return ForeignRepository(self.base, self.common)

    def checked_out(self) -> str | None:
        """Return the commit that it has checked out; None where there is none. Blocking."""
        try:
            with RootedDir(self.base) as below:
                return self._checked_out(below)
        except OSError:
            return None

    def _checked_out(self, below: RootedDir) -> str | None:
        found = _HEAD.fullmatch(read_text(below, os.fsencode(self.inside) + b"/HEAD") or b"")
        if found is None or found[2]:
            return found[2].decode("ascii") if found else None
        if b".." in found[1]:
            return None
        common = os.fsencode(self.common)
        loose = (read_text(below, common + b"/" + found[1]) or b"").strip()
        if re.fullmatch(_ID, loose):
            return loose.decode("ascii")
        packed = read_text(below, common + b"/packed-refs") or b""
        line = re.search(rb"^(" + _ID + rb") " + re.escape(found[1]) + rb"$", packed, re.M)
        return line[1].decode("ascii") if line else None


def locate(root: Path, path: bytes, bases: Sequence[Path]) -> NestedRepository | None:
    """Find the git directory of the repository at `path` below `root`. Blocking.

    A `.git` file may name one that lies in `root` or in one of the `bases`, and nowhere else.
    """
    try:
        with RootedDir(root) as below:
            info = below.stat(entry_path(path))
            if info is None:
                return None
            if stat.S_ISDIR(info.st_mode):
                inside = os.fsdecode(entry_path(path))
                return NestedRepository(root, inside, inside)
            text = read_text(below, entry_path(path)) or b""
    except OSError:
        return None
    if not text.startswith(b"gitdir:") or b"\0" in text:
        return None
    named = os.fsdecode(text.removeprefix(b"gitdir:").strip())
    target = Path(os.path.normpath(root / os.fsdecode(path) / named))
    for base in _forms([root, *bases]):
        if target != base and target.is_relative_to(base):
            inside = str(target.relative_to(base))
            worktree = _WORKTREE.fullmatch(str(target))
            common = Path(worktree[1]) if worktree else target
            if common.is_relative_to(base):
                return NestedRepository(base, inside, str(common.relative_to(base)))
    return None


def _forms(bases: Sequence[Path]) -> Iterator[Path]:
    for base in bases:
        yield base
        yield real_path(base)


def links_of(
    root: Path,
    nested: Collection[bytes],
    index: Mapping[bytes, IndexEntry],
    bases: Sequence[Path],
    id_length: int,
) -> dict[bytes, str]:
    """Return the commit of each nested repository, by path. Blocking.

    It is what the repository has checked out. Of a submodule without a repository it is what the
    index has. One whose folder was removed counts as removed, as git has it.
    """
    found: dict[bytes, str] = {}
    for path in sorted({*nested, *index}):
        if is_gits(path):
            continue
        there = locate(root, path, bases)
        commit = there.checked_out() if there else None
        entry = index.get(path)
        if commit is None and entry and (entry.is_skipped or _is_folder(root, path)):
            commit = entry.oid
        if commit and len(commit) == id_length:
            found[path] = commit
    return found


def _is_folder(root: Path, path: bytes) -> bool:
    with RootedDir(root) as below:
        info = below.stat(path)
    return info is not None and stat.S_ISDIR(info.st_mode)
