"""Operations on comments of the user on lines of a run's files: list, add, edit, remove."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from litestar import delete, get, patch, post
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Meta

from engine.domain.run_json import comment_json
from tui.cli.api.answers import as_shape
from tui.cli.api.context import Context
from tui.cli.api.parameters import RunId
from tui.cli.api.requests import MAX_NUMBER, FilePathText, LineNumber, LongText
from tui.cli.api.scopes import READ, RUN
from tui.cli.json import CommentJson, LocatedCommentJson
from tui.cli.json.base import Shape
from tui.cli.support.comment_texts import add_comment, located_json, numbered_comments

Numbers = Annotated[
    list[int] | None,
    QueryParameter(name="n", description="numbers of comments; several are possible"),
]
CommentNumber = Annotated[
    int, PathParameter(ge=1, le=MAX_NUMBER, description="number of a comment of the run")
]


class CommentRequest(Shape):
    """A comment on lines of a file."""

    path: FilePathText
    first: Annotated[LineNumber, Meta(description="first line")]
    text: LongText
    last: Annotated[LineNumber | None, Meta(description="last line; null: the first")] = None
    old: Annotated[bool, Meta(description="on the file before the run's changes")] = False


class CommentTextRequest(Shape):
    """The text that replaces that of a comment."""

    text: LongText


@get(
    "/runs/{run:str}/comments",
    opt=READ,
    operation_id="list_comments",
    summary="List comments on a run",
    tags=["changes"],
)
async def list_comments(
    run: RunId, context: Context, numbers: Numbers = None
) -> list[LocatedCommentJson]:
    """Return the comments by file and line, and where their lines are now."""
    found = await numbered_comments(context.engine, run, numbers or ())
    return as_shape(list[LocatedCommentJson], located_json(found))


@post(
    "/runs/{run:str}/comments",
    opt=RUN,
    operation_id="add_comment",
    summary="Comment on lines of a file",
    tags=["changes"],
)
async def add_comment_on_run(
    run: RunId, data: JSONBody[CommentRequest], context: Context
) -> CommentJson:
    """Add a comment; the lines are kept with it. Resuming the run can send all comments."""
    engine = context.engine
    known, lines = await engine.find(run), (data.first, data.last or data.first)
    made = await add_comment(engine, known.id, data.path, lines, data.text, is_old=data.old)
    return as_shape(CommentJson, comment_json(made))


@patch(
    "/runs/{run:str}/comments/{number:int}",
    opt=RUN,
    operation_id="edit_comment",
    summary="Replace the text of a comment",
    tags=["changes"],
)
async def edit_comment(
    run: RunId, number: CommentNumber, data: JSONBody[CommentTextRequest], context: Context
) -> LocatedCommentJson:
    """Replace the text of a comment; one that was sent is sent again."""
    known = await context.engine.find(run)
    await context.engine.comments.edit(known.id, number, data.text)
    found = await numbered_comments(context.engine, known.id, [number])
    return as_shape(list[LocatedCommentJson], located_json(found))[0]


@delete(
    "/runs/{run:str}/comments",
    opt=RUN,
    status_code=HTTPStatus.OK,
    operation_id="remove_comments",
    summary="Remove comments",
    tags=["changes"],
)
async def remove_comments(
    run: RunId,
    context: Context,
    numbers: Annotated[
        list[int], QueryParameter(name="n", description="numbers of comments, each once")
    ],
) -> list[LocatedCommentJson]:
    """Remove comments, all of these or none; returns those that are left."""
    known = await context.engine.find(run)
    await context.engine.comments.remove(known.id, numbers)
    found = await numbered_comments(context.engine, known.id)
    return as_shape(list[LocatedCommentJson], located_json(found))


HANDLERS = [list_comments, add_comment_on_run, edit_comment, remove_comments]
