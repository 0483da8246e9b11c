"""Usage in the rollout of a thread, which another program than ours may have started.

Newer versions of Codex write a `token_usage_record` of each response, with its id and its own
usage. Older ones write only `token_count`, with the thread's running total. docs/usage.md has the
rules by which no request counts twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path, PurePath
from typing import NamedTuple

import msgspec
from msgspec import Struct

from engine.agents.codex.rollout import TokenCount, read_record
from engine.agents.session_source import RequestUsage, ThreadUsage
from engine.domain.model import LimitWindow
from engine.domain.numeric import MAX_COUNT, bounded_count
from engine.domain.text import printable
from engine.system.decoding import convert, json_decoder, msgpack_decoder

EARLIEST = 1_735_689_600.0
"""2025: there was no Codex before. A time before it, or in the future, is not used."""
FUTURE_S = 86_400.0
COPYING_S = 2.0
"""Time in which Codex writes what a fork copies, with the time of the copying."""
NAME_CHARACTERS = 100
Number = int | float | None


class _Usage(Struct, gc=False):
    input_tokens: Number = 0
    cached_input_tokens: Number = 0
    output_tokens: Number = 0
    reasoning_output_tokens: Number = 0


class _Info(Struct, gc=False):
    total_token_usage: _Usage | None = None
    last_token_usage: _Usage | None = None


class _Payload(Struct, gc=False):
    type: str | None = None
    id: str | None = None
    session_id: str | None = None
    parent_thread_id: str | None = None
    forked_from_id: str | None = None
    cwd: str | None = None
    model: str | None = None
    turn_id: str | None = None
    thread_id: str | None = None
    response_id: str | None = None
    usage: _Usage | None = None
    thread_token_usage: _Usage | None = None
    info: _Info | None = None
    rate_limits: msgspec.Raw = msgspec.Raw(b"null")
    source: object = None


class _Spawn(Struct):
    parent_thread_id: str = ""


class _SubAgent(Struct):
    thread_spawn: _Spawn


class _Source(Struct):
    subagent: _SubAgent


class _Line(Struct, gc=False):
    payload: _Payload
    type: str = ""
    timestamp: object = None


class _Total(NamedTuple):
    """A running total of a thread."""

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def tokens(self) -> int:
        return self.input + self.output


class _State(Struct, omit_defaults=True):
    """All that must be known of a file to go on reading it."""

    thread: str = ""
    model: str = ""
    at: float = 0.0
    """The time of the last line that has a usable one."""
    began: float = 0.0
    """The time at which the thread was started."""
    total: _Total | None = None
    last: _Total | None = None
    """The usage of the last request, as it was reported with the total."""
    has_records: bool = False
    has_own: bool = False
    """True if it had a running total that no other file of the thread had."""
    is_history: bool = False
    """True if the lines are copies of another thread's, which this one was forked from."""
    has_turns: bool = False
    """True if the copied turns have ids with a time."""


_decode = json_decoder(_Line)
_state_of = msgpack_decoder(_State)
_state_bytes = msgspec.msgpack.Encoder().encode


class RolloutCounter:
    """Counter of the usage in one rollout file."""

    def __init__(
        self, path: Path, state: bytes, threads: Callable[[str], ThreadUsage], now: float
    ) -> None:
        self._name = path.name
        self._state = _state_of(state) if state else _State()
        self._threads = threads
        self._now = now
        self.limits: tuple[float, tuple[LimitWindow, ...]] | None = None
        self.thread = threads(self._state.thread) if self._state.thread else None

    def state(self) -> bytes:
        """Return the state from which another counter of the file can go on."""
        return _state_bytes(self._state)

    def read(self, lines: Sequence[bytes]) -> None:
        """Count the usage of further lines, each without its newline."""
        for line in lines:
            # One after the other: a loop over them takes as long as all else here.
            if (
                b'"token_usage_record"' in line
                or b'"token_count"' in line
                or b'"turn_context"' in line
                or b'"session_meta"' in line
                or b'"task_started"' in line
            ):
                self._read(line)

    def _read(self, raw: bytes) -> None:
        try:
            line = _decode(raw)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return
        payload = line.payload
        match (line.type, payload.type):
            case ("session_meta", _):
                self._meta(line)
            case ("turn_context", _) | ("event_msg", "task_started"):
                self._turn(payload)
            case ("token_usage_record", _):
                self._recorded(line)
            case ("event_msg", "token_count"):
                self._counted(line, raw)
            case _:
                pass

    def _meta(self, line: _Line) -> None:
        payload, state = line.payload, self._state
        own = printable(payload.id or "", NAME_CHARACTERS)
        if self.thread is not None:
            # A fork begins with a copy of the other thread: of its beginning, too.
            state.is_history = state.is_history or bool(own and own != state.thread)
            return
        thread = self._begin(own or _thread_in(self._name))
        thread.root = _root(payload, thread.thread)
        thread.project = printable(PurePath(payload.cwd or "").name, NAME_CHARACTERS)
        state.is_history = bool(payload.forked_from_id)
        state.began = _uuid_time(thread.thread) or self._time(line)
        self._time(line)

    def _begin(self, thread: str) -> ThreadUsage:
        self._state.thread = thread
        self.thread = self._threads(thread)
        return self.thread

    def _turn(self, payload: _Payload) -> None:
        state = self._state
        if payload.model:
            state.model = printable(payload.model, NAME_CHARACTERS)
        if state.is_history and (begun := _uuid_time(payload.turn_id or "")):
            state.has_turns = True
            state.is_history = begun < state.began

    def _recorded(self, line: _Line) -> None:
        """Count a response by its id."""
        payload, state = line.payload, self._state
        thread = self.thread or self._begin(_thread_in(self._name))
        if payload.usage is None or payload.thread_id not in (None, thread.thread):
            return  # copied from the thread that this one was forked from
        state.has_records, state.is_history = True, False
        if payload.thread_token_usage:
            state.total = max(
                state.total or _Total(),
                _total(payload.thread_token_usage),
                key=lambda total: total.tokens,
            )
        used, at = _total(payload.usage), self._time(line)
        key = (payload.response_id or f"{line.timestamp} {state.total}").encode("utf-8", "replace")
        # Another file of the thread may begin with this total, without the record.
        total = _total(payload.thread_token_usage) if payload.thread_token_usage else None
        if total and thread.has(_key(total, used)):
            thread.note(key)
        else:
            thread.count(key, at, state.model, _request(used))
        if total:
            thread.note(_key(total, used, of_record=True))

    def _counted(self, line: _Line, raw: bytes) -> None:
        """Count what the running total has grown by."""
        thread = self.thread or self._begin(_thread_in(self._name))
        at, info = self._time(line), line.payload.info
        if not self._is_copy(at):
            self._limit(line, raw, at)
        if info is None or info.total_token_usage is None:
            return
        total, known = _total(info.total_token_usage), self._state.total
        if known and self._state.has_records and total.tokens <= known.tokens:
            return  # as nearly always: the record of the response came before
        last = _total(info.last_token_usage) if info.last_token_usage else None
        key = _key(total, last)
        if self._is_copy(at):
            self._state.total = total
        elif self._state.has_records:
            self._grown(total, key, at)
        elif thread.has(key) or thread.has(_key(total, last, of_record=True)):
            self._repeat(total, last)
        else:
            self._state.has_own = True
            used, self._state.total = self._used(total, last), total
            if any(used):
                thread.count(key, at, self._state.model, _request(used))
            else:
                thread.note(key)

    def _grown(self, total: _Total, key: bytes, at: float) -> None:
        """Count what a total has beyond the records: it comes after those of its responses."""
        known = self._state.total or _Total()
        if self.thread:
            self._state.total = total
            self.thread.count(key, at, self._state.model, _request(_difference(total, known)))

    def _repeat(self, total: _Total, last: _Total | None) -> None:
        """Follow totals that another file of the thread had, too; not copies of earlier lines."""
        state = self._state
        if not state.has_own or (last and _difference(total, last) == state.total):
            state.total, state.last = total, last

    def _used(self, total: _Total, last: _Total | None) -> _Total:
        """Return what a total has that the one before it had not."""
        known = self._state.total
        before, self._state.last = self._state.last, last
        if total == known and (last != total or last == before):
            return _Total()
        base = _difference(total, last) if last else total
        if known is None or any(a < b for a, b in zip(base, known, strict=True)):
            # It may begin with the total of the thread that it goes on from, or at zero again.
            return _Total(*map(min, total, last or total))
        return _difference(total, known)

    def _is_copy(self, at: float) -> bool:
        """Return whether a line of this time is a copy of another thread's."""
        state = self._state
        if state.is_history and not state.has_turns and at > state.began + COPYING_S:
            state.is_history = False
        return state.is_history

    def _limit(self, line: _Line, raw: bytes, at: float) -> None:
        if bytes(line.payload.rate_limits) == b"null":
            return
        record = read_record(raw)
        if isinstance(record, TokenCount) and record.windows:
            self.limits = (at, record.windows)

    def _time(self, line: _Line) -> float:
        """Return the time of a line; of one without a usable time, that of the line before."""
        state = self._state
        at = _timestamp(line.timestamp)
        if EARLIEST <= at <= self._now + FUTURE_S:
            state.at = at
        elif not state.at:
            begun = state.began or _uuid_time(state.thread)
            state.at = begun if EARLIEST <= begun <= self._now + FUTURE_S else self._now
        return state.at


def _key(total: _Total, last: _Total | None, *, of_record: bool = False) -> bytes:
    """Return the key of a total, without its time: a second file may report it again."""
    return f"{total} {last} {of_record}".encode()


def _root(payload: _Payload, thread: str) -> str:
    """Return the thread that a sub-agent works for: the first of all, else its parent."""
    try:
        spawned = convert(payload.source, _Source).subagent.thread_spawn.parent_thread_id
    except msgspec.ValidationError:
        spawned = ""
    for root in (payload.session_id, payload.parent_thread_id, spawned):
        if root and root != thread:
            return printable(root, NAME_CHARACTERS)
    return ""


def _difference(total: _Total, before: _Total) -> _Total:
    return _Total(*(max(0, a - b) for a, b in zip(total, before, strict=True)))


def _request(used: _Total) -> RequestUsage:
    return RequestUsage(
        used.input, min(used.cached, used.input), used.output, min(used.reasoning, used.output)
    )


def _total(usage: _Usage) -> _Total:
    return _Total(
        _count(usage.input_tokens),
        _count(usage.cached_input_tokens),
        _count(usage.output_tokens),
        _count(usage.reasoning_output_tokens),
    )


def _count(number: Number) -> int:
    if isinstance(number, float):
        return int(number) if 0 <= number <= MAX_COUNT else 0
    return bounded_count(number or 0)


def _thread_in(name: str) -> str:
    """Return the thread that the name of a file names; without one, the name."""
    stem = name.partition(".")[0]
    try:
        return str(uuid.UUID(stem[-36:]))
    except ValueError:
        return printable(stem, NAME_CHARACTERS)


def _uuid_time(text: str) -> float:
    """Return the time in an id (UUID v7); 0 where it has none."""
    try:
        value = uuid.UUID(text)
    except ValueError:
        return 0.0
    return (value.int >> 80) / 1000 if value.version == 7 else 0.0


def _timestamp(text: object) -> float:
    if not isinstance(text, str):
        return 0.0
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0
