"""Workspaces that are linked git worktrees, on a branch of their own.

Only the registration is done by git in the user's repository, one at a time; files are checked out
with a private git directory, so that no hook, filter or setting of the repository runs.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import time
from collections.abc import Container, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.config import workspace_roots
from engine.config.locks import lock_for, locked
from engine.config.paths import private_folder
from engine.domain.errors import user_error
from engine.domain.model import Workspace, WorkspaceKind
from engine.domain.text import printable_name
from engine.system.files import read_regular, real_path
from engine.workspaces.create.checkout import check_out
from engine.workspaces.create.free_space import check_checkout
from engine.workspaces.create.missing_parts import Lacking, objects_lacking
from engine.workspaces.create.submodule_checkout import SubmoduleCheckout
from engine.workspaces.create.uncommitted import Uncommitted, bring, uncommitted
from engine.workspaces.files import removal
from engine.workspaces.files.copying import CopyAllowance
from engine.workspaces.git import branch_settings
from engine.workspaces.git.git import Git
from engine.workspaces.git.heads import checked_out, checked_out_in
from engine.workspaces.git.repository import (
    POINTER_BYTES,
    PULLS,
    Repository,
    find,
    must_find,
    private_git,
)
from engine.workspaces.git.user_git_config import UserGitConfig, user_git_config

BRANCHES = 100
MAKING_S = (
    3600.0  # so long after its registration, a worktree without a folder may be in the making
)


@dataclass(frozen=True, slots=True)
class CreatedWorkspace:
    """A workspace, and what the user should know about how it was made."""

    workspace: Workspace
    notices: tuple[str, ...] = ()
    lacking: Lacking = field(default_factory=Lacking)


async def create(
    source: Path,
    target: Path,
    branch: str,
    home: Path,
    *,
    include_uncommitted: bool = False,
    allowance: CopyAllowance | None = None,
    commit: str | None = None,
    there: Repository | None = None,
) -> CreatedWorkspace:
    """Make a worktree of the repository around `source` at `target`, replacing an unfinished one.

    `branch` is a short name; where it holds commits of its own, the new one gets a number. It
    starts at `commit`, or at HEAD. `there` is the repository, where it is known already. Locks lie
    in `home`. Raises `UserError`.
    """
    there = there or await must_find(source, needs_commit=commit is None)
    repository = replace(there, head=commit or there.head)
    private_folder(target.parent)
    pruning = prune(there, home)
    who, _ = await asyncio.gather(user_git_config(repository, home), pruning)
    assert repository.head
    await check_checkout(repository.git, repository.head, target)
    # What is brought along makes the files what they are in the source, whatever it stands at now.
    measured = repository if include_uncommitted else there
    looking = asyncio.create_task(_uncommitted(measured, who, target.parent))
    try:
        name, index = await register(repository, target, branch, home)
        try:
            laid_out = await check_out(repository, target, index, who, target.parent)
            filling = SubmoduleCheckout(home, target.parent, include_uncommitted, allowance)
            await filling.fill(repository, target, index.parent)
            found = await looking
            brought = (
                await _brought(repository, target, found, allowance)
                if (include_uncommitted and found.files)
                else []
            )
            lacks = await _lacking(repository, index, who, found, include_uncommitted)
        except BaseException:
            await asyncio.shield(remove(repository, target, name, home))
            raise
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    # The folder `source` itself, not the repository's top, is what the user knows it by.
    workspace = Workspace(str(target), WorkspaceKind.WORKTREE, str(real_path(source)), name)
    lacking = replace(lacks, submodules=filling.filled, pointers=laid_out.pointers)
    return CreatedWorkspace(workspace, (*laid_out.notices, *brought), lacking)


async def register(
    repository: Repository, target: Path, branch: str, home: Path, commit: str | None = None
) -> tuple[str, Path]:
    """Register an empty worktree at `target`; return its branch and the path of its index."""
    commit = commit or repository.head
    assert commit
    git = repository.git
    async with locked(lock_for(home, repository.common_dir)):
        await _unregister(repository, target)
        name, adding = branch, ("worktree", "add", "--no-checkout", "-q")
        if (await git.ask(*adding, "-b", name, str(target), commit)).code:  # likely it is taken
            name = await _free_branch(repository, await unblocked(git, branch), commit)
            there = await tip_of(git, name) == commit
            made = (str(target), name) if there else ("-b", name, str(target), commit)
            await git.run(*adding, *made)
    git_dir = registration(repository, target)
    if git_dir is None:
        raise user_error("GIT_FAILED", "git made a worktree that cannot be found.")
    await asyncio.to_thread(target.chmod, 0o700)
    return name, git_dir / "index"


def registration(repository: Repository, target: Path) -> Path | None:
    """Find where the repository keeps what it knows of the worktree at `target`."""
    wanted = os.fsencode(target.absolute() / ".git")
    places = {wanted, os.fsencode(real_path(target.parent) / target.name / ".git")}
    folder = repository.common_dir / "worktrees"
    usual = folder / target.name  # git calls it so, unless that was taken
    if _stands_for(usual, places):
        return usual
    found = folder.iterdir() if folder.is_dir() else ()
    return next((place for place in found if _stands_for(place, places)), None)


def registrations(repository: Repository) -> list[tuple[Path, Path]]:
    """Return all worktrees of a repository: the folder of each, and what is kept. Blocking."""
    folder = repository.common_dir / "worktrees"
    found: list[tuple[Path, Path]] = []
    for place in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            text = read_regular(place / "gitdir", POINTER_BYTES).rstrip(b"\n")
        except OSError:
            continue
        found.append((Path(os.path.normpath(place / os.fsdecode(text))).parent, place))
    return found


def below(known: Iterable[tuple[Path, Path]], target: Path) -> list[tuple[str, Path]]:
    """Return those of `registrations` that lie below the folder: the path in it, and what is kept.

    Blocking.
    """
    tops = (target.absolute(), real_path(target.parent) / target.name)
    starts = [f"{top}{os.sep}" for top in tops]
    found: list[tuple[str, Path]] = []
    for at, place in known:
        start = next((start for start in starts if str(at).startswith(start)), None)
        if start:
            found.append((str(at)[len(start) :], place))
    return found


def _stands_for(place: Path, links: Container[bytes]) -> bool:
    try:
        return read_regular(place / "gitdir", POINTER_BYTES).rstrip(b"\n") in links
    except OSError:
        return False


async def remove(
    repository: Repository,
    target: Path,
    branch: str | None,
    home: Path,
    *,
    kept: str | None = None,
) -> bool:
    """Remove a worktree: its folder, its registration and its branch.

    Returns whether the branch was removed. A branch with commits that are on no other branch,
    remote branch or tag stays, unless it is at the commit `kept`, which the caller has; one
    that is checked out anywhere stays always.
    """
    async with locked(lock_for(home, repository.common_dir)):
        await _unregister(repository, target)
        if branch is None:
            return False
        tip = await tip_of(repository.git, branch)
        if tip is None:
            await branch_settings.drop(repository, branch)
            return True
        if await checked_out_in(repository, branch) or not (
            tip == kept or await is_elsewhere(repository, branch, tip)
        ):
            return False
        await repository.git.run("update-ref", "-d", f"refs/heads/{branch}", tip)
        await branch_settings.drop(repository, branch)
    return True


async def discard(source: Path, target: Path, home: Path) -> None:
    """Remove what a try to make a worktree at `target` left, its branch and registration too."""
    repository = await find(source) if source.is_dir() else None
    place = registration(repository, target) if repository else None
    if repository is None or place is None:
        await asyncio.to_thread(clear, target)
        return
    await remove(repository, target, await _branch_of(place, target.name), home)


async def _branch_of(place: Path, run: str) -> str | None:
    """Return the branch of ours that a registered worktree has checked out: it names its run."""
    name = (await checked_out(place) or "").removeprefix("refs/heads/")
    is_ours = re.search(rf"(?<![0-9a-z]){re.escape(run)}(?![0-9a-z])", name)
    return name if is_ours else None


async def prune(repository: Repository, home: Path) -> int:
    """Remove registrations in our roots whose folder is gone; return their number.

    Their branches are removed where they hold nothing of their own. Worktrees elsewhere, for
    instance on a disk that is absent now, are not ours; new ones are left to the process that
    is making them.
    """
    folder = repository.common_dir / "worktrees"
    found = await asyncio.to_thread(_all_gone, folder, home)
    count = 0
    for target, place in found:
        branch = await _branch_of(place, target.name)
        # In a root outside the home the user may have worktrees, too: ours names its run.
        if branch or target.is_relative_to(home) or target.is_relative_to(real_path(home)):
            await remove(repository, target, branch, home)
            count += 1
    return count


def _all_gone(folder: Path, home: Path) -> list[tuple[Path, Path]]:
    roots = workspace_roots.known(home)
    tops = {*roots, *map(real_path, roots)}
    places = list(folder.iterdir()) if folder.is_dir() else []
    return [one for place in places if (one := _gone(place, tops))]


def _gone(place: Path, workspaces: Iterable[Path]) -> tuple[Path, Path] | None:
    """Return where a registered worktree of ours was, and its git directory, if it is gone."""
    try:
        link = place / "gitdir"
        named = read_regular(link, POINTER_BYTES).rstrip(b"\n")
        target = Path(os.fsdecode(named)).parent
        if os.path.lexists(target) or not any(target.is_relative_to(top) for top in workspaces):
            return None
        # A time in the future is one of a clock that was moved back, or of a file server.
        if abs(time.time() - link.stat().st_mtime) < MAKING_S:
            return None
        return target, place
    except OSError:
        return None


async def _unregister(repository: Repository, target: Path) -> None:
    await asyncio.to_thread(clear, target)
    if registration(repository, target):
        # Twice: also where the user has locked it.
        await repository.git.run("worktree", "remove", "--force", "--force", str(target))


def clear(target: Path) -> None:
    """Remove what lies at `target`, never through a link or across a mount; raises OSError."""
    left = removal.remove(target).left
    if left:
        raise OSError(errno.EBUSY, f"cannot be removed whole: {left[0]}", str(target))


async def _is_folder(git: Git, name: str) -> bool:
    """Return whether there are branches below this name: git allows none that is called so."""
    words = ("for-each-ref", "--count=1", "--format=%(refname)", f"refs/heads/{name}/")
    return bool((await git.run(*words)).strip())


async def unblocked(git: Git, branch: str) -> str:
    """Return the name without folders where a branch is called like one of them."""
    parts = branch.split("/")
    above = ["/".join(parts[:count]) for count in range(1, len(parts))]
    taken = [name for name in above if await tip_of(git, name)]
    return branch.replace("/", "-") if taken else branch


async def _free_branch(repository: Repository, branch: str, commit: str) -> str:
    """Return a branch name that is free, or one that stands at `commit` already.

    One that holds nothing of its own is made free.
    """
    git = repository.git
    for number in range(1, BRANCHES):
        name = branch if number == 1 else f"{branch}-{number}"
        tip = await tip_of(git, name)
        if tip is None and not await _is_folder(git, name):
            return name
        if tip is None or await checked_out_in(repository, name):
            continue
        if tip == commit:
            return name
        if await is_elsewhere(repository, name, tip):
            answer = await git.ask("update-ref", "-d", f"refs/heads/{name}", tip)
            if answer.code == 0:
                await branch_settings.drop(repository, name)
                return name
    raise user_error("GIT_FAILED", f"There are too many branches called {printable_name(branch)}.")


async def tip_of(git: Git, branch: str) -> str | None:
    """Return the commit a branch stands at; None where there is no such branch."""
    answer = await git.ask("rev-parse", "-q", "--verify", f"refs/heads/{branch}^{{commit}}")
    return answer.out.decode("ascii").strip() if answer.code == 0 else None


async def is_elsewhere(repository: Repository, branch: str, tip: str) -> bool:
    """Return whether the commit `tip` can be reached from anything but `branch`."""
    if repository.head:
        answer = await repository.git.ask("merge-base", "--is-ancestor", tip, repository.head)
        if answer.code == 0:
            return True
    out = await repository.git.run("for-each-ref", "--format=%(refname)", f"--contains={tip}")
    names = set(os.fsdecode(out).splitlines())
    return any(
        name.startswith(("refs/heads/", "refs/remotes/", "refs/tags/", PULLS))
        for name in names - {f"refs/heads/{branch}"}
    )


# Beside the files of the commit


async def _uncommitted(repository: Repository, user: UserGitConfig, scratch: Path) -> Uncommitted:
    is_there = repository.top and repository.head
    return await uncommitted(repository, user, scratch) if is_there else Uncommitted()


async def _brought(
    repository: Repository, target: Path, found: Uncommitted, allowance: CopyAllowance | None
) -> list[str]:
    """Bring uncommitted files along; return the notices."""
    assert repository.top
    count = len(found.files)
    files = "1 uncommitted file" if count == 1 else f"{count} uncommitted files"
    lost = await asyncio.to_thread(bring, repository.top, target, found.files, allowance)
    notices = [f"{files} of the source brought along"]
    if lost:
        notices.append(f"could not be brought along: {', '.join(lost[:5])}")
    return notices


async def _lacking(
    repository: Repository, index: Path, user: UserGitConfig, found: Uncommitted, is_brought: bool
) -> Lacking:
    outside = 0
    if user.is_sparse:
        with private_git(index.parent, None, None, index) as git:
            listed = await git.run("ls-files", "-t", "-z")
        outside = sum(line.startswith(b"S ") for line in listed.split(b"\0"))
    is_shallow, is_partial = await asyncio.to_thread(objects_lacking, repository.common_dir)
    return Lacking(
        len(found.files),
        is_brought,
        found.nested,
        found.ignored,
        outside=outside,
        is_shallow=is_shallow,
        is_partial=is_partial,
    )
