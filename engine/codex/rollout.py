"""Tokens and rate limits, live, from the thread's rollout file: stdout does not tell them.

The format is Codex's own (docs/codex.md): `token_count` events, one after each model request.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.codex.parse import TokenUsage
from engine.domain.model import LimitWindow
from engine.files import Spool


class _Window(Struct):
    used_percent: float = 0.0
    window_minutes: int | None = None
    resets_at: float | None = None


class _Limits(Struct):
    primary: _Window | None = None
    secondary: _Window | None = None


class _Info(Struct):
    total_token_usage: TokenUsage | None = None
    model_context_window: int | None = None


class _Payload(Struct):
    type: str = ""
    info: _Info | None = None
    rate_limits: _Limits | None = None


class _Line(Struct):
    payload: _Payload


@dataclass(frozen=True, slots=True)
class TokenCount:
    """What one `token_count` event says; the usage is the thread's total."""

    usage: TokenUsage | None
    context_window: int | None
    windows: tuple[LimitWindow, ...]


_decode = msgspec.json.Decoder(_Line).decode
_MARK = b'"token_count"'
MAX_SKIPS = 30
"""A file that was looked for in vain is looked for more and more rarely."""


class Rollout:
    """The rollout file of one thread, followed from `offset` (bytes)."""

    def __init__(self, codex_home: Path, thread_id: str, offset: int) -> None:
        self._sessions = codex_home / "sessions"
        self._thread_id = thread_id
        self._spool: Spool | None = None
        self._misses = self._skips = 0
        self.offset = offset

    def read(self, *, in_vain: bool = True) -> list[TokenCount]:
        """Give what was counted since the last call; nothing while the file is not there.

        Without `in_vain`, one that was looked for in vain is not looked for every time.
        """
        if self._spool is None:
            if self._skips and not in_vain:
                self._skips -= 1
                return []
            path = find(self._sessions, self._thread_id)
            if path is None:
                self._misses += 1
                self._skips = min(self._misses, MAX_SKIPS)
                return []
            self._spool = Spool(path, self.offset)
        lines = self._spool.lines()
        self.offset = self._spool.offset
        return [count for line in lines if (count := _count(line))]

    @property
    def behind(self) -> bool:
        """Say whether the file holds more than was read."""
        return self._spool is not None and self._spool.behind

    def close(self) -> None:
        """Close the file."""
        if self._spool:
            self._spool.close()


def find(sessions: Path, thread_id: str) -> Path | None:
    """Find a thread's rollout in `sessions`; its folder is the day that its id (UUID v7) tells."""
    for day in _days(thread_id):
        folder = os.path.join(sessions, f"{day:%Y/%m/%d}")  # noqa: PTH118  asked for often, in vain
        try:
            names = os.listdir(folder)  # noqa: PTH208  hot
        except OSError:
            continue
        end = f"-{thread_id}.jsonl"
        found = [name for name in names if name.startswith("rollout-") and name.endswith(end)]
        if found:
            return Path(folder, max(found))
    return None


def _days(thread_id: str) -> Iterator[datetime]:
    """Give the days on which the thread may have begun, in Codex's local time."""
    try:
        begun = datetime.fromtimestamp((uuid.UUID(thread_id).int >> 80) / 1000)
    except (ValueError, OverflowError, OSError):
        return
    for shift in (0, -1, 1):
        yield begun + timedelta(days=shift)


def _count(line: bytes) -> TokenCount | None:
    if _MARK not in line:
        return None
    try:
        payload = _decode(line).payload
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if payload.type != "token_count":
        return None
    info = payload.info or _Info()
    return TokenCount(info.total_token_usage, info.model_context_window, _windows(payload))


def _windows(payload: _Payload) -> tuple[LimitWindow, ...]:
    limits = payload.rate_limits or _Limits()
    named = (("primary", limits.primary), ("secondary", limits.secondary))
    return tuple(
        LimitWindow(name, window.used_percent, window.window_minutes, window.resets_at)
        for name, window in named
        if window
    )
