"""Parts of its source that a workspace lacks, reported in one notice."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.domain.text import printable_name
from engine.workspaces.create.submodule_checkout import Filled

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Lacking:
    """The parts that a workspace lacks; paths are relative to its top."""

    uncommitted: int = 0
    is_brought: bool = False
    """True if uncommitted files come along."""
    nested: Sequence[bytes] = ()
    """Repositories in the source that it does not track."""
    ignored: Sequence[bytes] = ()
    """Ignored files and folders, the latter with a `/`."""
    submodules: Filled = field(default_factory=Filled)
    pointers: int = 0
    """Files of Git LFS whose content is not there."""
    outside: int = 0
    """Files outside the cone of a sparse checkout."""
    is_shallow: bool = False
    is_partial: bool = False
    no_history: bool = False
    """True if the source is in a repository, and the workspace is not."""
    left_out: Sequence[str] = ()
    """Paths of what a copy cannot have: unreadable files, devices and the like, mounts."""
    by_settings: Sequence[str] = ()
    """Names that `workspace.ignore` leaves out of a copy."""
    unlinked: Sequence[str] = ()
    """Submodules whose files are there without their repository."""

    def notice(self, target: Path) -> str:
        """Return all of it in one line; empty where nothing is missing. Blocking.

        Ignored files that were copied to `target` afterwards are not missing.
        """
        missing = [path for path in self.ignored if not os.path.lexists(target / os.fsdecode(path))]
        ignored = [name for name in self.by_settings if not os.path.lexists(target / name)]
        parts = [
            *self._of_files(missing),
            *self._of_copies(ignored),
            *self._of_submodules(),
            *self._of_objects(),
        ]
        return f"not in the workspace: {'; '.join(parts)}" if parts else ""

    def _of_files(self, ignored: Sequence[bytes]) -> Iterable[str]:
        if self.uncommitted and not self.is_brought:
            files = _count(self.uncommitted, "uncommitted file")
            yield f"{files} of the source (--include-uncommitted brings them along)"
        if self.nested:
            yield f"{_count(len(self.nested), 'nested repository')} ({_names(self.nested)})"
        if ignored:
            words = f"{_count(len(ignored), 'ignored path')} ({_names(ignored)})"
            yield f"{words}, which workspace.copy_files can name"
        if self.pointers:
            files = _count(self.pointers, "file")
            yield f"the content of {files} of Git LFS (`git lfs pull` fetches it)"
        if self.outside:
            files = _count(self.outside, "file")
            yield f"{files} outside the sparse checkout (`git sparse-checkout add` brings them)"

    def _of_copies(self, ignored: Sequence[str]) -> Iterable[str]:
        if ignored:
            yield f"what workspace.ignore names ({_names(ignored)})"
        if self.left_out:
            what = "unreadable or special file or mount"
            yield f"{_count(len(self.left_out), what)} ({_names(self.left_out)})"
        if self.no_history:
            yield "the git history (--worktree has it)"

    def _of_submodules(self) -> Iterable[str]:
        found = self.submodules
        if found.empty:
            some = " ".join(shlex.quote(path) for path in found.empty[:SHOWN] if path.isprintable())
            command = f"git submodule update --init --recursive -- {some}"
            if len(found.empty) > SHOWN or not some:
                command = "git submodule update --init --recursive"
            count = _count(len(found.empty), "submodule")
            yield f"{count} ({_names(found.empty)}; `{command}` fills them)"
        if found.moved:
            yield f"the commit that the source has checked out of {_names(found.moved)}"
        if self.unlinked:
            repositories = "repository" if len(self.unlinked) == 1 else "repositories"
            yield f"the {repositories} of {_names(self.unlinked)}, whose files are there"
        if found.uncommitted:
            yield f"{_count(found.uncommitted, 'uncommitted file')} of submodules"

    def _of_objects(self) -> Iterable[str]:
        if self.is_shallow:
            yield "older history (the source is shallow; `git fetch --unshallow` fetches it)"
        if self.is_partial:
            yield "objects that the source, a partial clone, has not fetched"


def objects_lacking(common_dir: Path) -> tuple[bool, bool]:
    """Return whether a repository is shallow, and whether it is a partial clone. Blocking."""
    is_partial = any(common_dir.joinpath("objects", "pack").glob("*.promisor"))
    return (common_dir / "shallow").is_file(), is_partial


def _count(count: int, noun: str) -> str:
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun.removesuffix('y')}ies" if noun.endswith("ry") else f"{count} {noun}s"


def _names(paths: Iterable[str | bytes]) -> str:
    found = sorted(map(os.fsdecode, paths))
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(printable_name(path) for path in found[:SHOWN]) + more
