"""Downloads: files of agents, sent in pieces from an open handle, never to be shown as a page."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from litestar import Request, Response
from litestar.openapi.datastructures import ResponseSpec
from litestar.response.base import ASGIResponse
from litestar.response.streaming import ASGIStreamingResponse, Stream
from litestar.types import Receive, Scope, Send

from engine.domain.errors import user_error
from engine.domain.text import printable_name
from engine.engine import OpenFile
from tui.cli.api.problems import MEDIA_TYPE, ProblemJson, problem
from tui.cli.api.ranges import BytePart, UnsatisfiableRange, requested_part

BYTES = "application/octet-stream"
PIECE_BYTES = 256 * 1024
ANSWERS = {
    206: ResponseSpec(
        bytes,
        generate_examples=False,
        media_type=BYTES,
        description="The part in the header Range.",
    ),
    304: ResponseSpec(
        None, generate_examples=False, description="The content has the tag in If-None-Match."
    ),
    416: ResponseSpec(
        ProblemJson,
        generate_examples=False,
        media_type=MEDIA_TYPE,
        description="The range is beyond it.",
    ),
}
"""Answers of a download beside the whole file, for its description."""
_log = logging.getLogger(__name__)


class FileRewritten(Exception):
    """The file was shortened or rewritten while it was sent: the client must not take it."""


class Download(Stream):
    """A part of an open file as the body of a response, which closes the file."""

    def __init__(
        self, file: OpenFile, part: BytePart, headers: dict[str, str], media_type: str = BYTES
    ) -> None:
        self._file = file
        is_whole = part.count == file.size_bytes and "Content-Range" not in headers
        super().__init__(
            pieces(file, part),
            status_code=HTTPStatus.OK if is_whole else HTTPStatus.PARTIAL_CONTENT,
            headers={**headers, "Content-Type": media_type, "Content-Length": str(part.count)},
            media_type=media_type,
        )

    def to_asgi_response(self, *args: Any, **options: Any) -> ASGIResponse:  # noqa: ANN401  options of the framework
        """Return the response as the server sends it; for HEAD without its body."""
        request: Request[Any, Any, Any] = options["request"]
        del args  # the application, which no version of the framework passes any more
        return _ClosingResponse(
            self._file,
            iterator=self.iterator,
            headers={**(options.get("headers") or {}), **self.headers},
            is_head_response=request.method == "HEAD",
            media_type=self.media_type,
            status_code=self.status_code,
        )


class _ClosingResponse(ASGIStreamingResponse):
    """A stream that closes its file at the end, also where the client has gone before."""

    __slots__ = ("_file",)

    def __init__(self, file: OpenFile, **options: Any) -> None:  # noqa: ANN401  options of the framework
        super().__init__(**options)  # pyright: ignore[reportUnknownMemberType]  the framework leaves open what it streams
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except* FileRewritten:
            # The server closes the connection, since the answer is shorter than its header states.
            _log.warning(
                "a download ended early, the file changed: %s", printable_name(self._file.name)
            )
        finally:
            self._file.close()


async def pieces(file: OpenFile, part: BytePart) -> AsyncIterator[bytes]:
    """Yield a part of a file; raises `FileRewritten` where it no longer is what it was."""
    at, end = part.start, part.start + part.count
    while at < end:
        piece = await asyncio.to_thread(_read, file, at, end)
        at += len(piece)
        yield piece


def _read(file: OpenFile, at: int, end: int) -> bytes:
    """Read the next piece; raises `FileRewritten` rather than sending parts of two contents."""
    piece = file.read(at, min(PIECE_BYTES, end - at))
    if not piece or file.is_rewritten():
        raise FileRewritten(printable_name(file.name))
    return piece


def download(
    request: Request[Any, Any, Any], file: OpenFile, media_type: str = BYTES
) -> Response[Any]:
    """Return the response that sends a file, or the part of it that the request asks for."""
    tag = entity_tag(file)
    headers = {
        "ETag": tag,
        "Accept-Ranges": "bytes",
        "Content-Disposition": attachment(file.name),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "private, no-cache",
    }
    if _lists(request.headers.get("if-none-match"), tag):
        file.close()
        return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers=headers, media_type=BYTES)
    try:
        part = requested_part(_range_of(request, tag), file.size_bytes)
    except UnsatisfiableRange:
        file.close()
        return _unsatisfiable(file)
    if part is None:
        return Download(file, BytePart(0, file.size_bytes), headers, media_type)
    headers["Content-Range"] = part.content_range(file.size_bytes)
    return Download(file, part, headers, media_type)


def _unsatisfiable(file: OpenFile) -> Response[Any]:
    message = f"The range is beyond the end of the file, which has {file.size_bytes} bytes."
    refused = problem(
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        user_error("INPUT_INVALID", message, "Ask for a range within the file."),
    )
    refused.headers |= {"Content-Range": f"bytes */{file.size_bytes}", "Accept-Ranges": "bytes"}
    return refused


def entity_tag(file: OpenFile) -> str:
    """Return the tag of a file's content; weak while a change might leave it as it is."""
    return f'{"" if file.is_settled else "W/"}"{file.version}"'


def _range_of(request: Request[Any, Any, Any], tag: str) -> str | None:
    """Return the header Range, unless it is for another content than the present one."""
    condition = request.headers.get("if-range")
    if request.method != "GET" or (condition is not None and condition.strip() != tag):
        return None
    if condition is not None and tag.startswith("W/"):
        return None
    return request.headers.get("range")


def _lists(header: str | None, tag: str) -> bool:
    """Return whether If-None-Match names the tag; weak and strong ones are the same there."""
    tags = [one.strip().removeprefix("W/") for one in (header or "").split(",")]
    return "*" in tags or tag.removeprefix("W/") in tags


def attachment(name: str) -> str:
    """Return a Content-Disposition with a file's name: in ASCII, and in full (RFC 5987)."""
    shown = printable_name(name).replace("\\", "_").replace("/", "_") or "file"
    plain = "".join(char if char.isascii() and char not in '"%;' else "_" for char in shown)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(shown, safe='')}"
