"""Live reports in the growing output of an attempt, in any process that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.config.paths import Paths
from engine.domain.live import CommandEnded, CommandOutput, LiveReport
from engine.execution import live_output
from engine.execution.executor import AttemptRef
from engine.execution.live_output import LiveOutput
from engine.execution.local.executor import LocalExecutor


class LineReader:
    """A reader that reports every line as output."""

    def read(self, lines: Sequence[bytes]) -> list[LiveReport]:
        return [CommandOutput("c", line.decode()) for line in lines]

    def skip(self, head: bytes) -> list[LiveReport]:
        return [CommandOutput("skipped", str(len(head)))]

    def forget(self) -> list[LiveReport]:
        return [CommandEnded("c")]


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Return the file of an attempt's output."""
    path = Paths(tmp_path, tmp_path / "config").attempt("r", 1).stdout
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def live(tmp_path: Path, spool: Path, monkeypatch: pytest.MonkeyPatch) -> LiveOutput:
    """Return the live reports of that attempt, with small limits."""
    monkeypatch.setattr(live_output, "TAIL_BYTES", 40)
    monkeypatch.setattr(live_output, "LINE_BYTES", 20)
    executor = LocalExecutor(Paths(tmp_path, tmp_path / "config"))
    return LiveOutput(executor, AttemptRef("r", 1), LineReader())


def append(path: Path, text: str) -> None:
    """Append to a file."""
    with path.open("a") as file:
        file.write(text)


def texts(reports: Sequence[LiveReport]) -> list[str]:
    """Return the texts of reports; `end` for an end."""
    return [one.text if isinstance(one, CommandOutput) else "end" for one in reports]


async def test_each_line_is_reported_once_when_it_is_whole(live: LiveOutput, spool: Path) -> None:
    assert await live.read() == []
    append(spool, "one\ntw")
    assert texts(await live.read()) == ["one"]
    append(spool, "o\nthree\n")
    assert texts(await live.read()) == ["two", "three"]
    assert await live.read() == []


async def test_reading_begins_with_a_whole_line_near_the_end(live: LiveOutput, spool: Path) -> None:
    append(spool, "early line\n" * 9 + "last\n")
    assert texts(await live.read()) == ["early line"] * 3 + ["last"]


async def test_what_is_too_much_is_skipped_and_all_open_is_ended(
    live: LiveOutput, spool: Path
) -> None:
    append(spool, "one\n")
    await live.read()
    append(spool, "early line\n" * 9 + "last\n")
    assert texts(await live.read()) == ["end", *["early line"] * 3, "last"]


async def test_line_that_is_too_long_is_not_kept(live: LiveOutput, spool: Path) -> None:
    append(spool, "x" * 30)
    assert texts(await live.read()) == ["30"]
    append(spool, "x" * 30)
    assert await live.read() == []
    append(spool, "x\nnext\n")
    assert texts(await live.read()) == ["next"]


async def test_output_that_was_made_shorter_is_read_from_its_new_end(
    live: LiveOutput, spool: Path
) -> None:
    append(spool, "one\ntwo\n")
    await live.read()
    spool.write_text("new\n")
    assert texts(await live.read()) == ["end", "new"]


async def test_folder_in_the_place_of_the_output_has_no_reports(
    live: LiveOutput, spool: Path
) -> None:
    spool.mkdir()
    assert await live.read() == []
