"""Commits that are nowhere else: of a worktree's branch, and of repositories inside a workspace.

A commit is elsewhere if a branch, a remote branch or a tag of the source reaches it; in a
repository inside the workspace, also if its own remote branches do: it was fetched, or pushed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from engine.config import workspace_roots
from engine.domain.errors import UserError, user_error
from engine.domain.hosts import local_path
from engine.domain.model import Workspace, WorkspaceKind
from engine.workspaces.apply.submodules import module_at
from engine.workspaces.create import worktree
from engine.workspaces.create.origin import OriginCache
from engine.workspaces.git import heads, repository
from engine.workspaces.git.foreign_repository import ForeignRepository
from engine.workspaces.git.git import Git
from engine.workspaces.git.repository import PULLS, Repository

KNOWN_SHOWN = 1000
"""Tips that a bundle leaves out: with fewer it is only larger."""
MODULES = 100


@dataclass(frozen=True, slots=True)
class UnpushedCommits:
    """A repository with commits that are nowhere else; `name` is empty for the workspace's own."""

    git: Git | ForeignRepository
    name: str
    count: int
    refs: tuple[str, ...]
    """Revisions that reach them, as git's bundles take them."""
    elsewhere: tuple[str, ...]
    is_branch: bool = False
    """True if it is the user's repository, in which a worktree has a branch."""

    async def bundle(self, path: Path) -> None:
        """Write all of these commits to a file that git can fetch from; raises `UserError`."""
        words = ("bundle", "create", "-q", str(path), *self.refs, *self.elsewhere)
        if isinstance(self.git, Git):
            await self.git.run(*words)
            return
        async with self.git.opened(path.parent) as git:
            await _name_stashes(git)
            await git.run(*words)


async def _name_stashes(git: Git) -> None:
    """Set a ref for each stash: all but the newest are in a reflog alone, which no bundle has."""
    stashes = (await git.ask("rev-list", "-g", "refs/stash")).out.decode("ascii").split()
    lines = (f"update refs/stashes/{number} {sha}\n" for number, sha in enumerate(stashes))
    await git.run("update-ref", "--stdin", stdin="".join(lines).encode())


async def of_branch(
    workspace: Workspace,
    found: Repository | None,
    *,
    is_taken: bool,
    stays: bool = False,
    asked: OriginCache | None = None,
) -> UnpushedCommits | None:
    """Return the commits that only a worktree's branch, or its checked out commit, reaches.

    With `is_taken`, its checked out commit was applied; with `stays`, the branch is kept. The
    cache `asked` may be a little old. Raises `UserError`, also where its repository was not
    found.
    """
    if workspace.branch is None:
        return None
    if found is None:
        raise user_error("SOURCE_NOT_FOUND")
    ref = f"refs/heads/{workspace.branch}"
    place = await asyncio.to_thread(worktree.registration, found, local_path(workspace))
    if asked and await _is_shared(await asked.refs(found), ref, place):
        return None
    git = Git(place) if place else found.git
    refs = [*([] if stays else [ref]), *(["HEAD"] if place else [])]
    without = [] if stays else [f"--exclude={workspace.branch}"]
    others = ["--not", *without, "--branches", "--remotes", "--tags", f"--glob={PULLS}*"]
    others += ["HEAD"] if is_taken and place else []
    # What is not there, a branch that the agent removed for instance, counts for nothing.
    asking = ("rev-list", "--count", "--ignore-missing", *refs, *others)
    count = int(await git.run(*asking)) if refs else 0
    if not count:
        return None
    there = [name for name in refs if await _resolves(git, name)]
    others = [name for name in others if name != "HEAD" or name in there]
    return UnpushedCommits(git, "", count, tuple(there), tuple(others), is_branch=True)


async def of_worktrees(
    workspace: Workspace, found: Repository | None, asked: OriginCache
) -> list[UnpushedCommits]:
    """Return what only other worktrees of the repository reach that lie in a workspace.

    The cache `asked` may be a little old.
    """
    if workspace.branch is None or found is None:
        return []
    known = await asked.worktrees(found)
    inside = await asyncio.to_thread(worktree.below, known, local_path(workspace))
    holdings: list[UnpushedCommits] = []
    for name, place in inside:
        git, others = Git(place), ("--not", "--branches", "--remotes", "--tags")
        if not await _resolves(git, "HEAD"):
            continue
        count = int(await git.run("rev-list", "--count", "HEAD", *others))
        if count:
            holdings.append(UnpushedCommits(git, name, count, ("HEAD",), others))
    return holdings


async def _is_shared(refs: list[tuple[str, str]], branch: str, place: Path | None) -> bool:
    """Return whether a branch stands where another does, and its worktree stands on it: no more."""
    tip = next((sha for sha, ref in refs if ref == branch), None)
    elsewhere = ("refs/heads/", "refs/remotes/", "refs/tags/", PULLS)
    shared = any(sha == tip and ref != branch and ref.startswith(elsewhere) for sha, ref in refs)
    if not shared or place is None:
        return shared
    return await heads.checked_out(place) == branch


async def _resolves(git: Git, name: str) -> bool:
    return (await git.ask("rev-parse", "-q", "--verify", f"{name}^{{commit}}")).code == 0


def modules(folder: Path) -> list[Path]:
    """Return the repositories of submodules below the `modules` of a git directory. Blocking."""
    found: list[Path] = []
    if folder.is_symlink():
        return []
    for top, folders, files in os.walk(folder):
        if "HEAD" in files and "objects" in folders:
            found.append(Path(top))
            folders[:] = [name for name in folders if name == "modules"]
        if len(found) >= MODULES:
            break
    return found


async def inside(
    workspace: Workspace,
    git_dirs: Iterable[tuple[str, ForeignRepository]],
    asked: OriginCache,
    scratch: Path,
    *,
    is_taken: bool,
) -> list[UnpushedCommits]:
    """Return those of the repositories in a workspace that hold commits which are nowhere else.

    `git_dirs` are a name and a git directory each. With `is_taken`, the checked out commit of
    the workspace's own was applied. Raises `UserError`.
    """
    found: list[UnpushedCommits] = []
    for name, git_dir in git_dirs:
        source = await _counterpart(workspace, name, git_dir, asked)
        foreign = replace(git_dir, source=source)
        async with foreign.opened(scratch) as git:
            one = await _own(name, git, source, asked, is_taken=is_taken and not name)
        if one:
            found.append(replace(one, git=foreign))
    return found


async def _counterpart(
    workspace: Workspace, name: str, git_dir: ForeignRepository, asked: OriginCache
) -> Repository | None:
    """Return the repository that one in the workspace is a copy of, where that is known."""
    if not workspace.source:
        return None
    if name and workspace.kind is WorkspaceKind.WORKTREE:
        return await _of_submodule(git_dir)
    source = Path(workspace.source) / name
    workspaces = local_path(workspace).parent.parent
    if not source.is_dir() or workspace_roots.is_in_any(source, workspaces):
        return None  # an agent may write there: git does not run in it
    try:
        return await asked.find(source)
    except UserError as error:  # then nothing in it counts as kept
        if error.code == "WORKSPACE_UNSAFE":
            return None
        raise


async def _of_submodule(git_dir: ForeignRepository) -> Repository | None:
    """Return what the user's repository keeps of a submodule, where a worktree keeps its own."""
    common = git_dir.root.parent.parent
    if git_dir.root.parent.name != "worktrees" or not git_dir.inside.startswith("modules/"):
        return None
    try:
        return await module_at(common / git_dir.inside)
    except UserError as error:
        if error.code == "WORKSPACE_UNSAFE":
            return None
        raise


async def _own(
    name: str, git: Git, source: Repository | None, asked: OriginCache, *, is_taken: bool
) -> UnpushedCommits | None:
    refs = await repository.refs(git)
    mine = {sha for sha, ref in refs if not ref.startswith("refs/remotes/")}
    if any(ref == "refs/stash" for _, ref in refs):
        mine.update((await git.ask("rev-list", "-g", "refs/stash")).out.decode("ascii").split())
    known = {sha for sha, ref in refs if ref.startswith("refs/remotes/")}
    branch = await heads.checked_out(git.git_dir)
    stands = next((sha for sha, ref in refs if ref == branch), None) or await head(git)
    if stands and is_taken:
        known.add(stands)
    elif stands:
        mine.add(stands)
    if source:
        known |= await _known(git, mine, source, asked)
    if not mine - known:
        return None
    wanted = [*sorted(mine - known), *(f"^{sha}" for sha in sorted(known))]
    out = await git.run("rev-list", "--count", "--stdin", stdin="\n".join(wanted).encode())
    without = tuple(f"^{sha}" for sha in sorted(known)[:KNOWN_SHOWN])
    named = ("--all", "--reflog", *(("HEAD",) if stands else ()))
    return UnpushedCommits(git, name, int(out), named, without) if int(out) else None


async def head(git: Git) -> str | None:
    """Return the commit that is checked out."""
    answer = await git.ask("rev-parse", "-q", "--verify", "HEAD^{commit}")
    return answer.out.decode("ascii").strip() if answer.code == 0 else None


async def _known(git: Git, mine: set[str], source: Repository, asked: OriginCache) -> set[str]:
    """Return the commits of both that decide whether the source reaches a commit."""
    tips = {sha for sha, _ in await asked.refs(source)}
    tips.update(filter(None, [source.head]))
    if mine <= tips:
        return mine
    both = tips & mine | await _have(git, tips - mine)
    for sha in await _have(source.git, mine - both):
        if await worktree.is_elsewhere(source, "", sha):
            both.add(sha)
    return both


async def _have(git: Git, wanted: set[str]) -> set[str]:
    """Return those of these objects that a repository has."""
    if not wanted:
        return set()
    asked = "".join(f"{sha}\n" for sha in sorted(wanted)).encode()
    out = await git.run("cat-file", "--batch-check=%(objectname)", stdin=asked)
    lines = out.decode("utf-8", "replace").splitlines()
    return {line for line in lines if not line.endswith(" missing")}
