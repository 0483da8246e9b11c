"""Types of parameters that several operations have."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import parse_qsl

from litestar import Request
from litestar.params import PathParameter

RunId = Annotated[str, PathParameter(description="id of a run, its unique beginning or end")]


def texts_of_query(request: Request[Any, Any, Any], name: str) -> list[str]:
    """Return the values of a query parameter; bytes that are not UTF-8 stay as `os.fsdecode` has.

    The framework replaces such bytes, with which names of files could not be typed.
    """
    query = request.scope["query_string"].decode("latin-1")
    found = parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
    return [value for key, value in found if key == name]
