"""JSON of requests and answers.

Answers are in ASCII as `--json` prints them: names of files need not be valid Unicode.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from litestar import Request, Response
from litestar.exceptions import SerializationException
from litestar.serialization import default_serializer
from msgspec import to_builtins

T = TypeVar("T")


class JsonRequest(Request[Any, Any, Any]):
    """A request whose body is refused, as any other invalid JSON, where it is nested too deep."""

    async def json(self) -> Any:  # noqa: ANN401  whatever a client sends
        """Return the body; raises SerializationException."""
        try:
            return await super().json()
        except RecursionError as error:  # the decoder's limit is that of Python's stack
            raise SerializationException("JSON is nested too deep") from error


class JsonResponse(Response[T]):
    """A response whose JSON has the bytes that the command prints for the same object."""

    def render(
        self,
        content: Any,  # noqa: ANN401  whatever an operation returns
        media_type: str,
        enc_hook: Callable[[Any], Any] = default_serializer,
    ) -> bytes:
        """Return the bytes of the body; texts with lone surrogates are escaped, not refused."""
        if isinstance(content, (bytes, str)) or "json" not in media_type:
            return super().render(content, media_type, enc_hook)
        return to_json(content)


def to_json(content: object) -> bytes:
    """Return an object or a shape as JSON in ASCII."""
    return json.dumps(content, separators=(",", ":"), default=to_builtins).encode("ascii")
