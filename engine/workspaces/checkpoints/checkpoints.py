"""Checkpoints: states of a workspace that are stored, compared and restored.

A git directory of our own beside the run's files holds them; the workspace is only its work tree.
So neither the agent nor the user's repository sees any of it, and the agent may commit or not.
Files that the workspace's `.gitignore` names are left out: they are not stored, measured or
touched, unless they are tracked, in the baseline, or put there by an update or a restore; nor is
anything called `.git`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Protocol

from engine.config.locks import locked
from engine.config.paths import private_folder
from engine.domain.errors import UserError, os_failure, user_error
from engine.domain.hosts import local_path
from engine.domain.model import Workspace, WorkspaceKind
from engine.domain.text import bytes_of_name, one_line
from engine.system.durable import sync_tree
from engine.system.files import real_path
from engine.workspaces.checkpoints import (
    changes,
    owned_objects,
    patches,
    rebuildable,
    repair,
    snapshot,
)
from engine.workspaces.checkpoints.baselines import Baseline, Baselines
from engine.workspaces.checkpoints.changes import DIFF, Changes, FileSides
from engine.workspaces.checkpoints.checkpoint_refs import (
    BASELINE,
    Checkpoint,
    CheckpointRefs,
    has_baseline,
)
from engine.workspaces.checkpoints.comparison import Comparison
from engine.workspaces.checkpoints.damage import damage_named, is_damaged, unknown_changes
from engine.workspaces.checkpoints.snapshot import Missing, Snapshot
from engine.workspaces.create import made_from
from engine.workspaces.create.origin import OriginCache, origin
from engine.workspaces.create.worktree import clear, registration
from engine.workspaces.files.file_mark import FileMark, file_mark
from engine.workspaces.files.rooted_dir import sync_files
from engine.workspaces.git import gitlinks, objects
from engine.workspaces.git.folder_trees import SUBMODULE
from engine.workspaces.git.git import Git
from engine.workspaces.git.ignored_above import ignored_above, place_of
from engine.workspaces.git.index import IndexedFiles, IndexEntry, indexed_files
from engine.workspaces.git.repository import Repository, make_private, object_format_of
from engine.workspaces.git.user_git_config import UserGitConfig

_log = logging.getLogger(__name__)


class DistantWorkspace(Protocol):
    """A workspace of another machine, which takes its checkpoints; methods raise `UserError`.

    The caller holds the store, into which the checkpoints are brought.
    """

    async def record(self, store: Checkpoints, message: str) -> Checkpoint:
        """Remember the workspace as it is."""
        ...

    async def record_or_last(self, store: Checkpoints, message: str) -> Checkpoint:
        """Hold the store and remember the workspace, or return the last checkpoint."""
        ...

    async def snapshot(self, store: Checkpoints) -> Snapshot:
        """Take in the workspace as it is."""
        ...

    async def sync_work(self, n: int) -> None:
        """Write the files that changed up to checkpoint `n` to the disk."""
        ...


class Checkpoints:
    """The remembered states of one run's workspace; every method raises `UserError`."""

    def __init__(
        self,
        folder: Path,
        workspace: Workspace,
        repository: Repository | None,
        who: UserGitConfig,
        elsewhere: DistantWorkspace | None = None,
    ) -> None:
        self._elsewhere = elsewhere
        self.root = local_path(workspace)
        self.is_worktree = _is_worktree(workspace)
        """True if the workspace stands for a repository's whole working tree."""
        self.branch = workspace.branch
        self.is_in_place = workspace.kind is WorkspaceKind.IN_PLACE
        self.repository = repository
        """The repository that the workspace came from, if it is still there."""
        self._place_in_repository = place_of(workspace, repository)
        self.user = who
        # Names that would be `.git` on other systems are left out before git sees them; what is
        # left is only odd, and is to be remembered like anything else.
        odd_names = ("core.protectNTFS=false", "core.protectHFS=false")
        self.git = Git(folder, settings=(*who.settings, *odd_names))
        self._lock = folder / "swarm.lock"
        self._points = CheckpointRefs(self.git)
        self.baselines = Baselines(self.git, self._points)
        self._is_new = self._is_synced = False
        self._folders: frozenset[bytes] | None = None
        """The folders of the baseline that can be made again, once they are known."""
        self._indexed: tuple[FileMark, IndexedFiles] | None = None
        self._first: dict[bytes, IndexEntry] | None = None
        """The submodules of the baseline, once they are known."""

    @classmethod
    async def open(
        cls, folder: Path, workspace: Workspace, asked: OriginCache | None = None
    ) -> Checkpoints:
        """Open the store of a run at `folder`, outside the workspace.

        Callers that open many stores share the cache `asked`. Raises `UserError`
        CHANGES_UNKNOWN where the store has no baseline: a damaged store is never made
        again.
        """
        asked = asked or OriginCache()
        repository = await origin(workspace, asked)
        if not await asyncio.to_thread(has_baseline, folder):
            await _repair(folder, repository)
        who = await asked.config(repository, folder.parent)
        self = cls(folder, workspace, repository, who)
        if owned_objects.alternates(folder).exists():
            await self._repay(workspace)
        return self

    @classmethod
    async def copied(cls, source: Path, folder: Path, workspace: Workspace) -> Checkpoints:
        """Make the store of a fork at `folder` from the one at `source`, and open it.

        Its checkpoints are those of the original: the baseline of both is the same.
        """
        if not await asyncio.to_thread(has_baseline, source):
            raise unknown_changes(source)
        private_folder(folder.parent)
        await asyncio.to_thread(clear, folder)
        try:
            async with locked(source / "swarm.lock"):
                await asyncio.to_thread(shutil.copytree, source, folder, symlinks=True)
        except OSError as error:
            raise os_failure(error) from error
        return await cls.open(folder, workspace)

    @classmethod
    async def make(
        cls, folder: Path, workspace: Workspace, names: Collection[str] = ()
    ) -> Checkpoints:
        """Make the store of a run at `folder`, whose first checkpoint will be the baseline.

        Folders of these `names` that appear later are left out: they can be made again. An
        existing store at `folder` was begun before and never reported: it is removed.
        """
        private_folder(folder.parent)
        await asyncio.to_thread(clear, folder)
        asked = OriginCache()
        repository = await origin(workspace, asked)
        who = await asked.config(repository, folder.parent)
        self = cls(folder, workspace, repository, who)
        self._is_new = True
        private_folder(folder)
        async with locked(self._lock):
            make_private(folder, repository, borrows=False)
            rebuildable.keep_names(folder, names)
            gitlinks.note_links(folder)
            await made_from.note(folder, workspace, repository)
            expected = _prime(workspace, repository)
            if repository and expected:
                await snapshot.prime(
                    self.git,
                    repository.objects,
                    expected,
                    may_link=_may_link(workspace),
                    is_sparse=bool((await self._index_files()).skipped),
                )
        return self

    async def _repay(self, workspace: Workspace) -> None:
        """Make a store of an earlier version own the objects that it borrows, if they are there."""
        objects = self.repository.objects if self.repository else None
        async with locked(self._lock):
            try:
                await owned_objects.repay(self.git, objects, may_link=_may_link(workspace))
            except (UserError, OSError) as error:  # code that needs a missing one raises
                _log.warning("%s still borrows objects: %s", self.git.git_dir, error)

    @property
    def object_format(self) -> str:
        """The hash that object ids are made with."""
        return object_format_of(self.git.git_dir)

    # Remembering

    async def record(self, message: str) -> Checkpoint:
        """Remember the workspace as it is; the last checkpoint itself where nothing has changed."""
        async with self._held(), self._named():
            return await self._record(message)

    async def record_or_last(self, message: str) -> Checkpoint:
        """Remember the workspace as it is; the last checkpoint where its machine cannot be asked.

        Then the checkpoint's `left_out` has a line on that.
        """
        if self._elsewhere:
            return await self._elsewhere.record_or_last(self, message)
        return await self.record(message)

    def first_shown(self) -> bool:
        """Return whether the left out folders were not shown before, and mark them as shown."""
        return rebuildable.first_shown(self.git.git_dir)

    async def list(self) -> list[Checkpoint]:
        """Return all checkpoints in order."""
        async with self._named():
            return await self._points.list()

    async def point(self, n: int) -> Checkpoint:
        """Return checkpoint `n`, if there is one."""
        return await self._points.point(n)

    async def _record(self, message: str) -> Checkpoint:
        if self._elsewhere:
            return await self._elsewhere.record(self, message)
        started = time.time()
        found = await self.list()
        if not self._is_new and not (found and found[0].n == BASELINE):
            raise unknown_changes(self.git.git_dir)
        last = (found or [None])[-1]
        now = await self._snapshot()
        if last and last.tree == now.tree:
            await self._sync(last.at)  # its process may have been killed just then
            return replace(last, left_out=now.left_out, rebuildable=now.rebuildable)
        n = last.n + 1 if last else BASELINE
        baseline = last.baseline if last else ""
        taken = await self.prepare(n, now.tree, message, baseline)
        taken = replace(taken, left_out=now.left_out, rebuildable=now.rebuildable)
        await self.add(taken, started if last else 0.0)
        return taken

    async def prepare(self, n: int, tree: str, message: str, baseline: str) -> Checkpoint:
        """Store what checkpoint `n` will be, measured against the commit of a baseline."""
        words = one_line(message) or "checkpoint"
        sha = await snapshot.commit(self.git, tree, words, baseline)
        return Checkpoint(n, sha, tree, words, baseline=baseline)

    async def add(self, taken: Checkpoint, since: float) -> None:
        """Make a checkpoint count, and write what was stored `since` then to the disk."""
        await self._points.add(taken)
        if self._is_new:
            self._indexed = None  # from now on, what is staged in the source alone does not count
        self._is_new = self._is_synced = False
        await asyncio.to_thread(repair.remember, self.git.git_dir, taken.n, taken.sha)
        await self._sync(since)

    async def _sync(self, since: float) -> None:
        """Sync the store to the disk, before a checkpoint is reported.

        git itself syncs no folder, and old versions no ref.
        """
        if not self._is_synced:
            await asyncio.to_thread(sync_tree, self.git.git_dir, since)
            self._is_synced = True

    async def verify(self) -> None:
        """Raise `UserError` CHANGES_UNKNOWN unless all of the baseline is there."""
        if await is_damaged(self.git):
            raise unknown_changes(self.git.git_dir)

    async def sync_work(self, n: int) -> None:
        """Write the files of the workspace that changed up to checkpoint `n` to the disk.

        Raises OSError where the disk refuses.
        """
        if self._elsewhere:
            await self._elsewhere.sync_work(n)
            return
        changed = [pair.path for pair in await self.pairs(BASELINE, n)]
        await asyncio.to_thread(sync_files, self.root, changed)

    # Comparing

    async def changes(self, since: int = BASELINE, until: int | None = None) -> Changes:
        """Measure what changed from one checkpoint to another, or to the workspace as it is."""
        return (await self.compare(since, until)).changes

    async def compare(self, since: int = BASELINE, until: int | None = None) -> Comparison:
        """Hold one checkpoint against another, or against the workspace as it is."""
        async with self._named():
            if until is not None:
                old, new, left_out = await self.trees(since, until)
                return await Comparison.between(self.git, old, new, left_out)
            old, now = await self._since(since)
            return await Comparison.between(self.git, old, now.tree, now.left_out, now.checkpoint)

    async def write_diff(
        self,
        file: BinaryIO,
        since: int = BASELINE,
        until: int | None = None,
        paths: Sequence[str] = (),
    ) -> tuple[str, ...]:
        """Write the unified diff of all or some files; return what could not be read.

        Raises `UserError` PATCH_TOO_LARGE.
        """
        async with self._written():
            old, new, left_out = await self.trees(since, until)
            await patches.write_diff(self.git, (old, new), paths, file)
            return left_out

    async def write_patch(
        self, file: BinaryIO | None, since: int = BASELINE, until: int | None = None
    ) -> tuple[list[FileSides], tuple[str, ...]]:
        """Write a patch that git can apply; raises `UserError` PATCH_TOO_LARGE.

        Without a file it is only measured. Returns what it changes, and the files that could not
        be read.
        """
        async with self._written():
            old, new, left_out = await self.trees(since, until)
            return await patches.write_patch(self.git, (old, new), file), left_out

    @asynccontextmanager
    async def _written(self) -> AsyncGenerator[None]:
        async with self._named():
            try:
                yield
            except OSError as error:
                raise os_failure(error) from error

    async def pairs(self, since: int = BASELINE, until: int | None = None) -> list[FileSides]:
        """Return both sides of each changed file, renames as a file gone and a file come."""
        old, new, _ = await self.trees(since, until)
        return await self.between(old, new)

    async def counted(self) -> list[bytes]:
        """List the files that count as the workspace's own: all that would be remembered now."""
        now = await self.now()
        return [*now.files, *map(os.fsencode, now.left_out)]

    async def content(self, path: str, at: int | None = None) -> bytes | None:
        """Return a file as it was at a checkpoint, or is; None where it was not there."""
        if at is None:
            tree = (await self.now()).tree
        else:
            tree = await (self.tree_of(at) if at else self.tree_since(at))
        if (name := bytes_of_name(path)) is None:
            return None
        entry = (await objects.tree(self.git, tree, [name])).get(name)
        return (await objects.blobs(self.git, [entry[1]]))[entry[1]] if entry else None

    async def trees(
        self, since: int = BASELINE, until: int | None = None
    ) -> tuple[str, str, tuple[str, ...]]:
        """Return the trees of two checkpoints (None: as it is), and the unreadable paths.

        From BASELINE on means from the baseline that the later one is measured against.
        """
        if until is not None:
            return await self.tree_since(since, until), await self.tree_of(until), ()
        old, now = await self._since(since)
        return old, now.tree, now.left_out

    async def _since(self, since: int) -> tuple[str, Snapshot]:
        """Return the tree of a checkpoint, and the workspace as it is."""
        return await asyncio.gather(self.tree_since(since), self.now())

    async def tree_since(self, since: int, until: int | None = None) -> str:
        """Return the tree that changes from `since` on are measured against.

        A checkpoint from before an update is moved onto the later baseline.
        """
        if until is None:
            later = await self.baselines.now()
        else:
            later = await self.baselines.of(await self._points.point(until))
        if since == BASELINE:
            return later.tree
        return await self.baselines.moved(await self._points.point(since), later)

    async def baseline(self) -> Baseline:
        """Return the baseline that the workspace is measured against now."""
        return await self.baselines.now()

    async def now(self) -> Snapshot:
        """Take in the workspace as it is, without a checkpoint."""
        async with self._held(), self._named():
            return await self._snapshot()

    async def _snapshot(self) -> Snapshot:
        if self._elsewhere:
            return await self._elsewhere.snapshot(self)
        return await snapshot.record(
            self.git,
            self.root,
            self._index_files,
            self._of_baseline,
            self._ignored,
            self._rebuildable,
            self._links,
        )

    async def _of_baseline(self, tree: str | None, known: Missing | None) -> Missing | None:
        """Return the files of the baseline that are not in a tree: they count where they exist."""
        return None if self._is_new else await self.baselines.missing(tree, known)

    async def count(self, paths: Iterable[bytes]) -> None:
        """Make files count that were put into the workspace, even where git ignores them.

        The caller holds the store.
        """
        await asyncio.to_thread(snapshot.count, self.git, paths)

    async def _ignored(self, paths: Collection[bytes]) -> frozenset[bytes]:
        """Return which of these files a pattern above the workspace's folder makes git ignore."""
        top = self.repository.top if self.repository else None
        if not (top and self._place_in_repository and paths):
            return frozenset()
        return await ignored_above(self.git, top, self._place_in_repository, paths)

    async def _rebuildable(self, paths: Collection[bytes]) -> dict[bytes, bytes]:
        """Return which of these files are in a folder that can be made again, and in which."""
        names = rebuildable.names_of(self.git.git_dir)
        if self._is_new or not names:
            return {}
        found = {path: rebuildable.rebuildable_above(path, names, ()) for path in paths}
        if any(found.values()) and self._folders is None:
            tree = await self.tree_since(BASELINE)
            self._folders = await rebuildable.folders_in(self.git, tree, names)
        there = self._folders or frozenset[bytes]()
        above = {path: rebuildable.rebuildable_above(path, names, there) for path in paths}
        return {path: folder for path, folder in above.items() if folder}

    async def _index_files(self) -> IndexedFiles:
        """Return the files in the index of the workspace's files, as far as it can be read."""
        index = await asyncio.to_thread(self._index)
        if index is None:
            return IndexedFiles()
        git_dir, prefix, mark = index
        if self._indexed is None or self._indexed[0] != mark:
            found = await self._read_index(git_dir, prefix)
            if self._is_new and self.is_worktree and self.repository:
                # What the user has staged may have been brought along, and counts as well.
                staged = await self._read_index(self.repository.git_dir, b"")
                found = found._replace(tracked=found.tracked | staged.tracked)
            self._indexed = mark, found
        return self._indexed[1]

    async def _read_index(self, git_dir: Path, prefix: bytes) -> IndexedFiles:
        try:
            return await indexed_files(self.git, git_dir, prefix)
        except (UserError, OSError) as error:  # an agent may have damaged it
            _log.warning("%s: the index cannot be read: %s", git_dir, error)
            return IndexedFiles()

    def _index(self) -> tuple[Path, bytes, FileMark] | None:
        """Find the index of the workspace's files: its git directory and its place in there."""
        git_dir, prefix = self.root / ".git", b""
        if self.is_worktree and self.repository:
            git_dir = registration(self.repository, self.root) or git_dir
        elif self.is_in_place and self.repository and self.repository.top:
            git_dir = self.repository.git_dir
            inside = os.fsencode(real_path(self.root).relative_to(real_path(self.repository.top)))
            prefix = b"" if inside == b"." else inside + b"/"
        if git_dir.is_symlink() or not (git_dir / "index").is_file():
            return None
        mark = file_mark((git_dir / "index").lstat())
        return (git_dir, prefix, mark) if mark else None

    async def _links(self, nested: Collection[bytes]) -> dict[bytes, str]:
        """Return the commits of the submodules and of other repositories in the workspace."""
        if not await asyncio.to_thread(gitlinks.are_noted, self.git.git_dir):
            return {}
        index = await self.submodules()
        length = 64 if self.object_format == "sha256" else 40
        bases = self.git_bases
        return await asyncio.to_thread(gitlinks.links_of, self.root, nested, index, bases, length)

    async def submodules(self) -> Mapping[bytes, IndexEntry]:
        """Return the submodules that the index of the workspace has now.

        Where the index is gone or damaged, it is those of the baseline: none was removed.
        """
        found = (await self._index_files()).submodules
        if found is not None or self._is_new or self.repository is None:
            return found or {}
        if self._first is None:
            tree = await objects.tree(self.git, await self.tree_since(BASELINE))
            self._first = {
                gitlinks.repository_path(path): IndexEntry(*entry, True, False, False)
                for path, entry in tree.items()
                if entry[0] == SUBMODULE
            }
        return self._first

    @property
    def git_bases(self) -> tuple[Path, ...]:
        """Return where a `.git` file in the workspace may point to, besides the workspace."""
        is_shared = self.repository and (self.is_worktree or self.is_in_place)
        return (self.repository.common_dir,) if self.repository and is_shared else ()

    async def between(self, old: str, new: str) -> list[FileSides]:
        """Return both sides of each file that differs between two trees."""
        if old == new:
            return []
        async with self._named():
            out = await self.git.run(*DIFF, "--raw", "--no-renames", "--abbrev=64", old, new)
        return changes.parse_pairs(out)

    # Restoring: `engine.workspaces.apply.restore` changes the files

    @asynccontextmanager
    async def held(self) -> AsyncGenerator[None]:
        """Hold the store alone, and name damage to its baseline."""
        async with self._held(), self._named():
            yield

    async def record_held(self, message: str) -> Checkpoint:
        """Store the present state; the caller holds the store."""
        return await self._record(message)

    async def tree_of(self, n: int) -> str:
        """Return the tree of checkpoint `n`."""
        return (await self._points.point(n)).tree

    async def skipped_files(self) -> frozenset[bytes]:
        """Return the files that a sparse checkout leaves out of the workspace."""
        return (await self._index_files()).skipped

    async def pack(self) -> None:
        """Pack the store tightly, when the run has ended or every hundred checkpoints."""
        async with self._held():
            await asyncio.to_thread(owned_objects.release_packs, self.git.git_dir)
            await self.git.run("repack", "-a", "-d", "-l", "-q")
            await self.git.run("prune", "--expire=now")

    def _named(self) -> AbstractAsyncContextManager[None]:
        """Name damage to the baseline, where there is one."""
        return nullcontext() if self._is_new else damage_named(self.git)

    @asynccontextmanager
    async def _held(self) -> AsyncGenerator[None]:
        is_here = self.root.is_dir() and not self.root.is_symlink()
        if not (is_here or self._elsewhere):
            raise user_error("WORKSPACE_MISSING")
        async with locked(self._lock):
            try:
                yield
            except OSError as error:
                raise os_failure(error) from error


async def _repair(folder: Path, repository: Repository | None) -> None:
    """Make a damaged store whole again; raises `UserError` where that cannot be."""
    if not folder.is_dir():
        raise unknown_changes(folder)
    async with locked(folder / "swarm.lock"):
        try:
            if not await repair.repaired(folder, repository):
                raise unknown_changes(folder)
        except OSError as error:
            raise os_failure(error) from error


def _may_link(workspace: Workspace) -> bool:
    """Return whether no agent can write the source's packs: a link is the same file."""
    return workspace.kind is not WorkspaceKind.IN_PLACE


def _is_worktree(workspace: Workspace) -> bool:
    return workspace.kind is WorkspaceKind.WORKTREE or workspace.branch is not None


def _prime(workspace: Workspace, repository: Repository | None) -> str | None:
    """Name the tree that the workspace was most likely made from."""
    if repository is None or repository.head is None:
        return None
    if _is_worktree(workspace) or repository.top is None or not workspace.source:
        return f"{repository.head}^{{tree}}"
    inside = real_path(workspace.source).relative_to(real_path(repository.top))
    return f"{repository.head}:{'' if str(inside) == '.' else inside}"
