"""The last apply of edits taken back, as long as nothing in the source has changed since."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from engine.config.locks import lock_for, locked, to_the_end
from engine.domain.errors import UserError, os_failure, user_error
from engine.domain.text import printable_name
from engine.workspaces.apply import file_transaction
from engine.workspaces.apply.applied_history import AppliedEdits, AppliedHistory
from engine.workspaces.apply.apply import ApplyRequest, find_target, finish_earlier, root_of_target
from engine.workspaces.apply.edits import found_files, stage_files
from engine.workspaces.apply.progress import Progress
from engine.workspaces.apply.staging import journal_for
from engine.workspaces.checkpoints.changes import FileSides
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.git.contents import contents, grouped
from engine.workspaces.git.repository import Repository

SHOWN = 8


@dataclass(frozen=True, slots=True)
class UndoneApply:
    """The folder in which an apply was undone, and the files that are as they were before."""

    to: str
    files: tuple[str, ...]


async def undo(
    run: Checkpoints,
    to: Path,
    home: Path,
    progress: Progress,
    record: Callable[[UndoneApply], Awaitable[object]],
) -> UndoneApply:
    """Put the files that the last apply of a run changed in `to` back, all or none.

    Raises `UserError` UNDO_REFUSED, and names what has changed since. Locks lie in `home`. The
    result is given to `record` before the run's own history of it is removed: if a process ends
    in between, another undo finishes.
    """
    wish = ApplyRequest(to)
    if not to.is_dir():
        raise user_error("SOURCE_NOT_FOUND", f"The folder {printable_name(str(to))} is gone.")
    try:
        repository = await find_target(wish)
        root = await root_of_target(run, wish, repository)
        async with locked(lock_for(home, root)):
            await finish_earlier(repository, root, home, really=True)
            here = AppliedHistory(run, root, repository.branch if repository else None)
            edits = await here.last_edits()
            if edits is None:
                where = printable_name(str(to))
                raise _refused(f"no apply to {where}, as it is checked out now, can be undone")
            if edits.head != head_of(repository):
                raise _refused("the source has another commit checked out")
            await _put_back(run, repository, root, home, edits, progress)
            done = UndoneApply(str(to), tuple(os.fsdecode(path) for path in sorted(edits.paths)))
            await record(done)
            await here.forget_edits(edits)
    except OSError as error:  # whatever was begun has been taken back
        raise os_failure(error) from error
    return done


def head_of(repository: Repository | None) -> str:
    """Return the commit that is checked out; empty without a repository or a commit."""
    return (repository and repository.head) or ""


async def _put_back(
    run: Checkpoints,
    repository: Repository | None,
    root: Path,
    home: Path,
    edits: AppliedEdits,
    progress: Progress,
) -> None:
    pairs = [
        FileSides(path, edits.after.get(path), edits.before.get(path))
        for path in sorted(edits.paths)
    ]
    found = await asyncio.to_thread(found_files, root, pairs, run.object_format)
    changed = [pair.path for pair in pairs if found[pair.path][1] != pair.old]
    if len(changed) == len(pairs) and all(found[one.path][1] == one.new for one in pairs):
        progress.stop.begin()
        return  # an undo that was not recorded: its process ended
    if changed:
        raise _refused(_named(changed))
    infos = {path: info for path, (info, _) in found.items()}
    files = {pair.path: pair.new for pair in pairs}
    near = repository.git_dir if repository else None
    moving = file_transaction.FileTransaction(root, journal_for(home, root), near)
    try:
        async with aclosing(grouped(run.git, files)) as groups:
            async for group, folder in groups:
                data = await contents(run.git, (one[1] for one in group.values() if one), folder)
                looked = progress.of(len(files))
                staging = asyncio.to_thread(stage_files, moving, group, infos, data, looked)
                await to_the_end(staging)
        progress.stop.begin()
        await to_the_end(asyncio.to_thread(moving.place))
    except file_transaction.ConcurrentChange as error:
        raise _refused(_named([error.path])) from error
    finally:
        moving.finish()


def _named(paths: list[bytes]) -> str:
    shown = ", ".join(printable_name(os.fsdecode(path)) for path in paths[:SHOWN])
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return f"changed since: {shown}{more}"


def _refused(why: str) -> UserError:
    return user_error("UNDO_REFUSED", f"Nothing was undone: {why}.")
