"""The client of a request: what its token permits beyond the operation itself."""

from __future__ import annotations

from typing import Any

from litestar import Request

from engine.domain.api_token import ApiToken
from tui.cli.api.scopes import Scope


def may_trust(request: Request[Any, Any, Any]) -> bool:
    """Return whether the client may trust what a repository asks for: with the scope admin."""
    token = _token_of(request)
    return token is not None and token.scope.permits(Scope.ADMIN)


def client_id(request: Request[Any, Any, Any]) -> str:
    """Return the id of the client's token; an empty text for a request of this process itself."""
    token = _token_of(request)
    return token.id if token else ""


def _token_of(request: Request[Any, Any, Any]) -> ApiToken | None:
    values: dict[str, Any] = {**request.scope}
    token = values.get("auth")
    return token if isinstance(token, ApiToken) else None
