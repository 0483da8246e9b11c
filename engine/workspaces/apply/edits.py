"""A run's changes as plain edits of the working files, whether or not there is a repository."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from engine.config.locks import to_the_end
from engine.workspaces.apply import file_transaction, three_way
from engine.workspaces.apply.applied_history import AppliedEdits, AppliedHistory
from engine.workspaces.apply.line_endings import CHANGED, line_ends
from engine.workspaces.apply.progress import NOT_SHOWN, Progress
from engine.workspaces.apply.staging import journal_for
from engine.workspaces.apply.three_way import CONTROLLED, BroughtChanges, Conflict, JoinResult
from engine.workspaces.apply.working_files import index_of, working_files
from engine.workspaces.checkpoints.changes import FileSides
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.checkpoints.owned_objects import seeing
from engine.workspaces.files.control_files import ControlFiles
from engine.workspaces.files.rooted_dir import RootedDir
from engine.workspaces.git import objects
from engine.workspaces.git.contents import Content, contents, grouped, id_below, store_file
from engine.workspaces.git.file_record import git_mode
from engine.workspaces.git.objects import Entry
from engine.workspaces.git.repository import Repository
from engine.workspaces.git.user_git_config import UserGitConfig, user_git_config


@dataclass(frozen=True, slots=True)
class WorkingFileEdits:
    """Changes put into the working files of `root`, none of the user's own touched."""

    run: Checkpoints
    repository: Repository | None
    root: Path
    home: Path
    history: AppliedHistory
    progress: Progress = NOT_SHOWN

    async def apply(
        self, bringing: BroughtChanges, placed: Mapping[bytes, Entry], *, really: bool
    ) -> JoinResult:
        """Return the files that change, and the conflicts; with `really`, write all or none.

        `placed` are files that an earlier apply of the run wrote: unchanged, they hold no
        work.
        """
        pairs = bringing.all()
        found = await asyncio.to_thread(found_files, self.root, pairs, self.run.object_format)
        user = await user_git_config(self.repository, self.home)
        outside = await self._outside(bringing, user)
        ours = {**outside, **{path: entry for path, (_, entry) in found.items() if entry}}
        known = {pair.path: {pair.old, pair.new} for pair in pairs}
        for pair in bringing.earlier:
            known[pair.path].add(pair.new)
        differ = {path for path, sides in known.items() if ours.get(path) not in sides}
        own = [path for path in differ if path not in placed or ours.get(path) != placed[path]]
        unsaved = await self._unsaved(own, user)
        # What may be merged line by line has to be in the store for it.
        for path in differ & ours.keys():
            await store_file(self.run.git, self.root, path)
        joined = await three_way.join(self.run.git, bringing, ours, unsaved)
        await asyncio.to_thread(self._check_obstacles, joined)
        if really and joined.files and not joined.clashes:
            infos = {path: info for path, (info, _) in found.items()}
            before = {path: found[path][1] for path in joined.files}
            head = (self.repository and self.repository.head) or ""
            await self.history.note_edits(AppliedEdits(before, joined.files, head))
            joined.clashes += await self._place(joined, infos)
        return joined

    async def _unsaved(
        self, differ: list[bytes], user: UserGitConfig
    ) -> dict[bytes, tuple[str, ...]]:
        """Return the files whose content here is kept nowhere else, among those that differ."""
        if not differ:
            return {}
        if self.repository is None or self.repository.head is None or not self.repository.top:
            return dict.fromkeys(differ, ("has changed here since the run began",))
        head, git = self.repository.head, seeing(self.run.git, self.repository.objects)
        whole = {path: self._prefix + path for path in differ}
        tracked = await objects.tree(git, head, whole.values())
        pairs = [FileSides(path, tracked[path], None) for path in whole.values() if path in tracked]
        async with line_ends(git, user, head, ()) as converted:
            there = await working_files(self.repository, user, git.git_dir, converted, pairs)
        return {
            path: there.held.get(name, (CHANGED,))
            for path, name in whole.items()
            if name in there.held or name not in tracked
        }

    @property
    def _prefix(self) -> bytes:
        """The path of the root in the repository, as a prefix of paths."""
        assert self.repository
        assert self.repository.top
        inside = os.fsencode(self.root.relative_to(self.repository.top))
        return b"" if inside == b"." else inside + b"/"

    async def _outside(self, bringing: BroughtChanges, user: UserGitConfig) -> dict[bytes, Entry]:
        """Return files that the run found and that are absent here as the checkout is sparse."""
        if self.repository is None or not self.repository.top or not user.is_sparse:
            return {}
        index = await index_of(self.repository, user, self.run.git.git_dir)
        found: dict[bytes, Entry] = {}
        for pair in bringing.all():
            entry = index.get(self._prefix + pair.path)
            there = (entry.mode, entry.oid) if entry and entry.is_skipped else None
            if there and pair.old == there:
                found[pair.path] = there
        return found

    def _check_obstacles(self, joined: JoinResult) -> None:
        # What the run deletes and is not here any more cannot be in the way.
        going = {path for path, entry in joined.files.items() if entry is None}
        control = ControlFiles(self.root, joined.files.keys() - going).among(joined.files)
        with RootedDir(self.root) as below:
            for path, entry in [*joined.files.items()]:
                if path in control:
                    joined.refuse(path, CONTROLLED)
                if entry is None:
                    continue
                info = below.stat(path)
                there = {path} if info and not stat.S_ISDIR(info.st_mode) else set[bytes]()
                blocking = file_transaction.obstacle(below, path, going | there)
                if blocking is not None:
                    joined.refuse(blocking, "is in the way")

    async def _place(
        self, joined: JoinResult, found: dict[bytes, os.stat_result | None]
    ) -> list[Conflict]:
        journal = journal_for(self.home, self.root)
        near = self.repository.git_dir if self.repository else None
        moving = file_transaction.FileTransaction(self.root, journal, near)
        try:
            async with aclosing(grouped(self.run.git, joined.files)) as groups:
                async for group, folder in groups:
                    wanted = (entry[1] for entry in group.values() if entry)
                    data = await contents(self.run.git, wanted, folder)
                    looked = self.progress.of(len(joined.files))
                    staging = asyncio.to_thread(stage_files, moving, group, found, data, looked)
                    await to_the_end(staging)
            self.progress.stop.begin()
            await to_the_end(asyncio.to_thread(moving.place))
        except file_transaction.ConcurrentChange as error:
            return [Conflict(os.fsdecode(error.path), "changed just now")]
        finally:
            moving.finish()
        return []


def stage_files(
    moving: file_transaction.FileTransaction,
    files: dict[bytes, Entry | None],
    found: dict[bytes, os.stat_result | None],
    data: Mapping[str, Content],
    looked: Callable[[int], object],
) -> None:
    """Add files to a transaction; `found` is what was there, `data` has their contents by id.

    `looked` gets the number of files that were added so far.
    """
    for path, entry in files.items():
        looked(moving.count)
        mode, oid = entry or (None, "")
        moving.add(path, found[path], mode, data.get(oid, b""))


def found_files(
    root: Path, pairs: Iterable[FileSides], algorithm: str
) -> dict[bytes, tuple[os.stat_result | None, Entry | None]]:
    """Look at the files these changes concern; a folder or device counts as no file."""
    found: dict[bytes, tuple[os.stat_result | None, Entry | None]] = {}
    with RootedDir(root) as below:
        for pair in pairs:
            info = below.stat(pair.path)
            if info and (stat.S_ISREG(info.st_mode) or stat.S_ISLNK(info.st_mode)):
                oid = id_below(algorithm, below, pair.path)
                found[pair.path] = info, (git_mode(info.st_mode), oid)
            else:
                found[pair.path] = None, None
    return found
