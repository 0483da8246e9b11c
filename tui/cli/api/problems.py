"""Errors of the API as problem details (RFC 9457), with our code, message and recovery."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Annotated, Any

from litestar import Request, Response
from litestar.exceptions import HTTPException
from msgspec import Meta

from engine.domain.errors import CATALOGUE, UserError, os_failure, user_error
from engine.domain.secrets import hide
from tui.cli.api.encoding import JsonResponse
from tui.cli.json.base import DIGEST, Shape
from tui.cli.support.argument_problems import argument_problem, requirement

MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger(__name__)
_STATUS = {
    "INPUT_INVALID": HTTPStatus.BAD_REQUEST,
    "RUN_AMBIGUOUS": HTTPStatus.BAD_REQUEST,
    "BASE_INVALID": HTTPStatus.BAD_REQUEST,
    "BATCH_INVALID": HTTPStatus.BAD_REQUEST,
    "TEMPLATE_INVALID": HTTPStatus.BAD_REQUEST,
    "TEMPLATE_PARAM_MISSING": HTTPStatus.BAD_REQUEST,
    "PATTERN_INVALID": HTTPStatus.BAD_REQUEST,
    "WORKSPACE_MISSING": HTTPStatus.NOT_FOUND,
    "API_TOKEN_INVALID": HTTPStatus.UNAUTHORIZED,
    "API_SCOPE_MISSING": HTTPStatus.FORBIDDEN,
    "API_REQUEST_REFUSED": HTTPStatus.FORBIDDEN,
    "API_LIMIT_REACHED": HTTPStatus.TOO_MANY_REQUESTS,
    "IDEMPOTENCY_KEY_REUSED": HTTPStatus.UNPROCESSABLE_ENTITY,
    "RIGHTS_EXCEEDED": HTTPStatus.FORBIDDEN,
    "RUN_NOT_YOURS": HTTPStatus.FORBIDDEN,
    "FILE_NOT_PERMITTED": HTTPStatus.FORBIDDEN,
    "INTERNAL": HTTPStatus.INTERNAL_SERVER_ERROR,
    "DISK_FULL": HTTPStatus.INSUFFICIENT_STORAGE,
    "DISK_READ_ONLY": HTTPStatus.SERVICE_UNAVAILABLE,
    "CLUSTER_UNREACHABLE": HTTPStatus.SERVICE_UNAVAILABLE,
    "NODE_UNREACHABLE": HTTPStatus.SERVICE_UNAVAILABLE,
}
_ENDINGS = {
    "_NOT_FOUND": HTTPStatus.NOT_FOUND,
    "_UNKNOWN": HTTPStatus.BAD_REQUEST,
    "_NOT_TRUSTED": HTTPStatus.FORBIDDEN,
}


_REFUSALS = {
    HTTPStatus.NOT_FOUND: "This path has no operation; /openapi.json lists all.",
    HTTPStatus.METHOD_NOT_ALLOWED: "The operation of this path has another method.",
}


_NO_BODY = "The request needs a body: a JSON object, at least `{}`."


class ProblemJson(Shape):
    """Problem details (RFC 9457): the error of a request."""

    type: Annotated[str, Meta(description="where the code is explained")]
    title: Annotated[str, Meta(description="phrase of the HTTP status")]
    status: Annotated[int, Meta(ge=400, le=599, description="HTTP status")]
    detail: Annotated[str, Meta(description="the message of the error")]
    code: Annotated[str, Meta(pattern="^[A-Z_]+$", description="the code, listed in errors.md")]
    recovery: Annotated[str, Meta(description="how to fix it")]


def answer_user_error(_: Request[Any, Any, Any], error: UserError) -> Response[ProblemJson]:
    """Return the problem details of an error with a code."""
    return problem(status_of(error.info.code), error)


def answer_http_error(_: Request[Any, Any, Any], error: HTTPException) -> Response[ProblemJson]:
    """Return the problem details of a request that the framework refused."""
    words = "; ".join(
        _refusal(f"{one['key']}", f"{one['message']}")
        for one in error.extra or []
        if isinstance(one, dict)
    )
    status = HTTPStatus(error.status_code)
    message = hide(words or _REFUSALS.get(status, error.detail))
    return problem(status, user_error("INPUT_INVALID", message))


def _refusal(key: str, message: str) -> str:
    """Return why a parameter was refused; the framework calls the whole body `data`."""
    if message == "'data'":
        return _NO_BODY
    if DIGEST in message:
        return f"{key}: the digest of a plan has 64 characters. Ask for the plan first."
    name = "body" if key == "data" else key
    words = requirement(message)
    return f"`{name}` {words}." if words else f"{name}: {argument_problem(message)}"


def answer_os_error(_: Request[Any, Any, Any], error: OSError) -> Response[ProblemJson]:
    """Return the problem details of a failed system call: a full disk, a file that is refused."""
    _log.warning("an operation of the API failed", exc_info=error)
    failure = os_failure(error)
    return problem(status_of(failure.info.code), failure)


def answer_defect(_: Request[Any, Any, Any], error: Exception) -> Response[ProblemJson]:
    """Return the problem details of a defect of ours, which is logged and not shown."""
    _log.error("an operation of the API failed", exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, user_error("INTERNAL"))


def status_of(code: str) -> HTTPStatus:
    """Return the HTTP status of an error code; what is not in the table conflicts with a state."""
    found = _STATUS.get(code)
    if found is None:
        found = next((status for end, status in _ENDINGS.items() if code.endswith(end)), None)
    if found is None and code in CATALOGUE and CATALOGUE[code].is_of_database:
        return HTTPStatus.SERVICE_UNAVAILABLE
    return found or HTTPStatus.CONFLICT


def problem(status: HTTPStatus, error: UserError) -> Response[ProblemJson]:
    """Return problem details as a response."""
    content = problem_content(status, error)
    return JsonResponse(content, status_code=status, media_type=MEDIA_TYPE)


def problem_content(status: HTTPStatus, error: UserError) -> ProblemJson:
    """Return the problem details of an error."""
    info = error.info
    return ProblemJson(
        type=info.docs_url,
        title=status.phrase,
        status=status.value,
        detail=info.message,
        code=info.code,
        recovery=info.recovery,
    )
