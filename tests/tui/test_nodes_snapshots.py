"""Pictures of the screen of nodes, with a cluster and without."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from fake_engine import FakeEngine, app_on
from node_samples import with_cluster
from test_nodes_screen import opened
from textual.pilot import Pilot

from tui.formatting import symbols

Compare = Callable[..., bool]


@pytest.fixture(autouse=True)
def _same_everywhere(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[None]:
    """One time zone and one kind of terminal, whatever the machine's are."""
    is_ascii = request.function is test_nodes_in_ascii
    term = "vt100" if is_ascii else "xterm-256color"
    for name, value in (("TZ", "UTC"), ("LANG", "C.UTF-8"), ("TERM", term)):
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
    await pilot.press("down", "down")
    await pilot.pause()


@pytest.mark.parametrize("size", [(80, 24), (160, 45)], ids=["narrow", "wide"])
def test_nodes_of_a_cluster(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(app_on(with_cluster()), terminal_size=size, run_before=prepare)


def test_nodes_in_ascii(snap_compare: Compare) -> None:
    assert snap_compare(app_on(with_cluster()), terminal_size=(80, 24), run_before=prepare)


def test_no_cluster(snap_compare: Compare) -> None:
    assert snap_compare(app_on(FakeEngine()), terminal_size=(80, 24), run_before=prepare)
