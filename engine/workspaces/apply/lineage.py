"""Lineage: the commits made in a run's workspace, which never conflict with its final state.

The agent or the user may have committed, amended, reset, rebased, merged, switched or deleted
branches in the workspace. Its final state decides every file that these commits changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from engine.system.files import real_path
from engine.workspaces.apply.three_way import Versions
from engine.workspaces.checkpoints.changes import DIFF, FileSides, parse_pairs
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create.worktree import registration, tip_of
from engine.workspaces.files.rooted_dir import RootedDir
from engine.workspaces.git import objects
from engine.workspaces.git.folder_trees import SUBMODULE
from engine.workspaces.git.git import Git
from engine.workspaces.git.gitlinks import repository_path
from engine.workspaces.git.heads import checked_out
from engine.workspaces.git.objects import Entry
from engine.workspaces.git.repository import Repository

_LOG_BYTES = 16 * 1024**2


@dataclass(frozen=True, slots=True)
class Lineage:
    """The place of a run's commits in a repository.

    `parent` is the parent of its next commit, where the run has a commit there. `base` is the
    commit that the workspace was made from, `tip` the end of its branch, `head` the commit that
    the workspace has checked out. `is_attached`: that is its branch. `is_in_place`: the
    workspace is the repository's own working tree.
    """

    base: str | None = None
    tip: str | None = None
    head: str | None = None
    parent: str | None = None
    is_attached: bool = False
    is_in_place: bool = False
    versions: Versions = field(default_factory=dict[bytes, frozenset[Entry | None]])


async def lineage(run: Checkpoints, repository: Repository, branch: str | None) -> Lineage:
    """Find the commits of a run in a repository; raises `UserError`."""
    git = repository.git
    place = await asyncio.to_thread(_place, run, repository)
    tip = await tip_of(git, branch) if branch else None
    if place is None:  # another clone, or a copy: none of its commits are here
        return Lineage(tip=tip, parent=tip)
    head = await _commit(Git(place), "HEAD")
    follows = head is not None and (tip is None or await _reaches(git, head, tip))
    parent = head if follows else tip
    base = await _base(run, repository, parent)
    # What others put on the branch meanwhile is not the workspace's own.
    is_own = tip is not None and tip in await asyncio.to_thread(_checked_out_before, place)
    heads = [sha for sha in (head, tip if is_own else None) if sha]
    attached = branch is not None and await checked_out(place) == f"refs/heads/{branch}"
    in_place = place == repository.git_dir
    versions = await _versions(git, base, heads)
    return Lineage(base, tip, head, parent, attached, in_place, versions)


def _place(run: Checkpoints, repository: Repository) -> Path | None:
    """Return the git directory of the workspace, where it is a working tree of the repository."""
    if repository.top and real_path(run.root).is_relative_to(repository.top):
        return repository.git_dir
    return registration(repository, run.root)


async def _commit(git: Git, name: str) -> str | None:
    answer = await git.ask("rev-parse", "-q", "--verify", f"{name}^{{commit}}")
    return answer.out.decode("ascii").strip() if answer.code == 0 else None


async def _reaches(git: Git, new: str, old: str) -> bool:
    return (await git.ask("merge-base", "--is-ancestor", old, new)).code == 0


async def merge_base(git: Git, one: str, other: str) -> str | None:
    """Return the newest commit that both reach; None where there is none."""
    answer = await git.ask("merge-base", one, other)
    return answer.out.decode("ascii").split()[0] if answer.code == 0 else None


async def _base(run: Checkpoints, repository: Repository, parent: str | None) -> str | None:
    """Return the commit that the workspace was made from, as far as the repository has it."""
    noted = (await run.baseline()).base
    if noted and await _commit(repository.git, noted):
        return noted
    if parent is None or repository.head is None:
        return None
    return await merge_base(repository.git, parent, repository.head)


def _checked_out_before(place: Path) -> set[str]:
    """Return the commits that a worktree had checked out, as its log knows them."""
    try:
        with (place / "logs" / "HEAD").open("rb") as file:
            lines = file.read(_LOG_BYTES).decode("ascii", "replace").splitlines()
    except OSError:
        return set()
    return {word for line in lines for word in line.split(" ", 2)[:2]}


async def _versions(git: Git, base: str | None, heads: Collection[str]) -> Versions:
    if base is None or not heads:
        return {}
    asked = "\n".join([*heads, f"^{base}"])
    commits = await git.run("rev-list", "--ignore-missing", "--stdin", stdin=asked.encode())
    found: dict[bytes, set[Entry | None]] = {}
    if commits:
        how = ("--stdin", "--root", "-m", "--no-commit-id", "--raw", "--no-renames", "--abbrev=64")
        for pair in parse_pairs(await git.run(*DIFF, *how, stdin=commits)):
            found.setdefault(pair.path, set()).add(pair.new)
    return {path: frozenset(entries) for path, entries in found.items()}


async def taken_back(
    run: Checkpoints, own: Lineage, tree: str, changed: Collection[bytes], prefix: bytes
) -> list[FileSides]:
    """Return the files that the run's commits changed and that are as they were at its start.

    `tree` is the run's at its start, `changed` the paths that differ from it, `prefix` what stands
    before the run's paths in the repository. A file that is there but does not count, because git
    ignores it for instance, was not taken back.
    """
    paths = {
        path.removeprefix(prefix)
        for path in own.versions
        if path.startswith(prefix) and path.removeprefix(prefix) not in changed
    }
    if not paths:
        return []
    files = await objects.tree(run.git, tree)
    then = {(repository_path(p) if e[0] == SUBMODULE else p): e for p, e in files.items()}
    gone = await _gone(run, own, paths - then.keys())
    entries = {path: then.get(path) for path in (paths & then.keys()) | gone}
    return [FileSides(path, entry, entry) for path, entry in sorted(entries.items())]


async def _gone(run: Checkpoints, own: Lineage, paths: Collection[bytes]) -> set[bytes]:
    absent = await asyncio.to_thread(_absent, run.root, paths)
    if not absent or own.head is None or run.repository is None:
        return absent
    place = await asyncio.to_thread(_place, run, run.repository)
    if place is None:
        return absent
    # A sparse checkout leaves files out that its commits have.
    out = (await Git(place).ask("ls-files", "-v", "-z")).out
    skipped = {line[2:] for line in out.split(b"\0") if line[:2] in (b"S ", b"s ")}
    return absent - skipped


def _absent(root: Path, paths: Collection[bytes]) -> set[bytes]:
    with RootedDir(root) as below:
        return {path for path in paths if below.stat(path) is None}


async def on_newer(git: Git, own: Lineage, head: str, changes: list[FileSides]) -> list[FileSides]:
    """Return the changes against what the run took over from `head`'s history since its start.

    So a file that the run merged in from there, and that was changed there since, stays as it is.
    """
    newest = head  # where the run works in the folder itself, all of it is the run's
    if not own.is_in_place:
        if own.parent is None or own.base is None:
            return changes
        found = await merge_base(git, own.parent, head)
        if found is None or found == own.base or not await _reaches(git, found, own.base):
            return changes
        newest = found
    then = await objects.tree(git, newest)
    return [FileSides(pair.path, then.get(pair.path), pair.new) for pair in changes]
