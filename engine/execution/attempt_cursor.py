"""The place in an attempt's output, stored in one transaction with its events."""

from __future__ import annotations

import msgspec

from engine.domain.model import ErrorInfo
from engine.system.decoding import json_decoder


class AttemptCursor(msgspec.Struct, omit_defaults=True):
    """The engine's part of it, and the agent's own state, which the engine never reads."""

    agent: msgspec.Raw
    offset: int = 0
    verdict: ErrorInfo | None = None
    """Reason why the engine ended the attempt, if it did."""


class _Stored(msgspec.Struct):
    offset: int = 0
    verdict: ErrorInfo | None = None
    agent: msgspec.Raw = msgspec.Raw()


_encode = msgspec.json.Encoder().encode
_decode = json_decoder(_Stored)


def cursor_text(cursor: AttemptCursor) -> str:
    """Return a cursor as it is stored."""
    return _encode(cursor).decode()


def cursor_from(text: str) -> AttemptCursor:
    """Read a stored cursor; those of older versions hold the agent's state among their own keys."""
    stored = _decode(text)
    agent = stored.agent if bytes(stored.agent) else msgspec.Raw(text.encode())
    return AttemptCursor(agent, stored.offset, stored.verdict)
