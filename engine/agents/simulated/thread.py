"""A thread and its rollout: the file that tokens, limits and a resumed turn are read from."""
# Not pathlib: importing it would take a fifth of the time to start.
# ruff: noqa: PTH103, PTH118, PTH120, PTH123

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Mapping

from .script import directives, has_attempts

CONTEXT_WINDOW = 258400
USAGE_KEYS = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NUMBERED = re.compile(r"n ([0-9]+)")


class Thread:
    """One thread, kept in its rollout alone: killed at any moment it can be resumed."""

    def __init__(self, thread_id: str, path: str) -> None:
        """Refer to a thread; `create` and `find` make one."""
        self.id = thread_id
        self.path = path
        self.totals: dict[str, int] = dict.fromkeys(USAGE_KEYS, 0)
        self.rate_limits: dict[str, object] = {
            "limit_id": "codex",
            "limit_name": None,
            "primary": None,
            "secondary": None,
            "credits": None,
            "plan_type": None,
            "rate_limit_reached_type": None,
        }
        self.last_number = 0
        self.last_script: list[str] = []
        self.last_messages: list[str] = []
        """The ids of the user's messages in the last turn."""
        self.changed: Callable[[], None] | None = None
        """Called when tokens or limits have changed."""
        self.last_request: dict[str, int] = dict(self.totals)
        self._ordinal = 0
        self._file = -1

    def open(self) -> None:
        """Open the rollout for appending."""
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        self._file = os.open(self.path, flags, 0o600)

    def record(self, kind: str, payload: Mapping[str, object]) -> None:
        """Append one line to the rollout."""
        now = time.time()
        line = {
            "timestamp": f"{_utc('%Y-%m-%dT%H:%M:%S', now)}.{int(now * 1000) % 1000:03d}Z",
            "ordinal": self._ordinal,
            "type": kind,
            "payload": payload,
        }
        self._ordinal += 1
        os.write(self._file, json.dumps(line).encode() + b"\n")

    def begin_turn(self, model: str | None) -> None:
        """Append the start of a turn."""
        self.last_messages = []
        self.record("event_msg", {"type": "task_started", "model": model})
        if model:
            self.record("turn_context", {"type": "turn_context", "model": model})

    def record_message(self, role: str, text: str, client_id: str = "") -> None:
        """Append a message of the user or the agent; a client sets an id."""
        kind = "input_text" if role == "user" else "output_text"
        content = [{"type": kind, "text": text}]
        message: dict[str, object] = {"type": "message", "role": role, "content": content}
        if client_id:
            self.last_messages.append(client_id)
            message["client_id"] = client_id
        self.record("response_item", message)

    def count(self, request: dict[str, int]) -> None:
        """Add one model request to the running total, and write it to the rollout."""
        for key in USAGE_KEYS:
            self.totals[key] += request.get(key, 0)
        self.last_request = {key: request.get(key, 0) for key in USAGE_KEYS}
        self.record_tokens()

    def record_tokens(self) -> None:
        """Append the token counts and the rate limits as they stand."""
        info = {
            "total_token_usage": _with_sum(self.totals),
            "last_token_usage": _with_sum(self.last_request),
            "model_context_window": CONTEXT_WINDOW,
        }
        payload = {"type": "token_count", "info": info, "rate_limits": self.rate_limits}
        self.record("event_msg", payload)
        if self.changed:
            self.changed()

    def lock(self) -> bool:
        """Keep other processes from writing to this thread; False if one does."""
        import fcntl  # only the app-server locks

        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def load(self) -> None:
        """Read back what an earlier turn left, however it ended."""
        with open(self.path, "rb") as rollout:
            lines = rollout.read().split(b"\n")
        for line in lines:
            try:
                self._recall(line)
            except (ValueError, KeyError, TypeError):
                continue  # the last line of a process that was killed
        self._ordinal = sum(1 for line in lines if line)
        self.open()
        if lines[-1]:
            os.write(self._file, b"\n")

    def _recall(self, line: bytes) -> None:
        entry: dict[str, dict[str, object]] = json.loads(line)
        payload = entry["payload"]
        if payload["type"] == "token_count":
            tokens: dict[str, dict[str, dict[str, int]]] = json.loads(line)["payload"]
            self.totals = {key: tokens["info"]["total_token_usage"][key] for key in USAGE_KEYS}
            self.rate_limits.update(tokens["rate_limits"])
        elif payload["type"] == "task_started":
            self.last_messages = []
        elif payload["type"] == "message":
            text: str = json.loads(line)["payload"]["content"][0]["text"]
            number = _NUMBERED.fullmatch(text)
            if client_id := payload.get("client_id"):
                self.last_messages.append(str(client_id))
            if payload["role"] == "user":
                said = directives(text)
                # A message in between does not replace a script that goes on in the next attempt.
                if said and (has_attempts(said) or not has_attempts(self.last_script)):
                    self.last_script = said
            elif number:
                self.last_number = int(number[1])


def create(home: str, cwd: str, version: str, source: str = "exec") -> Thread:
    """Begin a thread and its rollout."""
    now = time.time()
    thread_id = _uuid7(now)
    name = f"rollout-{_utc('%Y-%m-%dT%H-%M-%S', now)}-{thread_id}.jsonl"
    thread = Thread(thread_id, os.path.join(home, "sessions", _utc("%Y/%m/%d", now), name))
    thread.open()
    thread.record(
        "session_meta",
        {
            "id": thread_id,
            "timestamp": _utc("%Y-%m-%dT%H:%M:%SZ", now),
            "cwd": cwd,
            "originator": "codex_exec" if source == "exec" else "swarm_tui",
            "cli_version": version,
            "source": source,
            "model_provider": "simulated",
        },
    )
    return thread


def fork(home: str, parent: Thread, cwd: str, version: str, source: str = "exec") -> Thread:
    """Begin a thread with all that another one holds, which stays as it is."""
    thread = create(home, cwd, version, source)
    with open(parent.path, "rb") as rollout:
        _, _, rest = rollout.read().partition(b"\n")
    with open(thread.path, "ab") as copy:
        copy.write(rest if rest.endswith(b"\n") or not rest else rest + b"\n")
    found = find(home, thread.id)
    return found or thread


def find(home: str, thread_id: str) -> Thread | None:
    """Find a thread by its id, with all that it has counted so far."""
    for folder, _, names in os.walk(os.path.join(home, "sessions")):
        for name in names:
            if name.startswith("rollout-") and name.endswith(f"-{thread_id}.jsonl"):
                thread = Thread(thread_id, os.path.join(folder, name))
                thread.load()
                return thread
    return None


def is_thread_id(word: str) -> bool:
    """Return whether a word is an id, not a thread's name."""
    return _UUID.fullmatch(word) is not None


def count_attempt(home: str, cwd: str, script: list[str]) -> int:
    """Count one more play of this script in this folder, and return its number."""
    import hashlib  # costs 4 ms, and few scripts ask for it

    key = hashlib.sha256("\0".join([os.path.realpath(cwd), *script]).encode("utf-8", "replace"))
    folder = os.path.join(home, "simulated", "attempts")
    os.makedirs(folder, exist_ok=True)
    # One byte an attempt: appending is atomic, and the size is the count.
    counter = os.open(
        os.path.join(folder, key.hexdigest()), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
    )
    try:
        os.write(counter, b".")
        return os.lseek(counter, 0, os.SEEK_CUR)
    finally:
        os.close(counter)


def _with_sum(usage: Mapping[str, int]) -> dict[str, int]:
    return {**usage, "total_tokens": usage["input_tokens"] + usage["output_tokens"]}


def _utc(form: str, at: float) -> str:
    return time.strftime(form, time.gmtime(at))


def _uuid7(at: float) -> str:
    random_bits = int.from_bytes(os.urandom(10), "big")
    value = (int(at * 1000) << 80) | random_bits
    value = value & ~(0xF << 76) | (0x7 << 76)
    value = value & ~(0x3 << 62) | (0x2 << 62)
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
