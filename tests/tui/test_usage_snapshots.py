"""Pictures of the usage screen, with data and without."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from fake_engine import FakeEngine, app_on
from test_usage_screen import opened
from textual.pilot import Pilot
from usage_samples import used_engine

from tui.formatting import symbols

Compare = Callable[..., bool]


@pytest.fixture(autouse=True)
def _same_everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One time zone and one kind of terminal, whatever the machine's are."""
    for name, value in (("TZ", "UTC"), ("LANG", "C.UTF-8"), ("TERM", "xterm-256color")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.delenv("LC_CTYPE", raising=False)
    symbols.unicode_ok.cache_clear()
    time.tzset()
    yield
    monkeypatch.undo()
    symbols.unicode_ok.cache_clear()
    time.tzset()


async def prepare(pilot: Pilot[None]) -> None:
    await opened(pilot)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["narrow", "wide"])
def test_usage_of_a_month(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(app_on(used_engine()), terminal_size=size, run_before=prepare)


def test_no_usage_yet(snap_compare: Compare) -> None:
    assert snap_compare(app_on(FakeEngine()), terminal_size=(80, 24), run_before=prepare)
