"""Forks: new runs on copies of another run's workspace and thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.batches.titles import usual
from engine.config import run_environment, thread_lock
from engine.config.paths import Paths
from engine.domain import requests
from engine.domain.errors import os_failure, user_error
from engine.domain.host_features import HostFeature, check_feature
from engine.domain.interaction import ModeChange
from engine.domain.lifecycle import FINISHED, status_words
from engine.domain.model import ForkOrigin, Run, RunSpec, WorkspaceKind
from engine.domain.run_mode import UNCHANGED
from engine.execution.base_refs import hold_bases
from engine.execution.requested_files import RequestedFiles

if TYPE_CHECKING:
    from engine.execution.journal import Journal
    from engine.runs.requests import RunRequests
    from engine.store.store import Store


class RunForks:
    """Forks of the runs of one home; every method raises `UserError`."""

    def __init__(
        self,
        paths: Paths,
        find: Callable[[str], Awaitable[Run]],
        store: Store,
        journal: Journal,
        run_requests: RunRequests,
    ) -> None:
        self._paths = paths
        self._find = find
        self._store = store
        self._journal = journal
        self._requests = run_requests

    async def fork(self, run: str, prompt: str, change: ModeChange = UNCHANGED) -> Run:
        """Queue a run that goes on from an ended one, which stays as it is.

        It gets a copy of the workspace, with its checkpoints, and a copy of the thread. Its options
        are those of the other run.
        """
        if not prompt.strip():
            raise user_error("INPUT_INVALID", "The prompt is empty.", "Describe the task.")
        original = await self._find(run)
        check_forkable(original)
        thread_lock.check_free(self._paths, original.id)
        asked = await self._requests.check_again(original, change=change)
        spec = forked(original, asked, prompt)
        try:
            base = await asyncio.to_thread(run_environment.requested, self._paths, original.id)
        except OSError as error:
            raise os_failure(error) from error
        files = RequestedFiles(self._paths, base)
        done = await files.queue(lambda keep: self._journal.create(spec, keep=keep), self._store)
        (made,) = done.runs.values()
        await hold_bases(self._journal, [made])
        return made


def check_forkable(run: Run) -> None:
    """Raise `UserError` if a run cannot be forked; looks at no disk."""
    if run.status not in FINISHED:
        message = f"The run {run.id} {status_words(run.status)}."
        raise user_error("RUN_NOT_ENDED", message, "Wait for its end, or cancel it first.")
    if run.workspace is None:
        raise requests.without_workspace(run)
    requests.check_not_deleted(run)
    check_feature(run.workspace.host, HostFeature.FORK)
    if run.workspace.kind is WorkspaceKind.IN_PLACE:
        message = f"The run {run.id} worked in place: its fork would work in the same folder."
        recovery = "Start a new run with `swarm-tui run`, or resume this one."
        raise user_error("WORKSPACE_UNSAFE", message, recovery)


def forked(original: Run, asked: RunSpec, prompt: str) -> RunSpec:
    """Return the spec of a fork; `asked` is the original's, with the mode of the fork."""
    assert original.workspace
    before, thread = original.spec.fork, original.thread_id
    threads = (*(before.threads if before else ()), *([thread] if thread else ()))
    return replace(
        asked,
        prompt=prompt,
        title=usual(None, prompt),
        batch=None,
        given={},
        after=(),
        not_before=None,
        template=None,
        images=(),
        learn_from=None,
        lesson="",
        parent=None,
        ancestors=(),
        preparation=replace(asked.preparation, setup=()),
        fork=ForkOrigin(original.id, original.workspace, thread, original.thread_account, threads),
    )
