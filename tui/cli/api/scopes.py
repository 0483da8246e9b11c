"""The scope that each operation of the API needs."""

from __future__ import annotations

from typing import Any, Final

from engine.domain.api_token import Scope

SCOPE: Final = "scope"
"""The key of an operation's options under which the guard finds its scope."""
READ: Final[dict[str, Any]] = {SCOPE: Scope.READ}
RUN: Final[dict[str, Any]] = {SCOPE: Scope.RUN}
ADMIN: Final[dict[str, Any]] = {SCOPE: Scope.ADMIN}
