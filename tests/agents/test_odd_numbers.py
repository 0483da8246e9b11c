"""Numbers in Codex's lines that no token count, percentage or date can be."""

from __future__ import annotations

import json

import pytest

from engine.agents.codex.rollout import read_record as record_of
from engine.agents.codex.translation import CodexState, Translator, state_from, state_json
from engine.domain.events import Body, Step, UsageCounted, event_json
from engine.domain.model import LimitWindow, Run, RunSpec, Usage
from engine.domain.numeric import MAX_COUNT, MAX_TIME
from engine.domain.projection import fold
from engine.domain.run_json import run_json
from engine.store import codec
from tui.formatting.events import event_line
from tui.formatting.properties import facts

ODD = ["9" * 400, "-" + "9" * 400, "9" * 5000, "1e400", "1e308", "-1e308", "-7", "0.5",
       "18446744073709551616", "NaN", "Infinity"]  # fmt: skip
NOW = 1_800_000_000.0


def said(number: str) -> list[Body]:
    """Return the events of a turn and of a rollout that hold `number` wherever one can stand."""
    usage = f'{{"input_tokens":{number},"cached_input_tokens":{number},"output_tokens":{number}}}'
    window = f'{{"used_percent":{number},"window_minutes":{number},"resets_at":{number}}}'
    command = f'{{"id":"i","type":"command_execution","command":"x","exit_code":{number}}}'
    lines = (
        f'{{"type":"item.completed","item":{command}}}',
        f'{{"type":"turn.completed","usage":{usage}}}',
        f'{{"type":"turn.completed","usage":{usage}}}',
        f'{{"type":"unknown","n":{number}}}',
    )
    info = f'{{"total_token_usage":{usage},"model_context_window":{number}}}'
    counted = (
        f'{{"type":"token_count","info":{info},"rate_limits":{{"primary":{window}}}}}',
        f'{{"type":"token_count","info":{{}},"rate_limits":{{"primary":{window}}}}}',
        '{"type":"function_call","namespace":"clock","name":"sleep","arguments":'
        + json.dumps(f'{{"duration_ms":{number}}}')
        + "}",
    )
    translator = Translator(CodexState(), "/w")
    bodies = [body for raw in lines for body in translator.translate(raw.encode())]
    for payload in counted:
        found = record_of(f'{{"type":"event_msg","payload":{payload}}}'.encode())
        bodies += translator.recorded(found) if found else []
    assert state_from(state_json(translator.state)) == translator.state
    return bodies


@pytest.mark.parametrize("number", ODD)
def test_no_number_ends_a_view(number: str) -> None:
    run = Run("a", RunSpec("", "p", ""), NOW)
    for seq, body in enumerate(said(number), 1):
        stored = codec.body_text(body)
        event = codec.event_from("a", seq, NOW, 1, body.type, stored)
        assert event.body == body
        json.dumps(event_json(event), allow_nan=False)
        event_line(event)
        run = fold(run, [event])
    json.dumps(run_json(run, NOW), allow_nan=False)
    facts(run, NOW, "")
    assert 0 <= run.usage.input <= MAX_COUNT


@pytest.mark.parametrize("number", ["9" * 400, "-" + "9" * 400])
def test_numbers_that_an_earlier_version_stored_are_bounded(number: str) -> None:
    data = f'{{"input_tokens":{number},"cached_input_tokens":{number},"output_tokens":{number}}}'
    event = codec.event_from("a", 1, NOW, 1, UsageCounted.type, data)
    event_line(event)
    assert isinstance(event.body, UsageCounted)
    assert 0 <= event.body.output_tokens <= MAX_COUNT
    usage = f'{{"input":{number},"cached":{number},"output":{number}}}'
    spec = '{"prompt":"","title":"p","folder":""}'
    state = f'{{"id":"a","created_at":1.0,"usage":{usage},"context_window":{number}}}'
    run = codec.run_from(spec, state)
    facts(run, NOW, "")
    assert 0 <= run.usage.input <= MAX_COUNT
    cursor = state_from(f'{{"thread_usage":{usage},"usage_before":{usage}}}'.encode())
    assert cursor.counter.usage + cursor.usage_before == run.usage
    step = codec.event_from("a", 1, NOW, 1, Step.type, step_with(number))
    event_line(step)


def step_with(exit_code: str) -> str:
    return f'{{"role":"tool","kind":"command","phase":"completed","exit_code":{exit_code}}}'


def test_what_is_not_a_number_is_bounded() -> None:
    for odd in (float("nan"), float("inf"), float("-inf"), 1e300):
        window = LimitWindow("primary", odd, 5, odd)
        assert window.resets_at is not None
        assert 0 <= window.resets_at <= MAX_TIME
        assert 0 <= window.used_percent <= 1000
    most = Usage(MAX_COUNT, MAX_COUNT, MAX_COUNT)
    assert most + most == most
