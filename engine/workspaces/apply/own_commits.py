"""The commit that a worktree has checked out, and where it goes when its base moves."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

from engine.domain.errors import UserError
from engine.domain.text import printable_name
from engine.workspaces.apply.commit_builder import CommitBuilder
from engine.workspaces.apply.lineage import merge_base
from engine.workspaces.apply.placement import HeadMove
from engine.workspaces.apply.upstream import HEAD, NewerBase, refused
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.checkpoints.owned_objects import seeing
from engine.workspaces.create.worktree import registration
from engine.workspaces.git.git import Git
from engine.workspaces.git.heads import busy_with, checked_out
from engine.workspaces.git.repository import Repository
from engine.workspaces.git.signing import signing
from engine.workspaces.git.user_git_config import user_git_config

BY_HAND = "Merge or rebase it with git in the workspace, then update it."


async def worktree_head(store: Checkpoints, branch: str | None) -> HeadMove | None:
    """Return where the worktree of a run stands, as a move that stays there; None without one.

    Raises `UserError` UPDATE_REFUSED where another branch is checked out, or git is busy there.
    """
    if not store.is_worktree or store.repository is None:
        return None
    place = await asyncio.to_thread(registration, store.repository, store.root)
    if place is None:
        return None
    at = replace(store.repository, git_dir=place, top=store.root)
    if reason := await busy_with(at):
        raise refused(f"in the workspace, {reason}", "Finish it with git, or abort it.")
    ref = await checked_out(place)
    if ref and ref != f"{HEAD}{branch}":
        name = printable_name(ref.removeprefix(HEAD))
        raise refused(f"the workspace has the branch {name} checked out, not its own", BY_HAND)
    answer = await Git(place).ask("rev-parse", "-q", "--verify", "HEAD^{commit}")
    if answer.code:
        raise refused("the workspace has no commit checked out", BY_HAND)
    head = answer.out.decode("ascii").strip()
    return HeadMove(os.fspath(place), head, head)


async def taken_over(newer: NewerBase, head: HeadMove | None) -> str:
    """Return the newest commit of the base that the run has merged itself, at least the old one."""
    if head is None:
        return newer.old
    git = newer.repository.git
    found = await merge_base(git, head.old, newer.new)
    if found is None or found == newer.old:
        return newer.old
    is_later = (await git.ask("merge-base", "--is-ancestor", newer.old, found)).code == 0
    return found if is_later else newer.old


async def moved_head(
    store: Checkpoints, newer: NewerBase, head: HeadMove | None, home: Path, *, really: bool
) -> HeadMove | None:
    """Return where the worktree goes: to the new commit, or to a merge of it with its own commits.

    Raises `UserError` UPDATE_REFUSED where its commits cannot be merged.
    """
    if head is None or store.repository is None:
        return None
    git = newer.repository.git
    if await _reaches(git, head.old, newer.new):  # it has merged it already
        return head
    if head.old == newer.old or await _reaches(git, newer.new, head.old):
        return replace(head, new=newer.new)
    if newer.is_rewritten:
        raise refused(
            f"{newer.name} was rewritten, and the workspace has commits of its own", BY_HAND
        )
    commit = await _merged(store, store.repository, newer, head.old, home, really=really)
    return replace(head, new=commit)


async def _reaches(git: Git, new: str, old: str) -> bool:
    return (await git.ask("merge-base", "--is-ancestor", old, new)).code == 0


async def _merged(
    store: Checkpoints,
    found: Repository,
    newer: NewerBase,
    head: str,
    home: Path,
    *,
    really: bool,
) -> str:
    """Make the merge of the run's commits and the new one, without files; return it."""
    git = seeing(store.git, found.objects)
    try:
        answer = await git.ask("merge-tree", "--write-tree", "--name-only", "-z", head, newer.new)
    except UserError as error:
        raise refused(f"its own commits cannot be merged: {error.message}", BY_HAND) from error
    if answer.code:
        names = answer.out.split(b"\0\0")[0].split(b"\0")[1:4]
        listed = ", ".join(printable_name(os.fsdecode(name)) for name in names if name)
        raise refused(
            f"the commits of the workspace conflict with {newer.name}: {listed or 'not mergeable'}",
            BY_HAND,
        )
    if not really:
        return head
    who = await user_git_config(found, home)
    shop = CommitBuilder(git, found, who, signing(who))
    tree = answer.out.split(b"\0")[0].decode("ascii").strip()
    commit = await shop.commit(tree, [head, newer.new], f"Merge {newer.name}")
    await shop.deliver(commit, await shop.tree_of(newer.new))
    return commit
