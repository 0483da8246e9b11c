"""Commits made for the user: built aside in the run's store, then carried into the repository."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from engine.system.durable import sync_path, sync_tree
from engine.workspaces.checkpoints.changes import DIFF, FileSides, parse_pairs
from engine.workspaces.create.worktree import registration
from engine.workspaces.git import objects, signing
from engine.workspaces.git.folder_trees import SUBMODULE
from engine.workspaces.git.git import Git
from engine.workspaces.git.objects import Entry
from engine.workspaces.git.repository import Repository
from engine.workspaces.git.signing import Signing
from engine.workspaces.git.user_git_config import UserGitConfig


@dataclass(frozen=True, slots=True)
class CommitBuilder:
    """Builder of commits in the run's store, which sees the repository's objects."""

    git: Git
    repository: Repository
    who: UserGitConfig
    signing: Signing | None = None
    """Signing of commits, where they are signed."""

    async def tree_of(self, commit: str) -> str:
        """Return a commit's tree."""
        return await self._output("rev-parse", "--verify", f"{commit}^{{tree}}")

    async def changed_tree(self, commit: str, files: Mapping[bytes, Entry | None]) -> str:
        """Build a commit's tree with these files changed (None: without them)."""
        return await objects.changed_tree(self.git, commit, files)

    async def commit(self, tree: str, parents: list[str], message: str) -> str:
        """Make a commit in the user's name, signed where the user signs commits."""
        env = {**self.git.env, **self.who.identity}
        git = replace(self.git, env=env)
        heads = [word for parent in parents for word in ("-p", parent)]
        text = message.replace("\0", "").strip() or "Changes of a run"
        data = f"{text}\n".encode("utf-8", "replace")
        if self.signing is None:
            out = await git.run("commit-tree", tree, *heads, stdin=data)
            return out.decode("ascii").strip()
        words = ("commit-tree", "-S", tree, *heads)
        answer = await self.signing.git(git).ask(*words, stdin=data, limit_s=signing.LIMIT_S)
        if answer.code:
            raise signing.refused(answer)
        return answer.out.decode("ascii").strip()

    async def pairs(self, old: str, new: str) -> list[FileSides]:
        """Return the differences between two trees."""
        out = await self.git.run(*DIFF, "--raw", "--no-renames", "--abbrev=64", old, new)
        return parse_pairs(out)

    async def deliver(self, commit: str, base: str) -> None:
        """Copy a commit, and what its tree has over that of `base`, into the repository."""
        tree = await self.tree_of(commit)
        out = await self.git.run(*DIFF, "-t", "--raw", "--no-renames", "--abbrev=64", base, tree)
        sides = [pair.new for pair in parse_pairs(out)]
        new = [side[1] for side in sides if side and side[0] != SUBMODULE]
        started = time.time()
        await objects.copy_objects(self.git, self.repository.git, [commit, tree, *new])
        await asyncio.to_thread(sync_tree, self.repository.common_dir / "objects", started)

    async def is_ancestor(self, old: str, new: str) -> bool:
        """Return whether `new` has all of the repository's commits up to `old`."""
        answer = await self.git.ask("merge-base", "--is-ancestor", old, new)
        return answer.code == 0

    async def move(self, refs: Mapping[str, tuple[str, str | None]], why: str) -> None:
        """Set all these refs, {name: (new, old)}, or none; raises `UserError` where one has moved.

        An old value of None means that the ref is new.
        """
        git, started = self.repository.git, time.time()
        env = self.who.identity
        lines = [b"start"]
        for name, (new, old) in refs.items():
            before = old or "0" * len(new)
            lines.append(b"update %s %s %s" % (os.fsencode(name), new.encode(), before.encode()))
        lines += [b"prepare", b"commit", b""]
        await Git(git.git_dir, env=env).run(
            "update-ref", "-m", why, "--stdin", stdin=b"\n".join(lines)
        )
        await asyncio.to_thread(self._sync_refs, started)

    def _sync_refs(self, since: float) -> None:
        """Write moved refs through to the disk: git syncs no folder, and old ones no ref."""
        for folder in {self.repository.git_dir, self.repository.common_dir}:
            sync_tree(folder / "refs", since)
            sync_tree(folder / "logs", since)
            for name in ("HEAD", "packed-refs", ""):
                sync_path(folder / name)

    async def _output(self, *arguments: str) -> str:
        return (await self.git.run(*arguments)).decode("ascii").strip()


async def follow_branch(git: Git, repository: Repository, workspace: Path, commit: str) -> None:
    """Set the index of a run's worktree to its branch's new commit, if nothing holds it."""
    place = registration(repository, workspace)
    if place and workspace.is_dir():
        # No file is read, to refresh the index: git opens them by name.
        at = replace(git, files=workspace, index=place / "index", watched=True)
        await at.ask("read-tree", "--reset", commit)
