"""The application: all operations, their errors, and the description of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.handlers import ASGIRouteHandler
from litestar.routes import HTTPRoute

from engine.domain.errors import UserError
from engine.system.decoding import prepare
from tui.cli.api import problems
from tui.cli.api.access import check_scope
from tui.cli.api.context import ApiContext
from tui.cli.api.description import complete, openapi_config
from tui.cli.api.encoding import JsonRequest, JsonResponse
from tui.cli.api.routes import (
    applying,
    batch_actions,
    batches,
    bulk_inbox,
    changes,
    cluster,
    comments,
    disk,
    events,
    files,
    health,
    home,
    inbox,
    logs,
    patterns,
    pushing,
    queue,
    reviewed,
    rules,
    run_actions,
    run_annotations,
    run_messages,
    run_waiting,
    runs,
    templates,
    usage,
    webhooks,
)
from tui.cli.api.scopes import SCOPE

PREFIX = "/v1"
CONTEXT = "context"
"""The name of the context in the application's state."""
ROUTES = (
    health,
    runs,
    run_actions,
    run_annotations,
    run_messages,
    run_waiting,
    events,
    logs,
    files,
    batches,
    batch_actions,
    queue,
    inbox,
    bulk_inbox,
    rules,
    templates,
    patterns,
    usage,
    webhooks,
    home,
    cluster,
    changes,
    comments,
    reviewed,
    applying,
    pushing,
    disk,
)


@dataclass(frozen=True, slots=True)
class Mount:
    """A part of the application with a protocol of its own; it works while `running` is open."""

    handler: ASGIRouteHandler
    running: Callable[[Litestar], AbstractAsyncContextManager[None]]


def document() -> dict[str, Any]:
    """Return the OpenAPI document, as it is served."""
    app = application(None)
    return complete(app.openapi_schema.to_schema(), scopes())


def scopes() -> dict[str, str]:
    """Return the scope of each operation by its id."""
    handlers = [handler for module in ROUTES for handler in module.HANDLERS]
    return {str(one.operation_id): one.opt[SCOPE].value for one in handlers if SCOPE in one.opt}


def _context(request: JsonRequest) -> ApiContext:
    return request.app.state[CONTEXT]  # not `state`: the framework would copy all of it


def application(context: ApiContext | None, mounts: Sequence[Mount] = ()) -> Litestar:
    """Return the application on an engine; without a context, it only describes itself.

    It serves every caller: `tui.cli.api.access.protected` adds the checks of clients.
    """
    handlers = [handler for module in ROUTES for handler in module.HANDLERS]
    app = Litestar(
        [Router(PREFIX, route_handlers=handlers), *(one.handler for one in mounts)],
        lifespan=[one.running for one in mounts],
        dependencies={"context": Provide(_context, sync_to_thread=False)},
        state=State({CONTEXT: context}),
        exception_handlers={
            UserError: problems.answer_user_error,
            HTTPException: problems.answer_http_error,
            OSError: problems.answer_os_error,
            Exception: problems.answer_defect,
        },
        guards=[check_scope],
        logging_config=None,  # it would write on the terminal
        openapi_config=openapi_config(scopes()),
        request_class=JsonRequest,
        response_class=JsonResponse,
    )
    # The framework converts parameters and bodies itself, at the first request of each operation:
    # meanwhile the database's thread may decode, too.
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                prepare(handler.signature_model)
    return app
