"""Pages of long lists: the number of items, and the link to the next page (RFC 8288)."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from litestar import Request
from litestar.datastructures import ResponseHeader
from litestar.params import QueryParameter

LARGEST = 1000
Limit = Annotated[int, QueryParameter(ge=1, le=LARGEST, description="return at most so many")]
Cursor = Annotated[
    str | None,
    QueryParameter(max_length=500, description="begin here: taken from the link to this page"),
]
LINK = ResponseHeader(
    name="Link",
    description='the next page, if there is one: `<…>; rel="next"`',
    documentation_only=True,
    required=False,
)


def next_link(request: Request[Any, Any, Any], cursor: str | None) -> dict[str, str]:
    """Return the headers that lead to the next page; none where this page is the last one."""
    if cursor is None:
        return {}
    kept = [pair for pair in request.query_params.multi_items() if pair[0] != "cursor"]
    query = urlencode([*kept, ("cursor", cursor)], errors="replace")
    return {"Link": f'<{request.url.path}?{query}>; rel="next"'}
