"""Operations on the logs of runs, and on the history of all runs: read and search."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Response, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.response import Stream

from engine.domain.errors import user_error
from engine.domain.model import Status
from tui.cli.api.answers import as_shape
from tui.cli.api.context import Context
from tui.cli.api.log_texts import LogPart, last_lines, log_text
from tui.cli.api.parameters import RunId
from tui.cli.api.scopes import READ
from tui.cli.json import FoundJson
from tui.cli.support.search_words import found_json, search_text

TEXT = "text/plain"
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-cache"}
MAX_BYTES = 2**53 - 1
MAX_LINES = 100_000


@get(
    "/runs/{run:str}/log",
    opt=READ,
    operation_id="read_log",
    summary="Read the log of a run",
    tags=["events"],
    responses={200: ResponseSpec(str, generate_examples=False, media_type=TEXT)},
)
async def read_log(
    run: RunId,
    context: Context,
    part: Annotated[
        LogPart,
        QueryParameter(
            description="`events`: the lines of `logs`; `raw`, `stderr`, `setup`, `verify`,"
            " `message` (the last one): bytes of the last attempt that has them"
        ),
    ] = LogPart.EVENTS,
    bookkeeping: Annotated[bool, QueryParameter(description="also records of the engine")] = False,
    start: Annotated[
        int, QueryParameter(ge=0, le=MAX_BYTES, description="bytes to leave out at the beginning")
    ] = 0,
    tail: Annotated[
        int | None, QueryParameter(ge=1, le=MAX_LINES, description="only so many last lines")
    ] = None,
) -> Response[Any]:
    """Return the log of a run as text, also while it works.

    The events of the log as JSON are those of `GET /v1/runs/{run}/events`. The last lines are
    those of the last MiB.
    """
    engine = context.engine
    found = await engine.find(run)
    text = await log_text(engine, found, part, start, has_bookkeeping=bookkeeping)
    if tail is None:
        return Stream(text, media_type=TEXT, headers=HEADERS)
    return Response(await last_lines(text, tail), media_type=TEXT, headers=HEADERS)


@get(
    "/search",
    opt=READ,
    operation_id="search_history",
    summary="Search the history of all runs",
    tags=["events"],
)
async def search_history(
    context: Context,
    words: Annotated[
        list[str],
        QueryParameter(
            name="q", max_items=100, description="word, `word*`, or a phrase of several words"
        ),
    ],
    project: Annotated[str | None, QueryParameter(description="only runs of it")] = None,
    status: Annotated[
        list[Status] | None, QueryParameter(description="only runs with it; repeatable")
    ] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000, description="matches at most")] = 50,
) -> FoundJson:
    """Return the latest places in prompts, messages, commands and outputs that have all the words.

    Each `q` is a word, or a phrase if it has spaces.
    """
    if not any(word.strip() for word in words):
        raise user_error("INPUT_INVALID", "There is no word to search for.", "Use `q=WORD`.")
    found = await context.engine.search.find(
        search_text(words), project=project, statuses=status or (), limit=limit
    )
    return as_shape(FoundJson, found_json(found))


HANDLERS = [read_log, search_history]
