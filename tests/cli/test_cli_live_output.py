"""`--live`: output of commands while they run, as lines, as JSON and on a terminal."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typed import Swarm

from engine.domain.live import CommandEnded, CommandOutput, TurnDiff
from engine.domain.model import Run, RunSpec, Status
from tui.cli import json as shapes
from tui.cli.support.live_reports import WholeLines
from tui.cli.support.live_view import OUTPUT_LINES, LiveView
from tui.cli.support.plain_lines import JsonLines, PlainLines

RUN = replace(Run("a1", RunSpec("p", "Title", "x", interactive=True), 0.0), status=Status.RUNNING)


def printed(text: str, item: str = "c") -> tuple[Run, CommandOutput]:
    """Return a piece of output of the run."""
    return RUN, CommandOutput(item, text, "make")


class OneRun:
    """A follower of one run."""

    def __init__(self) -> None:
        self.runs = {RUN.id: RUN}

    def clock(self) -> float:
        return 0.0

    def doing(self, run: Run, now: float) -> str:
        return "running make"


def test_lines_are_written_when_they_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
    display = PlainLines()
    for text in ("on", "e\ntw", "o\x1b[31m\n\u202ethree"):
        display.show_live([printed(text)])
    display.show_live([(RUN, CommandEnded("c")), (RUN, TurnDiff("diff"))])
    display.show_live([printed("four\n")])
    lines = capsys.readouterr().out.splitlines()
    shown = [line.split("  ", 1)[1] for line in lines]
    assert shown == ["output    one", "output    two", "output    four"]


def test_line_without_an_end_is_bounded() -> None:
    lines, parts = WholeLines(), 0
    for _ in range(100):
        parts += len(lines.add("a1", "c", "x" * 10_000))
    assert parts >= 10


def test_json_has_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    JsonLines().show_live([printed("\x1b[2Jé"), (RUN, CommandEnded("c"))])
    (line,) = capsys.readouterr().out.splitlines()
    assert line.isascii()
    found = json.loads(line)
    assert (found["type"], found["item"], found["text"]) == ("output", "c", "\x1b[2Jé")
    assert "seq" not in found
    assert {"properties", "required"} <= _schema_of_output().keys()
    assert found.keys() == _schema_of_output()["properties"].keys()


def _schema_of_output() -> dict[str, object]:
    import msgspec

    return msgspec.json.schema(shapes.OutputEvent)["$defs"]["OutputEvent"]


def test_terminal_shows_the_last_lines_until_the_command_ends() -> None:
    view = LiveView(OneRun())  # type: ignore[arg-type]  a parameter of the test
    view.show_live([printed("".join(f"line {number}\n" for number in range(50)))])
    shown = [str(part) for part in view._picture().renderables]
    lines = [line.strip() for line in shown if "line " in line]
    assert lines[-1] == "line 49"
    assert len(lines) <= OUTPUT_LINES
    view.show_live([(RUN, CommandEnded("c"))])
    assert not [part for part in view._picture().renderables if "line " in str(part)]


def test_logs_have_no_live_output_without_follow(swarm: Swarm) -> None:
    done = swarm("logs", "@last", "--live")
    assert done.code == 2
    assert "--live needs --follow" in done.err
