"""The baseline of a run: the first checkpoint, until the workspace moves onto a newer commit.

Such an update makes a new baseline: the old one with the changes of the source. Its commit is the
parent of each checkpoint that is measured against it, so one ref makes both count at once. The
first checkpoint itself stays what it is.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from engine.system.durable import write_synced
from engine.workspaces.checkpoints import snapshot
from engine.workspaces.checkpoints.changed_tree import changed_tree
from engine.workspaces.checkpoints.changes import DIFF, is_submodule, parse_pairs
from engine.workspaces.checkpoints.checkpoint_refs import BASELINE, Checkpoint, CheckpointRefs
from engine.workspaces.checkpoints.snapshot import Missing
from engine.workspaces.create import made_from
from engine.workspaces.git import objects
from engine.workspaces.git.folder_trees import SUBMODULE
from engine.workspaces.git.git import Git
from engine.workspaces.git.objects import Entry

_MARK = "swarm-updated"
_SUBJECT = "base "
RAW = (*DIFF, "--raw", "--no-renames", "--abbrev=64")


@dataclass(frozen=True, slots=True)
class Baseline:
    """The state that changes are measured against.

    `sha` is its commit in the run's store, empty for the first checkpoint. `base` is the commit of
    the source that it is made from, where that is known.
    """

    tree: str
    sha: str = ""
    base: str | None = None


class Baselines:
    """The baselines of one store."""

    def __init__(self, git: Git, points: CheckpointRefs) -> None:
        self._git = git
        self._points = points
        self._known: dict[str, Baseline] = {}

    async def of(self, point: Checkpoint) -> Baseline:
        """Return the baseline that a checkpoint is measured against."""
        if not point.baseline:
            base = await asyncio.to_thread(made_from.noted, self._git.git_dir)
            return Baseline((await self._points.point(BASELINE)).tree, base=base)
        if point.baseline not in self._known:
            words = ("log", "-1", "--no-show-signature", "--format=%T %s", point.baseline)
            tree, _, subject = (await self._git.run(*words)).decode("ascii").strip().partition(" ")
            base = subject.removeprefix(_SUBJECT) or None
            self._known[point.baseline] = Baseline(tree, point.baseline, base)
        return self._known[point.baseline]

    async def now(self) -> Baseline:
        """Return the baseline that the workspace is measured against."""
        if not await asyncio.to_thread((self._git.git_dir / _MARK).exists):
            return await self.of(await self._points.point(BASELINE))
        return await self.of((await self._points.list())[-1])

    async def moved(self, point: Checkpoint, later: Baseline) -> str:
        """Return the tree of a checkpoint with files that only the base changed up to `later`."""
        if point.baseline == later.sha:
            return point.tree
        then = await self.of(point)
        out = await self._git.run(*RAW, then.tree, later.tree)
        files = await objects.tree(self._git, point.tree)
        pairs = [one for one in parse_pairs(out) if not is_submodule(one)]
        changed = {one.path: one.new for one in pairs if files.get(one.path) == one.old}
        return await changed_tree(self._git, point.tree, changed)

    async def missing(self, tree: str | None, known: Missing | None = None) -> Missing:
        """Return the files of the baseline that are not in a tree; None or unknown: all of them.

        `known` is the answer for this tree and an earlier baseline, most likely the same.
        """
        now = await self.now()
        if tree == now.tree:
            return now.tree, []
        if tree and known and known[0] == now.tree:
            return known
        if tree:
            answer = await self._git.ask(*RAW, "--diff-filter=D", now.tree, tree)
            if answer.code == 0:
                pairs = parse_pairs(answer.out)
                return now.tree, [one.path for one in pairs if _is_file(one.old)]
        found = await objects.tree(self._git, now.tree)
        return now.tree, [path for path, entry in found.items() if _is_file(entry)]

    async def make(self, tree: str, base: str) -> Baseline:
        """Store a baseline; it counts from the first checkpoint on that names it."""
        sha = await snapshot.commit(self._git, tree, f"{_SUBJECT}{base}")
        await asyncio.to_thread(_mark, self._git.git_dir)
        return Baseline(tree, sha, base)


def _is_file(entry: Entry | None) -> bool:
    return entry is not None and entry[0] != SUBMODULE


def _mark(store: Path) -> None:
    write_synced(store / _MARK, b"")
