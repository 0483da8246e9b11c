"""Files that git ignores because of patterns above the folder of a workspace.

A run may work in one folder of a repository, or in a copy of it. Patterns in the folders above
cannot be seen from inside.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from engine.domain.errors import UserError
from engine.domain.hosts import local_path
from engine.domain.model import Workspace, WorkspaceKind
from engine.system.files import real_path
from engine.workspaces.git.git import Git
from engine.workspaces.git.repository import Repository

_log = logging.getLogger(__name__)


def place_of(workspace: Workspace, repository: Repository | None) -> bytes:
    """Return where the workspace's folder is in its repository, with a `/`; empty at the top."""
    if workspace.kind is WorkspaceKind.WORKTREE or repository is None or repository.top is None:
        return b""
    folder = real_path(workspace.source or local_path(workspace))
    top = real_path(repository.top)
    if folder == top or not folder.is_relative_to(top):
        return b""
    return os.fsencode(folder.relative_to(top)) + b"/"


async def ignored_above(
    git: Git, top: Path, place: bytes, paths: Collection[bytes]
) -> frozenset[bytes]:
    """Return which of these files in the folder `place` are ignored by a pattern above it.

    Where the folder itself is ignored, none is: the user chose it for what is made there.
    """
    # This command knows no literal paths; behind `./` every path is one.
    plain = {**git.env, "GIT_LITERAL_PATHSPECS": "0"}
    at = replace(git, files=top, index=git.git_dir / "no-index", watched=True, env=plain)
    folder = b"./" + place.removesuffix(b"/")
    asked = [folder, *(folder + b"/" + path for path in sorted(paths))]
    words = ("check-ignore", "-z", "-v", "--no-index", "--stdin")
    try:
        answer = await at.ask(*words, stdin=b"".join(path + b"\0" for path in asked))
    except UserError as error:
        _log.warning("%s: ignored files are not known: %s", top, error.message)
        return frozenset()
    if answer.code > 1:  # a path leads through a link that is in the source alone, for instance
        _log.warning("%s: ignored files are not known: %s", top, answer.complaint)
        return frozenset()
    parts = answer.out.split(b"\0")
    found = {
        path
        for file, pattern, path in zip(parts[::4], parts[2::4], parts[3::4], strict=False)
        if not pattern.startswith(b"!") and not file.startswith(place)
    }
    if folder in found:
        return frozenset()
    return frozenset(path.removeprefix(folder + b"/") for path in found)
