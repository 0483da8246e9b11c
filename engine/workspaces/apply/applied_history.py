"""History of what a run applied to a place, so that a later apply adds only what is new."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.system.durable import sync_tree
from engine.workspaces.apply.three_way import BroughtChanges
from engine.workspaces.checkpoints.changes import FileSides
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.git import objects
from engine.workspaces.git.objects import Entry

REFS = "refs/swarm/home"


@dataclass(frozen=True, slots=True)
class AppliedHistory:
    """The changes that one run applied to one place: a folder, and its branch at that time.

    It holds the run's files as they were then, and the files that were written for them, which
    differ where they were merged.
    """

    run: Checkpoints
    place: Path
    branch: str | None

    async def bringing(self, old: str, new: str) -> BroughtChanges:
        """Return the run's changes from tree `old` to `new`, and those applied before."""
        pairs = await self.run.between(old, new)
        left = await self._tree("left")
        earlier = await self.run.between(old, left) if left else list[FileSides]()
        return BroughtChanges(pairs, earlier)

    async def placed(self) -> dict[bytes, Entry]:
        """Return the files that were put there."""
        tree = await self._tree("placed")
        return await objects.tree(self.run.git, tree) if tree else {}

    async def note(self, left: str, files: Mapping[bytes, Entry | None]) -> None:
        """Remember that the run's tree `left` was brought, and these files put there for it."""
        git, started = self.run.git, time.time()
        before = await self._tree("placed")
        if before is None:
            before = (await git.run("mktree")).decode("ascii").strip()
        placed = await objects.changed_tree(git, before, files)
        both = f"040000 tree {left}\tleft\n040000 tree {placed}\tplaced\n"
        tree = (await git.run("mktree", stdin=both.encode())).decode("ascii").strip()
        await git.run("update-ref", self._ref, tree)
        await asyncio.to_thread(sync_tree, git.git_dir, started)

    @property
    def _ref(self) -> str:
        where = os.fsencode(self.place) + b"\0" + os.fsencode(self.branch or "")
        return f"{REFS}/{hashlib.sha256(where).hexdigest()[:24]}"

    async def _tree(self, name: str) -> str | None:
        answer = await self.run.git.ask("rev-parse", "-q", "--verify", f"{self._ref}:{name}")
        return None if answer.code else answer.out.decode("ascii").strip()
