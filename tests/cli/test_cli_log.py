"""The log file: small whatever happens, and never in the way."""

from __future__ import annotations

import logging
import multiprocessing
from pathlib import Path

import pytest

from tui.cli.support import log_file


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def logger_on(path: Path, clock: Clock | None = None) -> tuple[logging.Logger, log_file.LogFile]:
    handler = log_file.LogFile(path, clock or Clock())
    logger = logging.Logger("engine.part")
    logger.addHandler(handler)
    return logger, handler


def test_lines_that_repeat_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "swarm.log"
    logger, handler = logger_on(path)
    for _ in range(513):
        logger.warning("no %s", "luck")
        logger.error("and no hope")
    logger.warning("something else")
    lines = path.read_text().splitlines()
    assert len(lines) == 5
    assert sum("repeated 512 times" in line for line in lines) == 2
    assert "something else" in lines[-1]
    logger.warning("something else")
    handler.close()
    assert "repeated once more: WARNING engine.part: something else" in path.read_text()


def test_a_fault_that_lasts_is_written_now_and_then(tmp_path: Path) -> None:
    path, clock = tmp_path / "swarm.log", Clock()
    logger, _ = logger_on(path, clock)
    for _ in range(100):
        clock.now += 1.5
        logger.warning("still no luck")
    told = path.read_text()
    assert told.count("WARNING engine.part: still no luck") == 5  # three, and two counts
    assert told.count("repeated 39 times") == 2


def test_the_file_stays_small_and_keeps_what_came_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "LIMIT_BYTES", 20_000)
    path = tmp_path / "swarm.log"
    with path.open("a") as before:  # as a supervisor in the background has it open
        logger, _ = logger_on(path)
        for number in range(2000):
            logger.warning("line %d %s", number, "x" * 50)
            assert path.stat().st_size <= 20_000
        logger.warning("y" * 100_000)
        assert path.stat().st_size <= 20_000
        before.write("still the same file\n")
    text = path.read_text()
    assert text.startswith("... older lines were dropped\n")
    assert text.endswith("still the same file\n")


def _write(path: Path, name: str) -> None:
    log_file.LIMIT_BYTES = 20_000
    for number in range(300):
        assert log_file.append(path, f"{name} {number} {'x' * 60}")


def test_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "swarm.log"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(path, name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert path.stat().st_size <= 30_000
    last = path.read_text().splitlines()[-1]
    assert last.split()[1] == "299"


def test_a_log_that_cannot_be_written_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    for path in (Path("/dev/full"), tmp_path / "file" / "swarm.log", tmp_path):
        logger, handler = logger_on(path)
        logger.warning("x")
        logger.warning("x")
        handler.close()
    logger, _ = logger_on(tmp_path / "swarm.log")
    logger.warning("%d %s", "not a number")
    logger.warning("caf\udce9")
    assert "not a number" not in capsys.readouterr().err
    assert "%d %s" in (tmp_path / "swarm.log").read_text()
