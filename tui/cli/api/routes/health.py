"""The health of the server, for programs that watch it."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

from litestar import get
from msgspec import Meta

from tui.cli.json.base import Shape


class HealthJson(Shape):
    """A server that answers."""

    ok: bool
    version: Annotated[str, Meta(description="version of swarm-tui")]


@get("/health", operation_id="check_health", summary="Check the server", tags=["home"])
async def check_health() -> HealthJson:
    """Return the version of the server that answers. It needs no token."""
    return HealthJson(True, version("swarm-tui"))


HANDLERS = [check_health]
