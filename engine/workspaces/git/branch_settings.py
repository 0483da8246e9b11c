"""A repository's settings of one branch: its `[branch "…"]` section."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable

from engine.workspaces.git.repository import Repository

_log = logging.getLogger(__name__)


async def of(found: Repository, branch: str) -> list[tuple[str, str]]:
    """Return the names and values of the section of a branch, in order."""
    answer = await found.git.ask("config", *_file(found), "-z", "--get-regexp", r"^branch\.")
    prefix = f"branch.{branch}."
    settings: list[tuple[str, str]] = []
    for line in answer.out.split(b"\0"):
        key, _, value = os.fsdecode(line).partition("\n")
        # What follows the branch's own name has no dot: `swarm/a.b` is another branch.
        if key.startswith(prefix) and "." not in key.removeprefix(prefix):
            settings.append((key.removeprefix(prefix), value))
    return settings


async def drop(found: Repository, branch: str) -> None:
    """Remove the section of a branch that was removed; another's is never touched."""
    answer = await found.git.ask("config", *_file(found), "--remove-section", f"branch.{branch}")
    if answer.code and await of(
        found, branch
    ):  # locked, or not writable: the section is of no use, and does no harm
        _log.warning("%s: the settings of %s stay: %s", found.git_dir, branch, answer.complaint)


async def put_back(found: Repository, branch: str, settings: Iterable[tuple[str, str]]) -> None:
    """Write the section of a branch that is there again, unless it has one."""
    if await of(found, branch):
        return
    for name, value in settings:
        answer = await found.git.ask(
            "config", *_file(found), "--add", f"branch.{branch}.{name}", value
        )
        if answer.code:
            _log.warning("%s: %s of %s is lost: %s", found.git_dir, name, branch, answer.complaint)


def _file(found: Repository) -> tuple[str, str]:
    return "--file", str(found.common_dir / "config")
