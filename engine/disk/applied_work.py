"""Applied work, looked for where it went: an apply that is recorded may have been taken back since.

Edits count as kept while the files are as they were applied, or in a commit that is reached. A
commit counts as kept while a ref reaches it. Where only the run's own branch does, that branch is
what the run delivered, and stays when the workspace goes.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.config import workspace_roots
from engine.disk.reachability import Reachability, reach
from engine.domain.errors import UserError
from engine.domain.model import Applied, Run
from engine.system.files import real_path
from engine.workspaces.apply.applied_history import AppliedHistory
from engine.workspaces.apply.line_endings import line_ends
from engine.workspaces.apply.submodules import links_at, nested_changes
from engine.workspaces.checkpoints import owned_objects
from engine.workspaces.checkpoints.changes import FileSides, is_submodule
from engine.workspaces.checkpoints.checkpoint_refs import BASELINE
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create.origin import OriginCache
from engine.workspaces.files.rooted_dir import RootedDir
from engine.workspaces.git import objects
from engine.workspaces.git.file_record import git_mode
from engine.workspaces.git.objects import Entry
from engine.workspaces.git.repository import Repository
from engine.workspaces.git.user_git_config import user_git_config

CHUNK = 1024 * 1024
MERGED_BYTES = 4 * 1024**2
"""Files up to this size are compared line by line."""


@dataclass(frozen=True, slots=True)
class AppliedWork:
    """The state of a run's applied work now."""

    since: int = BASELINE
    """The checkpoint up to which the work was applied."""
    undone: tuple[bytes, ...] = ()
    """Applied files that are not where they went, nor in a commit that is reached."""
    is_kept: bool = False
    """True if all that was applied is kept somewhere."""
    on_branch: bool = False
    """True if the run's own branch holds commits that no other ref reaches, and stays for them."""
    submodules: tuple[bytes, ...] = ()
    """Submodules whose commit is not where the work went: edits do not bring it."""


async def applied_work(run: Run, store: Checkpoints, asked: OriginCache, home: Path) -> AppliedWork:
    """Look for what of a run was applied; raises `UserError` or OSError where that fails."""
    done = run.applied
    if done is None:
        return AppliedWork()
    target = await _repository(Path(done.to), asked)
    on_branch = bool(done.commit) and await _is_on_branch(run, store)
    if done.commit and target:
        seen = await reach(target, _without(run, target, store, on_branch), store.root)
        if await seen.has(done.commit):
            return AppliedWork(done.checkpoint, is_kept=True, on_branch=on_branch)
    places = _places(run, done, store, target, home)
    missing = await _to_be_found(store, done.checkpoint)
    for root, repository in places:
        missing = await _missing(run, store, root, repository, missing, on_branch=on_branch)
    links = tuple(pair.path for pair in missing if is_submodule(pair))
    undone = tuple(pair.path for pair in missing if pair.path not in links)
    return AppliedWork(done.checkpoint, undone, not missing, on_branch, links)


async def _to_be_found(store: Checkpoints, n: int) -> list[FileSides]:
    """Return the changes up to a checkpoint, without those that nested repositories hold."""
    old, new, _ = await store.trees(BASELINE, n)
    pairs = await store.between(old, new)
    return (await nested_changes(store, old, new, pairs)).without_commits(pairs)


async def _repository(folder: Path, asked: OriginCache) -> Repository | None:
    if not folder.is_dir():
        return None
    try:
        return await asked.find(folder)
    except UserError as error:
        if error.code == "WORKSPACE_UNSAFE":
            return None
        raise


async def _is_on_branch(run: Run, store: Checkpoints) -> bool:
    """Return whether the run's branch stands at a commit that no other ref reaches."""
    ref = _own(run, store.repository, store)
    if ref is None or store.repository is None:
        return False
    answer = await store.repository.git.ask("rev-parse", "-q", "--verify", f"{ref}^{{commit}}")
    if answer.code:
        return False
    others = await reach(store.repository, ref, store.root)
    return not await others.has(answer.out.decode("ascii").strip())


def _without(run: Run, found: Repository, store: Checkpoints, on_branch: bool) -> str | None:
    """Return the ref that does not count in a repository: the run's own, unless it stays."""
    return None if on_branch else _own(run, found, store)


def _own(run: Run, found: Repository | None, store: Checkpoints) -> str | None:
    """Return the ref of the run's branch, in the repository that its workspace belongs to."""
    assert run.workspace
    same = found and store.repository and found.common_dir == store.repository.common_dir
    return f"refs/heads/{run.workspace.branch}" if same and run.workspace.branch else None


async def _missing(
    run: Run,
    store: Checkpoints,
    root: Path,
    repository: Repository | None,
    pairs: list[FileSides],
    *,
    on_branch: bool,
) -> list[FileSides]:
    """Return the changes that are neither in the files below `root` nor in a reached commit."""
    if not pairs:
        return pairs
    placed = await AppliedHistory(store, root, repository.branch if repository else None).placed()
    there = await links_at(root, repository, pairs)
    pairs = [pair for pair in pairs if pair.path not in there]
    pairs = await _not_in_files(store, root, pairs, placed)
    if pairs and repository and repository.head:
        without = _without(run, repository, store, on_branch)
        seen = await reach(repository, without, store.root)
        return await _not_in_commits(store, root, repository, seen, pairs, placed)
    return pairs


def _places(
    run: Run, done: Applied, store: Checkpoints, target: Repository | None, home: Path
) -> list[tuple[Path, Repository | None]]:
    """Return the folders that the workspace's root may stand for: where it went, and its source."""
    assert run.workspace
    found = [(Path(done.to), target)]
    if run.workspace.source and run.workspace.source != done.to:
        found.append((Path(run.workspace.source), store.repository))
    places: list[tuple[Path, Repository | None]] = []
    for folder, repository in found:
        root = repository.top if store.is_worktree and repository and repository.top else folder
        root = real_path(root)
        if root.is_dir() and not workspace_roots.holds(home, root):
            places.append((root, repository))
    return places


async def _not_in_files(
    store: Checkpoints, root: Path, pairs: Sequence[FileSides], placed: Mapping[bytes, Entry]
) -> list[FileSides]:
    found = await asyncio.to_thread(_entries, root, pairs, store.object_format)
    missing: list[FileSides] = []
    for pair in pairs:
        mine = found.get(pair.path)
        if mine == pair.new or (mine and mine == placed.get(pair.path)):
            continue
        if mine != pair.old and await _is_built_upon(store, root, pair, mine):
            continue
        missing.append(pair)
    return missing


async def _is_built_upon(
    store: Checkpoints, root: Path, pair: FileSides, mine: Entry | None
) -> bool:
    """Return whether the lines that a run changed are still in a file that was changed since."""
    if mine is None or pair.new is None or not all(map(_is_file, (mine, pair.new))):
        return False
    data = await asyncio.to_thread(_read, root, pair.path)
    if data is None:
        return False
    sides = [pair.new[1], *([pair.old[1]] if pair.old else [])]
    found = await objects.blobs(store.git, sides)
    new = found[pair.new[1]]
    if pair.old is None:
        return bool(_lines(new) & _lines(data))
    merged = await objects.merged(store.git, found[pair.old[1]], data, new, ours_wins=True)
    return merged == data


def _is_file(entry: Entry) -> bool:
    return stat.S_ISREG(entry[0])


def _lines(data: bytes) -> set[bytes]:
    return {line for line in map(bytes.strip, data.splitlines()) if line}


async def _not_in_commits(
    store: Checkpoints,
    root: Path,
    repository: Repository,
    seen: Reachability,
    pairs: Sequence[FileSides],
    placed: Mapping[bytes, Entry],
) -> list[FileSides]:
    """Return those of the pairs that no reached commit has, as the repository stores files."""
    began = (await store.point(BASELINE)).at
    brought = await seen.brought_since(began)
    inside = os.fsencode(root.relative_to(repository.top)) if repository.top else b"."
    prefix = b"" if inside == b"." else inside + b"/"
    other = [FileSides(pair.path, None, placed.get(pair.path)) for pair in pairs]
    mine, theirs = (
        [FileSides(prefix + one.path, one.old, one.new) for one in some] for some in (pairs, other)
    )
    git = owned_objects.seeing(store.git, repository.objects)
    user = await user_git_config(repository, git.git_dir)
    async with line_ends(git, user, repository.head, mine) as converts:
        stored = [*await converts.converted(mine), *await converts.converted(theirs)]
    is_there = [(one.path, one.new) in brought for one in stored]
    count = len(pairs)
    return [
        pair
        for pair, direct, merged, one in zip(
            pairs, is_there[:count], is_there[count:], other, strict=True
        )
        if not (direct or (one.new and merged))
    ]


def _entries(root: Path, pairs: Iterable[FileSides], algorithm: str) -> dict[bytes, Entry]:
    """Return what lies at these paths, of what is a file or a link."""
    found: dict[bytes, Entry] = {}
    with RootedDir(root) as below:
        for pair in pairs:
            info = below.stat(pair.path)
            if info and git_mode(info.st_mode):
                oid = _hashed(below, pair.path, info, algorithm)
                found[pair.path] = git_mode(info.st_mode), oid
    return found


def _hashed(below: RootedDir, path: bytes, info: os.stat_result, algorithm: str) -> str:
    if stat.S_ISLNK(info.st_mode):
        data = below.link_target(path)
        return _blob(algorithm, len(data), [data])
    with os.fdopen(below.open(path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        return _blob(algorithm, size, iter(lambda: file.read(CHUNK), b""))


def _blob(algorithm: str, size: int, parts: Iterable[bytes]) -> str:
    found = hashlib.new(algorithm, b"blob %d\0" % size, usedforsecurity=False)
    for part in parts:
        found.update(part)
    return found.hexdigest()


def _read(root: Path, path: bytes) -> bytes | None:
    with RootedDir(root) as below:
        info = below.stat(path)
        if info is None or not stat.S_ISREG(info.st_mode) or info.st_size > MERGED_BYTES:
            return None
        with os.fdopen(below.open(path), "rb") as file:
            return file.read(MERGED_BYTES)
