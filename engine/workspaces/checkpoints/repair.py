"""Damaged stores of checkpoints made whole again, as far as it is known what was in them.

Nothing is guessed and nothing begun again: a checkpoint comes back only as the commit that it was.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import msgspec

from engine.domain.errors import UserError
from engine.system.decoding import json_decoder
from engine.system.durable import write_synced
from engine.workspaces.checkpoints.checkpoint_refs import REFS, has_baseline, known_points
from engine.workspaces.git.git import Git
from engine.workspaces.git.repository import Repository, make_private

_SHA256_DIGITS = 64


def remember(git_dir: Path, n: int, sha: str) -> None:
    """Keep beside the store which commit a checkpoint is; raises OSError."""
    found = _remembered(git_dir)
    if found.get(n) != sha:
        write_synced(_list_of(git_dir), msgspec.json.encode({**found, n: sha}))


async def repaired(git_dir: Path, repository: Repository | None) -> bool:
    """Restore the missing parts of a store; return whether it has its baseline again.

    Raises `UserError` where git cannot be run, OSError where nothing can be written.
    """
    if not (git_dir / "objects").is_dir():
        return False
    await asyncio.to_thread(_put_back_files, git_dir, repository)
    git = Git(git_dir)
    commits = await asyncio.to_thread(_commits, git_dir)
    for n, sha in commits.items():
        ref = git_dir / REFS / str(n)
        if not await _is_whole(git, f"{REFS}/{n}") and await _is_whole(git, sha):
            await asyncio.to_thread(write_synced, _free(ref), f"{sha}\n".encode())
    return await asyncio.to_thread(has_baseline, git_dir)


def _put_back_files(git_dir: Path, repository: Repository | None) -> None:
    """Write `HEAD` and settings again: they are the same in every store."""
    ids = _commits(git_dir).values()
    known = "sha256" if any(len(sha) == _SHA256_DIGITS for sha in ids) else "sha1"
    make_private(git_dir, repository, known, borrows=False)
    packed = git_dir / "packed-refs"
    if packed.is_file() and b"\0" in packed.read_bytes():
        packed.rename(git_dir / "packed-refs.damaged")


def _free(ref: Path) -> Path:
    """Make the folder of a ref, for the file to be written there."""
    ref.parent.mkdir(parents=True, exist_ok=True)
    return ref


def _commits(git_dir: Path) -> dict[int, str]:
    known = {n: point.sha for n, point in known_points(git_dir).items()}
    return {**known, **_remembered(git_dir)}


def _remembered(git_dir: Path) -> dict[int, str]:
    with suppress(OSError, msgspec.DecodeError, RecursionError):
        return json_decoder(dict[int, str])(_list_of(git_dir).read_bytes())
    return {}


def _list_of(git_dir: Path) -> Path:
    return git_dir.with_suffix(".points.json")


async def _is_whole(git: Git, commit: str) -> bool:
    """Return whether a commit and all that it holds can be read."""
    try:
        # A broken ref is only a warning to rev-list, which then lists nothing.
        found = await git.ask("rev-parse", "-q", "--verify", f"{commit}^{{commit}}")
        answer = await git.ask("rev-list", "--objects", "--quiet", commit)
    except UserError:
        return False
    return found.code == 0 and answer.code == 0
