"""Threads of Codex as files, with what a model server billed for them: the model of the tests."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from engine.domain.session_usage import ReadBatch
from engine.domain.usage import SessionProgress
from engine.store import session_ledger
from engine.store.migrations import MIGRATIONS
from engine.store.session_index import SessionIndex
from engine.store.typed import register
from engine.usage.session_request import ReadRequest, SessionHome
from engine.usage.session_worker import SessionPass

BEGAN = 1_790_000_000.0
SOURCE = "engine.agents.codex.session_files"
NAMES = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")
Tokens = tuple[int, int, int, int]


def thread_id(at: float, number: int) -> str:
    """Return an id as Codex makes it: UUID v7."""
    return str(uuid.UUID(int=(int(at * 1000) << 80) | (7 << 76) | (2 << 62) | number))


def stamp(at: float) -> str:
    """Return a time as Codex writes it."""
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _wire(tokens: Tokens) -> dict[str, int]:
    return dict(zip(NAMES, tokens, strict=True))


def _sum(one: Tokens, two: Tokens) -> Tokens:
    return tuple(a + b for a, b in zip(one, two, strict=True))  # pyright: ignore[reportReturnType]  four of each


@dataclass
class Thread:
    """A thread: its lines, and the tokens that were billed with each of them."""

    number: int
    has_records: bool = True
    at: float = BEGAN
    parent: Thread | None = None
    copies: bool = False
    """Whether it begins with a copy of its parent's lines."""
    lines: list[bytes] = field(default_factory=list[bytes])
    billed: dict[int, Tokens] = field(default_factory=dict[int, Tokens])
    total: Tokens = (0, 0, 0, 0)
    last: Tokens = (0, 0, 0, 0)
    broken_times: bool = False

    def __post_init__(self) -> None:
        self.at += self.number * 1000
        self.id = thread_id(self.at, self.number)
        head: dict[str, Any] = {"id": self.id, "session_id": self.id, "cwd": "/home/u/shop"}
        if self.parent:
            head["forked_from_id"] = self.parent.id
        self.add("session_meta", head)
        if self.parent and self.copies:
            # Codex writes the copies with the present time.
            for line in self.parent.lines:
                if not line.startswith(b'{"timestamp"'):
                    continue
                copied = json.loads(line) | {"timestamp": stamp(self.at)}
                self.lines.append(json.dumps(copied).encode())
        if self.parent:
            self.total = self.parent.total
        self.at += 60
        self.turn()

    def add(self, kind: str, payload: dict[str, Any]) -> None:
        """Add a line."""
        self.at += 1
        line: dict[str, Any] = {"timestamp": stamp(self.at), "type": kind, "payload": payload}
        if self.broken_times:
            odd = (
                None,
                "",
                "1970-01-01T00:00:00Z",
                "9999-01-01T00:00:00Z",
                7,
                stamp(self.at - 9e5),
            )
            line["timestamp"] = odd[len(self.lines) % len(odd)]
        self.lines.append(json.dumps(line).encode())

    def turn(self) -> None:
        """Begin a turn."""
        turn = thread_id(self.at, 9)
        self.add("turn_context", {"model": f"gpt-{self.number % 2}", "turn_id": turn})

    def request(self, tokens: Tokens, *, killed: bool = False) -> None:
        """Add a model request; of a killed one, the running total never hears."""
        text = {"type": "message", "content": 'says "token_count" and "token_usage_record"'}
        self.add("response_item", text)
        total = _sum(self.total, tokens)
        if self.has_records:
            record = {
                "thread_id": self.id,
                "response_id": f"resp_{self.number}_{len(self.lines)}",
                "usage": _wire(tokens),
                "thread_token_usage": _wire(total),
            }
            self.billed[len(self.lines)] = tokens
            self.add("token_usage_record", record)
        if killed:
            return
        if not self.has_records:
            self.billed[len(self.lines)] = tokens
        self.total, self.last = total, tokens
        self.repeat()

    def repeat(self) -> None:
        """Report the running total."""
        info = {"total_token_usage": _wire(self.total), "last_token_usage": _wire(self.last)}
        self.add("event_msg", {"type": "token_count", "info": info, "rate_limits": None})

    def restart(self) -> None:
        """Count from zero again, as early versions of Codex did."""
        if not self.has_records:
            self.total = (0, 0, 0, 0)

    def noise(self) -> None:
        """Add lines that count nothing."""
        self.add("event_msg", {"type": "token_count", "info": None, "rate_limits": None})
        self.add(
            "compacted", {"message": "x", "latest_token_usage_record": {"usage": _wire(self.last)}}
        )
        self.lines += [b"{broken", b"\xff\xfe", b"[]", b""]

    def repeated(self, first: int, count: int) -> list[bytes]:
        """Return lines of the thread for the second time."""
        return self.lines[first : first + count]

    def counted(self, upto: int | None = None) -> Counter[str]:
        """Return what was billed, as far as its lines are among the first `upto`."""
        found: Counter[str] = Counter()
        for place, tokens in self.billed.items():
            if upto is None or place < upto:
                found.update(_wire(tokens))
                found["requests"] += 1
        return +found

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"rollout-2026-09-21T00-00-00-{self.id}.jsonl"

    @property
    def day(self) -> str:
        """The folder of its file."""
        return f"sessions/2026/09/{self.number % 3 + 1:02}"


class Ledger:
    """A database in memory, and passes over a home; each can be cut short."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        register(self.db)
        for statements in MIGRATIONS:
            for statement in statements:
                self.db.execute(statement)

    def read(self, *, is_complete: bool = True, upto: int | None = None) -> None:
        """Make a pass; with `upto`, the reader ends after so many batches, the last not stored."""
        homes = (SessionHome("default", os.fsencode(self.home), SOURCE),)
        request = ReadRequest(b"", homes, is_complete)
        with suppress(SystemExit):
            SessionPass(request, SessionIndex(self.db), _pipes(self._store, upto)).run()

    def _store(self, batch: ReadBatch) -> None:
        self.db.execute("BEGIN")
        session_ledger.add_batch(self.db, batch)
        self.db.execute("COMMIT")

    def counted(self, thread: str) -> Counter[str]:
        """Return what was counted of a thread."""
        sums = ", ".join(f"sum({name})" for name in ("input", "cached", "output", "reasoning"))
        query = f"SELECT {sums}, sum(requests) FROM session_slots WHERE thread = ?"
        (row,) = self.db.execute(query, (thread,))
        return +Counter(dict(zip((*NAMES, "requests"), (it or 0 for it in row), strict=True)))

    def total(self) -> int:
        """Return the input tokens of all threads."""
        return self.db.execute("SELECT total(input) FROM session_slots").fetchone()[0]

    def progress(self) -> SessionProgress:
        """Return the progress of the last pass."""
        query = "SELECT value FROM settings WHERE name = ?"
        (text,) = self.db.execute(query, (session_ledger.PROGRESS,)).fetchone()
        return msgspec.json.decode(text, type=SessionProgress)

    def close(self) -> None:
        """Close the database."""
        self.db.close()


class _pipes:
    """Both ends of the reader's pipes, in memory."""

    def __init__(self, store: Any, upto: int | None) -> None:
        self._store, self._left = store, upto

    def __iter__(self) -> Iterator[Any]:
        yield self
        yield self

    def write(self, message: bytes) -> None:
        if len(message) <= 4:
            return
        if self._left is not None:
            self._left -= 1
        if self._left is None or self._left >= 0:
            self._store(msgspec.msgpack.decode(message[4:], type=ReadBatch))

    def flush(self) -> None: ...

    def read(self, size: int) -> bytes:
        return b"" if self._left is not None and self._left < 0 else b"+"


def compress(path: Path) -> Path:
    """Compress a file as Codex does with old ones."""
    target = path.with_name(f"{path.name}.zst")
    subprocess.run(["zstd", "-q", "-f", "--rm", path, "-o", target], check=True)
    return target
