"""Commits that a repository reaches now: from all refs but one, stashes and other working trees.

Reflogs do not count: git drops what only they reach.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from engine.system.files import real_path
from engine.workspaces.checkpoints.changes import DIFF, parse_pairs
from engine.workspaces.git import heads, repository
from engine.workspaces.git.git import Git
from engine.workspaces.git.objects import Entry
from engine.workspaces.git.repository import Repository

EARLIER_S = 86_400
"""Commits so much older than a run, in seconds, may still be its own: clocks differ."""


@dataclass(frozen=True, slots=True)
class Reachability:
    """The commits from which all else is reached in a repository, `tips`."""

    git: Git
    tips: tuple[str, ...]

    async def has(self, commit: str) -> bool:
        """Return whether a commit is there and reached."""
        if (await self.git.ask("cat-file", "-e", f"{commit}^{{commit}}")).code:
            return False
        lines = "\n".join([commit, *(f"^{tip}" for tip in self.tips)])
        asked = ("rev-list", "-n", "1", "--ignore-missing", "--stdin")
        return not (await self.git.run(*asked, stdin=lines.encode())).strip()

    async def brought_since(self, began: float) -> set[tuple[bytes, Entry | None]]:
        """Return what commits made since then changed: each path, and what it became."""
        if not self.tips:
            return set()
        oldest = f"--max-age={max(0, int(began) - EARLIER_S)}"
        asked = ("rev-list", "--ignore-missing", oldest, "--stdin")
        commits = await self.git.run(*asked, stdin="\n".join(self.tips).encode())
        if not commits:
            return set()
        how = ("--stdin", "--root", "-m", "--no-commit-id", "--raw", "--no-renames", "--abbrev=64")
        out = await self.git.run(*DIFF, *how, stdin=commits)
        return {(pair.path, pair.new) for pair in parse_pairs(out)}


async def reach(
    found: Repository, without: str | None, workspace: Path | None = None
) -> Reachability:
    """Return what a repository reaches without the branch `without` and the worktree `workspace`.

    `without` is a full ref name. Raises `UserError`.
    """
    refs = await repository.refs(found.git)
    tips = {sha for sha, ref in refs if ref != without}
    if any(ref == "refs/stash" for _, ref in refs):
        stashed = await found.git.ask("rev-list", "-g", "refs/stash")
        tips.update(stashed.out.decode("ascii").split())
    tips |= await heads.detached(found, [*_names(workspace)])
    return Reachability(found.git, tuple(sorted(tips)))


def _names(workspace: Path | None) -> Iterable[Path]:
    return (workspace, real_path(workspace.parent) / workspace.name) if workspace else ()
