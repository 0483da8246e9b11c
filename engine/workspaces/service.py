"""Requests of faces to workspaces: list, read, compare, apply, restore."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from engine.config import run_environment, thread_lock
from engine.config.locks import lock_for, locked
from engine.config.paths import Paths, private_folder
from engine.domain.changed_lines import ChangedLines
from engine.domain.errors import UserError, os_failure, user_error
from engine.domain.events import ApplyUndone, ArtifactSaved, Body, CheckpointTaken, Notice
from engine.domain.hosts import local_path, path_here
from engine.domain.lifecycle import ACTIVE
from engine.domain.model import LOCAL, Applied, Run, Workspace
from engine.domain.requests import check_not_deleted, without_workspace
from engine.domain.text import one_line, printable, printable_name
from engine.system.stopping import stoppable
from engine.workspaces.apply import apply, undo, update_notes, update_record
from engine.workspaces.apply.apply import ApplyMode, ApplyRequest, ApplyResult
from engine.workspaces.apply.progress import Looked, Progress, unseen
from engine.workspaces.apply.restore import RestoreResult, restore
from engine.workspaces.apply.undo import UndoneApply
from engine.workspaces.apply.update_record import UpdateRecord
from engine.workspaces.checkpoints import line_changes, run_comparison
from engine.workspaces.checkpoints.changes import Changes
from engine.workspaces.checkpoints.checkpoint_refs import BASELINE
from engine.workspaces.checkpoints.checkpoints import Checkpoint, Checkpoints
from engine.workspaces.checkpoints.comparison import Comparison
from engine.workspaces.checkpoints.measured import measured, touched
from engine.workspaces.create.create import branch_of
from engine.workspaces.create.shell_guard import ShellGuard, guard_of
from engine.workspaces.create.working_folder import working_folder
from engine.workspaces.create.worktree import unblocked
from engine.workspaces.earlier_runs import first_run, home_of_first
from engine.workspaces.files.open_file import OpenFile, open_file
from engine.workspaces.files.tree import (
    FilePreview,
    TreeEntry,
    list_files,
    list_folder,
    must_be_there,
    preview,
    read_file,
    sizes_of,
)
from engine.workspaces.git import repository

READ_LIMIT_BYTES = 64 * 1024**2
MESSAGE_BYTES = 20_000
TAKEN = "applied"
IDLE_WAIT_S = 10.0
"""So long a restore waits for other work in the folder: a run in place holds it for its attempt."""


AppendDecided = Callable[[str, Callable[[Run], Sequence[Body]]], Awaitable[Run]]
"""Function that appends to a run's events what is decided on the run as it is stored."""

LastMessage = Callable[[Run, int], Awaitable[bytes]]
"""Returns the beginning of the last message of a run's agent, up to a number of bytes."""

_log = logging.getLogger(__name__)


class CheckpointStores(Protocol):
    """The stores of the checkpoints of runs, on the machine of their workspaces."""

    async def open_checkpoints(self, run: str, workspace: Workspace) -> Checkpoints:
        """Open the store of a run; raises `UserError` CHANGES_UNKNOWN without a baseline."""
        ...

    async def has_baseline(self, run: str, workspace: Workspace) -> bool:
        """Return whether the store of a run has a baseline: a quick check."""
        ...


class WorkspaceFiles(Protocol):
    """The files of a workspace of another machine; methods raise `UserError`."""

    async def folder(self, path: str, *, sizes: bool) -> list[TreeEntry]:
        """List one folder, folders first; never follows a link out of the workspace."""
        ...

    async def files(self) -> list[TreeEntry]:
        """List the files of the workspace without those tools keep for themselves, bounded."""
        ...

    async def sizes(self, paths: Sequence[str]) -> dict[str, int]:
        """Return the sizes in bytes of files, of those that are there."""
        ...

    async def read(self, path: str, limit_bytes: int) -> bytes:
        """Return a file, at most `limit_bytes` of it; never through a link."""
        ...

    async def open(self, path: str) -> OpenFile:
        """Open a copy of a regular file, to be read in pieces."""
        ...

    async def preview(self, path: str, limit_bytes: int) -> FilePreview:
        """Return a preview of a path, with at most `limit_bytes` of a file."""
        ...


@runtime_checkable
class RemoteFileReader(Protocol):
    """A machine whose files can be read from here."""

    def files(self, run: str, workspace: Workspace) -> WorkspaceFiles:
        """Return the files of a run's workspace there."""
        ...


class Workspaces:
    """The workspaces of one home; every method raises `UserError`."""

    def __init__(
        self,
        paths: Paths,
        find: Callable[[str], Awaitable[Run]],
        append: AppendDecided,
        last_message: LastMessage,
        stores: Callable[[Workspace], CheckpointStores],
    ) -> None:
        self._stores = stores
        self._last_message = last_message
        self._paths = paths
        self._find = find
        self._append = append
        self._record = UpdateRecord(paths.home, find, append)
        self._looked_at: tuple[tuple[str, Workspace], Checkpoints] | None = None

    async def folder(self, run: str, path: str = "", *, sizes: bool = True) -> list[TreeEntry]:
        """List one folder of a run's workspace, folders first; never follows a link out of it.

        Without `sizes` nothing in it is looked at: a huge folder is listed several times as fast.
        """
        known = await self._find(run)
        if known.workspace is None:
            return []
        if files := self._files_there(known):
            return await files.folder(path, sizes=sizes)
        return await asyncio.to_thread(list_folder, local_path(_of(known)), path, sizes=sizes)

    async def sizes(self, run: str, paths: Sequence[str]) -> dict[str, int]:
        """Return the sizes in bytes of files in a run's workspace, of those that are there."""
        known = await self._find(run)
        if known.workspace is None:
            return {}
        if files := self._files_there(known):
            return await files.sizes(paths)
        return await asyncio.to_thread(sizes_of, local_path(_of(known)), paths)

    async def files(self, run: str) -> list[TreeEntry]:
        """List the files of a run's workspace without those tools keep for themselves, bounded."""
        known = await self._find(run)
        if known.workspace is None:
            return []
        if files := self._files_there(known):
            return await files.files()
        return await asyncio.to_thread(list_files, local_path(_of(known)))

    async def read(self, run: str, path: str, limit_bytes: int = READ_LIMIT_BYTES) -> bytes:
        """Return a file of a run's workspace, at most `limit_bytes` of it; never through a link."""
        known = await self._find(run)
        if files := self._files_there(known):
            return await files.read(path, limit_bytes)
        return await asyncio.to_thread(read_file, local_path(_of(known)), path, limit_bytes)

    async def open(self, run: str, path: str) -> OpenFile:
        """Open a regular file of a run's workspace, to be read in pieces; never through a link."""
        known = await self._find(run)
        if files := self._files_there(known):
            return await files.open(path)
        return await asyncio.to_thread(open_file, local_path(_of(known)), path)

    async def open_artifact(self, run: str, path: str) -> OpenFile:
        """Open a file that a run saved beside its workspace, by its path among them."""
        folder = self._paths.run((await self._find(run)).id)
        recovery = "List them with `swarm-tui artifacts`."
        return await asyncio.to_thread(open_file, folder, path, recovery)

    async def preview(
        self, run: str, path: str, limit_bytes: int = READ_LIMIT_BYTES
    ) -> FilePreview:
        """Return a preview of a path of a run's workspace, with at most `limit_bytes` of a file."""
        known = await self._find(run)
        if files := self._files_there(known):
            return await files.preview(path, limit_bytes)
        return await asyncio.to_thread(preview, local_path(_of(known)), path, limit_bytes)

    async def place(self, run: str, path: str = "") -> Path:
        """Return where a file, or the workspace itself, lies on this disk, if it is still there.

        For programs of the user's own; what a link leads to has no place.
        """
        root = await self._root(run)
        await asyncio.to_thread(must_be_there, root, path)
        return root / path

    async def working_folder(self, run: str) -> Path:
        """Return the folder of a run's workspace where its agent works, and a shell is opened."""
        workspace = _of(await self._find(run))
        await asyncio.to_thread(must_be_there, local_path(workspace), "")
        return await asyncio.to_thread(working_folder, workspace)

    async def shell_guard(self, run: str) -> ShellGuard:
        """Return what keeps git harmless in a shell or an editor in a run's workspace."""
        workspace = _of(await self._find(run))
        local_path(workspace)  # a program of this machine finds no other folder
        return await guard_of(workspace)

    async def environment(self, run: str) -> dict[str, str]:
        """Return the environment of a program that the user opens on this terminal for a run."""
        known = await self._find(run)
        try:
            return await asyncio.to_thread(run_environment.of_terminal, self._paths, known)
        except OSError as error:
            raise os_failure(error) from error

    async def changes(self, run: str, since: int = BASELINE, until: int | None = None) -> Changes:
        """Measure what a run changed, from one checkpoint to another or to now."""
        async with self._noted(run):
            return await (await self._open_store(run, until)).changes(since, until)

    async def changed_lines(self, run: str, until: int, paths: Collection[str]) -> ChangedLines:
        """Return the lines of some files that a run changed up to a checkpoint."""
        known, workspace = await self._store(run, until)
        store = await self._stores(workspace).open_checkpoints(known, workspace)
        return await line_changes.changed_lines(store, until, paths)

    async def compare(
        self, run: str, since: int = BASELINE, until: int | None = None
    ) -> Comparison:
        """Hold a checkpoint of a run against another or against now, to look at file by file."""
        async with self._noted(run):
            return await (await self._open_store(run, until)).compare(since, until)

    async def compare_runs(self, run: str, other: str) -> Comparison:
        """Compare the workspace of a run with that of another: what `run` has, and `other` not.

        Their baselines may differ. Raises INPUT_INVALID where git cannot read both together.
        """
        stores = [await self._open_noted(each) for each in (other, run)]
        return await run_comparison.compare_stores(*stores)

    async def write_run_diff(
        self, run: str, other: str, file: BinaryIO, paths: Sequence[str] = ()
    ) -> None:
        """Write the unified diff from the workspace of `other` to that of a run."""
        compared = await self.compare_runs(run, other)
        await run_comparison.write_comparison(compared, file, paths)

    async def write_diff(
        self,
        run: str,
        file: BinaryIO,
        since: int = BASELINE,
        until: int | None = None,
        paths: Sequence[str] = (),
    ) -> tuple[str, ...]:
        """Write the unified diff of what a run changed, of all or some files, into an open file.

        Returns what could not be read, by name.
        """
        async with self._noted(run):
            store = await self._open_store(run, until)
            return await store.write_diff(file, since, until, paths)

    async def content(self, run: str, path: str, at: int) -> bytes | None:
        """Return a file as it was at a checkpoint of a run; None where it was not there."""
        async with self._noted(run):
            return await (await self._open_store(run, at)).content(path, at)

    async def checkpoints(self, run: str) -> list[Checkpoint]:
        """Return a run's checkpoints in order; the first is the workspace as it was made."""
        async with self._noted(run):
            return await (await self._open_store(run, BASELINE)).list()

    async def restore(self, run: str, n: int) -> RestoreResult:
        """Put a workspace back to a checkpoint, after remembering it as it is."""
        async with self._idle(run) as known:
            return await self._restore(known, n)

    @asynccontextmanager
    async def _idle(self, run: str) -> AsyncGenerator[Run]:
        """Hold the workspace of a run that is not at work: an attempt that begins waits for it."""
        known = await self._find(run)
        _check_idle(known)
        async with locked(lock_for(self._paths.home, local_path(_of(known))), IDLE_WAIT_S):
            known = await self._find(known.id)
            _check_idle(known)
            thread_lock.check_free(self._paths, known.id)
            yield known

    async def _restore(self, run: Run, n: int) -> RestoreResult:
        async with self._noted(run.id):
            store = await self._open_only(run.id)
            run = await self._record.complete_held(run, store)
            done = await restore(store, n)
        undo = done.undo
        try:
            state = await update_notes.noted_state(store)
            update = await update_record.counting(store, state) if state else None
            changes = await store.changes()
            counted = changes.total, touched(changes)

            def decide(known: Run) -> list[Body]:
                is_new = known.checkpoint != undo.n
                kept = [CheckpointTaken(undo.n, undo.message, undo.ref)] if is_new else []
                if done.made:
                    kept.append(CheckpointTaken(done.made.n, done.made.message, done.made.ref))
                count = f"{len(done.files)} file{'' if len(done.files) == 1 else 's'}"
                words = f"put back to checkpoint {n}: {count}{_kept_words(done.kept)}"
                moved = update_notes.corrections(known.updated, update) if state else ()
                return [*kept, Notice("info", words), *moved, *measured(known, *counted)]

            await self._append(run.id, decide)
        except UserError as error:  # it is done, whether or not it can be written down
            _log.warning("run %s: put back, but not noted: %s", run.id, error.message)
        return done

    async def apply(
        self,
        run: str,
        how: ApplyMode,
        *,
        to: str | None = None,
        message: str = "",
        check: bool = False,
        is_push: bool = False,
        patch: BinaryIO | None = None,
        looked: Looked = unseen,
    ) -> ApplyResult:
        """Apply a run's changes to its source, or to `to`; with `check`, only return the result.

        A patch is written into the open file `patch`. A conflict changes nothing:
        APPLY_CONFLICT, or with `check`, conflicts in the result. With `is_push`, the run does not
        count as applied. `looked` gets, in any thread, the number of files written aside, and of
        all. Where its task is cancelled before the first is in its place, nothing is changed;
        after that, it returns as usual.
        """
        known = await self._find(run)
        workspace = _of(known)
        target = to or await self.home_of(known)
        if target is None and how is ApplyMode.PATCH:
            # A patch is for any folder.
            target = path_here(known) or str(self._paths.run(known.id))
        if target is None:
            message = f"The run {known.id} has no source to put its changes into."
            raise user_error("INPUT_INVALID", message, "Name a folder with --to.")
        if to is None and how is not ApplyMode.PATCH:
            await asyncio.to_thread(_check_source, known.id, Path(target))
        words = message or await self.message(known.id)
        # A copy and a folder itself have no branch of their own until a commit is to go on one.
        branch = workspace.branch or (
            await _new_branch(known, Path(target)) if how is ApplyMode.COMMIT else None
        )
        wish = ApplyRequest(Path(target), how, branch=branch, message=words, patch=patch)
        if not (check or how is ApplyMode.PATCH):
            return await stoppable(
                lambda stop: self._apply(
                    known, replace(wish, progress=Progress(looked, stop)), is_push=is_push
                )
            )
        async with self._noted(known.id):
            store = await self._open(known.id)
            if how is ApplyMode.PATCH and not check:
                return await apply.apply(store, wish, self._paths.home)
            if how is not ApplyMode.PATCH:
                await self._check_resolved(known.id, store)
            return await apply.check(store, wish, self._paths.home)

    async def _check_resolved(self, run: str, store: Checkpoints) -> None:
        await update_record.check_resolved(store.root, (await self._find(run)).updated)

    async def _apply(self, known: Run, wish: ApplyRequest, *, is_push: bool) -> ApplyResult:
        async with self._noted(known.id):
            store = await self._open(known.id)
            await self._check_resolved(known.id, store)
            # What was taken stays known: what comes later is measured against it.
            taken = await store.record_or_last(TAKEN)
            wish = replace(wish, until=taken.n)
            done = await apply.apply(store, wish, self._paths.home)
        done = replace(done, left_out=taken.left_out)
        if not (done.files or done.commit) and not (await self.changes(known.id)).files:
            return replace(done, is_nothing=True)
        await self._record_applied(known, wish, done, taken, is_push=is_push)
        return done

    async def undo_apply(self, run: str, looked: Looked = unseen) -> UndoneApply:
        """Undo the last apply of a run's changes as edits, unless the source has changed since.

        Raises UNDO_REFUSED, and changes nothing, where it has. `looked`, and a task that is
        cancelled, are as of `apply`.
        """
        known = await self._find(run)
        if known.applied is None:
            message = f"The changes of the run {known.id} are not applied."
            raise user_error("UNDO_REFUSED", message, "Apply them with `swarm-tui apply`.")
        if known.applied.how != ApplyMode.EDITS:
            how, commit = known.applied.how, (known.applied.commit or "")[:12]
            message = f"The run {known.id} was applied as a {how}: only edits can be undone."
            hint = "git branch -D" if how == ApplyMode.COMMIT else f"git revert {commit}"
            raise user_error("UNDO_REFUSED", message, f"Undo it with git, such as `{hint}`.")
        to = Path(known.applied.to)
        return await stoppable(lambda stop: self._undo(known, to, Progress(looked, stop)))

    async def _undo(self, known: Run, to: Path, progress: Progress) -> UndoneApply:
        async with self._noted(known.id):
            store = await self._open(known.id)
            record = partial(self._record_undone, known.id)
            return await undo.undo(store, to, self._paths.home, progress, record)

    async def _record_undone(self, run: str, done: UndoneApply) -> None:
        event = ApplyUndone(done.to, len(done.files))
        try:
            await self._append(run, lambda _: [event])
        except UserError as error:  # it is done, whether or not it can be written down
            _log.warning("run %s: undone, but not noted: %s", run, error.message)

    async def home_of(self, run: Run) -> str | None:
        """Return the folder that a run's changes belong in: its source, or that of the run before.

        The run before is found by its id, or by the path of its workspace.
        """
        first = await first_run(run, self._find)
        return await asyncio.to_thread(home_of_first, first, self._paths.workspaces)

    async def save_patch(self, run: str) -> Path:
        """Save what a run changed as a patch that git can apply, among its artifacts."""
        known = await self._find(run)
        path = self._paths.run(known.id) / "changes.patch"
        with _saving(path) as file:
            await self.apply(known.id, ApplyMode.PATCH, patch=file)
        size_bytes = path.stat().st_size
        await self._append(known.id, lambda _: [ArtifactSaved(path.name, size_bytes)])
        return path

    async def message(self, run: str) -> str:
        """Return the words for a run's commit: its title, then the agent's last message."""
        known = await self._find(run)
        title = one_line(known.spec.title) or known.id
        said = printable(await self._said_at_last(known)).strip()
        return f"{title}\n\n{said}" if said else title

    async def _said_at_last(self, run: Run) -> str:
        try:
            return (await self._last_message(run, MESSAGE_BYTES)).decode("utf-8", "replace")
        except OSError:
            return ""
        except UserError as error:
            if not error.entry.waits_for_node and error.code != "NODE_LOST":
                raise
            return ""  # the node does not answer: the title has to do

    async def _record_applied(
        self,
        run: Run,
        wish: ApplyRequest,
        done: ApplyResult,
        taken: Checkpoint,
        *,
        is_push: bool,
    ) -> None:
        applied = Applied(
            wish.how.value,
            str(wish.to),
            len(done.files),
            taken.n,
            time.time(),
            done.commit,
            done.branch,
        )

        def decide(known: Run) -> list[Body]:
            if known.is_applied and not done.files:
                return []
            new = known.checkpoint != taken.n
            bodies: list[Body] = [CheckpointTaken(taken.n, TAKEN, taken.ref)] if new else []
            if is_push:
                return bodies
            count = f"{len(done.files)} file{'' if len(done.files) == 1 else 's'}"
            how = "edits" if wish.how is ApplyMode.EDITS else f"a {wish.how.value}"
            words = f"applied as {how}: {count} in {printable_name(str(wish.to))}"
            return [*bodies, Notice("info", words, applied)]

        try:
            await self._append(run.id, decide)
        except UserError as error:  # it is done, whether or not it can be written down
            _log.warning("run %s: applied, but not noted: %s", run.id, error.message)

    def _files_there(self, run: Run) -> WorkspaceFiles | None:
        """Return the files of a workspace on another machine that can be read; None for others."""
        workspace = _of(run)
        if workspace.host == LOCAL:
            return None
        stores = self._stores(workspace)
        return stores.files(run.id, workspace) if isinstance(stores, RemoteFileReader) else None

    async def _root(self, run: str) -> Path:
        known = await self._find(run)
        return local_path(_of(known))

    async def _open_store(self, run: str, until: int | None) -> Checkpoints:
        """Open the checkpoints of a run for reading only, and keep them open for repeated reads.

        Until another run is opened, git is not asked again for the settings that count.
        """
        store = await self._store(run, until)
        # Held here: a request for another run may come in between.
        opened = self._looked_at
        if opened is None or opened[0] != store:
            self._looked_at = None
            opened = store, await self._open_only(run, until)
            await self._record.complete(await self._find(run), opened[1])
            self._looked_at = opened
        elif not await self._stores(store[1]).has_baseline(*store):
            self._looked_at = None
            return await self._open_store(run, until)  # which finds out what became of it
        return opened[1]

    async def _open(self, run: str) -> Checkpoints:
        store = await self._open_only(run)
        await self._record.complete(await self._find(run), store)
        return store

    async def _open_only(self, run: str, until: int | None = None) -> Checkpoints:
        known, workspace = await self._store(run, until)
        return await self._stores(workspace).open_checkpoints(known, workspace)

    async def _open_noted(self, run: str) -> Checkpoints:
        async with self._noted(run):
            return await self._open(run)

    @asynccontextmanager
    async def _noted(self, run: str) -> AsyncGenerator[None]:
        """Record damage of a run's checkpoints, so that faces show it."""
        try:
            yield
        except UserError as error:
            if error.code == "CHANGES_UNKNOWN":
                await self._note_store(run, error.message.rstrip("."), lost=True)
            raise

    async def _note_store(self, run: str, words: str, *, lost: bool) -> None:
        known = await self._find(run)
        if known.store_lost == lost or not known.baseline:
            return
        level = "warning" if lost else "info"
        try:
            await self._append(known.id, lambda _: [Notice(level, words, store_lost=lost)])
        except UserError as error:
            _log.warning("run %s: %s, but not noted: %s", known.id, words, error.message)

    async def check(self, known: Run) -> Run:
        """Return a run after a quick check that its checkpoints exist.

        Damage is recorded; the work of an hour is not measured for it.
        """
        if not known.baseline or known.workspace is None:
            return known
        stores = self._stores(known.workspace)
        if await stores.has_baseline(known.id, known.workspace) != known.store_lost:
            return await self._with_update(known)
        with suppress(UserError):  # what was found is noted
            async with self._noted(known.id):
                await (await stores.open_checkpoints(known.id, known.workspace)).verify()
            await self._note_store(known.id, "its checkpoints are whole again", lost=False)
        return await self._with_update(await self._find(known.id))

    async def _with_update(self, known: Run) -> Run:
        place = path_here(known)  # updates are made on this machine only
        if known.in_trash or not place:
            return known
        store = self._paths.checkpoints(known.id, Path(place))
        if not await asyncio.to_thread(update_notes.are_there, store):
            return known
        try:
            return await self._record.complete(known, await self._open_only(known.id))
        except UserError as error:
            _log.warning("run %s: its update is not checked: %s", known.id, error.message)
            return known

    async def _store(self, run: str, until: int | None = None) -> tuple[str, Workspace]:
        """Find what is remembered of a run; `until` a checkpoint, that does without the folder."""
        known = await self._find(run)
        workspace = known.workspace if until is not None and known.workspace else _of(known)
        if not known.baseline:
            raise user_error("CHANGES_UNKNOWN")
        return known.id, workspace


async def _new_branch(run: Run, target: Path) -> str:
    """Return the name of the branch for a run that has none yet; raises `UserError`."""
    name = branch_of(run.spec.preparation.branch, run.id)
    found = await repository.find(target)
    return await unblocked(found.git, name) if found else name


def _check_source(run: str, source: Path) -> None:
    """Raise `UserError` SOURCE_MOVED where a run's source is not a folder any more. Blocking."""
    if source.is_dir():
        return
    name = printable_name(str(source))
    raise user_error(
        "SOURCE_MOVED",
        f"The source of the run {run}, {name}, was moved, renamed or deleted.",
        f"Name its new place with `swarm-tui apply {run} --to DIR`, or take the changes with "
        "`--as patch`.",
    )


def _check_idle(run: Run) -> None:
    if run.status in ACTIVE:
        raise user_error("RUN_NOT_RETRYABLE", f"The run {run.id} is at work: {run.status}.")


def _kept_words(kept: Sequence[str]) -> str:
    if not kept:
        return ""
    more = f" and {len(kept) - 1} more" if len(kept) > 1 else ""
    return f"; left as it is, a control folder or repository: {printable_name(kept[0])}{more}"


def _of(run: Run) -> Workspace:
    """Return a run's workspace; raises `UserError` where it has none, or only in the trash."""
    if run.workspace is None:
        raise without_workspace(run)
    check_not_deleted(run)
    return run.workspace


@contextmanager
def _saving(path: Path) -> Generator[BinaryIO]:
    """Open a file that takes the place of another one when it is whole."""
    private_folder(path.parent)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
        fresh.replace(path)
    except OSError as error:
        raise os_failure(error) from error
    finally:
        fresh.unlink(missing_ok=True)
