"""Attempts with real processes, of which nothing is left when a test ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support import Mode, mode_of_specs

from engine.config.paths import AttemptFolder, Paths
from engine.execution.local import process
from engine.execution.local.process import AttemptProcess
from engine.execution.local.process_marks import mark, marked


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with the mark `both_modes` in both modes of the simulated agent."""
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    if "both_modes" in marks and "one_mode" not in marks:
        metafunc.parametrize("mode", list(Mode), indirect=True)


@pytest.fixture(autouse=True)
def mode(request: pytest.FixtureRequest) -> Iterator[Mode]:
    """The mode of the runs that `spec` makes."""
    found = getattr(request, "param", Mode.EXEC)
    with mode_of_specs(found):
        yield found


@pytest.fixture
def attempt(tmp_path: Path) -> Iterator[AttemptFolder]:
    """The folder of an attempt, its prompt written."""
    folder = AttemptFolder(tmp_path / "attempt-1")
    folder.path.mkdir()
    folder.prompt.write_text("the prompt")
    yield folder
    _end(folder)


@pytest.fixture(autouse=True)
def _nothing_left(paths: Paths) -> Iterator[None]:
    yield
    for folder in paths.home.glob("runs/*/attempt-*"):
        _end(AttemptFolder(folder))


@pytest.fixture(autouse=True)
def _let_go(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let go of every child as the supervisor does, or Python warns of those not waited for."""
    started: list[AttemptProcess] = []
    start = process._start

    def remember(*given: Any) -> AttemptProcess:
        started.append(start(*given))
        return started[-1]

    monkeypatch.setattr(process, "_start", remember)
    yield
    for it in started:
        it.release()


def _end(folder: AttemptFolder) -> None:
    for pid in marked(mark(folder)):
        with suppress(ProcessLookupError):  # it ended with another
            os.kill(pid, signal.SIGKILL)
