"""The files of a commit checked out with a private git directory of ours.

No hook, filter or setting of the repository runs.
"""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

from engine.workspaces.git.filters import POINTERS_STAY, CheckedOut, filters
from engine.workspaces.git.git import failure
from engine.workspaces.git.repository import Repository, private_git
from engine.workspaces.git.user_git_config import UserGitConfig

WORKERS = 4
"""Processes that check files out, where there are many."""


async def check_out(
    repository: Repository, target: Path, index: Path, user: UserGitConfig, scratch: Path
) -> CheckedOut:
    """Put the files of HEAD into the folder `target`; return what is to be known of them.

    `index` lies in the git directory of that folder. Raises `UserError`.
    """
    assert repository.head
    several = (*user.sparse, f"checkout.workers={WORKERS}")
    checkout = ("read-tree", "--reset", "-u", "--no-recurse-submodules", repository.head)
    await asyncio.to_thread(_bring_cone, repository, index.parent, user)
    with private_git(scratch, repository, target, index) as git:
        plain = replace(git, settings=(*user.settings, *several))
        filtering = replace(user.converting(git, "smudge", several), env=POINTERS_STAY)
        answer = await filtering.ask(*checkout)
        if answer.code == 0:
            return await filters(plain, user)
        if not user.filters.own:
            raise failure(checkout[0], answer)
        # A filter of the user's that fails does not stop a run: files stay as git stores them.
        index.unlink(missing_ok=True)
        await plain.run(*checkout)
        notice = f"a filter failed, so files are as git stores them: {answer.complaint}"
        found = await filters(plain, user)
        return replace(found, notices=(notice, *found.notices))


def _bring_cone(repository: Repository, git_dir: Path, user: UserGitConfig) -> None:
    """Copy the cone of a sparse source into a git directory, as newer versions of git do."""
    there, here = (place / "info" / "sparse-checkout" for place in (repository.git_dir, git_dir))
    if user.is_sparse and there.is_file() and not here.exists():
        here.parent.mkdir(exist_ok=True)
        shutil.copyfile(there, here)
