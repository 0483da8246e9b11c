"""The MCP server as a part of the API, if its extra is installed."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.cli.api.application import Mount
    from tui.cli.api.context import ApiContext


def mounts() -> list[Callable[[ApiContext], Mount]]:
    """Return the parts of the API that have a protocol of their own."""
    if find_spec("mcp") is None:
        return []
    from tui.cli.mcp import http

    return [http.mount]
