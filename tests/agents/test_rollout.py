"""Tokens and limits from a thread's rollout, whatever else stands there."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.agents.codex.parsing import TokenUsage
from engine.agents.codex.rollout import (
    AgentSlept,
    AgentsSeen,
    ContextCompacted,
    Rollout,
    TokenCount,
    find,
)
from engine.agents.codex.rollout import read_record as count
from engine.domain.model import LimitWindow

WINDOW = {"used_percent": 12.5, "window_minutes": 300, "resets_at": 1795359302}


def line(info: Any = None, rate_limits: Any = None, kind: str = "token_count") -> bytes:
    payload = {"type": kind, "info": info, "rate_limits": rate_limits}
    return json.dumps({"type": "event_msg", "payload": payload}).encode() + b"\n"


def total(tokens: int) -> dict[str, Any]:
    used = {"input_tokens": tokens, "cached_input_tokens": 2, "output_tokens": 3, "total_tokens": 9}
    return {"total_token_usage": used, "last_token_usage": used, "model_context_window": 258400}


def thread_id(at: datetime) -> str:
    digits = f"{int(at.timestamp() * 1000):012x}70008000000000000000"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


@pytest.fixture(params=["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def rollout_of(home: Path, begun: datetime, thread: str) -> Path:
    path = home / f"sessions/{begun:%Y/%m/%d}/rollout-{begun:%Y-%m-%dT%H-%M-%S}-{thread}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


# One line


def test_a_count_is_read() -> None:
    secondary = {"used_percent": 99, "window_minutes": None, "resets_at": None}
    found = count(line(total(7), {"primary": WINDOW, "secondary": secondary, "plan_type": "plus"}))
    windows = (
        LimitWindow("primary", 12.5, 300, 1795359302.0),
        LimitWindow("secondary", 99.0, None, None),
    )
    assert found == TokenCount(TokenUsage(7, 2, 3), 258400, windows)


def test_what_is_null_is_not_known() -> None:
    assert count(line()) == TokenCount(None, None, ())
    assert count(line(None, {"primary": None, "secondary": None})) == TokenCount(None, None, ())
    assert count(line({"total_token_usage": None})) == TokenCount(None, None, ())
    only = count(line(None, {"secondary": WINDOW}))
    assert only
    assert [window.name for window in only.windows] == ["secondary"]


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b'"token_count"',
        b'{"payload":"token_count"}',
        b'{"payload":{"type":"token_count","info":7}}',
        b'{"payload":{"type":"token_count","rate_limits":[]}}',
        b'{"payload":{"type":"message","text":"\\"token_count\\""}}',
        b'{"payload":{"type":"token_count"}',
        b'\xff"token_count"',
        b"[" * 100_000 + b'"token_count"',
        line(total(7), kind="other"),
        line({"total_token_usage": {"input_tokens": "many"}}),
    ],
)
def test_what_is_no_count_is_none(bad: bytes) -> None:
    assert count(bad.rstrip(b"\n")) is None


@given(st.binary(max_size=60))
def test_no_bytes_are_an_exception(noise: bytes) -> None:
    for text in (noise, b'"token_count"' + noise, line(total(1))[:-30] + noise):
        count(text)


# The file


@pytest.mark.usefixtures("zone")
def test_the_file_is_found_by_the_day_in_its_thread_s_id(tmp_path: Path) -> None:
    for now in (datetime.now(), datetime(2026, 1, 1, 0, 0, 30), datetime(2026, 12, 31, 23, 59, 59)):
        for shift in (-1, 0, 1):
            thread = thread_id(now + timedelta(microseconds=shift))
            made = rollout_of(tmp_path, now + timedelta(days=shift), thread)
            assert find(tmp_path, thread) == made
            made.unlink()


@pytest.mark.parametrize("odd", ["", "../../etc", "*", "no-uuid", "f" * 32, "0" * 32])
def test_an_odd_id_finds_nothing(tmp_path: Path, odd: str) -> None:
    assert find(tmp_path, odd) is None
    rollout = Rollout(tmp_path, odd, 0)
    assert (rollout.read(), rollout.behind, rollout.offset) == ([], False, 0)
    rollout.close()


def test_it_is_followed_from_the_offset_on_line_by_line(tmp_path: Path) -> None:
    now = datetime.now()
    thread = thread_id(now)
    rollout = Rollout(tmp_path, thread, 0)
    assert rollout.read() == []
    path = rollout_of(tmp_path, now, thread)
    whole = line(total(1)) + b'{"type":"response_item"}\n' + line(total(2))
    path.write_bytes(whole + line(total(3))[:40])
    assert [c.usage.input_tokens for c in rollout.read() if c.usage] == [1, 2]
    assert rollout.offset == len(whole)
    later = Rollout(tmp_path, thread, rollout.offset)
    path.write_bytes(whole + line(total(3)))
    for reader in (rollout, later):
        assert [c.usage.input_tokens for c in reader.read() if c.usage] == [3]
        assert not reader.behind
        reader.close()


def test_a_long_one_is_read_bit_by_bit(tmp_path: Path) -> None:
    now = datetime.now()
    thread = thread_id(now)
    noise = b'{"type":"response_item","payload":{"x":"' + b"x" * 500_000 + b'"}}\n'
    rollout_of(tmp_path, now, thread).write_bytes(noise + line(total(1)) + noise + line(total(2)))
    rollout = Rollout(tmp_path, thread, 0)
    counts = rollout.read()
    assert rollout.behind
    while rollout.behind:
        counts += rollout.read()
    assert [c.usage.input_tokens for c in counts if c.usage] == [1, 2]
    rollout.close()


def test_sub_agents_sleep_and_compaction_are_read() -> None:
    def item(**fields: Any) -> bytes:
        payload = {"type": "item_completed", "item": fields}
        return json.dumps({"type": "event_msg", "payload": payload}).encode()

    started = item(type="SubAgentActivity", kind="started", agent_thread_id="t2")
    assert count(started) == AgentsSeen(("t2",))
    assert count(item(type="CollabAgentToolCall", receiver_thread_ids=["a", "b"])) == AgentsSeen(
        ("a", "b")
    )
    assert count(item(type="Extension", kind="clock.sleep")) == AgentSlept(None)
    call = {"type": "function_call", "namespace": "clock", "name": "sleep"}
    for arguments, seconds in (('{"duration_ms": 1500}', 1.5), ("[]", 0.0)):
        said = {"type": "response_item", "payload": {**call, "arguments": arguments}}
        assert count(json.dumps(said).encode()) == AgentSlept(seconds)
    assert isinstance(count(b'{"type":"compacted","payload":{}}'), ContextCompacted)


@pytest.fixture
def zstd() -> Callable[[Path], Path]:
    """Compress a file with the real program, as Codex does, and remove the plain one."""
    if shutil.which("zstd") is None:
        pytest.skip("zstd is not installed")

    def compress(path: Path) -> Path:
        subprocess.run(["zstd", "-q", "--rm", path], check=True)
        return path.with_name(f"{path.name}.zst")

    return compress


@pytest.mark.parametrize("folder", [None, "archived_sessions"])
def test_a_compressed_rollout_is_read_from_the_offset_on(
    tmp_path: Path, zstd: Callable[[Path], Path], folder: str | None
) -> None:
    now = datetime.now()
    thread = thread_id(now)
    path = rollout_of(tmp_path, now, thread)
    if folder:
        (tmp_path / folder).mkdir()
        path = path.rename(tmp_path / folder / path.name)
    noise = b'{"type":"response_item","payload":{"x":"' + b"x" * 500_000 + b'"}}\n'
    whole = line(total(1)) + noise + line(total(2))
    path.write_bytes(whole)
    compressed = zstd(path)
    assert find(tmp_path, thread) == compressed
    rollout = Rollout(tmp_path, thread, len(line(total(1))))
    counts = rollout.read()
    while rollout.behind:
        counts += rollout.read()
    assert [c.usage.input_tokens for c in counts if isinstance(c, TokenCount) and c.usage] == [2]
    assert rollout.offset == len(whole)
    assert rollout.read() == []
    # Codex writes a plain one again before it adds anything.
    path.write_bytes(whole + line(total(3)))
    assert find(tmp_path, thread) == path
    (added,) = rollout.read()
    assert isinstance(added, TokenCount)
    assert added.usage
    assert added.usage.input_tokens == 3
    rollout.close()


@pytest.mark.parametrize("content", [b"", b"no zstd at all\n", b"\x28\xb5\x2f\xfd\0"])
def test_a_damaged_compressed_rollout_holds_nothing(tmp_path: Path, content: bytes) -> None:
    now = datetime.now()
    thread = thread_id(now)
    plain = rollout_of(tmp_path, now, thread)
    plain.with_name(f"{plain.name}.zst").write_bytes(content)
    plain.unlink()
    rollout = Rollout(tmp_path, thread, 0)
    with suppress(OSError):  # where the program is missing
        assert rollout.read() == []
    assert not rollout.behind
    assert rollout.read() == []


def test_without_the_program_a_compressed_rollout_is_an_error_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now()
    thread = thread_id(now)
    plain = rollout_of(tmp_path, now, thread)
    plain.rename(plain.with_name(f"{plain.name}.zst"))
    monkeypatch.setenv("PATH", str(tmp_path))
    rollout = Rollout(tmp_path, thread, 0)
    with pytest.raises(OSError, match="zstd"):
        rollout.read()
    assert not rollout.behind
    assert rollout.read() == []
    rollout.close()


def test_an_archived_rollout_is_found(tmp_path: Path) -> None:
    thread = thread_id(datetime.now())
    path = tmp_path / "archived_sessions" / f"rollout-x-{thread}.jsonl"
    path.parent.mkdir()
    path.touch()
    assert find(tmp_path, thread) == path
