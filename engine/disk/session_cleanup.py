"""Session files of agents of runs that cannot go on any more: planned, then removed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from engine.agents import registry
from engine.agents.base import AgentPort, SessionFile, SessionFinder, SessionScope
from engine.config import workspace_roots
from engine.config.paths import Paths
from engine.config.settings import Config
from engine.disk.cleanup import CleanupItemResult, CleanupReport
from engine.disk.cleanup_plan import CleanupFilter, CleanupItem, CleanupPlan, ago, largest_first
from engine.disk.trash import Trash
from engine.domain.errors import user_error
from engine.domain.events import Notice
from engine.domain.session_owner import SessionOwner, owner_of
from engine.domain.text import size
from engine.store import run_facts
from engine.store.run_facts import ForkedThreads
from engine.store.session_owners import session_owners
from engine.store.store import Store
from engine.workspaces.files import removal
from engine.workspaces.service import AppendDecided


class SessionCleanup:
    """Removal of session files for good; every method raises `UserError`.

    A session that a run can be resumed from is never removed, nor one that the user went on
    with, nor any other file in an agent's home.
    """

    def __init__(
        self, paths: Paths, config: Config, store: Store, trash: Trash, append: AppendDecided
    ) -> None:
        self._paths = paths
        self._config = config
        self._store = store
        self._trash = trash
        self._append = append
        self._forked = ForkedThreads()
        """The threads that forks are made of, as a clean-up has read them."""

    async def find(self) -> list[SessionFile]:
        """Return the session files of the runs here, of all agents."""
        runs = await session_owners(self._store)
        needed = frozenset(thread for run in runs for thread in run.forked)

        def find() -> list[SessionFile]:
            in_trash = {entry.path for entry in self._trash.list()}
            finders = self._finders(runs, in_trash, needed)
            return [one for finder in finders for one in finder.find()]

        return await asyncio.to_thread(find)

    def _finders(
        self, runs: Sequence[SessionOwner], in_trash: Collection[str], needed: Collection[str]
    ) -> list[SessionFinder]:
        roots = workspace_roots.known(self._paths.home)

        def scope_of(agent: AgentPort) -> SessionScope:
            homes = agent.accounts.homes(self._config)
            return SessionScope(self._paths, runs, roots, in_trash, needed, homes)

        return [agent.sessions(scope_of(agent)) for agent in registry.agents()]

    async def plan(self, wish: CleanupFilter) -> CleanupPlan:
        """Return the session files that would go and stay, with reasons, by `wish.paths`."""
        now = time.time()
        take: list[CleanupItem] = []
        keep: list[CleanupItem] = []
        for one in await self.find():
            if _wanted(one, wish):
                age_s = max(0.0, now - one.figures.newest)
                goes = one.may_go and age_s >= wish.older_than_s
                (take if goes else keep).append(_item(one, ago(age_s)))
        return CleanupPlan(largest_first(take), largest_first(keep), sessions=True)

    async def clean(
        self,
        planned: CleanupPlan,
        told: Callable[[CleanupItemResult], None] | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> CleanupReport:
        """Remove the planned files that may still go; a failure is reported, the rest goes on.

        A run that begins its next attempt meanwhile keeps its session.
        """
        report, self._forked = CleanupReport(), ForkedThreads()
        for item in planned.take:
            if stop():
                report.stopped = True
                break
            cleaned = await self._clean(item)
            report.cleaned.append(cleaned)
            if told:
                told(cleaned)
        return report

    async def _clean(self, item: CleanupItem) -> CleanupItemResult:
        async with self._trash.alone():  # nothing comes back from there meanwhile
            known = await self._store.runs(ids=[item.run]) if item.run else []
            in_trash = {entry.path for entry in await asyncio.to_thread(self._trash.list)}
            self._forked = await run_facts.forked_threads(self._store, self._forked)
            finders = self._finders([*map(owner_of, known)], in_trash, self._forked.threads)
            found = await asyncio.to_thread(_first, finders, Path(item.path))
            if found is None or not found.may_go:
                why = found.state if found else "is gone"
                failure = user_error("INPUT_INVALID", f"The session of {item.title} stays: {why}.")
                return CleanupItemResult(item, failure=failure)
            done = await asyncio.to_thread(removal.remove, found.path)
        if done.left:
            message = f"The system refused: {done.left[0]}."
            return CleanupItemResult(
                item, failure=user_error("INTERNAL", message, "Check that file.")
            )
        if found.run:
            words = f"removed a session that cannot go on: {size(item.size)}"
            await self._append(found.run.id, lambda _: [Notice("info", words)])
        return CleanupItemResult(item, item.size)


def _first(finders: Iterable[SessionFinder], path: Path) -> SessionFile | None:
    return next((found for finder in finders if (found := finder.one(path))), None)


def _wanted(one: SessionFile, wish: CleanupFilter) -> bool:
    run, project, status = (
        (one.run.id, one.run.project, one.run.status) if one.run else ("", None, None)
    )
    return (
        (not wish.runs or run in wish.runs)
        and (not wish.paths or str(one.path) in wish.paths)
        and (not wish.statuses or status in wish.statuses)
        and wish.project in (None, project)
    )


def _item(one: SessionFile, age: str) -> CleanupItem:
    run, title, project = (one.run.id, one.run.title, one.run.project) if one.run else ("", "", "")
    why = f"{one.state}, last written {age} ago"
    return CleanupItem(run, title or one.path.name, project, one.figures.disk, why, str(one.path))
