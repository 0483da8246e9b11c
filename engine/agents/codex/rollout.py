"""Tokens and rate limits, live, from the thread's rollout file: stdout does not have them.

The format is Codex's own (docs/codex.md): a `token_usage_record` for each model request, and
`token_count` events with the thread's running total.
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

from engine.agents.codex.compressed_rollout import SUFFIX, CompressedLineReader
from engine.agents.codex.limit_ids import limit_name
from engine.agents.codex.parsing import TokenUsage
from engine.agents.codex.sandbox_refusals import MARKERS, refusal_within
from engine.domain.model import LimitWindow, Usage
from engine.domain.numeric import bounded_time
from engine.domain.text import one_line
from engine.system.decoding import convert, json_decoder
from engine.system.files import LineReader


class _Window(Struct):
    used_percent: float = 0.0
    window_minutes: int | None = None
    resets_at: float | None = None


class _Limits(Struct):
    limit_id: object = None
    primary: _Window | None = None
    secondary: _Window | None = None


class _Info(Struct):
    total_token_usage: TokenUsage | None = None
    model_context_window: int | None = None


class _Item(Struct):
    type: str = ""
    kind: str = ""
    agent_thread_id: str | None = None
    receiver_thread_ids: list[str] = []


class _Part(Struct):
    text: str = ""


class _Payload(Struct):
    type: str = ""
    name: str = ""
    namespace: str = ""
    arguments: str = ""
    output: object = None
    item: _Item | None = None
    info: _Info | None = None
    rate_limits: _Limits | None = None


class _Request(Struct):
    usage: TokenUsage
    thread_id: str = ""


class _Turn(Struct):
    model: str = ""


class _Line(Struct):
    payload: msgspec.Raw
    type: str = ""


@dataclass(frozen=True, slots=True)
class RequestRecorded:
    """A model request has ended; a copy of another thread's record names that thread."""

    usage: Usage
    thread: str = ""


@dataclass(frozen=True, slots=True)
class ModelNamed:
    """The model of the turn that begins."""

    model: str


@dataclass(frozen=True, slots=True)
class TokenCount:
    """A `token_count` event; the usage is the thread's running total."""

    usage: TokenUsage | None
    context_window: int | None
    windows: tuple[LimitWindow, ...]


@dataclass(frozen=True, slots=True)
class AgentsSeen:
    """Sub-agents that the thread started or spoke to, by their thread ids."""

    threads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AgentSlept:
    """A pause that the agent asked for; `seconds` is None when it has ended."""

    seconds: float | None


@dataclass(frozen=True, slots=True)
class CommandRefused:
    """The sandbox could not start a command of the agent."""

    reason: str


class ContextCompacted:
    """The thread had filled the context window, and Codex replaced it by a summary."""


Record = (
    RequestRecorded
    | ModelNamed
    | TokenCount
    | AgentsSeen
    | AgentSlept
    | ContextCompacted
    | CommandRefused
)

_decode = json_decoder(_Line)
_decode_payload = json_decoder(_Payload)
_decode_request = json_decoder(_Request)
_decode_turn = json_decoder(_Turn)
_WORDS = (
    b"token_usage_record",
    b"token_count",
    b"turn_context",
    b"item_completed",
    b"sleep",
    b"compacted",
)
_MARKS = (*(b'"%s"' % word for word in _WORDS), *MARKERS)
MODEL_LIMIT = 200
_OUTPUTS = ("function_call_output", "custom_tool_call_output")
_decode_sleep = json_decoder(dict[str, float])
MAX_SKIPS = 30
ARCHIVE = "archived_sessions"
"""A missing file is looked for more and more rarely."""


class Rollout:
    """The rollout file of one thread, followed from `offset` (bytes)."""

    def __init__(self, codex_home: Path, thread_id: str, offset: int) -> None:
        self._home = codex_home
        self._thread_id = thread_id
        self._spool: LineReader | None = None
        self._read_whole: Path | None = None
        """A compressed file that was read: Codex puts what it adds into a plain one."""
        self._misses = self._skips = 0
        self.offset = offset

    def read(self, *, in_vain: bool = True) -> list[Record]:
        """Return the counts since the last call; nothing while the file is missing.

        Without `in_vain`, a file that was missing is not looked for every time.
        """
        if self._spool is None:
            if self._skips and not in_vain:
                self._skips -= 1
                return []
            path = find(self._home, self._thread_id)
            if path is None or path == self._read_whole:
                self._misses += 1
                self._skips = min(self._misses, MAX_SKIPS)
                return []
            self._spool = _spool(path, self.offset)
        lines = self._spool.lines()
        self.offset = self._spool.offset
        self._let_go()
        return [record for line in lines if (record := read_record(line))]

    def _let_go(self) -> None:
        if isinstance(self._spool, CompressedLineReader) and self._spool.is_ended:
            self._read_whole, self._spool = self._spool.path, None

    @property
    def behind(self) -> bool:
        """Return whether the file holds more than was read."""
        return self._spool is not None and self._spool.behind

    def close(self) -> None:
        """Close the file."""
        if self._spool:
            self._spool.close()


def find(home: Path, thread_id: str) -> Path | None:
    """Return the path of a thread's rollout in a Codex home; None where it is missing.

    Its folder is the day in its id (UUID v7); Codex moves archived ones out of it, and
    compresses old ones, in both places. A plain one comes before a compressed one.
    """
    for day in _days(thread_id):
        folder = os.path.join(home, f"sessions/{day:%Y/%m/%d}")  # noqa: PTH118  called often, mostly without success
        if found := _named(folder, thread_id):
            return found
    return _named(os.path.join(home, ARCHIVE), thread_id)  # noqa: PTH118  hot


def _named(folder: str, thread_id: str) -> Path | None:
    try:
        names = os.listdir(folder)  # noqa: PTH208  hot
    except OSError:
        return None
    for end in (f"-{thread_id}.jsonl", f"-{thread_id}.jsonl{SUFFIX}"):
        found = [name for name in names if name.startswith("rollout-") and name.endswith(end)]
        if found:
            return Path(folder, max(found))
    return None


def _spool(path: Path, offset: int) -> LineReader:
    return CompressedLineReader(path, offset) if path.suffix == SUFFIX else LineReader(path, offset)


def _days(thread_id: str) -> Iterator[datetime]:
    """Yield the days on which the thread may have begun, in Codex's local time."""
    try:
        begun = datetime.fromtimestamp((uuid.UUID(thread_id).int >> 80) / 1000)
    except (ValueError, OverflowError, OSError):
        return
    for shift in (0, -1, 1):
        yield begun + timedelta(days=shift)


def read_record(line: bytes) -> Record | None:
    """Return the record of a rollout's line, if it is of interest."""
    if not any(mark in line for mark in _MARKS):
        return None
    try:
        return _record_of(_decode(line))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _record_of(line: _Line) -> Record | None:
    match line.type:
        case "compacted":
            return ContextCompacted()
        case "token_usage_record":
            request = _decode_request(line.payload)
            return RequestRecorded(request.usage.usage, request.thread_id)
        case "turn_context":
            return ModelNamed(one_line(_decode_turn(line.payload).model, MODEL_LIMIT))
        case _:
            return _record_in(_decode_payload(line.payload))


def _record_in(payload: _Payload) -> Record | None:
    match payload.type:
        case "token_count":
            return _count(payload)
        case "item_completed" if payload.item:
            return _item(payload.item)
        case "function_call" if (payload.namespace, payload.name) == ("clock", "sleep"):
            return _sleep(payload.arguments)
        case kind if kind in _OUTPUTS:
            reason = refusal_within(_text(payload.output))
            return CommandRefused(reason) if reason else None
        case _:
            return None


def _text(output: object) -> str:
    """Return the text that a tool answered: a string, or parts of it."""
    if isinstance(output, str):
        return output
    try:
        parts = convert(output, list[_Part])
    except msgspec.ValidationError:
        return ""
    return "\n".join(part.text for part in parts)


def _item(item: _Item) -> Record | None:
    if item.kind == "clock.sleep":
        return AgentSlept(None)
    threads = [item.agent_thread_id] if item.agent_thread_id else item.receiver_thread_ids
    return AgentsSeen(tuple(threads)) if threads else None


def _sleep(arguments: str) -> AgentSlept | None:
    try:
        return AgentSlept(bounded_time(_decode_sleep(arguments).get("duration_ms", 0.0) / 1000))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return AgentSlept(0.0)


def _count(payload: _Payload) -> TokenCount:
    info = payload.info or _Info()
    return TokenCount(info.total_token_usage, info.model_context_window, _windows(payload))


def _windows(payload: _Payload) -> tuple[LimitWindow, ...]:
    limits = payload.rate_limits or _Limits()
    named = (("primary", limits.primary), ("secondary", limits.secondary))
    return tuple(
        LimitWindow(
            limit_name(limits.limit_id, name),
            window.used_percent,
            window.window_minutes,
            window.resets_at,
        )
        for name, window in named
        if window
    )
