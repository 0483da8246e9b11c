"""Scheduler of the queue: the next run to start, and a supervisor for each active one."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial

from engine.agents.base import AttemptOutcome, OutcomeKind
from engine.agents.registry import agent_of
from engine.domain.account import AccountChosen, stored_name
from engine.domain.account_choice import held_accounts, without_ended
from engine.domain.errors import UserError
from engine.domain.events import Body, ErrorRaised, Notice, StatusChanged, status_change
from engine.domain.hosts import HostChosen, host_of
from engine.domain.lifecycle import ACTIVE
from engine.domain.model import AttemptRequest, Pause, Run, Status
from engine.domain.placement import NodePlaces, left_node
from engine.domain.projection import View
from engine.domain.queue import NextRun, QueueRules, hopeless, next_run, paused
from engine.domain.reasons import Cause, WaitingFor
from engine.domain.stamp import TransitionError
from engine.domain.text import printable_name
from engine.domain.transient import transient
from engine.domain.usage import DEFAULT_ACCOUNT
from engine.execution.run_task import RunTask
from engine.execution.supervisor_context import SupervisorContext
from engine.execution.task_tree import FinalError
from engine.store.appending import AppendRequest

TICK_S, IDLE_S = 1.0, 5.0
LOOK_S = 1.0
CHOSEN, LEFT = "it has the most free slots", "the node {} is lost"
AUTH_FAILURES = 2


class Scheduler:
    """Scheduler that starts queued runs while slots are free, and supervises every active run."""

    def __init__(
        self,
        view: View,
        tools: SupervisorContext,
        rules: Callable[[], QueueRules],
        check_login: Callable[[Run, str], Awaitable[UserError | None]],
        still_there: Callable[[], None],
        keep_time: Callable[[], Awaitable[None]],
    ) -> None:
        self._view = view
        self._tools = tools
        self._rules = rules
        self._check_login = check_login
        self._still_there = still_there
        self._keep_time = keep_time
        self._faults = tools.tasks.faults
        self._logged_in: set[tuple[str, str]] = set()
        """Agents with the accounts whose login was checked."""
        self._auth_failures = Counter[tuple[str, str]]()
        """Refused logins in a row, by agent and account."""
        self._run_tasks: dict[str, RunTask] = {}
        self._wake = asyncio.Event()

    def notify(self, runs: Iterable[str]) -> None:
        """React to a change of these runs; without any, of the rules."""
        for run_id in runs:
            run, task = self._view.runs.get(run_id), self._run_tasks.get(run_id)
            if run and task:
                task.update(run)
        self._wake.set()

    async def run(self) -> None:
        """Schedule until cancelled; what is live then stays alive, for the next engine."""
        while True:
            await self._check_home()
            self._wake.clear()
            # Here, where no run starts meanwhile: one that starts after a gap has not skipped it.
            with self._faults.guard("clock"):
                await self._keep_time()
            self._supervise_active()
            if await self._started_next():
                # Starts are spread: the agent's own start is the heaviest moment of a run.
                stagger_s = self._tools.config.queue.stagger_s
                await asyncio.sleep(stagger_s * random.uniform(0.8, 1.2))
                continue
            with suppress(TimeoutError):
                # Not wait_for: before Python 3.12 it loses a cancel that meets the wake.
                async with asyncio.timeout(TICK_S if self._view.live else IDLE_S):
                    await self._wake.wait()

    async def check_runs(self) -> None:
        """Look after every run, for ever: all at one moment, to wake for each costs more."""
        while True:
            await asyncio.sleep(LOOK_S)
            now = self._tools.clock.now()
            for run_id, task in list(self._run_tasks.items()):
                if run := self._view.runs.get(run_id):
                    task.check(run, now)

    async def _check_home(self) -> None:
        """Check that the home is what it was; if not, end all supervision.

        Its agents live on, for the engine that finds them again; only if the home was
        removed, they are ended, too.
        """
        try:
            self._still_there()
        except UserError as error:
            if error.code == "HOME_REMOVED":
                for task in self._run_tasks.values():
                    await task.abandon()
            raise FinalError(error) from error

    def _supervise_active(self) -> None:
        """Supervise every active run: also those another engine left."""
        for run in self._view.active():
            if run.id not in self._run_tasks:
                self._run_tasks[run.id] = task = RunTask(run, self._tools)
                task.start(partial(self._run_ended, run.id))

    def _run_ended(self, run_id: str) -> None:
        task = self._run_tasks.pop(run_id, None)
        run = self._view.runs.get(run_id)
        if run is None:  # it was forgotten as soon as it had ended
            pass
        elif run.status is Status.SUCCEEDED:
            del self._auth_failures[_login_of(run)]
        elif task and task.outcome is OutcomeKind.LOGIN:
            self._auth_failures[_login_of(run)] += 1
        self._wake.set()

    async def _started_next(self) -> bool:
        try:
            started = await self._start_next()
        except UserError as error:
            self._faults.record("start of runs", error)
            return False
        self._faults.clear("start of runs")
        return started

    async def _start_next(self) -> bool:
        """Start the next run if one may start, and return whether one was started."""
        with self._faults.guard("queue"):
            await self._drop_hopeless()
        with self._faults.guard("budgets"):
            await self._drop_unaffordable()
        await self._pause_refused()
        await self._end_pause()
        rules, now = self._rules(), self._tools.clock.now()
        found = next_run(self._view, rules, now, self._ending(rules.nodes))
        chosen = rules.account_of(found.run, now) if found else None
        if found is None or chosen is None:
            return False
        run = found.run
        # The login on a node is the node's own.
        if not rules.nodes.is_node(found.host) and not await self._login_holds(run, chosen[0]):
            return False
        with suppress(TransitionError):
            await self._tools.commit([self._start_of(found, chosen, rules.nodes)])
        self._supervise_active()
        return True

    def _start_of(
        self, found: NextRun, account: tuple[str, str], nodes: NodePlaces
    ) -> AppendRequest:
        """Return the start of a run on the machine that was chosen for it.

        Where it leaves a lost node, it starts over.
        """
        run, host = found.run, found.host
        left = left_node(run, host, nodes)
        ask = AttemptRequest(run.spec.prompt, fresh=True) if left else None
        return AppendRequest(run.id, decide=partial(_prepare, account, host, left), ask=ask)

    def _ending(self, nodes: NodePlaces) -> int:
        """Return the number of runs that have ended and are still supervised here."""
        ended = (task.host for name, task in self._run_tasks.items() if not self._is_active(name))
        return sum(not nodes.is_node(host) for host in ended)

    def _is_active(self, run_id: str) -> bool:
        run = self._view.runs.get(run_id)
        return run is not None and run.status in ACTIVE

    async def _end_pause(self) -> None:
        """End a pause of the queue whose time has come."""
        pause, now = self._rules().pause, self._tools.clock.now()
        if pause is None or (pause == without_ended(pause, now) and not paused(pause, now)):
            return  # accounts alone are held
        self._logged_in.clear()
        if without_ended(pause, now) != pause:
            await self._tools.pause(None)

    async def _pause_refused(self) -> None:
        """Hold the runs of an account when one after the other was refused the login.

        Runs of other accounts and agents need another login, or none, and go on.
        """
        for (agent, account), count in list(self._auth_failures.items()):
            if count >= AUTH_FAILURES:
                words = f"{AUTH_FAILURES} runs in a row were refused the login"
                await self._hold(agent, account, words)
                del self._auth_failures[agent, account]
                self._logged_in.clear()

    async def _hold(self, agent: str, account: str, reason: str) -> None:
        hold = Pause(reason, waiting_for=WaitingFor.LOGIN, agent=agent, account=account)
        await self._tools.pause(hold)

    async def _login_holds(self, run: Run, account: str) -> bool:
        """Check the login once, before the first start; where it does not hold, the run fails.

        It costs no workspace and no process, and the user sees it at once. A run that can start
        under another account does that.
        """
        agent = agent_of(run.spec.agent)
        login = (agent.name, account)
        if login in self._logged_in:
            return True
        error: UserError | None = None
        with self._faults.guard("login check"):
            error = await self._check_login(run, account)
        if self._faults.is_failing("login check"):
            return (
                True  # nothing is known: the agent itself reports it, and the next run checks again
            )
        if error and transient(error):
            raise error  # not the agent's fault: the queue waits
        if error and agent.is_own_affair(run.spec, error):
            return True  # it fails, and the others go on
        if error:
            is_login = AttemptOutcome.of(error).kind is OutcomeKind.LOGIN
            if is_login and self._can_move(run, account):
                await self._hold(*login, error.message)
                return False
            failed = status_change(Status.FAILED, Cause.ERROR, code=error.code)
            with suppress(TransitionError):
                await self._tools.commit([AppendRequest(run.id, [ErrorRaised(error.info), failed])])
            self._auth_failures[login] += is_login
            return False
        self._logged_in.add(login)
        return True

    def _can_move(self, run: Run, account: str) -> bool:
        """Return whether a run could start under another account than this one."""
        rules, now = self._rules(), self._tools.clock.now()
        known = rules.accounts.get(run.spec.agent)
        if known is None or not known.can_move or run.spec.account:
            return False
        held = held_accounts(rules.pause, run.spec.agent, now)
        return bool(set(known.names) - {account, *held})

    async def _drop_hopeless(self) -> None:
        """Cancel queued runs that wait for one that ended without success."""
        for run in self._view.queue():
            other = hopeless(self._view, run) if run.spec.after else None
            if other:
                gone = status_change(Status.CANCELLED, Cause.DEPENDENCY, run=other)
                with suppress(TransitionError):
                    await self._tools.commit([AppendRequest(run.id, [gone])])

    async def _drop_unaffordable(self) -> None:
        """Fail queued runs of batches that have used up their budget."""
        budgets = self._tools.budgets
        await budgets.refresh()
        if not any(budgets.exceeded(run) for run in self._view.queue()):
            return
        await budgets.refresh(at_once=True)  # it may have been raised a moment ago
        for run in self._view.queue():
            if error := budgets.exceeded(run):
                failed = status_change(Status.FAILED, Cause.ERROR, code=error.code)
                with suppress(TransitionError):
                    await self._tools.commit(
                        [AppendRequest(run.id, [ErrorRaised(error.info), failed])]
                    )


def _login_of(run: Run) -> tuple[str, str]:
    return run.spec.agent, run.account or DEFAULT_ACCOUNT


def _prepare(chosen: tuple[str, str], host: str, left: str, run: Run) -> list[Body]:
    if run.status is not Status.QUEUED:
        raise TransitionError(run.status)
    account, reason = chosen
    bodies: list[Body] = []
    if stored_name(account) != run.account:
        bodies.append(AccountChosen(account, reason))
    if host != host_of(run):
        bodies.append(HostChosen(host, LEFT.format(printable_name(left)) if left else CHOSEN))
    if left:
        bodies.append(Notice("warning", f"{LEFT.format(printable_name(left))}: it starts over"))
    return [*bodies, StatusChanged(Status.PREPARING)]
