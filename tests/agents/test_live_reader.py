"""Live reports in the lines of an interactive attempt."""

from __future__ import annotations

import json

import pytest

from engine.agents.codex.interactive.live_reader import MAX_ITEMS, InteractiveLiveReader
from engine.agents.registry import agent_of
from engine.domain.live import CommandEnded, CommandOutput, TurnDiff, output_json
from engine.domain.model import Run, RunSpec

THREAD = "own"


def notice(method: str, thread: str = THREAD, **params: object) -> bytes:
    """Return a notification of the server."""
    return json.dumps({"method": method, "params": {"threadId": thread, **params}}).encode()


def begun(item: str, command: str = "make", thread: str = THREAD) -> bytes:
    """Return the line with which a command begins."""
    what = {"type": "commandExecution", "id": item, "command": command}
    return notice("item/started", thread, item=what)


def ended(item: str, thread: str = THREAD) -> bytes:
    """Return the line with which a command ends."""
    return notice("item/completed", thread, item={"type": "commandExecution", "id": item})


def printed(item: str, text: str, **fields: object) -> bytes:
    """Return the bridge's line for output of a command."""
    return json.dumps(
        {"bridge": "output", "at": 1.0, "item": item, "text": text, **fields}
    ).encode()


@pytest.fixture
def reader() -> InteractiveLiveReader:
    """Return a reader of the run's own thread."""
    return InteractiveLiveReader(THREAD)


def test_output_names_its_command_until_it_ends(reader: InteractiveLiveReader) -> None:
    lines = [begun("c", "make\x1b[31m"), printed("c", "a\x1b["), printed("c", "0mb"), ended("c")]
    assert reader.read(lines) == [
        CommandOutput("c", "a\x1b[", "make"),
        CommandOutput("c", "0mb", "make"),
        CommandEnded("c"),
    ]


def test_reading_may_begin_in_the_middle(reader: InteractiveLiveReader) -> None:
    assert reader.read([printed("c", "x")]) == [CommandOutput("c", "x")]


def test_left_out_output_leaves_a_new_line(reader: InteractiveLiveReader) -> None:
    assert reader.read([printed("c", "x", skipped=9)]) == [CommandOutput("c", "\nx")]


def test_commands_of_sub_agents_are_not_reported(reader: InteractiveLiveReader) -> None:
    lines = [begun("c", thread="other"), printed("c", "x"), ended("c", thread="other")]
    lines += [notice("turn/diff/updated", "other", diff="d"), notice("turn/completed", "other")]
    assert reader.read(lines) == []


def test_thread_is_learned_from_its_start() -> None:
    fresh = InteractiveLiveReader(None)
    opened = json.dumps({"id": 2, "result": {"thread": {"id": THREAD}}}).encode()
    assert fresh.read([opened, begun("c", thread="other"), printed("c", "x")]) == []


def test_command_that_outlives_its_turn_is_reported_no_longer(
    reader: InteractiveLiveReader,
) -> None:
    lines = [begun("c"), notice("turn/completed", turn={"id": "t"}), printed("c", "late")]
    assert reader.read(lines) == [CommandEnded("c"), TurnDiff("")]


def test_diff_is_that_of_the_present_turn(reader: InteractiveLiveReader) -> None:
    lines = [notice("turn/diff/updated", diff="one"), notice("turn/diff/updated", diff="two")]
    assert reader.read([*lines, notice("turn/started")]) == [
        TurnDiff("one"),
        TurnDiff("two"),
        TurnDiff(""),
    ]
    assert reader.skip(lines[0]) == [TurnDiff("", is_cut=True)]
    assert reader.skip(ended("c")) == []


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff\xfe",
        b'{"bridge": "output", "item": 1}',
        b'{"bridge": "output"}',
        b'{"bridge": "output", "item": "c", "text": "\\ud83d"}',
        b'{"method":"item/started","params":{"item":{"type":"commandExecution","id":[]}}}',
        b'{"method":"item/started","params":[' + b"[" * 5000,
        b'{"method":"turn/diff/updated","params":{"threadId":"own","diff":7}}',
    ],
)
def test_line_in_no_known_form_is_left_out(reader: InteractiveLiveReader, line: bytes) -> None:
    assert reader.read([line]) == []


def test_number_of_known_commands_is_bounded(reader: InteractiveLiveReader) -> None:
    reader.read([begun(f"c{number}") for number in range(3 * MAX_ITEMS)])
    assert len(reader.forget()) == MAX_ITEMS


def test_only_interactive_runs_have_live_reports() -> None:
    for interactive in (True, False):
        run = Run("r", RunSpec("p", "t", "x", interactive=interactive), 0.0)
        assert bool(agent_of("codex").live_reader(run)) is interactive


def test_output_in_json_has_no_number() -> None:
    made = output_json("r", 2, 0.0, CommandOutput("c", "x", "make"))
    assert made == {
        "run": "r",
        "at": "1970-01-01T00:00:00.000Z",
        "attempt": 2,
        "type": "output",
        "item": "c",
        "text": "x",
    }
