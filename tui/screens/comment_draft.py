"""A comment while it is written, and the way to save it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.domain import comments
from engine.domain.comment_text import UnsavedComment, place_of
from engine.domain.errors import UserError, user_error
from engine.domain.review_comment import ReviewComment
from tui.screens.write import WriteRequest
from tui.terminal.cells import clean, code, crop

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

QUOTED = 6
"""Lines that are shown above the text."""
WIDTH = 84
KEYS = "^s save · esc keeps the draft"


class CommentDraft:
    """A text for some lines (a comment with the number 0), or for a comment that is there."""

    def __init__(
        self,
        engine: EnginePort,
        run: str,
        comment: ReviewComment,
        kept: UnsavedComment | None = None,
    ) -> None:
        self._engine, self.run, self.comment = engine, run, comment
        self.key = (run, kept.place if kept else place_of(comment))
        self.request = WriteRequest(
            heading=f"Comment · {crop(clean(comment.place), 70)}",
            text=kept.text if kept else comment.text,
            hint="R sends all comments as one message.",
            button="Save",
            send=self._save,
            above=quoted_lines(comment),
            keys=KEYS,
            placeholder="Describe what to change",
        )

    @property
    def has_news(self) -> bool:
        """Return whether a text was typed that is not saved."""
        text = self.request.text.strip()
        return bool(text) and text != self.comment.text

    @property
    def unsaved(self) -> UnsavedComment:
        """The text as it is stored; empty without news."""
        text = self.request.text if self.has_news else ""
        return UnsavedComment(self.key[1], self.comment, text)

    async def _save(self, text: str) -> None:
        """Save the text; where the comment changed meanwhile, the next time replaces that."""
        known, service = self.comment, self._engine.comments
        try:
            if known.n:
                await service.edit(self.run, known.n, text, known.text)
            else:
                await service.add(
                    self.run,
                    known.file,
                    known.first,
                    known.last,
                    text,
                    is_old=known.is_old,
                    since=known.since,
                    quoted=known.quoted,
                )
        except UserError as error:
            if known.n and error.code == "COMMENT_NOT_FOUND":
                self.comment = replace(known, n=0, text="")
                message = "The comment was removed meanwhile."
                raise user_error(error.code, message, "^s writes it again.") from error
            if known.n and error.code == "COMMENT_CHANGED":
                self.comment = comments.find(await self._engine.find(self.run), known.n)
            raise


def quoted_lines(comment: ReviewComment) -> str:
    """Return the first of the lines that a comment is about, quoted."""
    lines = [f"> {crop(code(line), WIDTH)}" for line in comment.quoted.split("\n")[:QUOTED]]
    more = comment.last - comment.first + 1 - len(lines)
    return "\n".join([*lines, *([f"  … {more} more"] if more > 0 else [])])
