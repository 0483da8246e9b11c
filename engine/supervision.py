"""Supervision of a home by its one supervising engine: the queue, and all around it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from engine.domain.account_choice import AccountRules, merged, with_hold
from engine.domain.errors import UserError
from engine.domain.events import Notice
from engine.domain.fault import SUPERVISOR_LOCK
from engine.domain.model import Pause, Run
from engine.domain.placement import NodePlaces
from engine.domain.projection import View
from engine.domain.queue import QueueRules
from engine.execution.fault_reporter import FaultReporter
from engine.execution.journal import Journal
from engine.execution.shared_settings import SharedSettings
from engine.execution.supervisor_lock import SupervisorLock
from engine.execution.task_tree import FinalError, TaskTree
from engine.lazy_services import LazyServices
from engine.store.appending import AppendRequest
from engine.store.rebuilt import is_unreadable
from engine.store.store import Store
from engine.system.clock import Clock

if TYPE_CHECKING:
    from engine.execution.rule_applier import RuleApplier
    from engine.execution.scheduler import Scheduler
    from engine.execution.spend_watch import SpendWatch
    from engine.execution.supervisor_context import SupervisorContext

OWNER_RETRY_S = 0.5
CHECKPOINTS = 2
NODES_S = 1.0
"""Seconds from one look at the nodes to the next."""


class Supervision:
    """Supervision of a home while no other engine does it; `pause` pauses the queue for a cause."""

    def __init__(
        self,
        parts: LazyServices,
        store: Store,
        view: View,
        journal: Journal,
        shared: SharedSettings,
        ownership: SupervisorLock,
        tasks: TaskTree,
        published: Callable[[], None],
    ) -> None:
        self.scheduler: Scheduler | None = None
        self._parts = parts
        self._store = store
        self._view = view
        self._journal = journal
        self._shared = shared
        self._ownership = ownership
        self._tasks = tasks
        self._published = published
        self._clock = Clock()
        self._reporter = FaultReporter(
            tasks.faults, shared, view, journal.append, self._pause, self._clock.now
        )

    @cached_property
    def rules(self) -> RuleApplier:
        """The rules that answer requests; imported when it supervises."""
        from engine.execution.rule_applier import RuleApplier

        return RuleApplier(self._view, self._store, self._journal, self._parts.rules.of_files)

    @cached_property
    def spending(self) -> SpendWatch:
        """The watch over the tokens of running runs; imported when it supervises."""
        from engine.execution.spend_watch import SpendWatch

        flag_at, now = self._parts.config.usage.flag_at, self._clock.now
        return SpendWatch(self._view, self._journal, self._store.usage.spent, flag_at, now)

    def notify(self) -> None:
        """Take note that faults were recorded or cleared."""
        self._reporter.notify()

    async def run(self, after: Callable[[], Awaitable[object]] | None) -> None:
        """Supervise this home as soon as no other process does, and not before `after`."""
        while not self._took_over():  # noqa: ASYNC110  the kernel frees the lock without a word
            await asyncio.sleep(OWNER_RETRY_S)
        try:
            await self._check_behind()
            if after:
                await after()
            await self._work_off()
        finally:
            self._ownership.release()

    async def _preload(self) -> None:
        from engine.preload import preload

        config = self._parts.config
        await preload(with_receivers=bool(config.webhooks or config.notify.apprise))

    async def _check_behind(self) -> None:
        from engine.execution.run_records import check_behind

        try:
            await check_behind(self._parts.paths, self._store)
        except UserError as error:
            raise FinalError(error) from error

    def _took_over(self) -> bool:
        faults = self._tasks.faults
        try:
            taken = self._ownership.acquire()
        except UserError as error:
            faults.record(SUPERVISOR_LOCK, error)
            return False
        faults.clear(SUPERVISOR_LOCK)
        return taken

    async def _work_off(self) -> None:
        """Run what is queued, and do all else that wants doing, until that ends for good."""
        from engine.disk.maintenance import Maintenance
        from engine.execution.scheduler import Scheduler
        from engine.execution.timekeeper import Timekeeper

        parts, branch = self._parts, self._tasks.branch()
        tools = self._tools(branch)
        keeper = Timekeeper(
            self._clock, self._view, self._store, self._shared, self._journal.append
        )
        self.scheduler = scheduler = Scheduler(
            self._view,
            tools,
            self._rules,
            self._check_login,
            self._check_home,
            keeper.check,
        )
        tending = Maintenance(
            parts.disk,
            self._store,
            parts.config,
            lambda: not self._view.live,
            self._clock,
            parts.forgetting.finish,
        )
        try:
            branch.start("imports", self._preload)
            branch.start("heartbeat", self._ownership.keep_beating)
            branch.start("faults", self._reporter.run)
            branch.start("unreadable runs", self._rebuild_unreadable)
            tools.hosts.follow_known()
            branch.start("look-after", scheduler.check_runs)
            branch.start("nodes", self._look_at_nodes)
            self._follow_requests(branch)
            branch.start("maintenance", tending.run)
            self._start_services(branch)
            scheduling = branch.start("scheduler", scheduler.run)
            await scheduling.wait()
            if scheduling.error:
                raise FinalError(scheduling.error)
        finally:
            await branch.close()
            self._store.use_clock(None)
            self.scheduler = None
            await self._withdraw_faults()

    def _start_services(self, branch: TaskTree) -> None:
        """Start the tasks beside the runs themselves."""
        branch.start("search", self._parts.search.keep_up)
        branch.start("other sessions", lambda: self._parts.other_sessions.run())
        branch.start("pull requests", self._update_pull_requests)
        branch.start("spending", self.spending.run)
        branch.start("notifications", lambda: self._parts.notifications.run(branch))

    def _follow_requests(self, branch: TaskTree) -> None:
        """Start the tasks that look after the open requests of agents."""
        from engine.execution.input_reminder import InputReminder

        settings = self._parts.config.approvals
        reminder = InputReminder(self._view, self._journal, settings, self._clock.now)
        branch.start("approval rules", self.rules.run)
        branch.start("reminders", reminder.run)

    async def _update_pull_requests(self) -> None:
        """Read the open pull requests of runs from time to time, until cancelled."""
        from engine.runs.pull_requests import PullRequestUpdates

        every = self._parts.config.pull_requests.refresh
        every_s = None if every is None else float(every)
        await PullRequestUpdates(self._view, self._parts.pull_requests.refresh, every_s).run()

    async def _withdraw_faults(self) -> None:
        """Show no fault of ours any more: nothing of it is at work."""
        try:
            await self._shared.set_faults(())
        except UserError as error:  # the next supervisor does that first
            self._tasks.faults.record("faults", error)

    async def _rebuild_unreadable(self) -> None:
        """Rebuild the state of each run that cannot be read: writing to it does that."""
        notice = Notice("warning", "the stored state was unreadable: rebuilt from the events")
        for run in list(self._view.runs.values()):
            if is_unreadable(run):
                await self._journal.append([AppendRequest(run.id, [notice])])

    def _tools(self, branch: TaskTree) -> SupervisorContext:
        from engine.execution.budgets import Budgets
        from engine.execution.run_hosts import RunHosts
        from engine.execution.supervisor_context import SupervisorContext

        commit = self._journal.append
        return SupervisorContext(
            paths=self._parts.paths,
            hosts=RunHosts(self._parts.executors, commit, branch),
            config=self._parts.config,
            store=self._store,
            commit=commit,
            pause=self._pause,
            checkpoints=asyncio.Semaphore(CHECKPOINTS),
            budgets=Budgets(self._store, self._view, self._parts.budget_meter, commit),
            tasks=branch,
            clock=self._clock,
        )

    def _check_home(self) -> None:
        """Check that home and database are what they were; raises `UserError`."""
        self._ownership.check()
        if self._store.place:
            self._store.place.check()

    def _rules(self) -> QueueRules:
        return QueueRules(
            self._shared.slots,
            self._parts.config.queue.per_project,
            self._shared.pause,
            self._parts.queue_pace.holds(self._clock.now()),
            self._account_rules,
            self._node_places(),
        )

    def _node_places(self) -> NodePlaces:
        machines = self._parts.machines.executors
        if (cluster := self._parts.cluster) is None:
            return NodePlaces(machines=frozenset(machines))
        from engine.execution.cluster.places import node_places

        return node_places(cluster, self._view, machines)

    async def _look_at_nodes(self) -> None:
        """Keep the state of the nodes, and show it to all processes, until cancelled."""
        from engine.execution.cluster.places import shown_places
        from engine.execution.node_notices import NodeNotices

        notices: NodeNotices | None = None
        while True:
            seen = None
            if cluster := self._parts.cluster:
                await cluster.refresh()
                places, commit = self._node_places(), self._journal.append
                notices = notices or NodeNotices(
                    self._view, commit, places.is_node, cluster.condition
                )
                await notices.update()
                seen = shown_places(cluster, self._view, self._node_places())
            if await self._shared.set_nodes(seen):
                self._published()
                if self.scheduler:
                    self.scheduler.notify(())
            if cluster is None:
                return
            await asyncio.sleep(NODES_S)

    @cached_property
    def _account_rules(self) -> Mapping[str, AccountRules]:
        """The accounts of each agent that has several."""
        from engine.agents.registry import agents

        config = self._parts.config
        known = {
            agent.name: AccountRules(agent.accounts.names(config), agent.accounts.can_move(config))
            for agent in agents()
        }
        return {name: rules for name, rules in known.items() if rules.has_several}

    async def _check_login(self, run: Run, account: str) -> UserError | None:
        """Return why the agent cannot be started for `run` under an account; None if it can."""
        from engine.config.run_environment import requested
        from engine.login_check import login_error

        base = await asyncio.to_thread(requested, self._parts.paths, run.id)
        return await login_error(run.spec, self._parts.config, base, account)

    async def _pause(self, pause: Pause | None) -> None:
        """Pause for a cause, or end that pause; one the user asked for stays as it is."""

        def decide(known: Pause | None) -> Pause | None:
            now = self._clock.now()
            if pause is None or not pause.account:
                return merged(known, pause, now)
            if rules := self._account_rules.get(pause.agent or ""):
                return with_hold(known, pause, rules, now)
            return merged(known, replace(pause, account=""), now)

        await self._shared.change_pause(decide)
        self._published()
