"""The sources of worktrees on a node: a bare repository for each source of a home.

It holds the commits that were asked for and their history; worktrees are made from it as from a
repository of the user. Each commit is kept by a ref like one of a remote, so that a branch that
stands at it holds nothing of its own.
"""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

from engine.config.paths import Paths
from engine.domain.errors import UserError, user_error
from engine.execution.cluster.object_ids import FORMATS, check_ids
from engine.execution.cluster.workspace_messages import FillSource, SourceState
from engine.system.durable import write_synced
from engine.workspaces.git.git import Git
from engine.workspaces.git.repository import make_private

REFS = "refs/remotes/swarm/"
COMMITS = 200
"""The most commits that a node names as those that it has."""
PACKS = 40
LIMIT_S = 3600.0
_KEY = re.compile(r"[0-9a-f]{32}")


class Sources:
    """The repositories of a home."""

    def __init__(self, paths: Paths) -> None:
        self.folder = paths.home / "sources"
        self._locks: dict[str, asyncio.Lock] = {}

    def path(self, key: str, object_format: str) -> Path:
        """Return the repository of a source, which may not be there yet; raises `UserError`."""
        if not _KEY.fullmatch(key) or object_format not in FORMATS:
            raise user_error("NODE_FAILED", "The source has no valid name.")
        return self.folder / f"{key}-{object_format}.git"

    async def state(self, key: str, object_format: str, commit: str) -> SourceState:
        """Return which commits of a source are here."""
        path = self.path(key, object_format)
        check_ids([commit], object_format)
        if not await asyncio.to_thread((path / "HEAD").is_file):
            return SourceState(is_there=False)
        git = Git(path)
        how = ("--sort=-creatordate", f"--count={COMMITS}", "--format=%(objectname)")
        out = await git.run("for-each-ref", *how, REFS)
        is_there = (await git.ask("rev-parse", "-q", "--verify", REFS + commit)).code == 0
        return SourceState(is_there, tuple(out.decode("ascii").split()))

    async def fill(self, wanted: FillSource, pack: Path) -> bool:
        """Take a commit over from a pack; False where objects that it needs are missing.

        Raises `UserError` for a pack that is damaged.
        """
        path = self.path(wanted.source, wanted.object_format)
        check_ids([wanted.commit, *wanted.shallow], wanted.object_format)
        async with self._locks.setdefault(path.name, asyncio.Lock()):
            if (await self.state(wanted.source, wanted.object_format, wanted.commit)).is_there:
                return True  # the answer was lost
            await asyncio.to_thread(_prepare, path, wanted)
            git = Git(path)
            try:
                handle = await asyncio.to_thread(os.open, pack, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError as error:
                raise user_error("NODE_FAILED", "The pack of the source is gone.") from error
            how = ("index-pack", "--stdin", "--fix-thin")
            await git.run(*how, stdin=handle, limit_s=LIMIT_S)
            known = ("--not", f"--glob={REFS}*")
            how = ("rev-list", "--objects", "--quiet", wanted.commit, *known)
            if (await git.ask(*how, limit_s=LIMIT_S)).code:
                return False
            await git.run("update-ref", REFS + wanted.commit, wanted.commit)
            await _tidy(git)
            return True


def _prepare(path: Path, wanted: FillSource) -> None:
    """Make the repository, and note what of the source's own settings counts here, too."""
    if not (path / "HEAD").is_file():
        make_private(path, None, wanted.object_format)
    for name, content in (("exclude", wanted.exclude), ("attributes", wanted.attributes)):
        (path / "info" / name).write_bytes(content)
    if wanted.shallow:
        known = (path / "shallow").read_text().split() if (path / "shallow").exists() else []
        lines = "".join(f"{one}\n" for one in dict.fromkeys([*known, *wanted.shallow]))
        write_synced(path / "shallow", lines.encode())


async def _tidy(git: Git) -> None:
    """Make one pack of many; a failure costs only room."""
    packs = list((git.git_dir / "objects" / "pack").glob("*.pack"))
    if len(packs) > PACKS:
        try:
            await git.run("repack", "-a", "-d", "-k", "-l", "-q", limit_s=LIMIT_S)
        except UserError:
            return
