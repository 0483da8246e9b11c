"""The client of a request: what its token permits beyond the operation itself."""

from __future__ import annotations

from typing import Any

from litestar import Request

from tui.cli.api.scopes import Scope


def may_trust(request: Request[Any, Any, Any]) -> bool:
    """Return whether the client may trust what a repository asks for: with the scope admin."""
    values: dict[str, Any] = {**request.scope}
    scope = getattr(values.get("auth"), "scope", None)
    return isinstance(scope, Scope) and scope.permits(Scope.ADMIN)
