"""Workspaces cleaned up: planned, then taken one by one; what is nowhere else is kept beside."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from engine.config import thread_lock
from engine.config.locks import lock_for, locked
from engine.config.paths import Paths
from engine.config.settings import Config
from engine.disk import rebuildable
from engine.disk.backup import keep
from engine.disk.cleanup_plan import (
    CleanupCandidate,
    CleanupFilter,
    CleanupItem,
    CleanupPlan,
    place_of,
    plan,
)
from engine.disk.current_workspaces import candidates, standing
from engine.disk.node_workspaces import NodeWorkspaceSizes
from engine.disk.scan.scanner import FolderScanner, FolderSize
from engine.disk.trash import Trash, TrashEntry
from engine.disk.unsaved import UnsavedWork, unsaved
from engine.domain.errors import UserError, os_failure, user_error
from engine.domain.events import ArtifactSaved, Body, Notice
from engine.domain.hosts import local_path, path_here
from engine.domain.lifecycle import FINISHED, status_words
from engine.domain.model import LOCAL, Run
from engine.domain.reasons import Subject
from engine.domain.text import printable_name, size
from engine.store.standing import standing_candidates
from engine.store.store import Store
from engine.workspaces.create.origin import OriginCache
from engine.workspaces.service import AppendDecided

LOOKS_AT_ONCE = 4
LOOKS_ASIDE = 2
"""At once in the background, while the user may press a key."""


@dataclass(frozen=True, slots=True)
class CleanupItemResult:
    """The result of one item of a plan: bytes freed or put aside, or why it stays."""

    item: CleanupItem
    freed: int = 0
    entry: str = ""
    """The trash's entry, where it can come back."""
    failure: UserError | None = None


@dataclass(slots=True)
class CleanupReport:
    """The result of a clean-up."""

    cleaned: list[CleanupItemResult] = field(default_factory=list[CleanupItemResult])
    stopped: bool = False

    @property
    def freed(self) -> int:
        """The bytes that went, to the trash or for good."""
        return sum(one.freed for one in self.cleaned)


class WorkspaceCleanup:
    """Cleanup of workspaces; every method raises `UserError`."""

    def __init__(
        self,
        paths: Paths,
        config: Config,
        store: Store,
        trash: Trash,
        append: AppendDecided,
        nodes: NodeWorkspaceSizes,
    ) -> None:
        self._nodes = nodes
        self._paths = paths
        self._config = config
        self._store = store
        self._trash = trash
        self._append = append

    # What would go

    async def plan(
        self, wish: CleanupFilter, looked: Callable[[int, int], None] | None = None
    ) -> CleanupPlan:
        """Return the workspaces that a clean-up would take and keep, with reasons.

        Nothing is changed. `looked` gets the number of workspaces examined so far, and of
        all.
        """
        runs = await standing(self._store, self._paths)
        turn, count, asked = asyncio.Semaphore(LOOKS_AT_ONCE), 0, OriginCache()

        async def examine(run: Run) -> CleanupCandidate:
            nonlocal count
            async with turn:
                candidate = await self._candidate(run, scanner, wish, asked)
            count += 1
            if looked:
                looked(count, len(runs))
            return candidate

        async with FolderScanner(self._config.cleanup.rebuildable) as scanner:
            found = await asyncio.gather(*(examine(run) for run in runs))
        if not (wish.here_only or wish.artefacts_only):
            found += await self._nodes.candidates(await standing_candidates(self._store, ()))
        return plan(found, wish, time.time())

    async def _candidate(
        self, run: Run, scanner: FolderScanner, wish: CleanupFilter, asked: OriginCache
    ) -> CleanupCandidate:
        assert run.workspace
        unmeasured = CleanupCandidate(run)
        found = plan([unmeasured], replace(wish, artefacts_only=False, keep=0), time.time())
        if not found.take and not found.keep:
            return unmeasured  # it was not requested
        if found.take and wish.artefacts_only:
            return await self._rebuildable(run, scanner)
        figures = FolderSize()
        async for told in scanner.measure(local_path(run.workspace)):
            figures = told.figures
        bare = CleanupCandidate(run, figures.disk, figures.rebuildable)
        if not found.take:
            return bare  # it stays, whatever is in it
        worthless = self._config.cleanup.worthless
        lost = await unsaved(run, self._paths, worthless, asked, in_words=True)
        return replace(bare, unsaved=lost.words, unapplied=lost.unapplied, branch=lost.branch or "")

    async def _rebuildable(self, run: Run, scanner: FolderScanner) -> CleanupCandidate:
        try:
            folders = await rebuildable.find(
                run, self._paths, self._config.cleanup.rebuildable, scanner
            )
        except UserError as error:
            return CleanupCandidate(run, problem=error.message.rstrip("."))
        except OSError as error:
            return CleanupCandidate(run, problem=os_failure(error).message.rstrip("."))
        size_bytes = sum(one.size for one in folders)
        return CleanupCandidate(run, size_bytes, size_bytes, folders=folders)

    async def report_unsaved(
        self, paths: Collection[str], told: Callable[[str, UnsavedWork], None]
    ) -> None:
        """Report the unsaved work of each of these workspaces, of runs that ended."""
        asked, worthless = OriginCache(), self._config.cleanup.worthless
        known = await candidates(self._store, self._paths)  # at rest: they may be very many
        runs = await standing(self._store, self._paths, known)

        def by_path() -> list[tuple[str, Run]]:
            ended = {path_here(run): run for run in runs if _has_ended(run)}
            return [(path, ended[path]) for path in paths if path in ended]

        waiting = iter(await asyncio.to_thread(by_path))

        async def report() -> None:
            for path, run in waiting:
                told(path, await unsaved(run, self._paths, worthless, asked))

        await asyncio.gather(*(report() for _ in range(LOOKS_ASIDE)))

    async def unsaved_of(
        self, runs: Sequence[Run], looked: Callable[[int, int], None]
    ) -> list[UnsavedWork]:
        """Return the unsaved work of each of these runs, good enough to show, not to delete.

        `looked` gets the number of workspaces examined so far, and of all.
        """
        turn, count, asked = asyncio.Semaphore(LOOKS_AT_ONCE), 0, OriginCache()

        async def examine(run: Run) -> UnsavedWork:
            nonlocal count
            async with turn:
                found = await unsaved(
                    run, self._paths, self._config.cleanup.worthless, asked, in_words=True
                )
            count += 1
            looked(count, len(runs))
            return found

        return await asyncio.gather(*(examine(run) for run in runs))

    async def unsaved(self, run: Run) -> UnsavedWork:
        """Return the part of a run's work that is nowhere else."""
        return await unsaved(run, self._paths, self._config.cleanup.worthless)

    # What goes

    async def clean(
        self,
        planned: CleanupPlan,
        wish: CleanupFilter,
        told: Callable[[CleanupItemResult], None] | None = None,
        stop: Callable[[], bool] = lambda: False,
        why: str = "",
    ) -> CleanupReport:
        """Clean up as planned, one workspace after another.

        A failure is reported, and the rest goes on. Each is examined again just before:
        changes since the plan was made count.
        """
        report, together = CleanupReport(), secrets.token_hex(4)
        for item in planned.take:
            if stop():
                report.stopped = True
                break
            try:
                if planned.artefacts_only:
                    cleaned = await self._strip(item, why)
                else:
                    cleaned = await self._clean(item, wish, why, together)
            except UserError as error:
                cleaned = CleanupItemResult(item, failure=error)
            except OSError as error:
                cleaned = CleanupItemResult(item, failure=os_failure(error))
            report.cleaned.append(cleaned)
            if told:
                told(cleaned)
        return report

    async def _clean(
        self, item: CleanupItem, wish: CleanupFilter, why: str, together: str
    ) -> CleanupItemResult:
        unsaved_too = wish.including_unsaved
        if item.host:
            await self._remove_there(item, why, including_unsaved=unsaved_too)
            return CleanupItemResult(item, item.size)
        entry = await self.delete(
            item.run,
            item.path,
            why,
            including_unsaved=unsaved_too,
            needs_patch=True,
            together=together,
        )
        return CleanupItemResult(item, item.size, entry.id)

    async def _remove_there(self, item: CleanupItem, why: str, *, including_unsaved: bool) -> None:
        """Remove a workspace on its node, now or once that answers; its checkpoints stay here."""
        run = await self.run(item.run)
        check_ended(run)
        there = self._nodes.of_host(item.host)
        if there is None or run.in_trash or not run.workspace or place_of(run) != item.path:
            raise user_error("WORKSPACE_MISSING")
        found = await self._nodes.candidates([run])
        if not including_unsaved and any(one.unsaved for one in found):
            raise user_error("WORK_UNSAVED", f"The run {run.id} is kept: {found[0].unsaved}.")
        thread_lock.check_free(self._paths, run.id)
        node = printable_name(item.host)
        words = _said(f"workspace removed on the node {node}", why)
        await self.note(run, words, trash=True, subject=Subject.CLEAN_UP)
        try:
            is_gone = await there.remove(run.id, run.workspace.path)
        except BaseException:
            await asyncio.shield(self.note(run, "workspace still there", trash=False))
            raise
        if not is_gone:
            await self.note(run, f"the node {node} does not answer: it removes it once it does")

    async def _strip(self, item: CleanupItem, why: str) -> CleanupItemResult:
        run = await self.standing(item.run, item.path)
        assert run.workspace
        # An attempt that begins now waits for this lock before it uses the workspace.
        async with locked(lock_for(self._paths.home, local_path(run.workspace))):
            check_ended(await self.standing(run.id, path_here(run)))
            done = await rebuildable.strip(run, self._paths, item.folders)
        await self.note(run, _said(f"removed what can be made again: {size(done.freed)}", why))
        failure = user_error("WORKSPACE_BUSY", f"{done.kept[0]}.") if done.kept else None
        return CleanupItemResult(item, done.freed, failure=failure)

    async def delete(
        self,
        run: str,
        path: str | None = None,
        why: str = "",
        *,
        including_unsaved: bool = True,
        needs_patch: bool = False,
        together: str = "",
        has_backup: bool = True,
    ) -> TrashEntry:
        """Move a run's workspace to the trash; copy work that is nowhere else beside the run.

        `path` names one that a fresh start left; None: the one the run has now. Without
        `including_unsaved`, one with work that is nowhere else stays: WORK_UNSAVED. With
        `needs_patch` so does one of whose changes no patch can be kept. Without `has_backup`,
        nothing is copied beside the run: the trash keeps unsaved work until it is emptied.
        """
        async with self._trash.alone():
            known = await self.standing(run, path)
            check_ended(known)
            check_here(known)
            thread_lock.check_free(self._paths, run)
            if not _is_there(known):  # another clean-up was quicker
                raise user_error("WORKSPACE_MISSING")
            lost = await self.unsaved(known)
            if lost and not including_unsaved:
                raise user_error("WORK_UNSAVED", f"The run {run} is kept: {lost.words}.")
            kept, is_whole = [], not (lost or lost.history)
            if has_backup:
                kept, is_whole = await keep(known, self._paths, lost, needs_patch=needs_patch)
            bodies: list[Body] = [ArtifactSaved(one.name, one.stat().st_size) for one in kept]
            words = _said(f"workspace moved to the trash{_staying(lost)}", why)
            subject = Subject.CLEAN_UP if why else None
            await self.note(known, words, bodies, trash=True, subject=subject)
            try:
                return await self._trash.put(
                    known,
                    is_only_here=not is_whole,
                    keeps_branch=lost.branch is not None,
                    together=together,
                )
            except BaseException:
                if _is_there(known):
                    await asyncio.shield(self.note(known, "workspace still there", trash=False))
                raise

    async def discard(self, run: Run, including_unsaved: bool, together: str) -> TrashEntry:
        """Move the workspace of a run that is about to be forgotten to the trash."""
        return await self.delete(
            run.id,
            path_here(run),
            "the run is forgotten",
            including_unsaved=including_unsaved,
            together=together,
            has_backup=False,
        )

    # The run that is meant

    async def run(self, run: str) -> Run:
        """Return a run as it is stored."""
        found = await self._store.runs(ids=[run])
        if not found:
            raise user_error("RUN_NOT_FOUND", f"There is no run {run}.")
        return found[0]

    async def standing_of(self, runs: Sequence[Run]) -> list[Run]:
        """Return the workspaces of runs that are there, each as a run that has it."""
        return await standing(self._store, self._paths, runs)

    async def standing(self, run: str, path: str | None) -> Run:
        """Return a run with the workspace at `path` as its own."""
        known = await self.run(run)
        if path is None or path_here(known) == path:
            return known
        for one in await standing(self._store, self._paths, [known]):
            if path_here(one) == path:
                return one
        raise user_error("WORKSPACE_MISSING")

    async def note(
        self,
        run: Run,
        words: str,
        first: Sequence[Body] = (),
        *,
        trash: bool | None = None,
        subject: Subject | None = None,
    ) -> None:
        """Record an action on a workspace; `trash`: whether it is there from now on.

        An action on a workspace that a fresh start left does not change the run's present
        one.
        """

        def decide(known: Run) -> list[Body]:
            if trash is not False:
                check_ended(known)
            its_own = known.workspace == run.workspace
            moved = trash if its_own else None
            return [*first, Notice("info", words, trash=moved, subject=subject)]

        await self._append(run.id, decide)


def _has_ended(run: Run) -> bool:
    return run.status in FINISHED


def check_ended(run: Run) -> None:
    """Refuse what must not happen to a live run: WORKSPACE_BUSY."""
    if not _has_ended(run):
        raise user_error(
            "WORKSPACE_BUSY", f"The run {run.id} {status_words(run.status)}.", "Cancel it first."
        )


def check_here(run: Run) -> None:
    """Refuse a workspace on a node, which goes with its run: NODE_CANNOT."""
    if run.workspace and run.workspace.host != LOCAL:
        host = printable_name(run.workspace.host)
        raise user_error(
            "NODE_CANNOT",
            f"The workspace of the run {run.id} is on the node {host}, which has no trash.",
            f"Forget the run with `swarm-tui forget {run.id}`: that removes its files there, too.",
        )


def _staying(lost: UnsavedWork) -> str:
    return f", the branch {lost.branch} stays" if lost.branch else ""


def _said(words: str, why: str) -> str:
    return f"{words}: {why}" if why else words


def _is_there(run: Run) -> bool:
    return bool(path_here(run)) and os.path.lexists(path_here(run))
