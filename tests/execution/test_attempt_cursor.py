"""The stored place of an attempt: read back as it was, and from the form of older versions."""

from __future__ import annotations

import msgspec
import pytest

from engine.agents.registry import agent_of
from engine.domain.model import ErrorInfo
from engine.execution.attempt_cursor import AttemptCursor, cursor_from, cursor_text

VERDICT = ErrorInfo("RUN_TIMED_OUT", "It took too long.", "Retry.", "docs/errors.md#x")
OLD = (
    '{"offset":912,"thread_id":"0199a213-81c0-7800-8aa1-bbab2a035a53","turn":"started",'
    '"usage_before":{"input":7,"cached":0,"output":1},"rollout_offset":44,"worked":true,'
    '"verdict":{"code":"RUN_TIMED_OUT","message":"It took too long.","recovery":"Retry.",'
    '"docs_url":"docs/errors.md#x"}}'
)


@pytest.mark.parametrize("verdict", [None, VERDICT])
def test_a_cursor_is_read_back_as_it_was_stored(verdict: ErrorInfo | None) -> None:
    cursor = AttemptCursor(msgspec.Raw(b'{"lines":[1,{"a":null}]}'), 10**12, verdict)
    read = cursor_from(cursor_text(cursor))
    assert (bytes(read.agent), read.offset, read.verdict) == (
        bytes(cursor.agent),
        cursor.offset,
        verdict,
    )


def test_a_cursor_of_an_older_version_keeps_place_verdict_and_state() -> None:
    cursor = cursor_from(OLD)
    assert (cursor.offset, cursor.verdict) == (912, VERDICT)
    agent = agent_of("codex")
    reader = agent.reader(bytes(cursor.agent), "/w", None)
    assert reader.can_continue
    state = msgspec.json.decode(reader.state())
    assert state == {
        "thread_id": "0199a213-81c0-7800-8aa1-bbab2a035a53",
        "turn": "started",
        "usage_before": {"input": 7, "cached": 0, "output": 1, "reasoning": 0, "requests": 0},
        "counter": {},
        "rollout_offset": 44,
        "worked": True,
    }


def test_an_empty_cursor_of_an_older_version_is_that_of_a_new_attempt() -> None:
    cursor = cursor_from("{}")
    assert cursor.offset == 0
    assert not agent_of("codex").reader(bytes(cursor.agent), "/w", None).can_continue
