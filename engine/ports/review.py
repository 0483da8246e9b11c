"""Protocols of the services with which the user reviews runs that have ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from engine.domain.interaction import ModeChange
from engine.domain.run_mode import UNCHANGED

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from engine.domain.comment_text import UnsavedComment
    from engine.domain.model import Run
    from engine.domain.review_comment import ReviewComment
    from engine.runs.comments import LocatedComment
    from engine.runs.forgetting import ForgetPlan
    from engine.runs.pushes import PushRequest, PushResult
    from engine.runs.threads import TerminalProgram
    from engine.runs.updates import CommitsBehind, UpdateReport, UpdateRequest
    from engine.workspaces.apply.restore import RestoreResult
    from engine.workspaces.git.pull_request import PullRequest


class AnnotationsPort(Protocol):
    """Annotations of runs: with several runs, all are changed or none is; all raise `UserError`."""

    async def projects(self) -> list[str]:
        """Return the projects of all runs, in order."""
        ...

    async def tags(self) -> list[str]:
        """Return the tags of all runs, in order."""
        ...

    async def dismiss(self, runs: Iterable[str], is_dismissed: bool = True) -> list[Run]:
        """Put finished runs aside: they need no attention until they are started again."""
        ...

    async def archive(self, runs: Iterable[str], is_archived: bool = True) -> list[Run]:
        """Leave finished runs out of the lists until they are started again."""
        ...

    async def start_past_pace(self, runs: Iterable[str]) -> list[Run]:
        """Allow queued runs to start although a reserve is kept or starts are spread."""
        ...

    async def tag(
        self, runs: Iterable[str], added: Iterable[str] = (), removed: Iterable[str] = ()
    ) -> list[Run]:
        """Add tags to runs, and remove others."""
        ...

    async def note(self, run: str, text: str) -> Run:
        """Replace the note of a run; an empty text removes it."""
        ...

    async def mark_reviewed(self, run: str, marks: Mapping[str, str]) -> Run:
        """Mark files as reviewed, each with the fingerprint of its change; empty: no longer."""
        ...


class CommentsPort(Protocol):
    """Comments on the changes of runs; every method raises `UserError`."""

    async def list(self, run: str) -> list[LocatedComment]:
        """Return the comments on a run by file and line, and where their lines are now."""
        ...

    async def add(
        self,
        run: str,
        path: str,
        first: int,
        last: int,
        text: str,
        *,
        is_old: bool = False,
        since: int = 0,
        quoted: str | None = None,
    ) -> ReviewComment:
        """Write a comment on lines of a file, as it is now or, `is_old`, at the checkpoint `since`.

        `quoted` are the lines as the user has seen them: they are found again where they moved.
        """
        ...

    async def edit(self, run: str, n: int, text: str, seen: str | None = None) -> ReviewComment:
        """Replace the text of a comment; one that was sent is to be sent again.

        With `seen`, only where that is its text: else raises `UserError` COMMENT_CHANGED.
        """
        ...

    async def remove(self, run: str, numbers: Iterable[int]) -> Run:
        """Remove comments: all of these or none."""
        ...

    async def drafts(self, run: str) -> list[UnsavedComment]:
        """Return the texts for a run that were typed and not saved, the oldest first."""
        ...

    async def keep_draft(self, run: str, draft: UnsavedComment) -> None:
        """Keep a text for a run, by its id, that is not saved yet; an empty one is removed."""
        ...

    async def send(self, run: str, before: str = "", change: ModeChange = UNCHANGED) -> Run:
        """Send all open comments as one message, which `before` begins, and mark them as sent."""
        ...


class PushesPort(Protocol):
    """Pushes of runs' branches; every method raises `UserError`."""

    async def push(self, run: str, wanted: PushRequest = ...) -> PushResult:
        """Commit a run's changes on its branch, as `apply --as commit` does, and push that."""
        ...

    async def draft(self, run: str) -> PullRequest:
        """Return the title and the text of a pull request for a run: its title and last message."""
        ...


class PullRequestsPort(Protocol):
    """Pull requests of runs; every method raises `UserError`."""

    async def followed(self) -> list[Run]:
        """Return the runs whose pull request may still change, newest first."""
        ...

    async def refresh(self, run: str) -> Run:
        """Read the state of a run's pull request with `gh`, and store it if it has changed."""
        ...


class ForgettingPort(Protocol):
    """Removal of runs with all that belongs to them; every method raises `UserError`."""

    async def plan(
        self, runs: Iterable[str], looked: Callable[[int, int], None] = ...
    ) -> ForgetPlan:
        """Check that runs may be forgotten, and return what that removes.

        `looked` gets the number of workspaces examined so far, and of all.
        """
        ...

    async def forget(
        self,
        runs: Iterable[str],
        *,
        including_unsaved: bool = False,
        told: Callable[[str, int, int], None] = ...,
        stop: Callable[[], bool] = ...,
    ) -> list[str]:
        """Forget runs, all or none; return their ids. Their workspaces go to the trash.

        `told` gets the present work, the number of runs it is done for, and of all. Where `stop`
        returns true before the last workspace is moved, all are brought back, and no run is
        forgotten: the answer is empty.
        """
        ...


class UpdatesPort(Protocol):
    """Updates of workspaces of runs that have ended; every method raises `UserError`."""

    async def behind(self, run: str) -> CommitsBehind | None:
        """Return how far a workspace is behind its base; None where it cannot be updated."""
        ...

    async def check(self, run: str, wanted: UpdateRequest = ...) -> UpdateReport:
        """Return what `update` would do, with the conflicts, and change nothing."""
        ...

    async def update(self, run: str, wanted: UpdateRequest = ...) -> UpdateReport:
        """Move a workspace onto the newest commit of its base; raises UPDATE_CONFLICT."""
        ...

    async def resolve(self, run: str, wanted: UpdateRequest = ...) -> UpdateReport:
        """Update a workspace with conflict markers, and have the run's agent resolve them."""
        ...

    async def undo(self, run: str) -> RestoreResult:
        """Put a workspace back to how it was before its last update, its baseline too."""
        ...


class ThreadsPort(Protocol):
    """Threads of runs, opened in their agent's own program."""

    def open(self, run: str) -> AbstractAsyncContextManager[TerminalProgram]:
        """Hold the thread of a finished run while its program has the terminal.

        Raises `UserError`. The changes made there are stored afterwards.
        """
        ...


class ForksPort(Protocol):
    """Forks of runs; every method raises `UserError`."""

    async def fork(self, run: str, prompt: str, change: ModeChange = UNCHANGED) -> Run:
        """Queue a run on copies of an ended one's workspace and thread."""
        ...
