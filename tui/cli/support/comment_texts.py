"""Comments on lines of files: added by the printed name of a file, and listed as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from engine.domain.comments import find
from engine.domain.errors import UserError
from engine.domain.run_json import comment_json
from engine.domain.text import names_shown_as

if TYPE_CHECKING:
    from engine.domain.review_comment import ReviewComment
    from engine.engine import LocatedComment
    from engine.ports.engine import EnginePort


async def add_comment(
    engine: EnginePort, run: str, path: str, lines: tuple[int, int], text: str, *, is_old: bool
) -> ReviewComment:
    """Add a comment; the path may be written as it is printed. Raises `UserError`."""
    refusal: UserError | None = None
    for name in names_shown_as(path):
        try:
            return await engine.comments.add(run, name, *lines, text, is_old=is_old)
        except UserError as error:
            if error.code != "INPUT_INVALID":
                raise
            refusal = refusal or error
    assert refusal is not None
    raise refusal


async def numbered_comments(
    engine: EnginePort, name: str, numbers: Iterable[int] = ()
) -> list[LocatedComment]:
    """Return the comments on a run, all or those with these numbers; raises `UserError`."""
    run, wanted = await engine.find(name), set(numbers)
    for n in wanted:
        find(run, n)
    found = await engine.comments.list(run.id)
    return [one for one in found if not wanted or one.comment.n in wanted]


def located_json(found: Iterable[LocatedComment]) -> list[dict[str, Any]]:
    """Return comments as `comments --json` prints them."""
    return [{**comment_json(one.comment), "line": one.line} for one in found]
