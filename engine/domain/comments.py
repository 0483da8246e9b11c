"""Comments of the user on lines of a run's files, and the message that sends them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.domain.errors import UserError, user_error
from engine.domain.review_comment import CommentPhase, ReviewComment
from engine.domain.text import printable

if TYPE_CHECKING:
    from engine.domain.model import Run

# All comments of a run are written with each change of its state.
MAX_COMMENTS, TEXT_CHARACTERS = 100, 4000
QUOTED_LINES, QUOTED_CHARACTERS = 20, 1000
MESSAGE_CHARACTERS = 100_000


def apply(run: Run, change: ReviewComment, at: float) -> None:
    """Fold a change of a comment into the run."""
    if change.phase is CommentPhase.ADDED:
        run.comments = (*_with_room(run.comments), change)
        run.last_comment = change.n
        return
    run.comments = tuple(
        _changed(one, change, at) if one.n == change.n else one
        for one in run.comments
        if not (one.n == change.n and change.phase is CommentPhase.REMOVED)
    )


def _with_room(known: tuple[ReviewComment, ...]) -> tuple[ReviewComment, ...]:
    """Leave out the oldest comment that was sent, where there is no room for another."""
    if len(known) < MAX_COMMENTS:
        return known
    oldest = next((one.n for one in known if not one.is_open), None)
    return tuple(one for one in known if one.n != oldest)


def _changed(known: ReviewComment, change: ReviewComment, at: float) -> ReviewComment:
    if change.phase is CommentPhase.SENT:
        return replace(known, phase=change.phase, sent_at=at)
    return replace(known, phase=change.phase, text=change.text or known.text)


def add(run: Run, wanted: ReviewComment) -> Sequence[ReviewComment]:
    """Add a comment to a run, with the next number."""
    text = _checked(wanted.text)
    if sum(one.is_open for one in run.comments) >= MAX_COMMENTS:
        message = f"The run {run.id} has {MAX_COMMENTS} comments that were not sent."
        recovery = f"Send them with `swarm-tui resume {run.id} --comments`, or remove some."
        raise user_error("INPUT_INVALID", message, recovery)
    return [replace(wanted, n=run.last_comment + 1, phase=CommentPhase.ADDED, text=text)]


def edit(run: Run, n: int, text: str, seen: str | None = None) -> Sequence[ReviewComment]:
    """Replace the text of a comment; one that was sent is to be sent again.

    `seen` is the text that the user has edited: where the comment has another one by now, it is
    kept. Raises `UserError` COMMENT_CHANGED.
    """
    known, text = find(run, n), _checked(text)
    if seen is not None and known.text not in (seen, text):
        raise user_error("COMMENT_CHANGED", f"The comment {n} was changed: {known.text}")
    is_same = known.text == text and known.is_open
    return [] if is_same else [ReviewComment(n, CommentPhase.EDITED, text)]


def remove(run: Run, numbers: Iterable[int]) -> Sequence[ReviewComment]:
    """Remove comments of a run: all of these or none."""
    found = [find(run, n) for n in dict.fromkeys(numbers)]
    return [ReviewComment(one.n, CommentPhase.REMOVED) for one in found]


def mark_sent(comments: Iterable[ReviewComment]) -> Sequence[ReviewComment]:
    """Mark comments as sent."""
    return [ReviewComment(one.n, CommentPhase.SENT) for one in comments]


def find(run: Run, n: int) -> ReviewComment:
    """Return a comment of a run by its number; raises `UserError` COMMENT_NOT_FOUND."""
    found = next((one for one in run.comments if one.n == n), None)
    if found is None:
        raise user_error("COMMENT_NOT_FOUND", f"The run {run.id} has no comment {n}.")
    return found


def open_comments(run: Run) -> tuple[ReviewComment, ...]:
    """Return the comments that wait to be sent, by file and line."""
    found = [one for one in run.comments if one.is_open]
    return tuple(sorted(found, key=lambda one: (one.file, one.first, one.n)))


def none_to_send(run: Run) -> UserError:
    """Return the error for a run without open comments."""
    message = f"The run {run.id} has no comments to send."
    recovery = f"Write one with `swarm-tui comment {run.id} FILE:LINE TEXT`."
    return user_error("COMMENT_NOT_FOUND", message, recovery)


def message_text(comments: Sequence[ReviewComment], before: str = "") -> str:
    """Return the message with all of these comments; `before` begins it."""
    begin = before.strip() or "Comments on your changes; address each of them."
    parts = [begin, *(_section(n, one) for n, one in enumerate(comments, start=1))]
    text = "\n\n".join(parts)
    if len(text) > MESSAGE_CHARACTERS:
        message = f"The message would have {len(text)} characters; {MESSAGE_CHARACTERS} fit."
        raise user_error("INPUT_INVALID", message, "Remove or shorten comments.")
    return text


def _section(number: int, comment: ReviewComment) -> str:
    quoted = "\n".join(f"> {line}".rstrip() for line in comment.quoted.split("\n"))
    return f"{number}. {comment.place}:\n\n{quoted}\n\n{comment.text}"


def quote(lines: Sequence[str]) -> str:
    """Return the lines of a file as a comment keeps them."""
    kept = "\n".join(printable(line) for line in lines[:QUOTED_LINES])
    is_cut = len(lines) > QUOTED_LINES or len(kept) > QUOTED_CHARACTERS
    return f"{kept[:QUOTED_CHARACTERS]}…" if is_cut else kept


def reviewed_checkpoint(run: Run) -> int | None:
    """Return the checkpoint that the last sent comments were about; None: none was sent."""
    last = max((one.sent_at or 0.0 for one in run.comments), default=0.0)
    sent = [one for one in run.comments if last and one.sent_at == last]
    return max((one.checkpoint or 0 for one in sent), default=None)


def find_lines(comment: ReviewComment, lines: Sequence[str]) -> int | None:
    """Return where the first line of a comment is now, from 1; None: its lines are not there.

    Of several places it is the nearest. `lines` are printable.
    """
    count = comment.last - comment.first + 1
    head = comment.quoted.split("\n")[0].removesuffix("…")
    starts = [
        n
        for n in range(len(lines) - count + 1)
        if lines[n].startswith(head) and quote(lines[n : n + count]) == comment.quoted
    ]
    return min((n + 1 for n in starts), key=lambda n: abs(n - comment.first), default=None)


def _checked(text: str) -> str:
    text = printable(text.strip())
    if not text:
        raise user_error("INPUT_INVALID", "The comment is empty.", "Write the comment.")
    if len(text) > TEXT_CHARACTERS:
        message = f"The comment has {len(text)} characters; {TEXT_CHARACTERS} are possible."
        raise user_error("INPUT_INVALID", message, "Shorten it.")
    return text
