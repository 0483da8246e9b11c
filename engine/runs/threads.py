"""Threads of runs that the user opens in the agent's own program, on their terminal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.agents.base import CommandRequest
from engine.agents.registry import agent_of
from engine.config import run_environment, thread_lock
from engine.config.locks import to_the_end
from engine.config.paths import private_folder
from engine.domain.errors import os_failure, user_error
from engine.domain.events import Body, CheckpointTaken
from engine.domain.host_features import HostFeature, check_feature
from engine.domain.hosts import local_path, path_here
from engine.domain.lifecycle import FINISHED, status_words
from engine.domain.model import BASELINE, Run
from engine.domain.record import record
from engine.domain.thread_session import SessionPhase, ThreadSession
from engine.execution.attempt_cursor import AttemptCursor, cursor_from, cursor_text
from engine.execution.executor import AttemptRef
from engine.execution.journal import Journal
from engine.execution.stages.agent import session_home
from engine.runs.finder import find_run
from engine.store.appending import AppendRequest
from engine.store.store import Store
from engine.system.environment import separate_agents_code
from engine.workspaces.checkpoints.measured import measured, touched

if TYPE_CHECKING:
    from engine.lazy_services import LazyServices

STAGE = "interactive"
"""The stage of the checkpoint after the thread was left."""


@record
class TerminalProgram:
    """A program for the user's terminal, with variables beside those of `base`."""

    argv: tuple[str, ...]
    folder: Path
    env: Mapping[str, str]
    base: Mapping[str, str]


class RunThreads:
    """Threads of the runs of one home."""

    def __init__(self, services: LazyServices, store: Store, journal: Journal) -> None:
        self._services = services
        self._store = store
        self._journal = journal

    @asynccontextmanager
    async def open(self, run: str) -> AsyncGenerator[TerminalProgram]:
        """Hold the thread of a finished run for its agent's own program; raises `UserError`.

        The run cannot be started until it is left. Afterwards its changes, tokens and limits are
        stored.
        """
        known = await find_run(self._store, run)
        program = await self._program(known)
        paths = self._services.paths
        async with thread_lock.holding(paths, known.id):
            # Decided with the lock held: a request for the run checks the lock in the same way.
            await self._journal.change(known.id, _opened)
            try:
                yield program
            finally:
                await to_the_end(self._record_work(known.id))

    async def _program(self, run: Run) -> TerminalProgram:
        _check(run)
        assert run.workspace
        services, ref = self._services, AttemptRef(run.id, run.attempt)
        folder = await services.workspaces.working_folder(run.id)
        executor, agent = services.executors.of_run(run), agent_of(run.spec.agent)
        try:
            base = await asyncio.to_thread(run_environment.of_terminal, services.paths, run)
        except OSError as error:
            raise os_failure(error) from error
        written = (str(local_path(run.workspace)), run.workspace.source or "")
        base, of_commands = await asyncio.to_thread(separate_agents_code, base, written)
        # Its thread went on under this account.
        run = replace(run, account=run.thread_account)
        under = await asyncio.to_thread(
            agent.accounts.environment, run.account, services.config, base
        )
        request = CommandRequest(
            run,
            services.config,
            services.paths,
            executor.agent_folder(ref),
            run.thread_id,
            under.base,
            of_commands,
            reserved={**executor.reserved_variables(ref), **under.of_commands},
        )
        command = await asyncio.to_thread(agent.thread_command, request)
        for needed in command.folders:
            private_folder(needed)
        return TerminalProgram(command.argv, folder, command.env, under.base)

    async def _record_work(self, run: str) -> None:
        """Store what was done in the thread; its end is noted even where the work cannot be."""
        known = await find_run(self._store, run)
        try:
            await self._record_changes(known)
        finally:
            await self._record_usage(known)

    async def _record_changes(self, run: Run) -> None:
        if not run.baseline or run.workspace is None:
            return
        stores = self._services.executors.workspaces(run.workspace)
        store = await stores.open_checkpoints(run.id, run.workspace)
        taken = await store.record(STAGE)
        changes = await store.changes(BASELINE, taken.n)

        def decide(known: Run) -> Sequence[Body]:
            is_new = known.checkpoint != taken.n
            kept = [CheckpointTaken(taken.n, STAGE, taken.ref)] if is_new else []
            return [*kept, *measured(known, changes.total, touched(changes))]

        await self._journal.change(run.id, decide)

    async def _record_usage(self, run: Run) -> None:
        """Store the tokens and limits that the thread counted, with the place read up to.

        The next attempt goes on from there: none of them is counted twice.
        """
        closed = ThreadSession(SessionPhase.CLOSED)
        text = await self._store.cursor(run.id, run.attempt)
        if text is None or run.workspace is None:
            await self._journal.append([AppendRequest(run.id, [closed])])
            return
        cursor, paths = cursor_from(text), self._services.paths
        agent, root = agent_of(run.spec.agent), str(local_path(run.workspace))
        written = replace(run, account=run.thread_account)
        home = await asyncio.to_thread(session_home, written, paths, self._services.config)
        reader = agent.reader(bytes(cursor.agent), root, home)
        try:
            bodies = await asyncio.to_thread(reader.finish)
            state = msgspec.Raw(reader.state())
        finally:
            reader.close()
        moved = cursor_text(AttemptCursor(state, cursor.offset, cursor.verdict))
        entry = AppendRequest(run.id, [*bodies, closed], cursor=moved, cursor_before=text)
        await self._journal.append([entry])


def _check(run: Run) -> None:
    """Raise `UserError` where the thread of a run cannot be opened."""
    if run.status not in FINISHED:
        message = f"The run {run.id} {status_words(run.status)}: its thread is in use."
        raise user_error("RUN_NOT_ENDED", message)
    if run.workspace:
        check_feature(run.workspace.host, HostFeature.OPEN_THREAD)
    if not path_here(run) or run.workspace is None or run.in_trash:
        raise user_error("WORKSPACE_MISSING")
    if run.thread_id is None or not agent_of(run.spec.agent).can_continue(run.thread_id):
        message = f"The run {run.id} has no thread that could be opened."
        raise user_error("THREAD_NOT_FOUND", message)


def _opened(run: Run) -> Sequence[Body]:
    _check(run)
    return [ThreadSession(SessionPhase.OPENED)]
