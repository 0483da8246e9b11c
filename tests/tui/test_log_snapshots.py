"""Pictures of a log with every kind of event, at two widths, and of the log of all runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from log_samples import EVERY_KIND, LogHost, events, message, opened, press, settled
from textual.pilot import Pilot

from engine.domain.events import StatusChanged
from engine.domain.model import Status
from tui.formatting import symbols

Compare = Callable[..., bool]
ALL_RUNS = {
    "1qj8a1aaaa": "#1 · Remove the loop in the parser",
    "1qj8a1bbbb": "#2 · Remove the loop in the parser",
    "1qj8a1cccc": "Write the release notes",
}


@pytest.fixture(autouse=True)
def _same_everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One time zone and one kind of terminal on all machines."""
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


@pytest.mark.parametrize("keys", [(), ("full_stop",)], ids=["work", "book-keeping"])
@pytest.mark.parametrize("size", [(120, 40), (80, 24)], ids=["wide", "narrow"])
def test_the_log(snap_compare: Compare, size: tuple[int, int], keys: tuple[str, ...]) -> None:
    async def prepare(pilot: Pilot[None]) -> None:
        await opened(pilot)
        await press(pilot, *keys)

    app = LogHost(events("1qj8a1aaaa", *EVERY_KIND))
    assert snap_compare(app, terminal_size=size, run_before=prepare)


def test_the_log_of_all_runs(snap_compare: Compare) -> None:
    async def prepare(pilot: Pilot[None]) -> None:
        app = await opened(pilot)
        app.pane.show_all_runs(True)
        await settled(pilot)

    said = message("assistant", "I remove the second loop.")
    begun = (StatusChanged(Status.QUEUED), said)
    told = [*events("1qj8a1aaaa", *begun), *events("1qj8a1bbbb", *EVERY_KIND)]
    told += events("1qj8a1cccc", *begun)
    app = LogHost(told, ALL_RUNS)
    assert snap_compare(app, terminal_size=(120, 40), run_before=prepare)
