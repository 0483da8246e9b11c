"""A workspace moved onto the newest commit of its base, all or nothing.

Three ways: the baseline, the baseline with the changes of the base, and the workspace as it is. The
second becomes the new baseline, so that what the run changed is measured as before. A checkpoint is
taken first; one ref makes the new state count (`placement`).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.domain.base_update import UpdatePhase, WorkspaceUpdated
from engine.domain.errors import UserError, os_failure, user_error
from engine.domain.model import Workspace, WorkspaceKind
from engine.domain.text import printable_name
from engine.workspaces.apply import placement, three_way, update_notes, upstream
from engine.workspaces.apply.conflict_files import with_markers
from engine.workspaces.apply.own_commits import moved_head, taken_over, worktree_head
from engine.workspaces.apply.placement import HeadMove
from engine.workspaces.apply.restore import RestoreResult, record_first, restore
from engine.workspaces.apply.three_way import BroughtChanges, Conflict, JoinResult
from engine.workspaces.apply.uncounted_files import uncounted
from engine.workspaces.apply.upstream import SHOWN, BaseSource, NewerBase, UpstreamChanges
from engine.workspaces.checkpoints.changed_tree import changed_tree
from engine.workspaces.checkpoints.changes import FileSides, is_submodule
from engine.workspaces.checkpoints.checkpoint_refs import Checkpoint
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.git import objects
from engine.workspaces.git.objects import Entry


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """The result of an update or of its check: the files that change, and the conflicts.

    `checkpoint` has the workspace as it was before, `made` the one since; both are None where
    nothing was done. `left` are changes of the base that were not brought: submodules that are
    checked out, and files below control folders.
    """

    newer: NewerBase
    files: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    left: tuple[str, ...] = ()
    checkpoint: Checkpoint | None = None
    made: Checkpoint | None = None
    head: HeadMove | None = None
    event: WorkspaceUpdated | None = None
    """The event to record, where something was done."""
    pointers: tuple[str, ...] = ()
    """Files of Git LFS whose new content is not on this disk: the workspace gets pointers."""


@dataclass(slots=True)
class _Plan:
    baseline: str
    """The tree of the new baseline."""
    tree: str
    """The tree of the workspace with the changes of the base."""
    pairs: list[FileSides] = field(default_factory=list[FileSides])
    conflicts: list[Conflict] = field(default_factory=list[Conflict])
    left: list[bytes] = field(default_factory=list[bytes])
    pointers: list[bytes] = field(default_factory=list[bytes])
    uncounted: list[bytes] = field(default_factory=list[bytes])
    """Files of the workspace that git ignores, at paths that the base changes."""


@dataclass(frozen=True, slots=True)
class WorkspaceUpdate:
    """The update of one run's workspace. Locks and the user's settings lie in `home`."""

    store: Checkpoints
    workspace: Workspace
    home: Path
    left: tuple[str, ...] = ()
    """Files that still have the conflict markers of an earlier update."""

    async def check(self, source: BaseSource, *, fetch: bool = False) -> UpdateResult:
        """Return what `update` would do, and change nothing; raises `UserError`."""
        newer = await self._newer(source, fetch=fetch)
        if not newer.is_news:
            return UpdateResult(newer)
        head = await worktree_head(self.store, self.workspace.branch)
        await moved_head(self.store, newer, head, self.home, really=False)
        plan = await self._plan(newer, head, (await self.store.now()).tree)
        return _result(newer, plan)

    async def update(
        self, source: BaseSource, *, markers: bool = False, fetch: bool = False
    ) -> UpdateResult:
        """Update the workspace; raises `UserError` UPDATE_CONFLICT, and then changes nothing.

        With `markers`, files that conflict get standard markers instead.
        """
        try:
            newer = await self._newer(source, fetch=fetch)
            if not newer.is_news:
                return UpdateResult(newer)
            async with self.store.held():
                await placement.finish_held(self.store)
                return await self._update(newer, markers=markers)
        except OSError as error:  # whatever was begun has been taken back
            raise os_failure(error) from error

    async def _newer(self, source: BaseSource, *, fetch: bool) -> NewerBase:
        return await upstream.newer_base(self.store, self.workspace, source, self.home, fetch=fetch)

    async def _update(self, newer: NewerBase, *, markers: bool) -> UpdateResult:
        store = self.store
        head = await worktree_head(store, self.workspace.branch)
        before, plan = await self._planned(newer, head, markers=markers)
        if plan.uncounted:  # they are part of the checkpoint, so that an undo brings them back
            await store.count(plan.uncounted)
            before, plan = await self._planned(newer, head, markers=markers)
        move = await moved_head(store, newer, head, self.home, really=True)
        baseline = await store.baselines.make(plan.baseline, newer.new)
        words = f"updated to {newer.name}"
        made = await store.prepare(before.n + 1, plan.tree, words, baseline.sha)
        event = _event(newer, plan, before, move, self.left)
        if head:
            await update_notes.note_head(store, before, head.old)
        await update_notes.note_update(store, baseline.sha, event)
        await placement.place(store, plan.pairs, made, move)
        return replace(_result(newer, plan, before, made, move), event=event)

    async def _planned(
        self, newer: NewerBase, head: HeadMove | None, *, markers: bool
    ) -> tuple[Checkpoint, _Plan]:
        before = await record_first(self.store, f"before the update to {newer.name}")
        plan = await self._plan(newer, head, before.tree, markers=markers)
        if plan.conflicts and not markers:
            raise conflict(newer, plan.conflicts)
        return before, plan

    async def _plan(
        self, newer: NewerBase, head: HeadMove | None, now: str, *, markers: bool = False
    ) -> _Plan:
        """Work out the new baseline and the new files; `now` is the workspace as it is."""
        old = (await self.store.baseline()).tree
        merged = await taken_over(newer, head)
        theirs = await self._changes(newer, newer.old, newer.new)
        new = await self._with(old, theirs)
        since = old
        if merged != newer.old:
            since = await self._with(old, await self._changes(newer, newer.old, merged))
        plan = _Plan(new, now, left=theirs.left, pointers=theirs.pointers)
        pairs = [one for one in await self.store.between(since, new) if not is_submodule(one)]
        ours = await objects.tree(self.store.git, now)
        hidden = await uncounted(self.store, ours, [one.path for one in pairs if one.new])
        ours |= hidden
        joined = await three_way.join(self.store.git, BroughtChanges(pairs), ours, {})
        by_path = {pair.path: pair for pair in pairs}
        plan.uncounted = [path for path in hidden if path in by_path]
        found = {os.fsencode(one.path): by_path[os.fsencode(one.path)] for one in joined.clashes}
        plan.conflicts += [_conflict(newer, pair, ours.get(path)) for path, pair in found.items()]
        plan.conflicts += _in_the_way(joined, ours)
        if markers:
            labels = ("the run", "the base before", newer.name)
            joined.files |= await with_markers(self.store.git, found.values(), ours, labels)
        plan.pairs = [FileSides(path, ours.get(path), e) for path, e in joined.files.items()]
        files = {**joined.files, **theirs.links}
        plan.tree = await changed_tree(self.store.git, now, files)
        return plan

    async def _changes(self, newer: NewerBase, old: str, new: str) -> UpstreamChanges:
        may_link = self.workspace.kind is not WorkspaceKind.IN_PLACE
        return await upstream.changes(self.store, newer, old, new, may_link=may_link)

    async def _with(self, baseline: str, theirs: UpstreamChanges) -> str:
        """Return the tree of a baseline with the changes of the base.

        Work that the run started from and that is in no commit stays; where it conflicts, it counts
        as the run's own from now on.
        """
        ours = await objects.tree(self.store.git, baseline)
        joined = await three_way.join(self.store.git, BroughtChanges(theirs.pairs), ours, {})
        refused = {os.fsencode(clash.path) for clash in joined.clashes}
        files = {
            **joined.files,
            **{one.path: one.new for one in theirs.pairs if one.path in refused},
        }
        return await changed_tree(self.store.git, baseline, {**files, **theirs.links})

    async def undo(
        self, checkpoint: int, head: HeadMove | None, ours: Collection[str] = ()
    ) -> RestoreResult:
        """Put the workspace, its baseline and its commit back to how they were before an update.

        Raises `UserError` UNDO_REFUSED where another commit is checked out since. `ours` are the
        commits that were applied or pushed.
        """
        if head:
            there = await worktree_head(self.store, self.workspace.branch)
            if there is None or there.old != head.new:
                raise await self._other_commits(checkpoint, there, ours)
            head = HeadMove(there.git_dir, head.new, head.old)
        return await restore(self.store, checkpoint, head)

    async def _other_commits(
        self, checkpoint: int, there: HeadMove | None, ours: Collection[str]
    ) -> UserError:
        why = "the workspace has other commits checked out since"
        found = self.store.repository
        for commit in ours:
            if found is None or there is None:
                break
            asked = ("merge-base", "--is-ancestor", there.old, commit)
            if (await found.git.ask(*asked)).code == 0:
                why = "the commits of the workspace were applied or pushed since"
        run = self.store.git.git_dir.stem
        hint = f"`swarm-tui restore {run} --checkpoint {checkpoint}` goes back all the same."
        return user_error("UNDO_REFUSED", f"Nothing was undone: {why}.", hint)


def _result(
    newer: NewerBase,
    plan: _Plan,
    checkpoint: Checkpoint | None = None,
    made: Checkpoint | None = None,
    head: HeadMove | None = None,
) -> UpdateResult:
    files = tuple(os.fsdecode(path) for path in sorted(pair.path for pair in plan.pairs))
    left = tuple(os.fsdecode(path) for path in sorted(plan.left))
    pointers = tuple(os.fsdecode(path) for path in sorted(plan.pointers))
    return UpdateResult(
        newer, files, tuple(plan.conflicts), left, checkpoint, made, head, pointers=pointers
    )


def _event(
    newer: NewerBase,
    plan: _Plan,
    before: Checkpoint,
    move: HeadMove | None,
    left: tuple[str, ...],
) -> WorkspaceUpdated:
    conflicts = [printable_name(one.path) for one in plan.conflicts]
    return WorkspaceUpdated(
        UpdatePhase.UPDATED,
        newer.name,
        newer.old,
        newer.new,
        before.n,
        len(plan.pairs),
        newer.commits,
        tuple(dict.fromkeys([*conflicts, *left])),
        move.old if move else "",
        move.new if move else "",
    )


def conflict(newer: NewerBase, found: list[Conflict]) -> UserError:
    """Return the error for files that conflict with the newest commit of the base."""
    listed = ", ".join(f"{printable_name(one.path)} ({one.why})" for one in found[:SHOWN])
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    message = f"{newer.name} conflicts with the run, and nothing was changed: {listed}{more}."
    return user_error("UPDATE_CONFLICT", message)


def _conflict(newer: NewerBase, pair: FileSides, mine: Entry | None) -> Conflict:
    if pair.old is None:
        why = f"added by the run and by {newer.name}"
    elif mine is None:
        why = f"deleted by the run, changed by {newer.name}"
    elif pair.new is None:
        why = f"changed by the run, deleted by {newer.name}"
    else:
        why = f"changed by the run and by {newer.name}"
    return Conflict(os.fsdecode(pair.path), why, "UPDATE_CONFLICT")


def _in_the_way(joined: JoinResult, ours: Mapping[bytes, Entry]) -> list[Conflict]:
    """Leave out files that would stand where the run has a folder, or a file above them."""
    asked = JoinResult(dict(joined.files))
    three_way.in_the_way(asked, ours)
    for clash in asked.clashes:
        path = os.fsencode(clash.path)
        for name in [*joined.files]:
            if name == path or name.startswith(path + b"/"):
                del joined.files[name]
    return asked.clashes
