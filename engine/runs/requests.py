"""The user's requests for runs: each is checked first, and raises `UserError` if refused."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine.agents.registry import agent_of
from engine.config import thread_lock
from engine.domain import requests, run_mode
from engine.domain.activity import ALL, Steps
from engine.domain.answers import split_secrets
from engine.domain.errors import UserError, os_failure, user_error
from engine.domain.events import Body
from engine.domain.host_features import check_features
from engine.domain.hosts import host_of, path_here
from engine.domain.interaction import DeliveryTime, ModeChange, RequestAnswer
from engine.domain.lifecycle import FINISHED, LIVE
from engine.domain.model import (
    LOCAL,
    AttemptRequest,
    Run,
    RunSpec,
    Workspace,
    WorkspaceKind,
    WorkspaceSpec,
)
from engine.domain.run_mode import UNCHANGED, mode_of
from engine.execution.base_refs import hold_bases
from engine.execution.journal import Journal
from engine.runs.children import cancel_below, with_found_parent
from engine.runs.finder import find_run
from engine.runs.host_check import check_requested_host, wait_notices, with_host
from engine.runs.origins import check_origin
from engine.store.appending import AppendRequest
from engine.store.store import Store
from engine.system.environment import requested_environment

if TYPE_CHECKING:
    from engine.domain.start_key import StartKey
    from engine.lazy_services import LazyServices

MESSAGE_CHARACTERS = 100_000
AT_ONCE = 50
"""Runs that are cancelled in one step: between two, others write, and the user can stop it."""
Also = Callable[[Run], Sequence[Body]]


def _nothing(_: Run) -> Sequence[Body]:
    return ()


class RunRequests:
    """Requests for new and for known runs of one home."""

    def __init__(self, services: LazyServices, store: Store, journal: Journal) -> None:
        self._services = services
        self._store = store
        self._journal = journal

    async def start(self, spec: RunSpec, key: StartKey | None = None) -> Run:
        """Check everything that can be checked, then queue a run; at most one for each key."""
        spec = await self.check(spec)
        await self._services.logins.require([spec])
        from engine.execution.requested_files import RequestedFiles

        files = RequestedFiles(self._services.paths, requested_environment())
        done = await files.queue(
            lambda keep: self._journal.create(spec, keep=keep, key=key), self._store
        )
        run = next(iter(done.runs.values()))
        await hold_bases(self._journal, [run])
        return run

    async def check(self, spec: RunSpec, ask_later: bool = False) -> RunSpec:
        """Check a requested run; return it with the path of the run that it goes on from.

        With `ask_later`, missing trust in its repository is not an error.
        """
        if spec.parent is not None:
            limits = self._services.config.children.limits
            spec = await with_found_parent(spec, self._store, limits)
        if spec.workspace.kind is WorkspaceKind.FROM_RUN:
            spec = await self._from_run(spec)
        if spec.schema_file or spec.images or spec.add_dirs:
            from engine.execution import attachments

            spec = await asyncio.to_thread(attachments.checked, spec)
        spec = await self._services.patterns.taught(
            await self._services.trust.prepared(spec, ask_later=ask_later)
        )
        named = replace(spec.preparation, branch=str(self._services.config.workspace.branch))
        if spec.workspace.kind is not WorkspaceKind.IN_PLACE:
            root = self._services.config.workspace.root
            named = replace(named, root=str(root) if root else None)
        if spec.workspace.kind is not WorkspaceKind.FROM_RUN:
            named = replace(named, denied=await self._denied(spec))
        spec = replace(spec, preparation=named)
        spec = with_host(spec, self._services.config)
        await check_requested_host(spec.workspace.host, self._services)
        check_features(spec, spec.workspace.host)
        spec = agent_of(spec.agent).complete(spec, self._services.config)
        agent_of(spec.agent).check(spec)
        await self._services.check_budget(spec.budget, spec)
        checked = await self._check_spec(_checkable(spec))
        pinned = checked.workspace.base_commit
        spec = replace(spec, workspace=checked.workspace) if pinned else spec
        spec = replace(spec, project=await self._project(spec))
        await self._check_root(spec)
        return spec

    async def _denied(self, spec: RunSpec) -> tuple[tuple[str, str], ...]:
        """Return the requests that the run's repository denies."""
        try:
            return await self._services.trust.denied(spec)
        except UserError:
            if spec.interactive:
                raise
            return ()  # nothing asks, and the file may not count for this run

    async def _project(self, spec: RunSpec) -> str:
        """Return the project of a run: two repositories with one folder name are two projects."""
        from engine.workspaces.create.project_key import LOOKED_AT, project_label

        return await project_label(
            spec, lambda label: self._store.runs(project=label, limit=LOOKED_AT)
        )

    async def cancel(self, run: str, *, kill: bool = False) -> Run:
        """Ask for a run to end: SIGTERM, then SIGKILL after the grace time; `kill`: at once."""
        return await self._journal.change(run, lambda current: requests.cancel(current, kill=kill))

    async def cancel_all(
        self, runs: Iterable[str], *, kill: bool = False, children: bool = False, work: Steps = ALL
    ) -> list[Run]:
        """Cancel those of the runs that can be, each part in one step; return their new state.

        With `children`, all runs below them are cancelled, too.
        """
        wanted, cancel = list(runs), partial(self._cancel_all, kill=kill)
        done: list[Run] = []
        for begin in range(0, len(wanted), AT_ONCE):
            if work.stop():
                return done
            done += await cancel(wanted[begin : begin + AT_ONCE])
            work.told(min(begin + AT_ONCE, len(wanted)), len(wanted))
        return [*done, *await cancel_below(self._store, wanted, cancel)] if children else done

    async def _cancel_all(self, runs: Iterable[str], *, kill: bool) -> list[Run]:

        def decide(current: Run) -> Sequence[Body]:
            try:
                return requests.cancel(current, kill=kill)
            except UserError:  # it may have ended in this moment
                return ()

        done = await self._journal.change_all(runs, decide)
        told = {event.run for event in done.events}
        return [run for run in done.runs.values() if run.id in told]

    async def retry(
        self,
        run: str,
        *,
        prompt: str | None = None,
        fresh: bool = False,
        change: ModeChange = UNCHANGED,
    ) -> Run:
        """Queue a finished run's next attempt: it goes on in its workspace and its thread.

        With a `prompt` of its own it starts a new thread; `fresh` starts over, in a new workspace.
        """
        found = await find_run(self._store, run)
        if change.on:
            await check_requested_host(change.on, self._services)
            check_features(found.spec, change.on)
        fresh = fresh or bool(change.on) or requests.is_lost(found)
        spec = await self.check_again(found, fresh=fresh, change=change)
        before = await self._store.ask(found.id, found.attempt)
        ask = requests.retry_ask(found, prompt=prompt, fresh=fresh, before=before)
        message = new_message() if prompt is not None else ask.message
        ask = replace(ask, mode=mode_of(spec), message=message)
        is_replaced = before is not None and before.message != message
        replaced = before.message if before and is_replaced else ""
        await hold_bases(self._journal, [found] if fresh or not found.workspace else [])
        waits = [] if fresh or prompt is None else wait_notices(found, self._services)
        return await self._journal.change(
            found.id,
            lambda current: [
                *requests.retry(
                    self._free(current),
                    fresh=fresh,
                    change=change,
                    prompt=prompt or "",
                    message=message,
                    replaced=replaced,
                ),
                *waits,
            ],
            ask,
        )

    async def resume(
        self, run: str, text: str, change: ModeChange = UNCHANGED, *, also: Also = _nothing
    ) -> Run:
        """Continue a finished run's thread with a message; `also` decides on further events."""
        found, message = await find_run(self._store, run), new_message()
        if not text.strip():
            raise user_error("INPUT_INVALID", "The message is empty.", "Describe the task.")
        if requests.is_lost(found):
            raise user_error("NODE_LOST", recovery=f"Start over: `swarm-tui retry {found.id}`.")
        spec = await self.check_again(found, change=change)
        ask = AttemptRequest(text, resume=True, message=message, mode=mode_of(spec))
        before = await self._store.ask(found.id, found.attempt)
        replaced = before.message if before else ""
        waits = wait_notices(found, self._services)
        return await self._journal.change(
            found.id,
            lambda current: [
                *requests.resume(self._free(current), text, change, message, replaced),
                *waits,
                *also(current),
            ],
            ask,
        )

    def _free(self, run: Run) -> Run:
        """Return a run as it is stored, unless its thread is open in the agent's own program."""
        thread_lock.check_free(self._services.paths, run.id)
        return run

    async def answer(self, run: str, answered: RequestAnswer) -> Run:
        """Answer an open request of a run; one that is not open is not answered.

        Secret values go to the agent's inbox alone. They are there before the decision is stored:
        whichever process hands the decision on, the agent has them.
        """
        found, message = await find_run(self._store, run), new_message()
        secrets = await self._hand_secrets(found, answered)
        return await self._journal.change(
            found.id,
            lambda current: requests.answer(current, answered, message, secrets=secrets),
        )

    async def _hand_secrets(self, run: Run, answered: RequestAnswer) -> str:
        """Write the secret values of an answer; return the id of their record, or an empty text."""
        name = f"secrets:{uuid.uuid4().hex}"
        requests.answer(run, answered, name, secrets=name)  # refused before they are written
        request = requests.open_request(run, answered)
        if not split_secrets(request, answered.answers)[1]:
            return ""
        from engine.agents.registry import agent_of
        from engine.execution.executor import AttemptRef

        record = agent_of(run.spec.agent).secrets_record(name, request, answered.answers)
        executor, ref = self._services.executors.of_run(run), AttemptRef(run.id, run.attempt)
        try:
            await executor.append_records(ref, [record], may_create=False)
        except FileNotFoundError:  # the attempt has ended
            raise user_error("REQUEST_NOT_PENDING") from None
        except OSError as error:
            raise os_failure(error) from error
        return name

    async def answer_all(
        self, answers: Sequence[tuple[str, RequestAnswer]]
    ) -> list[Run | UserError]:
        """Answer open requests of runs, in one step; a failure costs only its own answer."""
        failed: dict[int, UserError] = {}

        def entry(place: int, run: str, answered: RequestAnswer) -> AppendRequest:
            def decide(current: Run) -> Sequence[Body]:
                failed.pop(place, None)
                try:
                    return requests.answer(current, answered, messages[place])
                except UserError as error:
                    failed[place] = error
                    return ()

            return AppendRequest(run, decide=decide)

        messages = [new_message() for _ in answers]
        try:
            done = await self._journal.append([entry(n, *one) for n, one in enumerate(answers)])
        except UserError:  # of one run, for instance one that is not there: each by itself
            return [await self._answered(*one) for one in answers]
        return [failed.get(n) or done.runs[run] for n, (run, _) in enumerate(answers)]

    async def _answered(self, run: str, answered: RequestAnswer) -> Run | UserError:
        try:
            return await self.answer(run, answered)
        except UserError as error:
            return error

    async def send(
        self,
        run: str,
        text: str,
        delivery: DeliveryTime = DeliveryTime.NOW,
        *,
        also: Also = _nothing,
    ) -> Run:
        """Send a message to the agent of a run; one that has ended goes on with it.

        `also` decides on further events, in the same step.
        """
        found = await find_run(self._store, run)
        if found.status in FINISHED:
            return await self.resume(found.id, text, also=also)
        _check_text(text)
        message = new_message()

        def decide(current: Run) -> Sequence[Body]:
            return [*requests.send(current, message, text, delivery), *also(current)]

        return await self._journal.change(found.id, decide)

    async def withdraw(self, run: str, message: str) -> Run:
        """Withdraw a message that the agent has not read; raises `UserError` if it has."""
        found = await find_run(self._store, run)
        ask = await self._store.ask(found.id, found.attempt)
        return await self._journal.change(
            found.id, lambda current: requests.withdraw(current, message, ask)
        )

    async def interrupt(self, run: str, text: str = "") -> Run:
        """End the turn of a run's agent; with a text, it goes on with that at once."""
        found = await find_run(self._store, run)
        if text:
            _check_text(text)
        name, message = f"interrupt:{new_message()}", new_message()
        return await self._journal.change(
            found.id, lambda current: requests.interrupt(current, name, message, text)
        )

    async def _from_run(self, spec: RunSpec) -> RunSpec:
        """Put the path of the earlier run's workspace in the place of its name.

        One that has none yet is waited for: its id stands there until it has.
        """
        from engine.trust.service import with_guard

        earlier = await find_run(self._store, spec.workspace.source or "")
        made = with_guard(earlier.spec.preparation, spec.preparation)
        if earlier.workspace is None and earlier.status in LIVE:
            wish = replace(spec.workspace, source=earlier.id, host=host_of(earlier))
            after = tuple(dict.fromkeys((*spec.after, earlier.id)))
            return replace(spec, workspace=wish, after=after, preparation=made)
        if earlier.workspace is None:
            raise requests.without_workspace(earlier)
        cwd = earlier.workspace.cwd if spec.workspace.cwd is None else spec.workspace.cwd
        place = earlier.workspace
        if place.host != LOCAL:
            await self._check_there(place)
        wish = replace(spec.workspace, source=place.path, cwd=cwd, host=place.host)
        return replace(spec, workspace=wish, preparation=made)

    async def check_again(
        self, run: Run, *, fresh: bool = False, change: ModeChange = UNCHANGED
    ) -> RunSpec:
        """Check what another attempt needs, and return its spec; raises `UserError`.

        With a workspace that is there it needs no source for one.
        """
        executors = self._services.executors
        needs_none = not fresh and run.workspace is not None and await self._is_there(run.workspace)
        if needs_none and (await self._services.workspaces.check(run)).has_unknown_changes:
            raise user_error("CHANGES_UNKNOWN")
        if not needs_none:
            await check_origin(
                run,
                lambda earlier: find_run(self._store, earlier),
                lambda place: executors.workspaces(place).exists(place),
            )
        asked = run_mode.changed(run, change)
        agent_of(asked.agent).check(asked)
        spec = replace(asked, workspace=WorkspaceSpec()) if needs_none else _checkable(asked)
        await self._check_spec(spec, run if path_here(run) else None)
        if not needs_none:
            await self._check_root(run.spec)
        await self._services.logins.require_again(run, change.on or host_of(run))
        return asked

    async def _is_there(self, workspace: Workspace) -> bool:
        """Return whether a workspace exists, as far as its machine can be asked.

        On a node that is lost there is none: the run starts over. One that does not answer is
        waited for.
        """
        try:
            return await self._services.executors.workspaces(workspace).exists(workspace)
        except UserError as error:
            if error.entry.waits_for_node:
                return True
            if error.code != "NODE_LOST":
                raise
            return False

    async def _check_there(self, workspace: Workspace) -> None:
        """Check that a workspace is still on its machine; raises `UserError`."""
        if not await self._services.executors.workspaces(workspace).exists(workspace):
            raise user_error("WORKSPACE_MISSING")

    async def _check_root(self, spec: RunSpec) -> None:
        """Check the folder in which the workspace will be created; raises `UserError`."""
        if spec.preparation.root and spec.workspace.host == LOCAL:
            from engine.workspaces.create import root

            await asyncio.to_thread(
                root.check, Path(spec.preparation.root), spec, self._services.paths.home
            )

    async def _check_spec(self, spec: RunSpec, run: Run | None = None) -> RunSpec:
        from engine.preflight import check_spec

        self._services.check_config()
        return await asyncio.to_thread(
            check_spec, spec, self._services.config, self._services.paths, run
        )


def _checkable(spec: RunSpec) -> RunSpec:
    """Leave out a workspace of a run that is on another machine, or still to be made."""
    wish = spec.workspace
    is_here = "/" in (wish.source or "/") and wish.host == LOCAL
    is_left_out = wish.kind is WorkspaceKind.FROM_RUN and not is_here
    return replace(spec, workspace=WorkspaceSpec()) if is_left_out else spec


def new_message() -> str:
    """Return an id for a message that no other has."""
    return f"message:{uuid.uuid4().hex}"


def _check_text(text: str) -> None:
    if not text.strip():
        raise user_error("INPUT_INVALID", "The message is empty.", "Write the message.")
    if len(text) > MESSAGE_CHARACTERS:
        limit = f"A message may have {MESSAGE_CHARACTERS} characters."
        raise user_error("INPUT_INVALID", limit, "Put the text into a file, and name that.")
