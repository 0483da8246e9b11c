"""The base of all shapes, and the shape of an error."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Time = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
Count = Annotated[int, Meta(ge=0)]
Cost = Annotated[
    float | None, Meta(description="USD, an estimate at list prices or your own; null: unknown")
]
DIGEST = "^[0-9a-f]{64}$"
"""The form of a digest: SHA-256 in hexadecimal digits."""
Path = Annotated[str, Meta(description="relative to the workspace; unsafe characters escaped")]


class Shape(Struct, forbid_unknown_fields=True):
    """An object with exactly these keys."""


class ErrorInfoJson(Shape):
    """An error and its fix; errors.md lists the codes."""

    code: Annotated[str, Meta(pattern="^[A-Z_]+$")]
    message: str
    recovery: str
    docs_url: str


class ErrorJson(Shape):
    """The output of a command that failed, with exit code 3."""

    error: ErrorInfoJson
