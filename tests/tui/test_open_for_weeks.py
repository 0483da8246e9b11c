"""A dashboard that stays open while runs come and go: it remembers the latest of them, not all."""

from __future__ import annotations

import gc

import pytest

from engine.domain.events import Body, Event, FileChange, StatusChanged, Step, UsageCounted
from engine.domain.interaction import DeliveryTime, MessageChanged, MessagePhase
from engine.domain.model import Status
from engine.execution.bus import EventBatch
from tui.models import activity_history, log_events
from tui.models.activity_history import ActivityHistory
from tui.models.log_events import ReportedEdits
from tui.widgets.log import event_window
from tui.widgets.log.event_window import EventWindow
from tui.widgets.log.window_entry import WindowEntry

MANY, FEW = 300, 20
EDITED = (FileChange("a.py", "modified"),)


def event(run: int, body: Body, at: float = 1.0) -> Event:
    return Event(f"run-{run}", 2, at, 1, body)


def entries() -> int:
    """Return the number of entries of logs that anything holds."""
    return sum(isinstance(one, WindowEntry) for one in gc.get_objects())


@pytest.mark.parametrize("trims_start", [True, False])
def test_a_log_of_all_runs_keeps_nothing_of_events_it_dropped(
    monkeypatch: pytest.MonkeyPatch, trims_start: bool
) -> None:
    monkeypatch.setattr(event_window, "MAX_EVENTS", FEW)
    before, window = entries(), EventWindow()
    said = MessageChanged("m", MessagePhase.QUEUED, DeliveryTime.NOW, "Hurry")
    for run in range(MANY):
        bodies = (UsageCounted(run, 0, 0), said)
        numbered = [(2 * run + place, event(run, body)) for place, body in enumerate(bodies, 1)]
        if trims_start:
            window.append(numbered)
            window.trim_start()
        else:
            window.prepend(numbered)
            window.trim_end()
    assert len(window.entries) == FEW
    assert entries() - before == FEW


def test_token_counts_give_way_to_later_ones_after_events_were_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_window, "MAX_EVENTS", 3)
    window = EventWindow()
    for number in range(1, 9):
        window.append([(number, event(number % 2, UsageCounted(number, 0, 0)))])
        window.trim_start()
    assert [bool(entry.rows) for entry in window.entries] == [False, True, True]


def test_sparklines_are_kept_of_the_runs_heard_of_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity_history, "KEPT", FEW)
    history = ActivityHistory()
    for run in range(MANY):
        history.hear(EventBatch([event(0, StatusChanged(Status.RUNNING))]))
        history.hear(EventBatch([event(run, StatusChanged(Status.CANCELLED))]))
    kept = [run for run in range(MANY) if history.lately(f"run-{run}", 2.0, 1)]
    assert kept == [0, *range(MANY - FEW + 1, MANY)]


def test_edits_are_remembered_of_the_runs_that_began_to_edit_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_events, "MAX_RUNS", FEW)
    edits = ReportedEdits()
    for run in range(MANY):
        step = Step("tool", "file_change", "completed", "a.py", changes=EDITED)
        edits.add(event(run, step))
    known = [run for run in range(MANY) if not edits.unreported(f"run-{run}", 2.0, EDITED)]
    assert known == list(range(MANY - FEW, MANY))
