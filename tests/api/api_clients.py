"""Clients of the API in this process, on the event loop of the engine."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

from httpx import ASGITransport, AsyncClient
from litestar import Litestar
from litestar.types import ASGIApp

from tui.cli.api.application import CONTEXT, application
from tui.cli.api.context import ApiContext


def client_of(app: Litestar, address: str = "http://127.0.0.1") -> AsyncClient:
    """A client of an application; defects of operations are raised.

    The clients of the framework have an event loop of their own: no operation could wait there
    for what happens in an engine on this one.
    """
    return AsyncClient(transport=ASGITransport(cast("Any", app)), base_url=address)


def application_on(context: ApiContext) -> Litestar:
    """Return the one application of this process, on this context from now on.

    Building it takes half a second of processor time, which most tests take less than.
    """
    app, handler = _application()
    app.state[CONTEXT] = context
    app.asgi_handler = handler  # without the checks of the test before
    return app


@cache
def _application() -> tuple[Litestar, ASGIApp]:
    app = application(None)
    return app, app.asgi_handler


def over(context: ApiContext) -> AsyncClient:
    """A client that may do everything."""
    return client_of(application_on(context))
