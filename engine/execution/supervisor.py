"""Supervisor of one run, from its present state to its end: prepare, run, done.

Each step begins with the database and the disk as they are, so that it does not matter which engine
did the steps before it: a run that another engine left is supervised the same way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

from engine.agents.base import AttemptOutcome, OutcomeKind
from engine.agents.registry import agent_of
from engine.domain.errors import UserError, os_failure, user_error
from engine.domain.events import (
    Body,
    ErrorRaised,
    Notice,
    Progressed,
    StatusChanged,
    status_change,
)
from engine.domain.fault import error_line
from engine.domain.hosts import host_of
from engine.domain.interaction import MessageChanged
from engine.domain.lifecycle import ACTIVE
from engine.domain.model import AttemptRequest, Run, Stage, Status
from engine.domain.reasons import Cause, Subject
from engine.domain.stamp import TransitionError
from engine.domain.transient import transient
from engine.execution import outcome as endings
from engine.execution import task_tree, watchdog
from engine.execution.attempt_cursor import cursor_text
from engine.execution.executor import (
    AttemptFile,
    AttemptHandle,
    AttemptPart,
    AttemptRef,
    ProcessEnd,
)
from engine.execution.follower import FollowedAttempt
from engine.execution.output_tail import read_tail
from engine.execution.run_hosts import RunHost
from engine.execution.stages import agent
from engine.execution.stages.checkpoint import Checkpointer
from engine.execution.stages.conflicts import checked_conflicts
from engine.execution.stages.learn import PatternRecorder
from engine.execution.stages.verify import VerifyStage
from engine.execution.stages.workspace import WorkspaceStage
from engine.execution.supervisor_context import SupervisorContext
from engine.store.appending import AppendRequest

RETRY_S = 1.0
LAST_CHECKPOINT_S = 60.0
"""Time for the last checkpoint of a run that is given up."""

ABANDON_S = 30.0
"""Time for which the processes of a run are ended whose home is gone."""

SLOT_S = 3.0
"""Time for which a run is not started again that a node had no slot for."""
_BEFORE_START = (Status.PREPARING, Status.RUNNING)

T = TypeVar("T")
_log = logging.getLogger(__name__)


class RunSupervisor:
    """Supervisor of one run; `update` it when the run changed from outside."""

    def __init__(self, run: Run, tools: SupervisorContext, host: RunHost) -> None:
        self._run = run
        self._attempt = run.attempt
        self._tools = tools
        self._host = host
        self._woken = asyncio.Event()
        self._prepared = False
        self.outcome: OutcomeKind | None = None
        """The outcome of the attempt, once it has ended by itself."""
        self._process: AttemptHandle | None = None
        self._failure: UserError | None = None
        """The error with which the attempt is being ended."""
        self._following: FollowedAttempt | None = None
        self._cpu_s = 0.0
        self._delivered: set[str] = set()
        """The ids of records that are in the attempt's inbox."""
        self._limits = watchdog.of_run(run, tools.config.watchdog)
        with_run = (tools.config.grace_s, lambda: self._run, self._append)
        self._preparing = WorkspaceStage(tools.paths, host.executor, *with_run, tools.store)
        self._verifying = VerifyStage(tools.paths, host.executor, *with_run)
        self._remembering = Checkpointer(
            host.executor.workspaces,
            tools.checkpoints,
            self._append,
            tools.tasks,
            tools.config.cleanup.rebuildable,
        )
        self._learning = PatternRecorder(tools.store, self._append)

    def update(self, run: Run) -> None:
        """Replace the run by a newer state of it."""
        if run.seq < self._run.seq:
            return
        changed = _wakes(run) != _wakes(self._run)
        self._run = run
        if changed:
            self._woken.set()

    def check(self, now: float) -> None:
        """Look after the run; costs little, for mostly there is nothing to be done about it."""
        run, following = self._run, self._following
        if run.status is not Status.RUNNING or following is None:
            return
        self._remembering.start_if_due(run, self._host.watcher.seen(run.id))
        if (
            following.verdict
            or watchdog.is_odd(run, now, self._limits)
            or self._tools.budgets.exceeded(run)
        ):
            self._woken.set()

    async def abandon(self) -> None:
        """End the run's processes at once: there is no home any more to keep what they do."""
        with suppress(TimeoutError, UserError):  # a node may not answer
            async with asyncio.timeout(ABANDON_S):
                await self._preparing.abandon()
                await self._verifying.end(0, lambda: True)
                if self._process:
                    await self._process.stop(0)

    async def supervise(self) -> None:
        """Supervise the run's attempt until it has ended; raises the faults of this program."""
        steps = {
            Status.PREPARING: self._prepare,
            Status.RUNNING: self._work,
            Status.VERIFYING: self._verify,
            Status.CANCELLING: self._stop,
        }
        try:
            while self._run.status in ACTIVE and self._run.attempt == self._attempt:
                self._woken.clear()
                try:
                    if self._failure:
                        await self._fail(self._failure)
                    else:
                        await steps[self._run.status]()
                except (UserError, OSError) as error:
                    await self._met(error)
        finally:
            self._preparing.release()
            self._verifying.release()
            await self._remembering.close()
            self._host.follower.forget(self._run.id)
            self._host.watcher.forget(self._run.id)
            if self._process:
                self._process.release()

    async def _met(self, error: UserError | OSError) -> None:
        """Decide what an error of a step means: the next step, after a while if need be."""
        is_known = isinstance(error, UserError)
        if is_known and error.entry.returns_to_queue and self._run.status in _BEFORE_START:
            await self._return_to_queue()
        elif is_known and error.entry.waits_for_node:
            with suppress(TimeoutError):
                async with asyncio.timeout(RETRY_S):
                    await self._woken.wait()
        elif transient(error):
            raise error  # not about the run: it goes on in a moment
        elif self._failure is None:
            self._failure = error if isinstance(error, UserError) else os_failure(error)
        else:
            raise error

    async def _return_to_queue(self) -> None:
        """Put a run back whose start the node refused: it waits for a slot, as before."""
        run, ask = self._run, await self._ask()
        if run.status is Status.RUNNING and ask:
            ask = replace(ask, fresh=False)  # its workspace was made
        if run.workspace is None:
            await self._preparing.end()
        not_before = self._tools.clock.now() + SLOT_S
        queued = status_change(Status.QUEUED, Cause.NO_SLOT, not_before=not_before)
        queued = replace(queued, prompt=run.attempt_prompt or None)
        await self._append([queued], ask=ask)

    # The steps

    async def _prepare(self) -> None:
        run = self._run
        ask = await self._ask()
        made = await self._preparing.workspace(run, fresh=bool(ask and ask.fresh))
        if made is None:
            return
        prompt = agent.build_prompt(run, ask).encode("utf-8", "surrogateescape")
        await self._host.executor.write_prompt(self._ref, prompt)
        earlier = await self._stored(lambda: self._earlier_cursors(ask))
        cursor = agent.first_cursor(run, ask, earlier)
        # A fresh start in place gets a new baseline where the old one is lost.
        is_new = bool(ask and ask.fresh and run.has_unknown_changes)
        details = {**asdict(made.workspace), **({"is_new": True} if is_new else {})}
        await self._record(
            *(Notice("info", notice) for notice in made.notices),
            Progressed(Stage.WORKSPACE_CLONED, "workspace ready", 20, details),
        )
        # Everything that the run changes is measured against what it starts from.
        remembered = await self._remembering.begin(self._run, self._is_cancelled)
        if remembered is None:
            return
        self._prepared = True
        # Settled before anything starts: who takes over finds the attempt's place from the start.
        with_settings = (self._tools.paths, self._tools.config)
        notices = await asyncio.to_thread(agent.notices, self._run, *with_settings)
        await asyncio.to_thread(agent.bring_threads, self._run, ask, cursor, *with_settings)
        started = [*remembered, *notices, StatusChanged(Status.RUNNING)]
        await self._append(started, cursor=cursor_text(cursor))

    async def _work(self) -> None:
        following = await self._follow(may_start=True)
        assert following is not None
        await self._deliver()
        ending = await self._ended_or_woken(following)
        if ending is not None:
            await self._finish(following, ending)
        elif self._run.status is Status.RUNNING:
            await self._check(following)

    async def _deliver(self) -> None:
        """Hand on what was decided for the agent; after a takeover, all of it again."""
        known = agent_of(self._run.spec.agent).pending_records(self._run)
        new = {name: record for name, record in known if name not in self._delivered}
        if new:
            await self._host.executor.append_records(self._ref, list(new.values()))
            self._delivered |= new.keys()

    async def _check(self, following: FollowedAttempt) -> None:
        """See what is the matter with a run that is at work, and do something about it."""
        now, settings = self._tools.clock.now(), self._limits
        quiet = watchdog.is_quiet(self._run, now, settings)
        cpu_s = await following.process.used_cpu_s() if quiet else 0.0
        idle, self._cpu_s = quiet and cpu_s == self._cpu_s, cpu_s
        stalled = watchdog.stall(self._run, now, settings, idle=idle)
        if stalled and not self._run.stalled:
            await self._record(Notice("warning", stalled, subject=Subject.STALLED))
        # The first verdict stands: output of an agent that is being stopped is not a sign of life.
        if not following.verdict:
            spent = self._tools.budgets.exceeded(self._run)
            following.verdict = spent or watchdog.verdict(self._run, now, settings, stalled)
        if following.verdict:
            await following.process.stop(self._tools.config.grace_s)

    async def _verify(self) -> None:
        verdict = await self._verifying.verify(
            self._run, lambda: self._run.status is not Status.VERIFYING
        )
        if verdict:
            now = self._tools.clock.now()
            after = endings.after_check(self._run, verdict.error, verdict.output, now)
            if after.is_success:
                await self._learning.learn(self._run)
            await self._append(after.bodies, ask=after.ask)

    async def _stop(self) -> None:
        await self._verifying.cancel()
        following = await self._follow(may_start=False)
        if following is None:
            await self._preparing.end()
            await self._record(self._cancelled())
            return
        grace_s = 0.0 if self._is_killed() else self._tools.config.grace_s
        stopping = asyncio.create_task(following.process.stop(grace_s))
        try:
            # A second, harder request cuts the grace time short.
            ending = await self._ended_or_woken(following)
            if ending is None:
                return
            await stopping
        finally:
            stopping.cancel()
        await following.process.sync_files()
        await self._remove_inbox()
        await self._remember()
        await self._record(
            *endings.not_ended(following.process.survivors),
            self._cancelled(ending.exit_code),
        )

    async def _finish(self, following: FollowedAttempt, ending: ProcessEnd) -> None:
        executor, ref = self._host.executor, self._ref
        left = await following.process.kill_remaining()
        await following.process.sync_files()  # before its end is reported
        await self._remove_inbox()
        stderr = await read_tail(executor, ref, AttemptFile.STDERR)
        outcome = endings.attempt_outcome(ending, following.reader, stderr, host_of(self._run))
        if outcome.error and following.verdict:
            outcome = AttemptOutcome.of(following.verdict)
        self.outcome = outcome.kind
        message = await executor.file_size(ref, AttemptFile.LAST_MESSAGE)
        bodies = endings.leftover_events(
            {} if following.verdict else left, following.process.survivors, message
        )
        await self._remember()
        bodies += await checked_conflicts(self._run)
        ask = await self._ask()
        sent = ask.message if ask else ""
        again = endings.next_request(ask, can_continue=following.reader.can_continue)
        following_up = endings.decide(
            self._run,
            outcome,
            ending.exit_code,
            self._limits,
            self._tools.clock.now(),
            again,
            sent=sent,
        )
        bodies += endings.message_events(self._run, outcome, sent)
        if pause := following_up.pause:
            await self._stored(lambda: self._tools.pause(pause))
        if following_up.is_success:
            await self._learning.learn(self._run)
        # A message that was sent or withdrawn in this moment is decided about, too.
        messages = self._run.messages
        await self._append([*bodies, *following_up.bodies], ask=following_up.ask, messages=messages)

    async def _remove_inbox(self) -> None:
        """Delete the attempt's inbox, before its end is recorded: answers in it may be secret."""
        try:
            await self._host.executor.remove_inbox(self._ref)
        except OSError as error:
            _log.warning("run %s: its inbox is still there: %s", self._run.id, error)
            text = f"the inbox of the attempt could not be deleted: {error.strerror or error}"
            await self._record(Notice("warning", text))

    async def _remember(self) -> None:
        """Take the last checkpoint; a fault in that takes nothing from how the run ended."""
        try:
            await self._remembering.finish(self._run, self._is_killed)
        except Exception as error:
            _log.exception("run %s: no last checkpoint", self._run.id)
            await self._record(Notice("warning", f"no last checkpoint: {error_line(error)}"))

    async def _fail(self, error: UserError) -> None:
        if self._tools.store.place:
            # Files that are missing with the home itself are not about the run.
            self._tools.store.place.check()
        # Where it is not known whether anything was started, it is found by its mark.
        grace_s = 0 if self._is_killed() else self._tools.config.grace_s
        if self._process:
            await self._process.stop(grace_s)
            await self._remember()
        else:
            await self._host.executor.kill(self._ref, grace_s)
        await self._remove_inbox()
        if self._run.status is Status.CANCELLING:
            await self._record(self._cancelled())
            return
        outcome = AttemptOutcome.of(error)
        self.outcome = outcome.kind
        if outcome.kind is OutcomeKind.PASSING:
            again = endings.next_request(await self._ask(), can_continue=False)
            now = self._tools.clock.now()
            step = endings.decide(self._run, outcome, None, self._limits, now, again)
            await self._append(step.bodies, ask=step.ask)
            return
        failed = status_change(Status.FAILED, Cause.ERROR, code=error.code)
        await self._record(ErrorRaised(error.info), failed)

    async def fail(self, fault: BaseException) -> None:
        """End a run that met the same fault again and again: its processes, a checkpoint, why."""
        run = self._run
        if run.status not in ACTIVE or run.attempt != self._attempt:
            return
        grace_s = 0.0 if self._is_killed() else self._tools.config.grace_s
        # Found by their marks alone: nothing else of the run may be in order.
        for part in (AttemptPart.SETUP, AttemptPart.VERIFY, AttemptPart.AGENT):
            await self._host.executor.kill(AttemptRef(run.id, run.attempt, part), grace_s)
        await self._remove_inbox()
        try:
            async with asyncio.timeout(LAST_CHECKPOINT_S):
                await self._remembering.finish(run, lambda: True)
        except Exception as error:
            _log.warning("run %s: no last checkpoint: %s", run.id, error_line(error))
        finally:
            await self._remembering.close()
        run = self._run
        if run.status is Status.CANCELLING:
            await self._record(self._cancelled())
            return
        message = f"The same fault came {task_tree.BACKOFF.identical} times: {error_line(fault)}."
        ended = status_change(Status.FAILED, Cause.ERROR, code="INTERNAL")
        await self._record(ErrorRaised(user_error("INTERNAL", message).info), ended)

    # What they are made of

    async def _earlier_cursors(self, ask: AttemptRequest | None) -> list[str]:
        """Return the cursors of the attempts that wrote the thread of this one, latest first."""
        run, store = self._run, self._tools.store
        origin = run.spec.fork
        if origin and agent.thread_to_fork(run, ask):
            return await store.cursors(origin.run)
        return await store.cursors(run.id, run.attempt)

    def _is_cancelled(self) -> bool:
        return self._run.status is Status.CANCELLING

    def _is_killed(self) -> bool:
        return self._is_cancelled() and self._run.cause is Cause.KILL

    def _cancelled(self, exit_code: int | None = None) -> StatusChanged:
        """Return the end of a cancelled run, for the cause that it was cancelled for."""
        reason, cause = self._run.reason, self._run.cause
        return StatusChanged(Status.CANCELLED, reason=reason, exit_code=exit_code, cause=cause)

    async def _follow(self, *, may_start: bool) -> FollowedAttempt | None:
        """Follow the attempt's process: the one we have, the one we find, or a new one."""
        if self._following:
            return self._following
        run, tools = self._run, self._tools
        self._process = await agent.find_or_start(
            run,
            await self._ask(),
            tools.paths,
            tools.config,
            self._host.executor,
            new=self._prepared,
            may_start=may_start,
        )
        self._prepared = False
        if self._process is None:
            return None
        stored = await self._stored(lambda: tools.store.cursor(run.id, run.attempt))
        root = run.workspace.path if run.workspace else ""
        home = await self._session_home()
        self._host.watcher.watch(run.id, root)
        known = agent_of(run.spec.agent)
        self._following = self._host.follower.follow(
            run.id, self._process, stored, lambda state: known.reader(state, root, home)
        )
        self._following.done.add_done_callback(lambda _: self._woken.set())
        return self._following

    async def _session_home(self) -> Path | None:
        """Return where the agent keeps its session; None where the account is no longer known."""
        run, tools = self._run, self._tools
        try:
            return await asyncio.to_thread(agent.session_home, run, tools.paths, tools.config)
        except UserError as error:
            text = f"{error.message} Tokens and limits of this attempt are not counted."
            await self._record(Notice("warning", text))
            return None

    async def _ended_or_woken(self, following: FollowedAttempt) -> ProcessEnd | None:
        if not following.done.done():
            await self._woken.wait()  # its end wakes it, too
        self._woken.clear()
        return following.done.result() if following.done.done() else None

    @property
    def _ref(self) -> AttemptRef:
        return AttemptRef(self._run.id, self._run.attempt)

    async def _ask(self) -> AttemptRequest | None:
        run = self._run
        return await self._stored(lambda: self._tools.store.ask(run.id, run.attempt))

    async def _record(self, *bodies: Body) -> None:
        await self._append(bodies)

    async def _append(
        self,
        bodies: Sequence[Body],
        *,
        cursor: str | None = None,
        ask: AttemptRequest | None = None,
        messages: tuple[MessageChanged, ...] | None = None,
    ) -> None:
        """Append to the run; with `messages`, only as long as these are the unread ones."""

        def decide(run: Run) -> Sequence[Body]:
            if run.messages != messages:
                raise TransitionError("other messages")
            return bodies

        decision = None if messages is None else decide
        entry = AppendRequest(self._run.id, bodies, decision, cursor=cursor, ask=ask)
        try:
            done = await self._stored(lambda: self._tools.commit([entry]))
        except TransitionError:
            # Another change was quicker, a cancel for instance: go on from what is stored.
            (run,) = await self._stored(lambda: self._tools.store.runs(ids=[entry.run]))
        else:
            run = done.runs[entry.run]
        # While we waited, an update may have brought a later change.
        if run.seq >= self._run.seq:
            self._run = run

    async def _stored(self, do: Callable[[], Awaitable[T]]) -> T:
        """Ask the store until it can do what is asked: its faults are none of the run's."""
        faults, waited = self._tools.tasks.faults, False
        while True:
            try:
                done = await do()
            except UserError as error:
                if not error.entry.stops_store:
                    raise
                waited = True
                faults.record("database", error)
                await asyncio.sleep(RETRY_S)
            else:
                if waited:
                    faults.clear("database")
                return done


def _wakes(run: Run) -> tuple[object, ...]:
    """Return the parts of a run whose change is acted on at once."""
    return run.status, run.cause, run.input_requests, run.messages, run.interrupts
