"""What all shapes have in common, and the shape of an error."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Time = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
Count = Annotated[int, Meta(ge=0)]
Path = Annotated[str, Meta(description="relative to the workspace; unsafe characters escaped")]


class Shape(Struct, forbid_unknown_fields=True):
    """An object whose keys are all there, and no others."""


class ErrorInfoJson(Shape):
    """What went wrong, and the way out; the codes are listed in errors.md."""

    code: Annotated[str, Meta(pattern="^[A-Z_]+$")]
    message: str
    recovery: str
    docs_url: str


class ErrorJson(Shape):
    """Printed by every command instead of its own object, with exit code 3."""

    error: ErrorInfoJson
