"""What the diff view looks like: below and beside each other, and where there is little room."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from changed_run import RUN, Changed, changed
from fake_engine import NARROW, WIDE
from test_changes import idle, opened
from textual.pilot import Pilot

from engine.domain.review_comment import CommentPhase, ReviewComment
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


def _comment(n: int, first: int, last: int, text: str, **more: Any) -> ReviewComment:
    return ReviewComment(n, CommentPhase.ADDED, text, "app.py", "", first, last, **more)


COMMENTS = (
    _comment(1, 4, 4, "[bold]Is this needed?[/]\nOr \x1b[31mnot\x1b[0m?", quoted="import sys"),
    _comment(2, 7, 9, "漢字 " * 40, quoted="def greet(name, loud=True, times=1):"),
    _comment(3, 8, 8, "Keep it.", is_old=True, quoted='    text = "hello " + name'),
    _comment(4, 22, 22, "Already sent.", quoted="    return x * 3"),
    _comment(5, 90, 90, "Elsewhere.", quoted="gone"),
)


@pytest.mark.parametrize(
    ("size", "keys"),
    [
        pytest.param((160, 45), ("tab", "j", "j", "v", "j"), id="wide"),
        pytest.param(NARROW, ("enter", "j", "j"), id="narrow"),
        pytest.param(WIDE, ("C",), id="list"),
    ],
)
def test_the_changes_with_comments(
    snap_compare: Compare, run: Changed, size: tuple[int, int], keys: tuple[str, ...]
) -> None:
    run.engine.happen(RUN, *COMMENTS, ReviewComment(4, CommentPhase.SENT))
    assert snap_compare(run.app, terminal_size=size, run_before=pressed(*keys))
