"""Comments by the changed file whose diff shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from engine.engine import FileDelta, LocatedComment


class CommentCount(NamedTuple):
    """Comments on a file: those that wait to be sent, and those that were sent."""

    waiting: int = 0
    sent: int = 0


def comments_by_file(
    found: Iterable[LocatedComment], files: Sequence[FileDelta], since: int
) -> Mapping[str, Sequence[LocatedComment]]:
    """Return comments by the file of the diff that shows them.

    Old lines have their numbers only in a comparison with the checkpoint that they are of.
    """
    renamed = {file.old_path: file.path for file in files if file.old_path}
    done: dict[str, list[LocatedComment]] = {}
    for one in found:
        comment = one.comment
        path = renamed.get(comment.file, comment.file) if comment.is_old else comment.file
        if comment.is_old and comment.since != since:
            one = replace(one, line=None)
        done.setdefault(path, []).append(one)
    return done


def count_comments(found: Sequence[LocatedComment]) -> CommentCount:
    """Count the comments on a file."""
    waiting = sum(one.comment.is_open for one in found)
    return CommentCount(waiting, len(found) - waiting)
