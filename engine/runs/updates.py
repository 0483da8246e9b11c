"""Workspaces of runs moved onto the newest commit of their base."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.config import thread_lock
from engine.config.locks import lock_for, locked
from engine.config.paths import Paths
from engine.domain import requests
from engine.domain.base_name import HEADS
from engine.domain.errors import UserError, user_error
from engine.domain.events import Body, CheckpointTaken, Notice
from engine.domain.hosts import local_path
from engine.domain.lifecycle import FINISHED, status_words
from engine.domain.model import Run, Workspace
from engine.domain.record import record
from engine.domain.text import printable_name

if TYPE_CHECKING:
    from engine.execution.journal import Journal
    from engine.lazy_services import LazyServices
    from engine.workspaces.apply.restore import RestoreResult
    from engine.workspaces.apply.three_way import Conflict
    from engine.workspaces.apply.update import UpdateResult, WorkspaceUpdate
    from engine.workspaces.apply.update_record import UpdateRecord
    from engine.workspaces.apply.upstream import BaseSource, NewerBase
    from engine.workspaces.checkpoints.checkpoint_refs import Checkpoint
    from engine.workspaces.checkpoints.checkpoints import Checkpoints

NAMED = 5
"""Files that a notice names."""


@record
class CommitsBehind:
    """The base of a run, and how many commits its workspace is behind it."""

    base: str
    commits: int
    is_rewritten: bool = False
    """True if the newest commit does not follow on the one that the workspace is at."""


@record
class UpdateRequest:
    """A request for an update: another `base` than before, and whether it is fetched first."""

    base: str | None = None
    fetch: bool = False


@record
class UpdateReport:
    """The outcome of an update, or of its check: the run, and the files that change.

    `old` and `new` are the commits of the base, with `commits` between them. `left` are changes
    of the base that are not brought. With `is_resumed` the agent resolves the conflicts.
    """

    run: Run
    base: str
    old: str
    new: str
    commits: int = 0
    files: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    left: tuple[str, ...] = ()
    is_resumed: bool = False
    markers: tuple[str, ...] = ()
    """Files that still have the conflict markers of an earlier update."""
    pointers: tuple[str, ...] = ()
    """Files of Git LFS whose new content is not on this disk."""

    @property
    def without_content(self) -> str:
        """The files of Git LFS that are pointers, in words; empty: there are none."""
        return _without_content(self.pointers) if self.pointers else ""

    @property
    def is_news(self) -> bool:
        """Return whether the base has a newer commit."""
        return self.old != self.new


class RunUpdates:
    """Updates of the workspaces of runs that have ended; every method raises `UserError`."""

    def __init__(
        self,
        paths: Paths,
        find: Callable[[str], Awaitable[Run]],
        journal: Journal,
        services: LazyServices,
    ) -> None:
        self._paths = paths
        self._find = find
        self._journal = journal
        self._services = services

    async def behind(self, run: str) -> CommitsBehind | None:
        """Return how far a workspace is behind its base; None where it cannot be updated."""
        from engine.workspaces.apply import upstream

        try:
            known = await self._find(run)
            workspace = _workspace(known)
            store = await self._store(known, workspace)
            source = await self._source(known, UpdateRequest(), store)
            found = await upstream.newer_base(store, workspace, source, self._paths.home)
        except UserError:
            return None
        return CommitsBehind(found.name, found.commits, found.is_rewritten)

    async def check(self, run: str, wanted: UpdateRequest = UpdateRequest()) -> UpdateReport:  # noqa: B008  it never changes
        """Return what `update` would do, with the conflicts, and change nothing."""
        known = await self._find(run)
        workspace = _workspace(known)
        store = await self._store(known, workspace)
        source = await self._source(known, wanted, store)
        done = await self._updating(store, workspace).check(source, fetch=wanted.fetch)
        return _report(known, done)

    async def update(self, run: str, wanted: UpdateRequest = UpdateRequest()) -> UpdateReport:  # noqa: B008  it never changes
        """Move a workspace onto the newest commit of its base.

        A checkpoint is taken first. Raises UPDATE_CONFLICT, and changes nothing, where files
        conflict.
        """
        from engine.workspaces.apply import update_record

        async with self._ended(run) as (known, workspace, store):
            done = await self._do(known, workspace, store, wanted)
            now = await self._record(known, store, done)
            left = await update_record.markers_left(store.root, now.updated)
            return replace(_report(now, done), markers=left)

    async def resolve(self, run: str, wanted: UpdateRequest = UpdateRequest()) -> UpdateReport:  # noqa: B008  it never changes
        """Update a workspace with conflict markers, and have the run's agent resolve them.

        Without conflicts it is only updated. Raises UPDATE_REFUSED where there is nothing to do.
        """
        from engine.runs import conflict_message

        known = await self._find(run)
        requests.resume(known, "resolve")  # raises where the run cannot be resumed
        async with self._ended(run) as (known, workspace, store):
            done = await self._do(known, workspace, store, wanted, markers=True)
            now = await self._record(known, store, done)
            report = _report(now, done)
            open_files = now.updated.conflicts if now.updated else ()
            if not done.newer.is_news and not open_files:
                raise _nothing_to_do(done.newer)
            if not open_files:
                return report
            text = await conflict_message.conflict_message(now, done)
        resumed = await self._services.requests.resume(known.id, text)
        return replace(report, run=resumed, is_resumed=True)

    async def undo(self, run: str) -> RestoreResult:
        """Put a workspace back to how it was before its last update, its baseline too.

        A checkpoint of the present state is taken first.
        """
        from engine.workspaces.apply import update_notes, update_record
        from engine.workspaces.apply.placement import HeadMove

        async with self._ended(run) as (known, workspace, store):
            last = known.updated
            if last is None:
                message = f"The workspace of the run {known.id} was not updated."
                raise user_error("UNDO_REFUSED", message, "Update it with `swarm-tui update`.")
            head = HeadMove("", last.head, last.new_head) if last.new_head else None
            applied = known.applied.commit if known.applied else None
            pushed = known.pushed.commit if known.pushed else None
            ours = [one for one in (applied, pushed) if one]
            done = await self._updating(store, workspace).undo(last.checkpoint, head, ours)
            state = await update_notes.noted_state(store)
            earlier = await update_record.counting(store, state) if state else None
            events = [update_notes.undone(last, len(done.files)), *([earlier] if earlier else [])]
            taken = [one for one in (done.undo, done.made) if one]
            await self._append(known, store, events, taken)
            return done

    @asynccontextmanager
    async def _ended(self, run: str) -> AsyncGenerator[tuple[Run, Workspace, Checkpoints]]:
        """Hold the workspace of a run that has ended: an attempt that begins waits for it."""
        known = _ended(await self._find(run))
        workspace = _workspace(known)
        async with locked(lock_for(self._paths.home, local_path(workspace))):
            known = _ended(await self._find(known.id))
            workspace = _workspace(known)
            thread_lock.check_free(self._paths, known.id)
            store = await self._store(known, workspace)
            yield await self._updates_record().complete_held(known, store), workspace, store

    def _updates_record(self) -> UpdateRecord:
        from engine.workspaces.apply.update_record import UpdateRecord

        return UpdateRecord(self._paths.home, self._find, self._journal.change)

    async def _store(self, run: Run, workspace: Workspace) -> Checkpoints:
        if not run.baseline:
            raise user_error("CHANGES_UNKNOWN")
        stores = self._services.executors.workspaces(workspace)
        return await stores.open_checkpoints(run.id, workspace)

    def _updating(self, store: Checkpoints, workspace: Workspace) -> WorkspaceUpdate:
        from engine.workspaces.apply.update import WorkspaceUpdate

        return WorkspaceUpdate(store, workspace, self._paths.home)

    async def _do(
        self,
        run: Run,
        workspace: Workspace,
        store: Checkpoints,
        wanted: UpdateRequest,
        *,
        markers: bool = False,
    ) -> UpdateResult:
        from engine.workspaces.apply import update_record

        source = await self._source(run, wanted, store)
        left = await update_record.markers_left(store.root, run.updated)
        updating = replace(self._updating(store, workspace), left=left)
        return await updating.update(source, markers=markers, fetch=wanted.fetch)

    async def _source(self, run: Run, wanted: UpdateRequest, store: Checkpoints) -> BaseSource:
        """Return where a run's base is; that of a run from another run is where that one's is."""
        from engine.workspaces.apply.upstream import BaseSource, branch_noted
        from engine.workspaces.earlier_runs import first_run

        folder = await self._services.workspaces.home_of(run)
        if folder is None:
            from engine.workspaces.apply.upstream import refused

            raise refused("the run has no source", "Start a new run from the newest files.")
        first = await first_run(run, self._find)
        branch = branch_noted(store.git.git_dir)
        if first.id != run.id and first.workspace:
            branch = branch_noted(self._paths.checkpoints(first.id, local_path(first.workspace)))
        base = wanted.base or first.spec.workspace.base
        usual = (base or branch or "").removeprefix("refs/heads/")
        if wanted.base is None and run.updated and run.updated.base not in (usual, *HEADS):
            base = run.updated.base
        return BaseSource(Path(folder), base, branch)

    async def _record(self, run: Run, store: Checkpoints, done: UpdateResult) -> Run:
        if done.checkpoint is None or done.made is None or done.event is None:
            return run
        notices = [Notice("warning", _without_content(done.pointers))] if done.pointers else []
        taken = (done.checkpoint, done.made)
        return await self._append(run, store, [done.event, *notices], taken)

    async def _append(
        self,
        run: Run,
        store: Checkpoints,
        events: Sequence[Body],
        taken: Sequence[Checkpoint],
    ) -> Run:
        from engine.workspaces.checkpoints.measured import measured, touched

        changes = await store.changes()
        counted = changes.total, touched(changes)

        def decide(now: Run) -> list[Body]:
            news = [one for one in taken if one.n > (now.checkpoint or 0)]
            bodies: list[Body] = [CheckpointTaken(one.n, one.message, one.ref) for one in news]
            return [*bodies, *events, *measured(now, *counted)]

        return await self._journal.change(run.id, decide)


def _without_content(pointers: Sequence[str]) -> str:
    """Write which files of Git LFS are pointers in the workspace."""
    more = f" and {len(pointers) - NAMED} more" if len(pointers) > NAMED else ""
    named = f"{', '.join(map(printable_name, pointers[:NAMED]))}{more}"
    return f"not in the workspace: the content of {named} (Git LFS: `git lfs pull` fetches it)"


def _ended(run: Run) -> Run:
    if run.status not in FINISHED:
        raise user_error("RUN_NOT_ENDED", f"The run {run.id} {status_words(run.status)}.")
    return run


def _workspace(run: Run) -> Workspace:
    if run.workspace is None:
        raise requests.without_workspace(run)
    requests.check_not_deleted(run)
    return run.workspace


def _nothing_to_do(newer: NewerBase) -> UserError:
    from engine.workspaces.apply.upstream import refused

    return refused(
        f"the workspace is at the newest commit of {newer.name} already",
        f"What conflicts is not in a commit of {newer.name}: commit it there, then try again.",
    )


def _report(run: Run, done: UpdateResult) -> UpdateReport:
    newer = done.newer
    return UpdateReport(
        run,
        newer.name,
        newer.old,
        newer.new,
        newer.commits,
        tuple(map(printable_name, done.files)),
        done.conflicts,
        tuple(map(printable_name, done.left)),
        pointers=done.pointers,
    )
