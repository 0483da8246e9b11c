"""Comments on the changes of runs: written, listed, edited, removed, and sent to the agent."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from engine.domain import comments
from engine.domain.comment_text import MOST_CHARACTERS, UnsavedComment
from engine.domain.errors import UserError, user_error
from engine.domain.interaction import ModeChange
from engine.domain.lifecycle import FINISHED
from engine.domain.model import LOCAL, Run
from engine.domain.record import record
from engine.domain.review_comment import CommentPhase, ReviewComment, stored_path
from engine.domain.run_mode import UNCHANGED
from engine.domain.text import bytes_of_name, printable, printable_name

if TYPE_CHECKING:
    from engine.execution.journal import Journal
    from engine.runs.requests import RunRequests
    from engine.store.comment_drafts import StoredCommentDrafts
    from engine.workspaces.service import Workspaces


@record
class LocatedComment:
    """A comment, and where the first of its lines is now; None: they are no longer there."""

    comment: ReviewComment
    line: int | None


class CommentsChanged(Exception):
    """Another process changed the comments while the message was written."""


class RunComments:
    """Comments on the changes of runs; every method raises `UserError`."""

    def __init__(
        self,
        find: Callable[[str], Awaitable[Run]],
        journal: Journal,
        requests: RunRequests,
        workspaces: Workspaces,
        drafts: StoredCommentDrafts,
    ) -> None:
        self._find = find
        self._journal = journal
        self._requests = requests
        self._workspaces = workspaces
        self._drafts = drafts

    async def list(self, run: str) -> list[LocatedComment]:
        """Return the comments on a run by file and line, and where their lines are now."""
        known = await self._find(run)
        ordered = sorted(known.comments, key=lambda one: (one.file, one.first, one.n))
        texts: dict[tuple[str, bool, int], list[str]] = {}
        for one in ordered:
            if _side(one) not in texts:
                texts[_side(one)] = await self._lines_now(known, one)
        return [LocatedComment(one, comments.find_lines(one, texts[_side(one)])) for one in ordered]

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

        `path` is relative to the workspace, as `os.fsdecode` returns it. `quoted` are the lines as
        the user has seen them: where the file has changed meanwhile, they are found again.
        """
        known = await self._find(run)
        if bytes_of_name(path) is None:
            raise user_error("INPUT_INVALID", f"No file can have the name {printable_name(path)}.")
        place = ReviewComment(
            0, CommentPhase.ADDED, text, *stored_path(path), first, last, is_old, since=since
        )
        data = await self._text_file(known, place)
        lines = _lines(data)
        if quoted is not None:
            place = _found_again(replace(place, quoted=quoted), lines)
        _check_range(place, len(lines))
        kept = comments.quote(lines[place.first - 1 : place.last])
        fingerprint = hashlib.sha256(data).hexdigest()
        return await self._add(known.id, replace(place, quoted=kept, fingerprint=fingerprint))

    async def _text_file(self, run: Run, place: ReviewComment) -> bytes:
        """Return the file of a comment; raises `UserError` if it is missing, or not text."""
        data = await self._content(run, place)
        name, is_old = printable_name(place.file), place.is_old
        if data is None:
            hint = "" if is_old else "--old comments on the file before the run's changes."
            where = "was not there before the run" if is_old else "is not in the workspace"
            raise user_error("INPUT_INVALID", f"{name} {where}.", hint)
        if b"\0" in data:
            raise user_error("INPUT_INVALID", f"{name} is not a text file.", "Comment on another.")
        return data

    async def _add(self, run: str, wanted: ReviewComment) -> ReviewComment:
        added: list[ReviewComment] = []

        def decide(known: Run) -> Sequence[ReviewComment]:
            added[:] = comments.add(known, replace(wanted, checkpoint=known.checkpoint))
            return added

        await self._journal.change(run, decide)
        return added[0]

    async def edit(self, run: str, n: int, text: str, seen: str | None = None) -> ReviewComment:
        """Replace the text of a comment; one that was sent is to be sent again.

        Raises `UserError` COMMENT_CHANGED where the comment no longer has the text `seen`.
        """
        known = await self._find(run)
        done = await self._journal.change(known.id, lambda now: comments.edit(now, n, text, seen))
        return comments.find(done, n)

    async def remove(self, run: str, numbers: Iterable[int]) -> Run:
        """Remove comments: all of these or none."""
        known, wanted = await self._find(run), list(numbers)
        return await self._journal.change(known.id, lambda now: comments.remove(now, wanted))

    async def drafts(self, run: str) -> list[UnsavedComment]:
        """Return the texts for a run that were typed and not saved, the oldest first."""
        return await self._drafts.of((await self._find(run)).id)

    async def keep_draft(self, run: str, draft: UnsavedComment) -> None:
        """Keep a text that is not saved yet, over restarts; an empty one is removed.

        `run` is the run's id.
        """
        if not draft.text.strip():
            await self._drafts.remove(run, draft.place)
            return
        if len(draft.text) > MOST_CHARACTERS:
            message = f"A draft of {len(draft.text)} characters is too long to be stored."
            raise user_error("INPUT_INVALID", message, "Shorten it.")
        await self._drafts.keep(run, replace(draft, text=printable(draft.text)))

    async def send(self, run: str, before: str = "", change: ModeChange = UNCHANGED) -> Run:
        """Send all open comments as one message, which `before` begins, and mark them as sent.

        A run that has ended goes on with it, in another mode with `change`; an interactive agent
        at work reads it.
        """
        while True:
            known = await self._find(run)
            found = comments.open_comments(known)
            if not found:
                raise comments.none_to_send(known)
            text = comments.message_text(found, before)
            try:
                also = partial(_sent, found)
                if known.status in FINISHED:
                    return await self._requests.resume(known.id, text, change, also=also)
                return await self._requests.send(known.id, text, also=also)
            except CommentsChanged:
                continue

    async def _lines_now(self, run: Run, comment: ReviewComment) -> list[str]:
        try:
            data = await self._content(run, comment)
        except UserError:  # of a deleted workspace, for instance, no line is there any more
            return []
        return list(map(printable, _lines(data or b"")))

    async def _content(self, run: Run, comment: ReviewComment) -> bytes | None:
        """Return the file that a comment is about; None where it is not there."""
        path = comment.file
        if comment.is_old:
            return await self._workspaces.content(run.id, path, comment.since)
        if run.workspace and run.workspace.host != LOCAL:
            return await self._workspaces.content(run.id, path, run.checkpoint or 0)
        await self._workspaces.place(run.id)  # a missing workspace is an error of its own
        try:
            return await self._workspaces.read(run.id, path)
        except UserError as error:
            if error.code != "WORKSPACE_MISSING":
                raise
            return None


def _sent(found: tuple[ReviewComment, ...], now: Run) -> Sequence[ReviewComment]:
    if comments.open_comments(now) != found:
        raise CommentsChanged
    return comments.mark_sent(found)


def _side(comment: ReviewComment) -> tuple[str, bool, int]:
    """Return the file of a comment, and the version that it is about."""
    return comment.file, comment.is_old, comment.since


def _found_again(place: ReviewComment, lines: Sequence[str]) -> ReviewComment:
    """Return the place where the lines that the user has seen are now."""
    first = comments.find_lines(place, list(map(printable, lines)))
    if first is None:
        message = f"{printable_name(place.file)} has changed: these lines are no longer there."
        raise user_error("INPUT_INVALID", message, "F5 compares again; the text is kept.")
    return replace(place, first=first, last=first + place.last - place.first)


def _check_range(place: ReviewComment, count: int) -> None:
    first, last = place.first, place.last
    if not 1 <= first <= last <= count:
        lines = f"{count} line{'' if count == 1 else 's'}"
        asked = str(first) if first == last else f"{first}-{last}"
        message = f"{printable_name(place.file)} has {lines}: there is no {asked}."
        raise user_error("INPUT_INVALID", message, "Name lines that are there, from 1.")


def _lines(data: bytes) -> list[str]:
    """Return the lines of a file as git counts them."""
    text = data.decode("utf-8", "replace")
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []
