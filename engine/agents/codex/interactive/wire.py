"""Lines of the app-server and of the bridge as typed data; no line raises an exception."""

from __future__ import annotations

import json
from typing import Any, cast

import msgspec
from msgspec import Struct

from engine.system.decoding import json_decoder


class WireChange(Struct, gc=False, rename="camel"):
    """A file that a patch changes."""

    path: str = ""
    kind: dict[str, Any] = {}
    diff: str = ""


class WireItem(Struct, gc=False, rename="camel"):
    """An item of the thread; its fields depend on its type."""

    id: str = ""
    type: str = ""
    status: str | None = None
    text: str | None = None
    client_id: str | None = None
    summary: list[str] = []
    command: str | None = None
    aggregated_output: str | None = None
    exit_code: int | None = None
    changes: list[WireChange] | None = None
    server: str | None = None
    tool: str | None = None
    query: str | None = None
    prompt: str | None = None


class WireTokens(Struct, gc=False, frozen=True, rename="camel"):
    """The tokens that a thread has used."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_output_tokens: int = 0


class WireUsage(Struct, gc=False, rename="camel"):
    """The tokens of a thread, and the size of its context window."""

    total: WireTokens = WireTokens()
    model_context_window: int | None = None


class WireWindow(Struct, gc=False, rename="camel"):
    """A rate-limit window."""

    used_percent: float = 0.0
    window_duration_mins: int | None = None
    resets_at: float | None = None


class WireLimits(Struct, gc=False, rename="camel"):
    """The rate-limit windows of one limit."""

    limit_id: Any = None
    primary: WireWindow | None = None
    secondary: WireWindow | None = None


class WireError(Struct, gc=False, rename="camel"):
    """An error of a turn."""

    message: str = ""
    codex_error_info: Any = None


class WirePlanStep(Struct, gc=False, rename="camel"):
    """A step of the plan."""

    step: str = ""
    status: str = ""


class WireTurn(Struct, gc=False, rename="camel"):
    """A turn of the thread."""

    id: str = ""
    status: str = ""
    error: WireError | None = None


class WireParams(Struct, gc=False, frozen=True, rename="camel"):
    """The parameters of a notification, as far as they are read here."""

    thread_id: str | None = None
    request_id: int | str | None = None
    item: WireItem | None = None
    turn: WireTurn | None = None
    plan: list[WirePlanStep] = []
    token_usage: WireUsage | None = None
    rate_limits: WireLimits | None = None
    error: WireError | None = None
    will_retry: bool = False
    message: str = ""
    diff: str = ""


class WireRequest(Struct, gc=False):
    """A request of the server: all of its parameters."""

    params: dict[str, Any] = {}


class WireThread(Struct, gc=False, rename="camel"):
    """A thread that was started or resumed."""

    id: str = ""


class WireResult(Struct, gc=False, rename="camel"):
    """A response of the server, as far as it is read here."""

    thread: WireThread | None = None
    model: Any = None


class WireLine(Struct, gc=False, rename="camel"):
    """A notification or a response of the server."""

    method: str = ""
    id: int | str | None = None
    params: WireParams = WireParams()
    result: WireResult | None = None


class BridgeLine(Struct, gc=False, rename="camel"):
    """A line of the bridge's own."""

    bridge: str
    do: str = ""
    id: str | None = None
    request: int | str | None = None
    message: str | None = None
    method: str = ""
    read: bool = False
    reason: str = ""
    earlier: bool = False
    item: str = ""
    text: str = ""
    skipped: int = 0


_bridge = json_decoder(BridgeLine)
_line = json_decoder(WireLine)
_request = json_decoder(WireRequest)
_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def read_line(raw: bytes) -> BridgeLine | WireLine | None:
    """Read a line, without its newline; None for one in no known form."""
    try:
        # Only a line of the bridge's begins so: the server's keys are others.
        return _bridge(raw) if raw.startswith(b'{"bridge"') else _line(raw)
    except _FAULTS:
        return None


def read_request(raw: bytes) -> dict[str, Any]:
    """Read all parameters of a request of the server; none where there are none."""
    try:
        return _request(raw).params
    except _FAULTS:
        return {}


def read_request_head(raw: bytes) -> tuple[int | str | None, str]:
    """Read the id and the method of a request in an unknown form; nothing for other lines."""
    try:
        read = json.loads(raw)
    except (ValueError, RecursionError):
        return None, ""
    line = cast("dict[str, Any]", read) if isinstance(read, dict) else {}
    number, method = line.get("id"), line.get("method")
    if isinstance(number, int | str) and isinstance(method, str):
        return number, method
    return None, ""
