"""Clients of the API in this process, on the event loop of the engine."""

from __future__ import annotations

from httpx import ASGITransport, AsyncClient
from litestar import Litestar

from tui.cli.api.application import application
from tui.cli.api.context import ApiContext


def client_of(app: Litestar, address: str = "http://127.0.0.1") -> AsyncClient:
    """A client of an application; defects of operations are raised.

    The clients of the framework have an event loop of their own: no operation could wait there
    for what happens in an engine on this one.
    """
    return AsyncClient(transport=ASGITransport(app), base_url=address)


def over(context: ApiContext) -> AsyncClient:
    """A client that may do everything."""
    return client_of(application(context))
