"""Branches of runs pushed to a remote, and pull requests for them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.config.paths import Paths
from engine.domain.errors import user_error
from engine.domain.lifecycle import FINISHED, status_words
from engine.domain.model import Run
from engine.domain.pull_request import is_closed, url_after_push
from engine.domain.push import BranchPushed
from engine.domain.record import record
from engine.domain.text import one_line

if TYPE_CHECKING:
    from engine.execution.journal import Journal
    from engine.workspaces.git.pull_request import PullRequest
    from engine.workspaces.service import Workspaces


@record
class PushRequest:
    """A request to push a run's changes.

    `remote` None: `origin`, or the only one. `branch` None: the run's own. With `pull_request`,
    one is opened if `gh` is installed.
    """

    remote: str | None = None
    branch: str | None = None
    pull_request: PullRequest | None = None


@record
class PushResult:
    """The result of a push: the run, and whether the remote's branch has changed by it."""

    run: Run
    pushed: BranchPushed
    has_changed: bool


class RunPushes:
    """Pushes of runs' branches; every method raises `UserError`."""

    def __init__(
        self,
        paths: Paths,
        find: Callable[[str], Awaitable[Run]],
        journal: Journal,
        workspaces: Workspaces,
    ) -> None:
        self._paths = paths
        self._find = find
        self._journal = journal
        self._workspaces = workspaces

    async def push(self, run: str, wanted: PushRequest = PushRequest()) -> PushResult:  # noqa: B008  it never changes
        """Commit a run's changes on its branch, as `apply --as commit` does, and push that.

        The run does not count as applied. The push is recorded before a pull request is opened;
        both can be repeated.
        """
        from engine.workspaces.apply.apply import ApplyMode
        from engine.workspaces.git import pull_request, push, repository

        known = await self._find(run)
        if known.status not in FINISHED:
            raise user_error("RUN_NOT_ENDED", f"The run {known.id} {status_words(known.status)}.")
        if not (await self._workspaces.changes(known.id)).files:
            message = f"The run {known.id} has no changes to push."
            raise user_error("INPUT_INVALID", message, "Look at it with `swarm-tui diff`.")
        source = await self._workspaces.home_of(known)
        found = await repository.find(Path(source)) if source and Path(source).is_dir() else None
        if found is None:
            message = f"The run {known.id} has no source in a git repository."
            raise user_error("INPUT_INVALID", message, "Apply its changes with `swarm-tui apply`.")
        done = await self._workspaces.apply(known.id, ApplyMode.COMMIT, is_push=True)
        assert done.commit
        branch = wanted.branch or done.branch or ""
        sent = await push.push(found, wanted.remote, done.commit, branch, self._paths.home)
        known = await self._find(known.id)
        web = pull_request.web_address(sent.address, branch)
        opened = url_after_push(known, sent.address, branch, sent.commit)
        pushed = BranchPushed(
            sent.remote, sent.address, branch, sent.commit, web, opened, known.checkpoint
        )
        now = await self._record(known.id, pushed)
        if wanted.pull_request and (not opened or is_closed(now)):
            pushed = await self._open(pushed, wanted.pull_request)
            now = await self._record(known.id, pushed)
        return PushResult(now, pushed, sent.is_new)

    async def _open(self, pushed: BranchPushed, wanted: PullRequest) -> BranchPushed:
        """Open a pull request for a pushed branch, if `gh` is installed."""
        from engine.workspaces.git import gh, pull_request

        program = gh.program()
        if program is None:
            return pushed
        opened = await pull_request.open_request(
            program, pushed.address, pushed.branch, wanted, self._paths.home
        )
        return replace(pushed, pull_request=opened)

    async def draft(self, run: str) -> PullRequest:
        """Return the title and the text of a pull request for a run: its title and last message."""
        from engine.workspaces.git.pull_request import PullRequest

        title, _, body = (await self._workspaces.message(run)).partition("\n")
        return PullRequest(one_line(title), body.strip())

    async def _record(self, run: str, pushed: BranchPushed) -> Run:
        return await self._journal.change(
            run, lambda known: [] if known.pushed == pushed else [pushed]
        )
