"""A run's changes in submodules and other nested repositories, as they are applied.

A submodule is a nested repository that the index of the workspace has. Its commit is brought by a
commit or a merge; the files that this commit holds come with it. Any other nested repository is the
agent's own: its files are brought as files, and its commits stay where they are.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.domain.errors import UserError
from engine.system.files import real_path
from engine.workspaces.apply.already_applied import index_files
from engine.workspaces.apply.three_way import BroughtChanges, Conflict
from engine.workspaces.checkpoints.changes import FileSides, file_sides, is_submodule
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create.worktree import is_elsewhere
from engine.workspaces.git import objects, repository
from engine.workspaces.git.folder_trees import SUBMODULE, above
from engine.workspaces.git.git import Git
from engine.workspaces.git.gitlinks import NestedRepository, entry_path, locate, repository_path
from engine.workspaces.git.objects import Entry
from engine.workspaces.git.repository import Repository

DIRTY = "is not committed in the submodule: commit it there, or apply the run as edits"
UNREACHABLE = "has a commit that only the workspace holds: push it from there, then apply again"

Files = Mapping[bytes, Entry]


@dataclass(frozen=True, slots=True)
class NestedChanges:
    """The changes from tree `old` to tree `new` inside nested repositories."""

    old: Files
    new: Files
    modules: Collection[bytes]
    """The paths of the submodules, among those of all nested repositories."""
    links: Mapping[bytes, str]
    """The commits of all nested repositories in `new`."""
    committed: frozenset[bytes] = frozenset()
    """The changed paths that are as the repository around them has committed them."""
    base: Files = field(default_factory=dict[bytes, Entry])
    """Files of submodules that were not checked out when the run began, as they were committed."""
    clashes: list[Conflict] = field(default_factory=list[Conflict])

    def for_commit(self, found: BroughtChanges) -> BroughtChanges:
        """Return what a commit in the source's own repository can hold of the changes."""
        pairs = {pair.path: pair for one in found.pairs if (pair := self._in_commit(one))}
        for pair in found.pairs:
            if self._is_module(pair.new, pair.path):
                pairs.update(self._removed_below(pair.path))
            elif pair.old and _is_link(pair.old) and pair.path not in self.links:
                pairs.update(self._added_below(pair.path))
        earlier = [one for one in found.earlier if self._in_commit(one, is_quiet=True)]
        return replace(found, pairs=[pairs[path] for path in sorted(pairs)], earlier=earlier)

    def _is_module(self, side: Entry | None, path: bytes) -> bool:
        return side is not None and _is_link(side) and path in self.modules

    def _in_commit(self, pair: FileSides, *, is_quiet: bool = False) -> FileSides | None:
        around = self._around(pair.path)
        if around and around in self.modules:
            if pair.path not in self.committed and not is_quiet:
                clash = Conflict(os.fsdecode(pair.path), DIRTY)
                self.clashes.extend([clash] if clash not in self.clashes else [])
            return None
        if pair.new and _is_link(pair.new) and pair.path not in self.modules:
            return _changed(FileSides(pair.path, pair.old, None))
        return pair

    def _around(self, path: bytes) -> bytes | None:
        """Return the outermost submodule around a path, or any other repository around it."""
        found = sorted(folder for folder in above([path]) if folder in self.links)
        return next((folder for folder in found if folder in self.modules), (found or [None])[0])

    def _removed_below(self, folder: bytes) -> dict[bytes, FileSides]:
        """Return files that made way for a submodule; the source may track them."""
        below = _below(folder, self.old)
        return {path: FileSides(path, entry, None) for path, entry in below.items()}

    def _added_below(self, folder: bytes) -> dict[bytes, FileSides]:
        """Return the files of a folder that is not a submodule any more."""
        below = _below(folder, self.new)
        return {path: FileSides(path, None, entry) for path, entry in below.items()}

    def for_edits(
        self, found: BroughtChanges, root: Path
    ) -> tuple[BroughtChanges, tuple[bytes, ...]]:
        """Return what edits can bring, and the submodules whose commit they do not bring."""
        files = [_as_files(pair) for pair in found.pairs]
        known = [replace(one, old=one.old or self.base.get(one.path)) for one in files]
        pairs = list(filter(_changed, known))
        left = [one.path for one in found.pairs if is_submodule(one) and self._is_left(one, root)]
        kept = [pair for pair in pairs if not self._comes_with_commit(pair, root)]
        earlier = [file for pair in found.earlier if (file := _changed(_as_files(pair)))]
        return replace(found, pairs=kept, earlier=earlier), tuple(left)

    def without_commits(self, pairs: Iterable[FileSides]) -> list[FileSides]:
        """Return the changes without those that a nested repository has in a commit."""
        return [
            pair
            for pair in pairs
            if pair.path not in self.committed
            and not (pair.new and _is_link(pair.new) and pair.path not in self.modules)
        ]

    def _is_left(self, pair: FileSides, root: Path) -> bool:
        if pair.new and _is_link(pair.new) and pair.path not in self.modules:
            return False
        if pair.new is None:
            return os.path.lexists(root / os.fsdecode(pair.path))
        there = locate(root, pair.path, _bases(root))
        return there is None or there.checked_out() != pair.new[1]

    def _comes_with_commit(self, pair: FileSides, root: Path) -> bool:
        """Return whether a file belongs into a submodule that is not checked out at `root`."""
        around = self._around(pair.path)
        if around not in self.modules or around is None or pair.path not in self.committed:
            return False
        return not os.path.lexists(root / os.fsdecode(entry_path(around)))


def _bases(root: Path) -> tuple[Path, ...]:
    found = repository.locate(root)
    return (found[1],) if found else ()


def _as_files(pair: FileSides) -> FileSides:
    """Return a change without the commits of repositories."""
    return FileSides(pair.path, *file_sides(pair))


def _changed(pair: FileSides) -> FileSides | None:
    return pair if pair.old != pair.new else None


def _below(folder: bytes, files: Files) -> Files:
    start = folder + b"/"
    inside = (path for path, one in files.items() if not _is_link(one))
    return {path: files[path] for path in inside if path.startswith(start)}


def _is_link(entry: Entry) -> bool:
    return entry[0] == SUBMODULE


async def nested_changes(
    run: Checkpoints, old: str, new: str, pairs: Iterable[FileSides]
) -> NestedChanges:
    """Find what nested repositories hold of these changes; raises `UserError`."""
    changed = list(pairs)
    modules = await run.submodules()
    if not modules and not any(map(is_submodule, changed)):
        return NestedChanges({}, {}, (), {})
    before, after = await objects.tree(run.git, old), await objects.tree(run.git, new)
    was, links = _links(before), _links(after)
    inside: dict[bytes, list[FileSides]] = {}
    for pair in changed:
        around = max((one for one in above([pair.path]) if one in links), key=len, default=None)
        if around:
            inside.setdefault(around, []).append(pair)
    committed: set[bytes] = set()
    base: dict[bytes, Entry] = {}
    for path, some in inside.items():
        found, earlier = await _committed(run, path, links[path], was.get(path), some)
        committed |= found
        base |= earlier
    paths = frozenset(modules)
    return NestedChanges(before, after, paths, links, frozenset(committed), base)


def _links(files: Files) -> dict[bytes, str]:
    return {repository_path(path): one[1] for path, one in files.items() if _is_link(one)}


async def _committed(
    run: Checkpoints, path: bytes, commit: str, earlier: str | None, pairs: Iterable[FileSides]
) -> tuple[set[bytes], Files]:
    """Compare changes in a nested repository with its commit, and find files it had before.

    The latter are those that the run did not find, as the repository was not checked out then.
    """
    nested = await asyncio.to_thread(locate, run.root, path, run.git_bases)
    if nested is None:
        return set(), {}
    names = {pair.path: pair.path[len(path) + 1 :] for pair in pairs}
    try:
        async with nested.foreign.opened(run.git.git_dir) as git:
            now = await objects.tree(git, commit)
            then = await objects.tree(git, earlier) if earlier else {}
            fresh = [pair.path for pair in pairs if pair.old is None and names[pair.path] in then]
            base = {one: then[names[one]] for one in fresh if not _is_link(then[names[one]])}
            await objects.copy_objects(git, run.git, {oid for _, oid in base.values()})
    except (OSError, UserError):  # an agent may have damaged it: then nothing counts as committed
        return set(), {}
    return {pair.path for pair in pairs if now.get(names[pair.path]) == pair.new}, base


async def links_at(
    root: Path, found: Repository | None, pairs: Iterable[FileSides]
) -> frozenset[bytes]:
    """Return which of these submodules are as the changes left them at `root`, or in its index."""
    links = [pair for pair in pairs if is_submodule(pair) and file_sides(pair) == (None, None)]
    if not links:
        return frozenset()
    prefix = b""
    staged: Files = {}
    if found and found.top and root.is_relative_to(found.top):
        inside = os.fsencode(root.relative_to(found.top))
        prefix = b"" if inside == b"." else inside + b"/"
        staged = await index_files(found)
    there = await asyncio.to_thread(_checked_out, root, [pair.path for pair in links])
    return frozenset(
        pair.path
        for pair in links
        if staged.get(prefix + pair.path) == pair.new
        or (pair.new and there.get(pair.path) == pair.new[1])
    )


def _checked_out(root: Path, paths: Iterable[bytes]) -> dict[bytes, str | None]:
    found = {path: locate(root, path, _bases(root)) for path in paths}
    return {path: there.checked_out() if there else None for path, there in found.items()}


# Bringing commits


@dataclass(frozen=True, slots=True)
class ModuleCommits:
    """Transfer of submodules' commits into the submodules of a source."""

    run: Checkpoints
    repository: Repository
    prefix: bytes = b""
    """Prefix of the run's paths in the repository."""

    async def bring(self, pairs: Iterable[FileSides], *, really: bool) -> list[Conflict]:
        """Bring the commits that changes name; return the submodules whose commit cannot be had.

        Without `really` nothing is brought. Raises `UserError` or OSError.
        """
        clashes: list[Conflict] = []
        for pair in pairs:
            if pair.new and _is_link(pair.new):
                path = pair.path.removeprefix(self.prefix)
                if not await self._bring(path, pair.new[1], really=really):
                    clashes.append(Conflict(os.fsdecode(path), UNREACHABLE))
        return clashes

    async def _bring(self, path: bytes, commit: str, *, really: bool) -> bool:
        nested = await asyncio.to_thread(locate, self.run.root, path, self.run.git_bases)
        target = await self._target(path, nested)
        if target and await _has(target.git, commit):
            if really and not await is_elsewhere(target, "", commit):
                await _keep(target, commit)
            return True
        if nested is None:  # nothing but the id is there
            return True
        foreign = replace(nested.foreign, source=target)
        async with foreign.opened(self.run.git.git_dir) as git:
            if target is None or not await _has(git, commit):
                return await _is_fetched(git, commit)
            if really:
                await _copy_objects(git, target, commit)
        return True

    async def _target(self, path: bytes, nested: NestedRepository | None) -> Repository | None:
        """Return the source's own repository of a submodule, whether or not it is checked out."""
        top = self.repository.top
        folder = top / os.fsdecode(self.prefix + path) if top else None
        try:
            if folder and os.path.lexists(folder / ".git"):
                found = await repository.find(folder)
                return found if found and found.top == real_path(folder) else None
            name = _module_name(nested) or os.fsdecode(self.prefix + path)
            return await module_at(self.repository.common_dir / "modules" / name)
        except UserError:  # git may not run there
            return None


def _module_name(nested: NestedRepository | None) -> str | None:
    _, found, name = f"/{nested.inside}".partition("/modules/") if nested else ("", "", "")
    return name if found else None


async def module_at(git_dir: Path) -> Repository | None:
    """Return the repository that is kept of a submodule, if it is there; raises `UserError`."""
    if git_dir.is_symlink() or not (git_dir / "HEAD").is_file():
        return None
    return await repository.read(git_dir, git_dir, None)


async def _has(git: Git, commit: str) -> bool:
    return (await git.ask("cat-file", "-e", f"{commit}^{{commit}}")).code == 0


async def _is_fetched(git: Git, commit: str) -> bool:
    """Return whether a remote branch reaches a commit, or it is not there at all."""
    if not await _has(git, commit):
        return True
    out = await git.run("for-each-ref", "--count=1", f"--contains={commit}", "refs/remotes")
    return bool(out.strip())


async def _copy_objects(git: Git, target: Repository, commit: str) -> None:
    tips = [sha for sha, _ in await repository.refs(target.git)]
    asked = "\n".join([commit, *(f"^{sha}" for sha in tips)])
    out = await git.run("rev-list", "--objects", "--stdin", stdin=asked.encode())
    oids = [line.split(b" ", 1)[0].decode("ascii") for line in out.splitlines()]
    await objects.copy_objects(git, target.git, oids)
    await _keep(target, commit)


async def _keep(target: Repository, commit: str) -> None:
    """Create a branch at a commit in the source's submodule, so that the commit stays."""
    await target.git.run("update-ref", f"refs/heads/swarm/{commit[:12]}", commit)
