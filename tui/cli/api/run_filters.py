"""Filters of the list of runs, as parameters of a query."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any

from litestar.params import QueryParameter

from engine.domain.errors import user_error
from engine.domain.open_enum import OpenEnum
from tui.cli.support.run_selection import RunOrder, RunSelection
from tui.models import parsing
from tui.models.filters import filter_problem

RunFilter = Annotated[
    str | None,
    QueryParameter(
        max_length=10_000,
        description="terms that have to hold: word, !word, tag:release, status:failed, "
        "cause:quota, is:review, is:archived; see `ls`",
    ),
]


class StatusFilter(OpenEnum):
    """The status of the runs to list; needs-you: failed, stalled, or an agent asks."""

    QUEUED = "queued"
    PREPARING = "preparing"
    RUNNING = "running"
    VERIFYING = "verifying"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    NEEDS_YOU = "needs-you"


def selection(
    wanted: Mapping[str, Any],
    text: str | None,
    since: str | None,
    sort: RunOrder,
    *,
    archived: bool,
) -> RunSelection:
    """Return the runs that are asked for; raises `UserError` for an invalid filter."""
    filters = " ".join(filter(None, [text, "is:archived" if archived else ""]))
    if problem := filter_problem(filters):
        raise user_error("INPUT_INVALID", f"`filter`: {problem}")
    try:
        begin = parsing.past_moment(since, time.time()) if since else None
    except ValueError as error:
        raise user_error("INPUT_INVALID", f"`since`: {error}.") from None
    return RunSelection(dict(wanted), begin, sort, None, filters)
