"""What the diff view looks like: below and beside each other, and where there is little room."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from changed_run import Changed, changed
from fake_engine import NARROW, WIDE
from test_changes import idle, opened
from textual.pilot import Pilot

from tui.formatting import symbols

Compare = Callable[..., bool]


@pytest.fixture(autouse=True)
def _one_kind_of_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symbols, "unicode_ok", lambda: True)


@pytest.fixture
def run(tmp_path: Path) -> Changed:
    """Made in a thread of its own: a snapshot's test has no loop yet, and wants none."""
    made: list[Changed] = []
    thread = threading.Thread(target=lambda: made.append(asyncio.run(changed(tmp_path))))
    thread.start()
    thread.join()
    return made[0]


def pressed(*keys: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Open the changes, press keys, and wait until all colours are there."""

    async def prepare(pilot: Pilot[None]) -> None:
        await opened(pilot, *keys)
        await idle(pilot)

    return prepare


@pytest.mark.parametrize(
    ("size", "keys"),
    [
        pytest.param(WIDE, (), id="below"),
        pytest.param((160, 45), ("tab", "vertical_line"), id="beside"),
        pytest.param(NARROW, ("enter",), id="narrow"),
    ],
)
def test_the_changes(
    snap_compare: Compare, run: Changed, size: tuple[int, int], keys: tuple[str, ...]
) -> None:
    assert snap_compare(run.app, terminal_size=size, run_before=pressed(*keys))
