"""Operation on usage: tokens, time and estimated cost."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import QueryParameter

from engine.domain.errors import user_error
from engine.domain.usage import UsageGroup, UsageQuery
from tui.cli.api.context import Context
from tui.cli.api.encoding import JsonResponse
from tui.cli.api.scopes import READ
from tui.cli.json import UsageJson
from tui.cli.support.usage_output import (
    UsageRequest,
    answer_csv,
    answer_json,
    first_day,
    read_usage,
)
from tui.models import parsing
from tui.models.filters import filter_problem

CSV = "text/csv"
FORMS = "2h, 3d, HH:MM or a date (ISO 8601)"
_log = logging.getLogger(__name__)


class UsageFormat(StrEnum):
    """The formats of usage."""

    JSON = "json"
    CSV = "csv"


@dataclass
class UsageOperation(Operation):
    """The description of the operation, whose answer has two formats."""

    def __post_init__(self) -> None:
        """Add the format that has no shape."""
        answer = (self.responses or {}).get("200")
        if isinstance(answer, OpenAPIResponse) and answer.content is not None:
            answer.content[CSV] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))


@get(
    "/usage",
    opt=READ,
    operation_id="show_usage",
    summary="Show tokens, estimated cost and rate limits",
    tags=["usage"],
    operation_class=UsageOperation,
    responses={
        200: ResponseSpec(UsageJson, generate_examples=False, description="Usage, or as CSV.")
    },
)
async def show_usage(
    request: Request[Any, Any, Any],
    context: Context,
    by: Annotated[UsageGroup, QueryParameter(description="sum up by")] = UsageGroup.DAY,
    since: Annotated[
        str | None,
        QueryParameter(
            description=f"only usage since then: {FORMS}. Absent: 14 days by day, 12"
            " weeks by week, else all"
        ),
    ] = None,
    until: Annotated[
        str | None, QueryParameter(description="only usage before then, in the same forms")
    ] = None,
    account: Annotated[str | None, QueryParameter(description="only usage of it")] = None,
    runs_only: Annotated[bool, QueryParameter(description="leave other sessions out")] = False,
    filter: Annotated[
        str, QueryParameter(description="only runs that match, in the language of `ls`")
    ] = "",
    limit: Annotated[
        int | None, QueryParameter(ge=1, le=1_000_000, description="groups at most")
    ] = None,
    format: Annotated[
        UsageFormat | None, QueryParameter(description="absent: by the header Accept, else json")
    ] = None,
) -> Response[Any]:
    """Return usage in groups, and the rate-limit windows; costs are estimates at list prices."""
    if problem := filter_problem(filter):
        raise user_error("INPUT_INVALID", problem)
    begin, end = moment("since", since), moment("until", until)
    if begin is not None and end is not None and begin >= end:
        raise user_error("INPUT_INVALID", "`until` must be later than `since`.")
    if begin is None and end is None:
        begin = first_day(by, time.time())
    query = UsageQuery(by, begin, end, account=account, has_other_sessions=not runs_only)
    asked = UsageRequest(query, filter, limit, as_json=True)
    answer = await read_usage(context.engine, asked, _log.warning)
    accepts_csv = request.headers.get("accept", "").partition(",")[0].partition(";")[0] == CSV
    if format is UsageFormat.CSV or (format is None and accepts_csv):
        return Response(answer_csv(asked, answer), media_type=CSV)
    return JsonResponse(answer_json(asked, answer), media_type="application/json")


def moment(name: str, text: str | None) -> float | None:
    """Return a moment that has passed, in seconds since 1970; raises `UserError` INPUT_INVALID."""
    if text is None:
        return None
    try:
        return parsing.past_moment(text, time.time())
    except ValueError as error:
        raise user_error("INPUT_INVALID", f"{name}: {error}.", f"Use {FORMS}.") from error


HANDLERS = [show_usage]
