"""A comment of the user on lines of a run's file, as it is stored."""

from __future__ import annotations

from typing import ClassVar

from engine.domain.open_enum import OpenEnum
from engine.domain.record import record
from engine.domain.text import printable_name


class CommentPhase(OpenEnum):
    """The phases of a comment; one that was edited is sent again."""

    ADDED = "added"
    EDITED = "edited"
    SENT = "sent"
    REMOVED = "removed"


@record
class ReviewComment:
    """A comment on lines of a file, or a change of one: `n` is its number within the run.

    `path` is relative to the workspace; `path_bytes` is its name in hexadecimal where that is not
    UTF-8. Lines count from 1. `is_old`: they are those of the checkpoint `since`, by default those
    before the run's changes. `quoted` are the lines as they were, at most 20 of them. `checkpoint`
    is the run's last one at that time, `fingerprint` the SHA-256 of the file.
    """

    type: ClassVar[str] = "comment"
    n: int
    phase: CommentPhase
    text: str = ""
    path: str = ""
    path_bytes: str = ""
    first: int = 0
    last: int = 0
    is_old: bool = False
    quoted: str = ""
    checkpoint: int | None = None
    fingerprint: str = ""
    sent_at: float | None = None
    since: int = 0

    @property
    def is_open(self) -> bool:
        """Return whether it waits to be sent."""
        return self.phase in (CommentPhase.ADDED, CommentPhase.EDITED)

    @property
    def file(self) -> str:
        """The path as `os.fsdecode` returns it."""
        if not self.path_bytes:
            return self.path
        return bytes.fromhex(self.path_bytes).decode("utf-8", "surrogateescape")

    @property
    def place(self) -> str:
        """The file and the lines in words."""
        lines = (
            f"line {self.first}" if self.first == self.last else f"lines {self.first}–{self.last}"
        )
        old = f" before the {'last ' if self.since else ''}changes" if self.is_old else ""
        return f"{printable_name(self.file)}, {lines}{old}"


def stored_path(path: str) -> tuple[str, str]:
    """Return a path as text, and its bytes in hexadecimal where the text cannot hold them."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return printable_name(path), path.encode("utf-8", "surrogateescape").hex()
    return path, ""
