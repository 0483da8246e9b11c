"""Files that git does not carry, `.env` for instance, brought from the source along."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.config.settings import WorkspaceSettings
from engine.domain.text import printable_name
from engine.workspaces.files.copying import CopyAllowance, copy_file, is_full
from engine.workspaces.files.patterns import WILD, named
from engine.workspaces.files.rooted_dir import RootedDir, is_gits

SHOWN = 5
USUAL = frozenset(WorkspaceSettings().copy_files)
"""Files that are brought where they are there, and not missed where they are not."""


@dataclass(slots=True)
class CopyReport:
    """The result of a copy list: the files copied, missing from the source, and not copyable."""

    files: list[str] = field(default_factory=list[str])
    missing: list[str] = field(default_factory=list[str])
    lost: list[str] = field(default_factory=list[str])

    def notices(self) -> list[str]:
        """Return the report in words."""
        told = (
            ("brought along", self.files),
            ("the copy list names what is not there", self.missing),
            ("could not be brought along", self.lost),
        )
        return [f"{what}: {some(names)}" for what, names in told if names]


def some(names: Sequence[str]) -> str:
    """List the first few names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def bring_listed(
    source: Path, target: Path, patterns: Sequence[str], allowance: CopyAllowance | None = None
) -> CopyReport:
    """Copy the files that `patterns` name below `source` to their places below `target`.

    Existing files stay. Links are copied as links, never followed; modes and times are kept; of
    a folder all files are copied. Raises `UserError` WORKSPACE_TOO_LARGE where the `allowance`
    is exceeded.
    """
    brought = CopyReport()
    with RootedDir(source) as there, RootedDir(target) as here:
        for pattern in patterns:
            try:
                _bring_named(there, here, pattern, brought, allowance)
            except OSError as error:  # a folder that may not be read
                if is_full(error):
                    raise
                brought.lost.append(printable_name(pattern))
    return brought


def _bring_named(
    there: RootedDir,
    here: RootedDir,
    pattern: str,
    brought: CopyReport,
    allowance: CopyAllowance | None,
) -> None:
    found = list(named(there, pattern))
    if not (found or WILD.search(pattern) or pattern in USUAL):
        brought.missing.append(printable_name(pattern))
    for path in (file for name in found for file in _files(there, name)):
        if here.stat(path) is None:
            _bring(there, here, path, brought, allowance)


def _files(there: RootedDir, path: bytes) -> Iterator[bytes]:
    info = there.stat(path)
    if info is None or not stat.S_ISDIR(info.st_mode):
        yield path
        return
    yield from (file for file in list(there.files(path)) if not is_gits(file))


def _bring(
    there: RootedDir,
    here: RootedDir,
    path: bytes,
    brought: CopyReport,
    allowance: CopyAllowance | None,
) -> None:
    shown = printable_name(os.fsdecode(path))
    try:
        info = there.stat(path)
        if info and stat.S_ISLNK(info.st_mode):
            name, folder = here.place(path, make=True)
            os.symlink(there.link_target(path), name, dir_fd=folder)
        else:
            name, folder = here.place(path, make=True)
            handle = there.open(path)
            copy_file(handle, name, folder, os.fstat(handle), allowance)
    except OSError as error:
        if is_full(error):
            raise
        brought.lost.append(shown)
    else:
        brought.files.append(shown)
