"""From the bytes Codex writes to events: any bytes, cut anywhere."""
# ruff: noqa: E501  Codex's own lines, each on one

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from codex_lines import ODD, ends, item, line, lines, translate
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.agents.codex.parsing import TokenUsage
from engine.agents.codex.rollout import AgentSlept, AgentsSeen, TokenCount
from engine.agents.codex.thread_counter import ThreadCounter
from engine.agents.codex.translation import CodexState, Translator, state_from, state_json
from engine.domain.events import (
    BODIES,
    Body,
    Event,
    FileChange,
    Notice,
    PlanChanged,
    Progressed,
    Raw,
    Step,
    UsageCounted,
    event_json,
)
from engine.domain.model import PlanItem, Run, RunSpec, Stage, Usage
from engine.domain.projection import fold
from engine.domain.reasons import Subject
from engine.domain.stamp import stamp
from engine.store import codec
from engine.system.files import LineReader

# Any bytes at all


def check_storable(body: Body) -> None:
    text = codec.body_text(body)
    assert text.encode().decode() == text
    event = Event("a", 1, 100.0, 1, body)
    assert codec.event_from("a", 1, 100.0, 1, body.type, text) == event
    shown = event_json(event)
    assert json.loads(json.dumps(shown, allow_nan=False)) == json.loads(json.dumps(shown))


@given(st.lists(lines, max_size=8))
@settings(deadline=None)
def test_any_lines_give_events_that_can_be_stored_folded_and_printed(said: list[bytes]) -> None:
    bodies = translate(*said)
    for body in bodies:
        assert body.type in BODIES
        check_storable(body)
    assert codec.body_texts(bodies) == [codec.body_text(body) for body in bodies]
    made = Run("a", RunSpec("do it", "a title", "a project"), 100.0)
    _, run = stamp(made, bodies, 101.0)
    for is_one_of_many in (False, True):
        row = codec.spec_text(run.spec), codec.state_text(run)
        assert codec.run_from(*row, is_one_of_many=is_one_of_many) == run


def test_a_text_that_is_not_unicode_damages_no_event_beside_it() -> None:
    bodies: list[Body] = [Step("assistant", "message", "completed", text) for text in "a\ud800b"]
    first, odd, last = codec.body_texts(bodies)
    assert [json.loads(text)["text"] for text in (first, last)] == ["a", "b"]
    assert json.loads(odd)["text"] == "?"


@pytest.mark.parametrize("raw", ODD, ids=range(len(ODD)))
def test_an_odd_line_is_one_event_or_none(raw: bytes) -> None:
    bodies = translate(raw)
    assert len(bodies) <= 1
    for body in bodies:
        check_storable(body)


def test_a_line_of_ten_megabytes_is_an_event_with_a_bounded_text() -> None:
    (body,) = translate(item("completed", "agent_message", text="x" * 10_000_000))
    assert body.text.startswith("xxx")
    assert "characters more" in body.text
    assert len(body.text) < 300_000
    (body,) = translate(b"y" * 10_000_000)
    assert isinstance(body, Raw)
    assert len(body.data) < 30_000


# Cut anywhere


def followed(pieces: list[bytes], limit: int, *, restart: bool = False) -> list[Body]:
    """What a follower makes of a file that grows by these pieces, perhaps a new one each time."""
    bodies: list[Body] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stdout.jsonl"
        path.touch()
        spool, translator = LineReader(path, 0), Translator(CodexState(), "/w")
        for piece in pieces:
            with path.open("ab") as file:
                file.write(piece)
            while spool.behind:
                for raw in spool.lines(limit):
                    bodies += translator.translate(raw) if raw else []
            if restart:
                spool.close()
                state = state_from(state_json(translator.state))
                spool, translator = LineReader(path, spool.offset), Translator(state, "/w")
                for raw in spool.lines(10**9):
                    bodies += translator.translate(raw) if raw else []
        if rest := spool.rest():
            bodies += translator.translate(rest)
        spool.close()
    return bodies


@given(
    st.lists(lines, max_size=6),
    st.lists(st.integers(0, 2**16), max_size=8),
    st.integers(1, 2**10),
    st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_the_same_bytes_give_the_same_events_wherever_they_are_cut(
    said: list[bytes], cuts: list[int], limit: int, restart: bool
) -> None:
    data = b"\n".join(raw[:2000] for raw in said)
    whole = followed([data], 10**9)
    assert followed(ends(data, cuts), limit, restart=restart) == whole


@given(st.lists(lines, max_size=6))
@settings(deadline=None, max_examples=50)
def test_a_state_is_stored_and_read_back_as_it_is(said: list[bytes]) -> None:
    translator = Translator(CodexState(), "/w")
    for raw in said:
        translator.translate(raw)
        assert state_from(state_json(translator.state)) == translator.state


# Each documented line


COMMAND = "/bin/bash -lc 'exit 7'"
FILES = [{"path": "/w/a.txt", "kind": "update"}, {"path": "/w/b/c.txt", "kind": "add"}]
MESSAGE = "n\x1b[31m 1"
SHAPES: list[tuple[bytes, list[Body]]] = [
    (
        line("thread.started", thread_id="0199-a"),
        [Progressed(Stage.EXECUTING, "thinking", 30, {"thread_id": "0199-a"})],
    ),
    (line("turn.started"), []),
    (
        line("turn.completed", usage={"input_tokens": 30, "cached_input_tokens": 6, "output_tokens": 5}),
        [],  # counted by the rollout, or at the end
    ),
    (
        item("started", "command_execution", command=COMMAND, aggregated_output="", exit_code=None, status="in_progress"),
        [Step("tool", "command", "started", "exit 7", COMMAND)],
    ),
    (
        item("completed", "command_execution", command=COMMAND, aggregated_output="o\n", exit_code=7, status="failed"),
        [Step("tool", "command", "failed", "exit 7", COMMAND, 7, "o\n")],
    ),
    (
        item("completed", "command_execution", command="ls", aggregated_output="", exit_code=0, status="completed"),
        [Step("tool", "command", "completed", "ls", "ls", 0, "")],
    ),
    (
        item("completed", "file_change", changes=FILES, status="completed"),
        [
            Step(
                "tool", "file_change", "completed", "a.txt, b/c.txt",
                changes=(FileChange("a.txt", "modified"), FileChange("b/c.txt", "added")),
            )
        ],
    ),
    (
        item("started", "file_change", changes=[{"path": "/else", "kind": "delete"}], status="in_progress"),
        [Step("tool", "file_change", "started", "/else", changes=(FileChange("/else", "deleted"),))],
    ),
    (item("completed", "agent_message", text=MESSAGE), [Step("assistant", "message", "completed", "n 1")]),
    (item("started", "agent_message", text=""), []),
    (item("completed", "reasoning", text="**Hm**"), [Step("reasoning", "message", "completed", "**Hm**")]),
    (item("completed", "web_search", query="who"), [Step("tool", "web_search", "completed", "who")]),
    (
        item("completed", "mcp_tool_call", server="docs", tool="find", status="failed"),
        [Step("tool", "mcp", "failed", "docs.find")],
    ),
    (item("updated", "command_execution", command="ls"), []),
    (item("completed", "error", message="Heads up"), [Notice("warning", "Heads up")]),
    (line("error", message="Reconnecting... 1/5 (cut)"), [Notice("warning", "Reconnecting... 1/5 (cut)")]),
    (
        line("error", message="Reconnecting... waiting for network (Connection failed)"),
        [Notice("warning", "waiting for network (Connection failed)", subject=Subject.NETWORK)],
    ),
    (line("novelty", v=[1]), [Raw({"type": "novelty", "v": [1]})]),
    (item("completed", "novelty"), [Raw({"type": "item.completed", "item": {"id": "item_0", "type": "novelty"}})]),
    (line("item.completed"), [Raw({"type": "item.completed"})]),
    (line("thread.started"), [Raw({"type": "thread.started"})]),
    (b"plain text", [Raw("plain text")]),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "bodies"), SHAPES, ids=range(len(SHAPES)))
def test_a_documented_line_gives_this(raw: bytes, bodies: list[Body]) -> None:
    assert translate(raw) == bodies


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("/bin/bash -lc 'pytest -q'", "pytest -q"),
        ("/usr/bin/zsh -lc \"echo 'a b'\"", "echo 'a b'"),
        ("/bin/bash -lc 'one\ntwo'", "one"),
        ("/bin/bash -lc 'never closed", "/bin/bash -lc 'never closed"),
        ("/usr/bin/env -i ls", "/usr/bin/env -i ls"),
        ("ls -l", "ls -l"),
    ],
)
def test_a_command_is_shown_without_the_shell_around_it(command: str, shown: str) -> None:
    (body,) = translate(item("started", "command_execution", command=command))
    assert (body.text, body.command) == (shown, command)


# The plan and the percent


def plan(*done: bool, phase: str = "updated") -> bytes:
    return item(phase, "todo_list", items=[{"text": "s", "completed": each} for each in done])


def percents(*said: bytes) -> list[int]:
    return [body.percent for body in translate(*said) if isinstance(body, Progressed)]


def test_percent_moves_with_the_plan() -> None:
    said = [plan(False, False, False, False, phase="started"), plan(True, False, False, False)]
    assert percents(*said, plan(True, True, True, False), plan(True, True, True, True)) == [
        42,
        67,
        80,
    ]


def test_percent_does_not_go_back_when_the_plan_grows() -> None:
    assert percents(plan(True, False), plan(True, False, False, False), plan(True, True, True, False)) == [55, 67]  # fmt: skip


def test_an_unchanged_plan_is_told_once() -> None:
    items = (PlanItem("s", True), PlanItem("s", False))
    assert translate(plan(True, False), plan(True, False, phase="completed")) == [
        PlanChanged(items),
        Progressed(Stage.EXECUTING, "1 of 2 steps done", 55),
    ]


def test_an_empty_plan_is_no_progress() -> None:
    assert translate(plan(True), plan())[-1] == PlanChanged(())


@given(st.lists(st.lists(st.booleans(), max_size=5), max_size=10))
@example([[True], [False]])
def test_percent_never_goes_back_and_stays_in_its_span(plans: list[list[bool]]) -> None:
    said = percents(line("thread.started", thread_id="t"), *(plan(*each) for each in plans))
    assert said == sorted(said)
    assert all(30 <= percent <= 80 for percent in said)


# Tokens


def usage(total: int) -> bytes:
    return line("turn.completed", usage={"input_tokens": total, "output_tokens": total // 2})


def tokens(cursor: CodexState, *said: bytes) -> list[int]:
    translator, bodies = Translator(cursor, "/w"), list[Body]()
    for raw in said:
        bodies += [*translator.translate(raw), *translator.count_reported()]
    return [body.input_tokens for body in bodies if isinstance(body, UsageCounted)]


def test_usage_is_the_running_total_of_a_thread() -> None:
    assert tokens(CodexState(), usage(10), usage(25)) == [10, 25]


def test_a_new_thread_adds_to_what_the_run_used_before() -> None:
    cursor = CodexState(usage_before=Usage(100, 0, 7))
    started = [line("thread.started", thread_id=name) for name in "ab"]
    assert tokens(cursor, started[0], usage(10), started[1], usage(4)) == [110, 114]


def test_a_resumed_thread_is_not_counted_twice() -> None:
    counter = ThreadCounter(Usage(10, 0, 5), Usage(10, 0, 5))
    cursor = CodexState(thread_id="a", counter=counter, usage_before=Usage(100))
    assert tokens(cursor, line("thread.started", thread_id="a"), usage(30)) == [130]


def test_what_the_rollout_tells_again_is_told_once() -> None:
    translator = Translator(CodexState(thread_id="a", context_window=200), "/")
    assert translator.reported(Usage(10, 4, 5), 200) == []
    assert translator.count_reported() == [UsageCounted(10, 4, 5, 200, requests=1)]
    for cached, window in ((4, 200), (4, None), (3, 200)):
        assert translator.recorded(TokenCount(TokenUsage(10, cached, 5), window, ())) == []
    assert translator.recorded(TokenCount(TokenUsage(11, 4, 5), 200, ())) != []


# Errors on the way


def test_a_failure_that_codex_says_twice_is_told_once() -> None:
    translator = Translator(CodexState(), "/w")
    said = [line("error", message="no"), line("turn.failed", error={"message": "no"})]
    assert [body for raw in said for body in translator.translate(raw)] == []
    assert (translator.state.turn, translator.state.failure) == ("failed", "no")


def test_an_error_with_other_words_than_the_failure_is_told_too() -> None:
    said = [line("error", message="a hint"), line("turn.failed", error={"message": "no"})]
    assert translate(*said) == [Notice("warning", "a hint")]


def test_an_error_after_which_work_goes_on_is_a_notice() -> None:
    said = [line("error", message="hm"), item("completed", "agent_message", text="on")]
    assert [body.text for body in translate(*said)] == ["hm", "on"]


def test_an_error_is_not_lost_when_another_engine_goes_on() -> None:
    translator = Translator(CodexState(), "/w")
    translator.translate(line("error", message="hm"))
    cursor = state_from(state_json(translator.state))
    assert translate(line("turn.started"), cursor=cursor) == [Notice("warning", "hm")]


def test_what_the_agent_got_over_is_no_reason_for_its_end() -> None:
    cursor = CodexState()
    translate(line("error", message="Reconnecting... 1/5 (cut)"), cursor=cursor)
    assert cursor.last_error
    translate(item("completed", "error", message="Falling back"), cursor=cursor)
    assert cursor.last_error
    translate(item("completed", "agent_message", text="on"), cursor=cursor)
    assert not cursor.last_error


def test_waiting_for_network_shows_as_activity() -> None:
    run = Run("a", RunSpec("do it", "a title", "a project"), 1.0)
    bodies = translate(
        line("error", message="Reconnecting... waiting for network (Connection failed)")
    )
    events = [Event("a", n, 2.0, 1, body) for n, body in enumerate(bodies, start=1)]
    assert fold(run, events).doing == "waiting for network"


# Sub-agents, and what is left open


def test_tokens_of_sub_agents_count_and_each_only_once() -> None:
    translator = Translator(CodexState(thread_id="t"), "/w")
    translator.recorded(TokenCount(TokenUsage(10, 0, 5), 100, ()))
    translator.recorded(AgentsSeen(("a", "t")))
    translator.recorded_by_agent("a", AgentsSeen(("b",)))
    assert list(translator.state.agents) == ["a", "b"]
    (counted,) = translator.recorded_by_agent("a", TokenCount(TokenUsage(7, 1, 2), 9, ()))
    assert counted == UsageCounted(17, 1, 7, 100, 0, 2, None, True)
    again = Translator(state_from(state_json(translator.state)), "/w")
    assert again.recorded_by_agent("a", TokenCount(TokenUsage(7, 1, 2), 9, ())) == []
    (counted,) = again.recorded_by_agent("b", TokenCount(TokenUsage(1, 0, 1), 9, ()))
    assert counted == UsageCounted(18, 1, 8, 100, 0, 3, None, True)
    said = b'{"type":"thread.started","thread_id":"other"}'
    again.translate(said)
    assert again.state.usage_before == Usage(18, 1, 8, 0, 3)
    assert again.state.agents == {}


@pytest.mark.parametrize("end", ["turn.completed", "turn.failed"])
def test_a_step_that_is_open_when_the_turn_ends_is_closed_with_a_notice(end: str) -> None:
    command = '"item":{"id":"item_0","type":"command_execution","command":"sleep 9"}'
    bodies = translate(
        b'{"type":"turn.started"}',
        b'{"type":"item.started",' + command.encode() + b"}",
        b'{"type":"%s"}' % end.encode(),
    )
    assert [body.phase for body in bodies if isinstance(body, Step)] == ["started", "failed"]
    assert Notice("warning", "still running when the turn ended: sleep 9") in bodies


def test_waiting_for_sub_agents_and_sleeping_are_steps_in_words() -> None:
    wait = '"item":{"id":"i","type":"collab_tool_call","tool":"wait","prompt":null}'
    bodies = translate(b'{"type":"item.started",' + wait.encode() + b"}")
    assert bodies == [Step("tool", "agent", "started", "waiting for sub-agents", waits=True)]
    translator = Translator(CodexState(), "/w")
    slept = [*translator.recorded(AgentSlept(60)), *translator.recorded(AgentSlept(None))]
    text = "sleeping for 1:00"
    assert slept == [Step("tool", "sleep", phase, text) for phase in ("started", "completed")]


def test_what_was_seen_before_gives_the_same_events_again() -> None:
    said: list[bytes] = []
    for command in ("/bin/bash -lc 'make a'", "/bin/bash -lc 'make b'", "x" * 20_000, ""):
        said += [
            item(phase, "command_execution", command=command) for phase in ("started", "completed")
        ]
    for path in ("/w/a.py", "/other/a.py", "/w/a.py", "b\x1b"):
        for kind in ("add", "delete", "?"):
            said.append(item("completed", "file_change", changes=[{"path": path, "kind": kind}]))
    assert translate(*said, *said) == [body for raw in (*said, *said) for body in translate(raw)]
