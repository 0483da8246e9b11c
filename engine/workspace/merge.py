"""A run's changes as commits: on the run's branch, and from there on the current one."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path

from engine.domain.errors import user_error
from engine.workspace import objects, placing, threeway
from engine.workspace.below import Below
from engine.workspace.changes import Pair
from engine.workspace.commits import Workshop, busy_with, follow_branch
from engine.workspace.git import Git
from engine.workspace.lineends import LineEnds
from engine.workspace.locks import to_the_end
from engine.workspace.objects import Entry
from engine.workspace.repository import Habits, Repository, checked_out_in
from engine.workspace.threeway import Clash, Joined
from engine.workspace.worktree import uncommitted


@dataclass(slots=True)
class Done:
    """What a commit or merge changes, or would, and what stands against it."""

    files: list[bytes] = field(default_factory=list[bytes])
    clashes: list[Clash] = field(default_factory=list[Clash])
    commit: str | None = None
    branch: str | None = None


@dataclass(frozen=True, slots=True)
class _Commit:
    """A commit built aside: on top of `base`, which it is where nothing changes."""

    sha: str
    base: str
    joined: Joined


class Merge:
    """Commits one run's changes into `repository`; `pairs` are as the repository stores files."""

    def __init__(
        self, git: Git, repository: Repository, who: Habits, line_ends: LineEnds, workspace: Path
    ) -> None:
        self._shop = Workshop(git, repository, who)
        self._repository = repository
        self._line_ends = line_ends
        self._workspace = workspace

    async def commit(
        self, pairs: list[Pair], branch: str | None, message: str, *, really: bool
    ) -> Done:
        """Commit the changes on the run's branch, made from HEAD if it is not there."""
        if branch is None:
            raise user_error("INPUT_INVALID", "The run has no branch.", "Name one for it.")
        tip, clashes = await self._tip(branch)
        built = await self._build(pairs, tip or self._head, message)
        done = Done(sorted(built.joined.files), clashes + built.joined.clashes, branch=branch)
        if done.clashes:
            return done
        if really and built.sha != tip:
            await self._shop.deliver(built.sha, await self._shop.tree_of(built.base))
            await self._shop.move({f"refs/heads/{branch}": (built.sha, tip)}, "swarm-tui: commit")
            await follow_branch(self._shop.git, self._repository, self._workspace, built.sha)
        done.commit = built.sha if really else None
        return done

    async def merge(
        self, pairs: list[Pair], branch: str | None, message: str, staging: Path, *, really: bool
    ) -> Done:
        """Commit on the run's branch, if it has one, and bring that into the current branch."""
        top = self._repository.top
        if top is None:
            raise user_error(
                "INPUT_INVALID",
                "A bare repository has no current branch to merge into.",
                "Take the changes home as a commit or as a patch.",
            )
        reason = busy_with(self._repository)
        clashes = [Clash("", reason)] if reason else []
        side: _Commit | None = None
        tip: str | None = None
        if branch is not None and f"refs/heads/{branch}" != self._repository.branch:
            tip, more = await self._tip(branch)
            clashes += more
            side = await self._build(pairs, tip or self._head, message)
            clashes += side.joined.clashes
        whole = await self._build(pairs, self._head, message, side)
        clashes += [clash for clash in whole.joined.clashes if clash not in clashes]
        landing = _Landing(self._shop, self._repository, top, staging, self._line_ends)
        moves, found = await landing.plan(whole)
        done = Done(sorted(whole.joined.files), clashes + found, branch=branch)
        if done.clashes or not really:
            return done
        refs: dict[str, tuple[str, str | None]] = {}
        if side and branch and side.sha != tip:
            refs[f"refs/heads/{branch}"] = (side.sha, tip)
            await self._shop.deliver(side.sha, await self._shop.tree_of(side.base))
        done.clashes += await landing.land(whole, moves, refs)
        if side and not done.clashes:
            await follow_branch(self._shop.git, self._repository, self._workspace, side.sha)
        done.commit = whole.sha
        return done

    @property
    def _head(self) -> str:
        assert self._repository.head
        return self._repository.head

    async def _tip(self, branch: str) -> tuple[str | None, list[Clash]]:
        git = self._repository.git
        answer = await git.ask("rev-parse", "-q", "--verify", f"refs/heads/{branch}^{{commit}}")
        if answer.code:
            return None, []
        mine = self._workspace.resolve()
        others = checked_out_in(self._repository, branch)
        clashes = [
            Clash("", f"the branch {branch} is checked out in {place}")
            for place in others
            if place.resolve() != mine
        ]
        return answer.out.decode("ascii").strip(), clashes

    async def _build(
        self, pairs: list[Pair], base: str, message: str, side: _Commit | None = None
    ) -> _Commit:
        """Build the commit that brings the changes to `base`, merging `side` where there is one."""
        ours = await objects.tree(self._shop.git, base)
        joined = await threeway.join(self._shop.git, pairs, ours, {})
        threeway.in_the_way(joined, ours)
        if joined.clashes:
            return _Commit(base, base, joined)
        tree = await self._shop.changed_tree(base, joined.files)
        if side and not side.joined.clashes and await self._is_forward(base, tree, side):
            return _Commit(side.sha, base, joined)
        if tree == await self._shop.tree_of(base):
            return _Commit(base, base, joined)
        parents = [base, side.sha] if side else [base]
        return _Commit(await self._shop.commit(tree, parents, message), base, joined)

    async def _is_forward(self, base: str, tree: str, side: _Commit) -> bool:
        same = tree == await self._shop.tree_of(side.sha)
        return same and await self._shop.is_ancestor(base, side.sha)


@dataclass(frozen=True, slots=True)
class _Moves:
    """The files of the working tree that change, with what was found there."""

    files: dict[bytes, Entry | None]
    found: dict[bytes, os.stat_result | None]
    pairs: list[Pair]
    index: placing.Mark | None


@dataclass(frozen=True, slots=True)
class _Landing:
    """The current branch moved to a new commit: files, index and ref together."""

    shop: Workshop
    repository: Repository
    top: Path
    staging: Path
    line_ends: LineEnds

    async def plan(self, whole: _Commit) -> tuple[_Moves, list[Clash]]:
        """Work out which files change, and which of the user's stand against it."""
        index = placing.mark(_stat(self.repository.git_dir / "index"))
        moves = _Moves({}, {}, [], index)
        joined = Joined()
        if whole.sha == whole.base:
            return moves, []
        moves.pairs.extend(await self.shop.pairs(whole.base, whole.sha))
        settings = self.shop.who.settings
        dirty = await uncommitted(self.repository, settings, self.shop.git.git_dir)
        with Below(self.top) as below:
            going = {pair.path for pair in moves.pairs if pair.old and pair.path not in dirty}
            for pair in moves.pairs:
                info = below.stat(pair.path)
                if pair.path in dirty:
                    joined.refuse(pair.path, "has uncommitted changes here")
                elif pair.old is None and info and not stat.S_ISDIR(info.st_mode):
                    joined.refuse(pair.path, "is already there, and not in the repository")
                elif pair.new and (way := placing.obstacle(below, pair.path, going)) is not None:
                    joined.refuse(way, "is in the way")
                moves.files[pair.path] = pair.new
                moves.found[pair.path] = info if pair.old else None
        return moves, joined.clashes

    async def land(
        self, whole: _Commit, moves: _Moves, refs: dict[str, tuple[str, str | None]]
    ) -> list[Clash]:
        """Do it, all or nothing; gives what changed meanwhile and stopped it."""
        if whole.sha == whole.base:
            if refs:
                await self.shop.move(refs, "swarm-tui: commit")
            return []
        await self.shop.deliver(whole.sha, await self.shop.tree_of(whole.base))
        refs["HEAD"] = (whole.sha, whole.base)
        await to_the_end(self._prepare(moves, moving := placing.Placing(self.top, self.staging)))
        return await to_the_end(self._switch(whole.sha, moves, moving, refs))

    async def _prepare(self, moves: _Moves, moving: placing.Placing) -> None:
        try:
            await self._stage(moving, moves)
            await self._new_index(moves)
        except BaseException:
            moving.finish()
            raise

    async def _switch(
        self,
        commit: str,
        moves: _Moves,
        moving: placing.Placing,
        refs: dict[str, tuple[str, str | None]],
    ) -> list[Clash]:
        index = self.repository.git_dir / "index"
        try:
            lock = _lock_index(self.repository.git_dir, self.staging / "index")
        except BaseException:
            moving.finish()
            raise
        try:
            if placing.mark(_stat(index)) != moves.index:
                return [Clash("", "the repository's index changed just now")]
            await asyncio.to_thread(moving.place, commit)
            try:
                await self.shop.move(refs, "swarm-tui: merge")
            except BaseException:
                await asyncio.to_thread(moving.undo)
                raise
            lock.rename(index)
        except placing.PlaceChanged as error:
            return [Clash(os.fsdecode(error.path), "changed just now")]
        finally:
            lock.unlink(missing_ok=True)
            moving.finish()
        return []

    async def _stage(self, moving: placing.Placing, moves: _Moves) -> None:
        wanted = {path: entry for path, entry in moves.files.items() if entry}
        data = await self.line_ends.laid_out(wanted)
        for path, entry in moves.files.items():
            info = moves.found[path]
            if info is None and entry is None:
                continue
            moving.add(path, info, entry[0] if entry else None, data.get(path, b""))

    async def _new_index(self, moves: _Moves) -> None:
        """Make the index as it will be, from the user's own, beside the files on their way."""
        path = self.staging / "index"
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
    except FileExistsError as error:
        raise user_error("WORKSPACE_BUSY", f"git is at work here: {lock} exists.") from error
    return lock


async def merge_recovered(repository: Repository, staging: Path) -> None:
    """End a merge or edit that was killed: forward if the branch had moved, else back."""
    if not staging.is_dir() or repository.top is None:
        return
    lock, new = repository.git_dir / "index.lock", staging / "index"
    held = lock.read_bytes() if lock.is_file() and new.is_file() else b""
    ours = bool(held) and new.read_bytes().startswith(held)
    done = await asyncio.to_thread(
        placing.recover, repository.top, staging, lambda commit: commit == repository.head
    )
    if ours and done:
        lock.rename(repository.git_dir / "index")
    elif ours:
        lock.unlink()
    if done:
        placing.forget(staging)
