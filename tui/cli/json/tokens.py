"""The shape of a token of a client of the API."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from engine.domain.api_token import Scope
from tui.cli.json.base import Shape, Time


class ApiTokenJson(Shape):
    """A token of a client of the API; `secret` only where it was just created."""

    name: str
    scope: Annotated[Scope, Meta(description="each has those before it, too")]
    ends_with: Annotated[str, Meta(description="the last characters of the secret")]
    created_at: Time
    last_used_at: Annotated[Time | None, Meta(description="to the minute; null: never")]
    secret: Annotated[str, Meta(description="shown once, and stored nowhere")] | UnsetType = UNSET
