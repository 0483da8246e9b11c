"""A line of `codex exec --json` as typed data; whatever it is, it is never an exception."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import msgspec
from msgspec import Struct

from engine.domain.model import Usage
from engine.domain.text import printable
from engine.system.decoding import json_decoder

RAW_LIMIT = 16_384  # characters of a line that is not JSON; the whole of it stays in the spool file
_DEPTH_LIMIT = 50


class TodoItem(Struct, gc=False):
    """A line of Codex's plan."""

    text: str = ""
    completed: bool = False


class PathChange(Struct, gc=False):
    """A file in a `file_change`; kind is `add`, `update` or `delete`."""

    path: str = ""
    kind: str = ""


class CodexItem(Struct, gc=False):
    """An item of Codex; its fields depend on its type."""

    id: str = ""
    type: str = ""
    status: str | None = None
    text: str | None = None
    message: str | None = None
    command: str | None = None
    aggregated_output: str | None = None
    exit_code: int | None = None
    changes: list[PathChange] | None = None
    items: list[TodoItem] | None = None
    server: str | None = None
    tool: str | None = None
    query: str | None = None
    prompt: str | None = None


class TokenUsage(Struct, gc=False):
    """The thread's tokens so far."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_output_tokens: int = 0

    @property
    def usage(self) -> Usage:
        """Return them as usage; the number of requests is not known."""
        return Usage(
            self.input_tokens,
            self.cached_input_tokens,
            self.output_tokens,
            self.reasoning_output_tokens,
        )


class TurnError(Struct, gc=False):
    """The error of a failed turn."""

    message: str = ""


class CodexLine(Struct, gc=False):
    """One line, with the parts this version understands."""

    type: str
    thread_id: str | None = None
    item: CodexItem | None = None
    usage: TokenUsage | None = None
    error: TurnError | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class UnreadableLine:
    """A line in no known format of Codex: JSON of another shape, or text."""

    data: Any


_decode = json_decoder(CodexLine)


def parse(line: bytes) -> CodexLine | UnreadableLine:
    """Read one line, without its newline."""
    try:
        return _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _mended(line)


def _mended(line: bytes) -> CodexLine | UnreadableLine:
    text = line.decode("utf-8", "replace")
    try:
        return _decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return unreadable(text)


def unreadable(line: str | bytes) -> UnreadableLine:
    """Keep a line as it is: as JSON where it is JSON, else as text."""
    text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
    try:
        return UnreadableLine(_safe(msgspec.json.decode(text)))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return UnreadableLine(printable(text, RAW_LIMIT))


def _safe(value: Any, depth: int = 0) -> Any:  # noqa: ANN401  any JSON
    if isinstance(value, str):
        return printable(value, RAW_LIMIT)
    if depth > _DEPTH_LIMIT:
        return "…"
    if isinstance(value, list):
        return [_safe(inner, depth + 1) for inner in cast("list[Any]", value)]
    if isinstance(value, dict):
        pairs = cast("dict[Any, Any]", value).items()
        return {printable(str(key), 200): _safe(inner, depth + 1) for key, inner in pairs}
    return value
