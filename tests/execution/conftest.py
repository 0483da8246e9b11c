"""Attempts with real processes, of which nothing is left when a test ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.config.paths import AttemptFolder, Paths
from engine.execution.local import process
from engine.execution.local.process import AttemptProcess
from engine.execution.local.process_marks import mark, marked


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
        os.kill(pid, signal.SIGKILL)
