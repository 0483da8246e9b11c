"""Protocols of the services with which the user reviews runs that have ended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from engine.domain.interaction import ModeChange
from engine.domain.run_mode import UNCHANGED

if TYPE_CHECKING:
    from engine.domain.model import Run
    from engine.domain.review_comment import ReviewComment
    from engine.runs.comments import LocatedComment
    from engine.runs.pushes import PushRequest, PushResult
    from engine.workspaces.git.pull_request import PullRequest


class AnnotationsPort(Protocol):
    """Annotations of runs: with several runs, all are changed or none is; all raise `UserError`."""

    async def dismiss(self, runs: Iterable[str], is_dismissed: bool = True) -> list[Run]:
        """Put finished runs aside: they need no attention until they are started again."""
        ...

    async def archive(self, runs: Iterable[str], is_archived: bool = True) -> list[Run]:
        """Leave finished runs out of the lists until they are started again."""
        ...

    async def tag(
        self, runs: Iterable[str], added: Iterable[str] = (), removed: Iterable[str] = ()
    ) -> list[Run]:
        """Add tags to runs, and remove others."""
        ...

    async def note(self, run: str, text: str) -> Run:
        """Replace the note of a run; an empty text removes it."""
        ...


class CommentsPort(Protocol):
    """Comments on the changes of runs; every method raises `UserError`."""

    async def list(self, run: str) -> list[LocatedComment]:
        """Return the comments on a run by file and line, and where their lines are now."""
        ...

    async def add(
        self, run: str, path: str, first: int, last: int, text: str, *, is_old: bool = False
    ) -> ReviewComment:
        """Write a comment on lines of a file, as it is now or, `is_old`, before the changes."""
        ...

    async def edit(self, run: str, n: int, text: str) -> ReviewComment:
        """Replace the text of a comment; one that was sent is to be sent again."""
        ...

    async def remove(self, run: str, numbers: Iterable[int]) -> Run:
        """Remove comments: all of these or none."""
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
