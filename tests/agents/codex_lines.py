"""Streams of Codex, and of what Codex would never say."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from engine.agents.codex.translation import CodexState, Translator
from engine.domain.events import Body

KINDS = [
    *("thread.started", "turn.started", "turn.completed", "turn.failed", "error"),
    *("item.started", "item.updated", "item.completed", "simulated.novelty", "", "item."),
]
ITEMS = [
    *("agent_message", "reasoning", "command_execution", "file_change", "mcp_tool_call"),
    *("web_search", "todo_list", "error", "novelty"),
]
words = st.text(st.characters(), max_size=8) | st.sampled_from(["\x1b[31m", "\u202e", "[/red]"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | words
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3)
)
counts = st.integers(0, 2**80) | values
items = st.fixed_dictionaries(
    {"type": st.sampled_from(ITEMS)},
    optional={
        "id": words | values,
        "status": st.sampled_from(["in_progress", "completed", "failed"]) | values,
        "text": words | values,
        "message": words | values,
        "command": words | values,
        "aggregated_output": words | values,
        "exit_code": counts,
        "changes": st.lists(st.fixed_dictionaries({"path": words, "kind": words})) | values,
        "items": st.lists(st.fixed_dictionaries({"text": words, "completed": st.booleans()}))
        | values,
        "server": words | values,
        "query": words | values,
    },
)
known = st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS) | values},
    optional={
        "thread_id": words | values,
        "item": items | values,
        "usage": st.dictionaries(st.sampled_from(["input_tokens", "output_tokens"]), counts)
        | values,
        "error": st.fixed_dictionaries({"message": words | values}) | values,
        "message": words | values | st.just("Reconnecting... 1/5 (cut)"),
        "later": values,
    },
)
ODD = (
    b"",
    b"\r",
    b"not JSON",
    b"\xff\xfe{",
    b'{"type":"item.completed","item":{"type":"agent_message","text":"\xff"}}',
    b'{"type":"item.completed","item":{"type":"agent_message","text":"\\ud800"}}',
    b'{"type":"item.completed","item":{"type":"agent_message","text":"cut',
    b'{"type":"x","v":NaN}',
    b'{"type":"x","v":1e999}',
    b'{"type":"x","type":"error","message":"twice"}',
    b"[" * 100_000,
    b'{"type":"x","v":' + b"[" * 500 + b"]" * 500 + b"}",
    b'{"a":' * 3000 + b"1" + b"}" * 3000,
    b'{"type":"x","v":' + b"9" * 5000 + b"}",
)
lines = st.one_of(
    st.builds(lambda value: json.dumps(value).encode(), known),
    st.builds(lambda value: json.dumps(value, ensure_ascii=False).encode(errors="replace"), known),
    st.builds(lambda value: json.dumps(value).encode(), values),
    st.binary(max_size=30),
    st.sampled_from(ODD),
)  # fmt: skip


def line(kind: str, **fields: Any) -> bytes:
    """A line of Codex."""
    return json.dumps({"type": kind, **fields}).encode()


def item(phase: str, kind: str, **fields: Any) -> bytes:
    """A line about an item."""
    return line(f"item.{phase}", item={"id": "item_0", "type": kind, **fields})


def translate(*said: bytes, cursor: CodexState | None = None, root: str = "/w") -> list[Body]:
    """The events of these lines."""
    translator = Translator(cursor or CodexState(), root)
    return [body for raw in said for body in translator.translate(raw)]


def ends(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """The data in pieces, cut at these places."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(places)]
