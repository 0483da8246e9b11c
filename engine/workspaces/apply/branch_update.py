"""The current branch moved to a commit built aside: files, index and ref, all or none."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from engine.config.locks import to_the_end
from engine.domain.errors import user_error
from engine.system.durable import sync_handle, sync_path
from engine.workspaces.apply import file_transaction
from engine.workspaces.apply.already_applied import arrived
from engine.workspaces.apply.commit_builder import CommitBuilder
from engine.workspaces.apply.line_endings import LaidOut, LineEndings
from engine.workspaces.apply.progress import NOT_SHOWN, Progress
from engine.workspaces.apply.three_way import CONTROLLED, Conflict, JoinResult
from engine.workspaces.apply.working_files import WorkingFiles, working_files
from engine.workspaces.checkpoints.changes import FileSides, file_sides, is_submodule
from engine.workspaces.files.control_files import ControlFiles
from engine.workspaces.files.file_mark import FileMark, file_mark
from engine.workspaces.files.rooted_dir import RootedDir
from engine.workspaces.git.file_record import FILE, LINK
from engine.workspaces.git.git import Git
from engine.workspaces.git.index import IndexEntry, hide
from engine.workspaces.git.objects import Entry
from engine.workspaces.git.repository import Repository


@dataclass(frozen=True, slots=True)
class BuiltCommit:
    """A commit built aside: on top of `base`, which it is where nothing changes."""

    sha: str
    base: str
    joined: JoinResult


@dataclass(frozen=True, slots=True)
class FileMoves:
    """The files of the working tree that change, with what was found there."""

    files: dict[bytes, Entry | None]
    found: dict[bytes, os.stat_result | None]
    pairs: list[FileSides]
    index: FileMark | None
    hidden: dict[bytes, IndexEntry] = field(default_factory=dict[bytes, IndexEntry])
    """Files that the index hides, which it goes on to hide."""


@dataclass(frozen=True, slots=True)
class BranchUpdate:
    """The current branch moved to a new commit: files, index and ref together."""

    shop: CommitBuilder
    repository: Repository
    top: Path
    journal: Path
    line_ends: LineEndings
    progress: Progress = NOT_SHOWN

    async def plan(self, whole: BuiltCommit) -> tuple[FileMoves, list[Conflict]]:
        """Work out which files change, and which of the user's stand against it."""
        index = file_mark(_stat(self.repository.git_dir / "index"))
        moves = FileMoves({}, {}, [], index)
        joined = JoinResult()
        if whole.sha == whole.base:
            return moves, []
        moves.pairs.extend(await self.shop.pairs(whole.base, whole.sha))
        user, scratch = self.shop.who, self.shop.git.git_dir
        there = await working_files(self.repository, user, scratch, self.line_ends, moves.pairs)
        moves.hidden.update(there.hidden)
        unsure = [pair for pair in moves.pairs if pair.path in there.held or pair.old is None]
        same = await arrived(self.repository, self.line_ends, unsure)
        coming = [pair.path for pair in moves.pairs if pair.new]
        paths = [pair.path for pair in moves.pairs]
        control = await asyncio.to_thread(ControlFiles(self.top, coming).among, paths)
        with RootedDir(self.top) as below:
            going = {pair.path for pair in moves.pairs if pair.old and pair.path not in there.held}
            for pair in moves.pairs:
                if pair.path in control:
                    joined.refuse(pair.path, CONTROLLED)
                    continue
                if pair.path in same:
                    continue
                self._plan_file(below, pair, there, going, joined)
                old, new = file_sides(pair)
                if pair.path not in there.outside and (old or new):
                    moves.files[pair.path] = new
                    moves.found[pair.path] = below.stat(pair.path) if old else None
        return moves, joined.clashes

    def _plan_file(
        self,
        below: RootedDir,
        pair: FileSides,
        there: WorkingFiles,
        going: set[bytes],
        joined: JoinResult,
    ) -> None:
        info = below.stat(pair.path)
        if pair.path in there.held:
            joined.refuse(pair.path, *there.held[pair.path])
        elif pair.old is None and info and not stat.S_ISDIR(info.st_mode):
            joined.refuse(pair.path, "is already there, and not in the repository")
        elif file_sides(pair)[1]:
            way = file_transaction.obstacle(below, pair.path, going)
            if way is not None:
                joined.refuse(way, "is in the way")

    async def write(
        self, whole: BuiltCommit, moves: FileMoves, refs: dict[str, tuple[str, str | None]]
    ) -> list[Conflict]:
        """Write the commit and the files, all or nothing; return the conflicts that stopped it."""
        if whole.sha == whole.base:
            if refs:
                await self.shop.move(refs, "swarm-tui: commit")
            return []
        await self.shop.deliver(whole.sha, await self.shop.tree_of(whole.base))
        refs["HEAD"] = (whole.sha, whole.base)
        moving = file_transaction.FileTransaction(self.top, self.journal, self.repository.git_dir)
        await to_the_end(self._prepare(moves, moving))
        self.progress.stop.begin()
        return await to_the_end(self._switch(whole.sha, moves, moving, refs))

    async def _prepare(self, moves: FileMoves, moving: file_transaction.FileTransaction) -> None:
        try:
            await self._stage(moving, moves)
            await self._new_index(moves)
        except BaseException:
            moving.finish()
            raise

    async def _switch(
        self,
        commit: str,
        moves: FileMoves,
        moving: file_transaction.FileTransaction,
        refs: dict[str, tuple[str, str | None]],
    ) -> list[Conflict]:
        index = self.repository.git_dir / "index"
        try:
            lock = _lock_index(self.repository.git_dir, _new_index(self.journal))
        except BaseException:
            moving.finish()
            raise
        try:
            if file_mark(_stat(index)) != moves.index:
                return [Conflict("", "the repository's index changed just now")]
            await asyncio.to_thread(moving.place, commit)
            try:
                await self.shop.move(refs, "swarm-tui: merge")
            except BaseException:
                await asyncio.to_thread(moving.undo)
                raise
            lock.rename(index)
            sync_path(self.repository.git_dir)
            await asyncio.to_thread(_place_submodules, self.top, moves.pairs)
        except file_transaction.ConcurrentChange as error:
            return [Conflict(os.fsdecode(error.path), "changed just now")]
        finally:
            lock.unlink(missing_ok=True)
            moving.finish()
            _new_index(self.journal).unlink(missing_ok=True)
        return []

    async def _stage(self, moving: file_transaction.FileTransaction, moves: FileMoves) -> None:
        wanted = {path: entry for path, entry in moves.files.items() if entry}
        gone = moves.files.keys() - wanted.keys()
        for path in sorted(gone):
            if moves.found[path]:
                moving.add(path, moves.found[path], None)
        async with aclosing(self.line_ends.laid_out(wanted)) as groups:
            async for data in groups:
                await asyncio.to_thread(self._stage_some, moving, moves, data)

    def _stage_some(
        self, moving: file_transaction.FileTransaction, moves: FileMoves, data: LaidOut
    ) -> None:
        for path, content in data.items():
            self.progress.looked(moving.count, len(moves.files))
            entry = moves.files[path]
            assert entry
            is_file = entry[0] == LINK and not self.shop.who.has_links
            moving.add(path, moves.found[path], FILE if is_file else entry[0], content)

    async def _new_index(self, moves: FileMoves) -> None:
        """Make the index as it will be, from the user's own, beside the files on their way."""
        path = _new_index(self.journal)
        await asyncio.to_thread(shutil.copyfile, self.repository.git_dir / "index", path)
        nothing = "0" * len(self.repository.head or "")
        gone = [p for p in moves.pairs if p.new is None]
        come = [p for p in moves.pairs if p.new]
        lines = [b"0 %s\t%s\0" % (nothing.encode(), pair.path) for pair in gone]
        for pair in come:
            assert pair.new
            lines.append(b"%o %s\t%s\0" % (pair.new[0], pair.new[1].encode(), pair.path))
        git = Git(self.repository.git_dir, index=path)
        await git.run("update-index", "-z", "--index-info", stdin=b"".join(lines))
        await hide(git, {p.path: moves.hidden[p.path] for p in come if p.path in moves.hidden})


def _place_submodules(top: Path, pairs: list[FileSides]) -> None:
    """Make the folders of new submodules, as git does, and remove those that are left empty."""
    with RootedDir(top) as below:
        for pair in filter(is_submodule, pairs):
            with suppress(OSError):  # a folder with files in it stays
                if pair.new and not file_sides(pair)[1]:
                    below.folder(pair.path, make=True)
                elif pair.new is None:
                    name, folder = below.place(pair.path)
                    os.rmdir(name, dir_fd=folder)
                    below.forget()


def _new_index(journal: Path) -> Path:
    """Return where the index is made ready, in our home beside the journal."""
    return journal.with_suffix(".index")


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _lock_index(git_dir: Path, new: Path) -> Path:
    """Lock the index the way git does, the new one in the lock; raises `UserError`."""
    lock = git_dir / "index.lock"
    try:
        with lock.open("xb") as file:
            file.write(new.read_bytes())
            file.flush()
            sync_handle(file.fileno())
    except FileExistsError as error:
        raise user_error("WORKSPACE_BUSY", f"git is at work here: {lock} exists.") from error
    return lock


async def recovered(repository: Repository, journal: Path) -> None:
    """End a merge or edit that was killed: forward if the branch had moved, else back."""
    if repository.top is None:
        return
    lock, new = repository.git_dir / "index.lock", _new_index(journal)
    held = lock.read_bytes() if lock.is_file() and new.is_file() else b""
    ours = bool(held) and new.read_bytes().startswith(held)
    done = await asyncio.to_thread(
        file_transaction.recover, repository.top, journal, lambda commit: commit == repository.head
    )
    if ours and done:
        lock.rename(repository.git_dir / "index")
    elif ours:
        lock.unlink()
    if done:
        done.finish()
    new.unlink(missing_ok=True)
