"""Attempts with real processes, of which nothing is left when a test ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.paths import AttemptFolder, Paths
from engine.runs.process import mark, marked


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


def _end(folder: AttemptFolder) -> None:
    for pid in marked(mark(folder)):
        os.kill(pid, signal.SIGKILL)
