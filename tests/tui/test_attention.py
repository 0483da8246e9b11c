"""What is worth a bell, and what a terminal is sent for it."""

from __future__ import annotations

import pytest
from fake_engine import FakeEngine, four_runs
from support import HOSTILE

from engine.domain.events import Notice
from engine.domain.model import Pause, Status
from engine.domain.reasons import Subject, WaitingFor
from tui.services.alerts import AlertTracker, desktop

S = Status


def heard(engine: FakeEngine, attention: AlertTracker, *ids: str) -> list[str]:
    return attention.hear(engine.view.runs, ids, engine.view.live, engine.pause)


def test_a_run_that_needs_somebody_is_told_once_and_again_after_a_retry() -> None:
    engine, attention = four_runs(), AlertTracker()
    attention.begin(None)
    attention.know(engine.view.runs.values())
    assert heard(engine, attention, "b2") == []  # it failed before
    engine.happen("c3", Notice("warning", "stalled: silent for 5:00", subject=Subject.STALLED))
    assert heard(engine, attention, "c3") == ["Port the tests: stalled"]
    assert heard(engine, attention, "c3", "nobody") == []
    engine.pass_through("c3", S.FAILED)
    assert heard(engine, attention, "c3") == []  # who looks at it sees that, too
    engine.pass_through("c3", S.QUEUED)
    heard(engine, attention, "c3")
    engine.pass_through("c3", S.PREPARING, S.RUNNING, S.FAILED)
    assert heard(engine, attention, "c3") == ["Port the tests: failed"]


def test_of_a_batch_its_end_is_told() -> None:
    engine, attention = four_runs(), AlertTracker()
    for run_id in ("e5", "e6"):
        engine.add(run_id, "One of two", batch="pair")
    attention.begin(None)
    attention.know(engine.view.runs.values())
    engine.pass_through("e5", S.PREPARING, S.RUNNING, S.FAILED)
    assert heard(engine, attention, "e5") == []
    engine.pass_through("e6", S.PREPARING, S.RUNNING, S.SUCCEEDED)
    assert heard(engine, attention, "e6") == ["Batch pair has ended"]
    engine.happen("e6", Notice("info", "a checkpoint was taken"))
    assert heard(engine, attention, "e6") == []


def test_a_pause_that_is_not_ones_own_is_told() -> None:
    engine, attention = four_runs(), AlertTracker()
    engine.pause = Pause("by hand")
    assert heard(engine, attention) == []
    engine.pause = None
    heard(engine, attention)
    engine.pause = Pause("a limit", waiting_for=WaitingFor.LIMIT)
    assert heard(engine, attention) == ["The queue is paused: a limit"]
    assert heard(engine, attention) == []


@pytest.mark.parametrize(
    ("env", "begins"),
    [
        ({"TERM_PROGRAM": "iTerm.app"}, "\x1b]9;swarm-tui: "),
        ({"TERM": "xterm-kitty"}, "\x1b]9;swarm-tui: "),
        ({"TERM": "foot"}, "\x1b]777;notify;swarm-tui;"),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7600"}, "\x1b]777;notify;swarm-tui;"),
    ],
)
def test_nothing_hostile_reaches_the_terminal(env: dict[str, str], begins: str) -> None:
    for text in (*HOSTILE, ";notify;x;", "4;3;50"):
        sent = desktop([text or "a run", "another"], env)
        assert sent.startswith(begins) and sent.endswith(" (and 1 more)\x07")
        inside = sent.removeprefix(begins)[:-1]
        assert inside.isprintable() and ";" not in inside and len(inside) < 150
    assert desktop([], env) == ""


@pytest.mark.parametrize(
    "env",
    [
        {"TERM": "linux"},
        {"TERM": "dumb"},
        {"TERM": "xterm-256color"},
        {"TERM": "foot", "TMUX": "/tmp/tmux"},
        {"TERM": "screen", "STY": "1.pts", "VTE_VERSION": "7600"},
        {},
    ],
)
def test_a_terminal_that_may_not_know_it_is_sent_nothing(env: dict[str, str]) -> None:
    assert desktop(["a run: failed"], env) == ""
