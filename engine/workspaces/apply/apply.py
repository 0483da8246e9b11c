"""Taking a run's changes home into its source: as edits, a commit, a merge or a patch.

Whatever is asked for is first worked out aside, three ways: what the run found, what it left, what
the source has become. `check` stops there; `apply` goes on only if nothing stood against it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from engine.config.locks import lock_for, locked
from engine.domain.errors import UserError, os_failure, user_error
from engine.domain.text import printable_name
from engine.system.files import real_path
from engine.workspaces.apply import file_transaction
from engine.workspaces.apply.applied_history import AppliedHistory
from engine.workspaces.apply.branch_update import recovered
from engine.workspaces.apply.edits import WorkingFileEdits
from engine.workspaces.apply.line_endings import LineEndings, line_ends
from engine.workspaces.apply.lineage import Lineage, lineage, on_newer, taken_back
from engine.workspaces.apply.merge import CommitResult, Merge
from engine.workspaces.apply.progress import NOT_SHOWN, Progress
from engine.workspaces.apply.staging import journal_for
from engine.workspaces.apply.submodules import ModuleCommits, NestedChanges, nested_changes
from engine.workspaces.apply.three_way import BroughtChanges, Conflict
from engine.workspaces.checkpoints.changes import FileSides
from engine.workspaces.checkpoints.checkpoint_refs import BASELINE
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.checkpoints.owned_objects import seeing
from engine.workspaces.create.isolation import check_apart
from engine.workspaces.git.heads import worktrees_beside
from engine.workspaces.git.objects import Entry
from engine.workspaces.git.repository import Repository, find
from engine.workspaces.git.signing import signing
from engine.workspaces.git.user_git_config import user_git_config

SHOWN = 8
WORKTREES = 6
"""Worktrees that are named where one has to be chosen."""


class ApplyMode(StrEnum):
    """A way to apply changes."""

    EDITS = "edits"
    COMMIT = "commit"
    MERGE = "merge"
    PATCH = "patch"


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """A request to apply changes.

    `to` is the source, or another folder. `branch` is the short name of the run's branch:
    commits go there; without one, a merge is a plain commit on the current branch. `since` and
    `until` are checkpoints, `until` None the workspace as it is. `patch` is the open file for a
    patch.
    """

    to: Path
    how: ApplyMode = ApplyMode.EDITS
    branch: str | None = None
    message: str = ""
    since: int = BASELINE
    until: int | None = None
    patch: BinaryIO | None = None
    progress: Progress = NOT_SHOWN


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """The result of an apply or of its check: the paths that change in `to`, and the conflicts."""

    files: tuple[str, ...] = ()
    clashes: tuple[Conflict, ...] = ()
    commit: str | None = None
    branch: str | None = None
    into: str | None = None
    """The branch that a merge went into; None where a commit was checked out."""
    signed: bool | None = None
    """True if the commit was signed; None where none was made. No hooks are ever run."""
    left_out: tuple[str, ...] = ()
    """Changed files of the workspace that could not be read, and so are not among them."""

    links_left: tuple[str, ...] = ()
    """Submodules whose commit was not brought, as edits bring files alone."""
    is_nothing: bool = False
    """True if the run changed nothing: then it does not count as applied."""

    @property
    def fits(self) -> bool:
        """Return whether nothing stands against it."""
        return not self.clashes


@dataclass(frozen=True, slots=True)
class IncomingChanges:
    """The trees of the run before and after its changes, and the places of earlier applies.

    `here` is the current branch, `aside` the run's own, where it has one.
    """

    here: AppliedHistory
    aside: AppliedHistory | None
    old: str
    new: str


async def check(run: Checkpoints, wish: ApplyRequest, home: Path) -> ApplyResult:
    """Return what `apply` would do, and change nothing; raises `UserError`."""
    return await _apply(run, wish, home, really=False)


async def apply(run: Checkpoints, wish: ApplyRequest, home: Path) -> ApplyResult:
    """Apply the changes, all or none; raises `UserError` APPLY_CONFLICT naming the files.

    Files with uncommitted changes are never touched, unless they are, byte for byte, what the run
    started from. Locks lie in `home`.
    """
    outcome = await _apply(run, wish, home, really=True)
    if outcome.clashes:
        raise conflict(outcome.clashes)
    return outcome


class ApplyConflict(UserError):
    """The error of changes that do not fit, with the conflicts."""

    clashes: tuple[Conflict, ...] = ()


def conflict(clashes: Iterable[Conflict]) -> ApplyConflict:
    """Return the error for conflicts with the run's changes."""
    found = list(clashes)
    listed = [
        f"{printable_name(clash.path)} ({clash.why})" if clash.path else clash.why
        for clash in found[:SHOWN]
    ]
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    codes = {clash.code for clash in found}
    told = user_error(
        codes.pop() if len(codes) == 1 else "APPLY_CONFLICT",
        f"The run's changes do not fit, and nothing was changed: {', '.join(listed)}{more}.",
    )
    error = ApplyConflict(told.message, told.recovery, told.code, told.docs_url)
    error.clashes = tuple(found)
    return error


async def _apply(run: Checkpoints, wish: ApplyRequest, home: Path, *, really: bool) -> ApplyResult:
    try:
        return await _apply_as(run, wish, home, really=really)
    except OSError as error:  # whatever was begun has been taken back
        raise os_failure(error) from error


async def _apply_as(
    run: Checkpoints, wish: ApplyRequest, home: Path, *, really: bool
) -> ApplyResult:
    if wish.how is ApplyMode.PATCH:
        return await _patched(run, wish)
    if not wish.to.is_dir():
        name = printable_name(str(wish.to))
        raise user_error("SOURCE_NOT_FOUND", f"The folder {name} does not exist.")
    await asyncio.to_thread(check_apart, wish.to, home, may_contain=True)
    repository = await find_target(wish)
    root = await root_of_target(run, wish, repository)
    async with locked(lock_for(home, root)):
        await finish_earlier(repository, root, home, really=really)
        old, new, left_out = await run.trees(wish.since, wish.until)
        here = AppliedHistory(run, root, repository.branch if repository else None)
        if wish.how is ApplyMode.EDITS:
            edits = WorkingFileEdits(run, repository, root, home, here, wish.progress)
            outcome, files = await _edited(edits, here, old, new, really=really)
            brought = [(here, files)]
        elif repository is None or repository.head is None:
            name = printable_name(str(wish.to))
            raise user_error(
                "INPUT_INVALID",
                f"{name} is in no git repository with commits.",
                "Apply the changes as edits or as a patch.",
            )
        else:
            aside = AppliedHistory(run, root, f"refs/heads/{wish.branch}") if wish.branch else None
            coming = IncomingChanges(here, aside, old, new)
            outcome = await _committed(run, repository, wish, root, home, coming, really=really)
            both = (aside,) if wish.how is ApplyMode.COMMIT else (aside, here)
            brought = [(one, dict[bytes, Entry | None]()) for one in both if one]
        if really and outcome.fits:
            for place, files in brought:
                await place.note(new, files)
    return replace(outcome, left_out=left_out)


async def _patched(run: Checkpoints, wish: ApplyRequest) -> ApplyResult:
    pairs, left_out = await run.write_patch(wish.patch, wish.since, wish.until)
    return ApplyResult(_names(pair.path for pair in pairs), left_out=left_out)


async def _edited(
    edits: WorkingFileEdits, here: AppliedHistory, old: str, new: str, *, really: bool
) -> tuple[ApplyResult, dict[bytes, Entry | None]]:
    whole = await here.bringing(old, new)
    nested = await nested_changes(edits.run, old, new, whole.pairs)
    bringing, links = await asyncio.to_thread(nested.for_edits, whole, edits.root)
    joined = await edits.apply(bringing, await here.placed(), really=really)
    outcome = ApplyResult(_names(joined.files), tuple(joined.clashes), links_left=_names(links))
    return outcome, joined.files


async def find_target(wish: ApplyRequest) -> Repository | None:
    """Find the repository; for plain edits one is not needed that git may not run in."""
    try:
        return await find(wish.to)
    except UserError as error:
        if wish.how is ApplyMode.EDITS and error.entry.hides_repository:
            return None
        raise


def _names(paths: Iterable[bytes]) -> tuple[str, ...]:
    return tuple(os.fsdecode(path) for path in sorted(paths))


async def root_of_target(
    run: Checkpoints, wish: ApplyRequest, repository: Repository | None
) -> Path:
    """Return the folder that the workspace's root stands for."""
    real = real_path(wish.to)
    if run.is_worktree and repository:
        if repository.top:
            return repository.top
        if wish.how in (ApplyMode.EDITS, ApplyMode.MERGE):
            raise await _bare(run, wish, repository)
    return real


async def _bare(run: Checkpoints, wish: ApplyRequest, repository: Repository) -> UserError:
    """Return the error for a bare repository, with the worktrees that could be meant."""
    beside = await worktrees_beside(repository, run.root.parent.parent)
    named = ", ".join(printable_name(str(top)) for top in beside[:WORKTREES])
    named += f" and {len(beside) - WORKTREES} more" if len(beside) > WORKTREES else ""
    name = printable_name(str(wish.to))
    return user_error(
        "INPUT_INVALID",
        f"{name} is a bare repository: it has no files and no current branch to merge into.",
        f"Name one of its worktrees with --to ({named}), or apply as a commit or as a patch."
        if beside
        else "Apply the changes as a commit or as a patch.",
    )


async def _committed(
    run: Checkpoints,
    repository: Repository,
    wish: ApplyRequest,
    root: Path,
    home: Path,
    coming: IncomingChanges,
    *,
    really: bool,
) -> ApplyResult:
    assert repository.head
    who = await user_git_config(repository, home)
    # Only here are the repository's objects needed: the run's own are in its store.
    git = replace(run.git, settings=(*run.git.settings, *who.settings))
    git = seeing(git, repository.objects)
    inside = os.fsencode(root.relative_to(repository.top)) if repository.top else b"."
    modules = ModuleCommits(run, repository, b"" if inside == b"." else inside + b"/")
    pairs = await run.between(coming.old, coming.new)
    nested = await nested_changes(run, coming.old, coming.new, pairs)
    changed = _below(inside, nested.for_commit(BroughtChanges(pairs)).pairs)
    clashes = [*nested.clashes, *await modules.bring(changed, really=False)]
    if clashes:
        return ApplyResult(_names(pair.path for pair in changed), tuple(clashes))
    own = await lineage(run, repository, wish.branch)
    signer = signing(who) if really else None
    async with line_ends(git, who, repository.head, changed) as converted:
        stored = _Stored(run, coming, nested, own, converted, inside)
        # A branch that is made from HEAD begins with all that was applied here.
        branch_history = coming.aside if own.parent else coming.here
        aside, here = await stored.bringing(branch_history), await stored.bringing(coming.here)
        if converted.clashes:
            names = (pair.path for pair in changed)
            return ApplyResult(_names(names), tuple(converted.clashes))
        if really:
            await modules.bring(changed, really=True)
        merge = Merge(git, repository, who, converted, run.root, own, signer, wish.progress)
        if wish.how is ApplyMode.COMMIT:
            done = await merge.commit(aside, wish.branch, wish.message, really=really)
        else:
            is_own = wish.branch and f"refs/heads/{wish.branch}" != repository.branch
            side = (wish.branch, aside) if wish.branch and is_own else None
            newer = await on_newer(repository.git, own, repository.head, here.pairs)
            here = replace(here, pairs=newer)
            done = await merge.merge(here, side, wish.message, home, really=really)
    return _outcome(done)


def _outcome(done: CommitResult) -> ApplyResult:
    return ApplyResult(
        _names(done.files),
        tuple(done.clashes),
        done.commit,
        done.branch,
        into=done.into,
        signed=done.signed,
    )


@dataclass(frozen=True, slots=True)
class _Stored:
    """A run's changes as the repository stores files, in its folder `inside`."""

    run: Checkpoints
    coming: IncomingChanges
    nested: NestedChanges
    own: Lineage
    converted: LineEndings
    inside: bytes

    async def bringing(self, taken: AppliedHistory | None) -> BroughtChanges:
        """Return what is to be brought to the run's branch, or to the current one."""
        coming, prefix = self.coming, b"" if self.inside == b"." else self.inside + b"/"
        whole = await (taken or coming.here).bringing(coming.old, coming.new)
        found = self.nested.for_commit(whole)
        paths = {pair.path for pair in (*whole.pairs, *found.pairs)}
        back = await taken_back(self.run, self.own, coming.old, paths, prefix)
        pairs = await self.converted.stored(_below(self.inside, found.pairs))
        pairs += await _stored_again(self.converted, _below(self.inside, back))
        earlier = await self.converted.stored(_below(self.inside, found.earlier))
        return BroughtChanges(pairs, earlier, self.own.versions)


async def _stored_again(converted: LineEndings, back: list[FileSides]) -> list[FileSides]:
    """Return files that were taken back as the repository stores them, on both sides."""
    gone = [FileSides(one.path, None, None) for one in back if one.new is None]
    stored = await converted.stored(FileSides(one.path, None, one.new) for one in back if one.new)
    return [*gone, *(FileSides(one.path, one.new, one.new) for one in stored)]


def _below(folder: bytes, pairs: list[FileSides]) -> list[FileSides]:
    if folder == b".":
        return pairs
    return [FileSides(folder + b"/" + pair.path, pair.old, pair.new) for pair in pairs]


async def finish_earlier(
    repository: Repository | None, root: Path, home: Path, *, really: bool
) -> None:
    """Finish an apply that was killed, back or forward; without `really`, only refuse it."""
    roots = {root, *([repository.top] if repository and repository.top else [])}
    for one in sorted(roots):
        journal = journal_for(home, one)
        if not file_transaction.is_unfinished(journal):
            continue
        if not really:
            raise user_error(
                "WORKSPACE_BUSY",
                f"An earlier apply to {printable_name(str(one))} was killed before it was done.",
                "Run it without --check: what was not finished is taken back first.",
            )
        if repository and repository.top == one:
            await recovered(repository, journal)
        else:
            await asyncio.to_thread(file_transaction.recover, one, journal)
