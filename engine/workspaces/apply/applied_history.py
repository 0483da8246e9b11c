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
from engine.workspaces.apply.rebased import rebased
from engine.workspaces.apply.three_way import BroughtChanges
from engine.workspaces.checkpoints.changes import FileSides
from engine.workspaces.checkpoints.checkpoint_refs import BASELINE
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.git import objects
from engine.workspaces.git.folder_trees import FOLDER, SUBMODULE
from engine.workspaces.git.objects import Entry
from engine.workspaces.git.stored_trees import Part, store_tree

REFS = "refs/swarm/home"
EDITS = "refs/swarm/edits"


@dataclass(frozen=True, slots=True)
class AppliedEdits:
    """The files that an apply of edits changed, before and after it (None: not there).

    `head` is the commit that was checked out. `history` is the tree of what was applied before.
    """

    before: Mapping[bytes, Entry | None]
    after: Mapping[bytes, Entry | None]
    head: str = ""
    history: str = ""

    @property
    def paths(self) -> set[bytes]:
        """The paths of all these files."""
        return {*self.before, *self.after}


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
        left = await self._left(old)
        earlier = await self.run.between(old, left) if left else list[FileSides]()
        return BroughtChanges(pairs, earlier)

    async def _left(self, baseline: str) -> str | None:
        """Return the run's files as they were applied, moved to a baseline that came later."""
        left = await self._tree("left")
        if left is None:
            return None
        then = await self._tree("base") or await self.run.tree_of(BASELINE)
        return await rebased(self.run, left, then, baseline)

    async def placed(self) -> dict[bytes, Entry]:
        """Return the files that were put there."""
        tree = await self._tree("placed")
        return await objects.tree(self.run.git, tree) if tree else {}

    async def note(self, left: str, files: Mapping[bytes, Entry | None]) -> None:
        """Remember that the run's tree `left` was brought, and these files put there for it."""
        git, started = self.run.git, time.time()
        before = await self._tree("placed")
        placed = (FOLDER, await objects.changed_tree(git, before, files)) if before else files
        base = (await self.run.baseline()).tree
        parts = {b"base": (FOLDER, base), b"left": (FOLDER, left), b"placed": placed}
        tree = await store_tree(git, parts)
        await git.run("update-ref", self._ref, tree)
        await asyncio.to_thread(sync_tree, git.git_dir, started)

    async def note_edits(self, edits: AppliedEdits) -> None:
        """Remember the files that an apply is about to change, to undo it."""
        git, started = self.run.git, time.time()
        there = (entry for entry in (*edits.before.values(), *edits.after.values()) if entry)
        # What is missing could not be put back: nothing is changed then.
        await objects.sizes(git, [oid for mode, oid in there if mode != SUBMODULE])
        parts: dict[bytes, Part] = {
            b"after": edits.after,
            b"before": edits.before,
            b"head": edits.head.encode(),
        }
        if history := await self._tree(""):
            parts[b"history"] = FOLDER, history
        tree = await store_tree(git, parts)
        await git.run("update-ref", self._edits, tree)
        await asyncio.to_thread(sync_tree, git.git_dir, started)

    async def last_edits(self) -> AppliedEdits | None:
        """Return what the last apply of edits changed here; None: nothing can be undone."""
        git = self.run.git
        names = await git.ask("ls-tree", self._edits)
        if names.code:
            return None
        found = {
            line.partition(b"\t")[2]: line.split()[2].decode() for line in names.out.splitlines()
        }
        before, after = [await objects.tree(git, found[name]) for name in (b"before", b"after")]
        head = (await objects.blobs(git, [found[b"head"]]))[found[b"head"]].decode()
        return AppliedEdits(before, after, head, found.get(b"history", ""))

    async def forget_edits(self, edits: AppliedEdits) -> None:
        """Return to the history before an apply that was undone."""
        git = self.run.git
        words = (edits.history,) if edits.history else ()
        await git.run("update-ref", *(() if words else ("-d",)), self._ref, *words)
        await git.run("update-ref", "-d", self._edits)

    @property
    def _ref(self) -> str:
        return f"{REFS}/{self._name}"

    @property
    def _edits(self) -> str:
        return f"{EDITS}/{self._name}"

    @property
    def _name(self) -> str:
        where = os.fsencode(self.place) + b"\0" + os.fsencode(self.branch or "")
        return hashlib.sha256(where).hexdigest()[:24]

    async def _tree(self, name: str) -> str | None:
        answer = await self.run.git.ask("rev-parse", "-q", "--verify", f"{self._ref}:{name}")
        return None if answer.code else answer.out.decode("ascii").strip()
