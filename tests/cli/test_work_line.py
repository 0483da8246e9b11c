"""The line on stderr that shows how far a command is, and what Ctrl-C does to it."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, cast

import pytest
from support import spec

from engine.domain.errors import user_error
from engine.domain.model import Run
from tui.cli.commands.retry import queue_all
from tui.cli.commands.update import update_many
from tui.cli.support import output, work_line
from tui.cli.support.failure import EXIT_CANCELLED
from tui.cli.support.work_line import work_line as opened

if TYPE_CHECKING:
    from engine.engine import UpdateReport, UpdateRequest
    from engine.ports.engine import EnginePort


def on_terminal(*streams: object) -> bool:
    return bool(streams)


def in_pipe(*streams: object) -> bool:
    return not streams


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return all that is drawn on a terminal, from the first moment on."""
    found: list[str] = []
    monkeypatch.setattr(output, "draw_aside", found.append)
    monkeypatch.setattr(output, "is_terminal", on_terminal)
    monkeypatch.setattr(work_line, "PATIENCE_S", -1.0)
    monkeypatch.setattr(work_line, "EVERY_S", -1.0)
    return found


async def test_the_count_is_drawn_over_itself_and_removed_at_the_end(drawn: list[str]) -> None:
    with opened() as line:
        line.begin("deleting", 3)
        line.tell(1)
        line.tell(2)
    assert drawn[0] == "\rdeleting: 1 of 3 · Ctrl-C stops\x1b[K"
    assert drawn[1].startswith("\rdeleting: 2 of 3 ")
    assert drawn[2:] == ["\r\x1b[K"]


async def test_nothing_is_drawn_where_it_is_no_terminal_or_quickly_done(
    drawn: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_line, "PATIENCE_S", 60.0)
    with opened() as line:
        line.begin("deleting", 3)
        line.tell(1)
    monkeypatch.setattr(work_line, "PATIENCE_S", -1.0)
    monkeypatch.setattr(output, "is_terminal", in_pipe)
    with opened() as line:
        line.begin("deleting", 3)
        line.tell(1)
    assert drawn == []


async def test_ctrl_c_ends_a_search_at_once_and_steps_after_the_present_one(
    drawn: list[str],
) -> None:
    with opened() as line:
        line.begin("looking", 9)
        search = asyncio.ensure_future(line.unless_stopped(asyncio.sleep(60)))
        await asyncio.sleep(0)
        assert not line.is_stopped
        os.kill(os.getpid(), signal.SIGINT)
        assert await search is None
        assert line.is_stopped
        line.tell(1)
    assert drawn[0].startswith("\rStopping …")


async def test_ctrl_c_stops_the_retry_of_many_runs_between_two(drawn: list[str]) -> None:
    asked: list[str] = []

    class Retrying:
        async def retry(self, run: str) -> Run:
            asked.append(run)
            if len(asked) == 2:
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(0.01)
            return Run(run, spec("say x"), 0.0)

    runs = [Run(f"r{n}", spec("say x"), 0.0) for n in range(4)]
    queued = await queue_all(cast("EnginePort", Retrying()), runs, {})
    assert [run.id for run in queued] == asked == ["r0", "r1"]
    assert drawn[0] == "\rqueuing: 1 of 4 · Ctrl-C stops\x1b[K"
    assert "Stopping …" in drawn[1]


async def test_ctrl_c_stops_the_update_of_many_runs_between_two(
    drawn: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    class Updating:
        updates = property(lambda self: self)

        async def check(self, run: str, wanted: UpdateRequest) -> UpdateReport:
            asked.append(run)
            if len(asked) == 2:
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(0.01)
            raise user_error("UPDATE_CONFLICT", "no", "none")

    runs = [Run(f"r{n}", spec("say x"), 0.0) for n in range(4)]
    options = {"base": None, "fetch": False, "undo": False, "check": True, "resolve": False}
    code = await update_many(cast("EnginePort", Updating()), runs, options, as_json=False)
    assert (code, asked) == (EXIT_CANCELLED, ["r0", "r1"])
    assert drawn[0] == "\rchecking: 0 of 4 · Ctrl-C stops\x1b[K"
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 2  # the result of each run that was checked
    assert "Stopped after 2 of 4; 2 left alone." in shown.err
