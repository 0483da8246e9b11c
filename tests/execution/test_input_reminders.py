"""Open requests: people and receivers are notified and reminded, then they are declined."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace

import pytest
from support import Mode, mode_of_specs, of_type, settled, spec, supervising, texts, until

from engine.config.paths import Paths
from engine.config.settings import ApprovalSettings, WatchdogSettings
from engine.config.values import Duration
from engine.domain import unanswered
from engine.domain.events import Body, Event, Notice
from engine.domain.interaction import Decision, InputRequest, RequestKind, RequestPhase
from engine.domain.messages import Subscription
from engine.domain.model import Run, RunSpec, Status
from engine.domain.projection import fold
from engine.domain.reasons import Subject
from engine.execution import input_reminder, watchdog
from engine.notifications.message_text import words
from engine.store.outbox import Outbox

ASK = 'ask "npm ci"'
SETTINGS = WatchdogSettings()
TOPIC = "run.needs_input"


def _run(name: str = "a", *, asked_at: float = 100.0, batch: str | None = None) -> Run:
    """Return a run that asks since a time."""
    wish = RunSpec("p", f"title {name}", "project", interactive=True, timeout_s=60, batch=batch)
    run = Run(name, wish, 0.0, Status.RUNNING, seq=1, started_at=90.0, last_event_at=90.0)
    kind, phase = RequestKind.COMMAND, RequestPhase.RAISED
    body = InputRequest("0", phase, kind, "npm ci", digest="d")
    return fold(run, [Event(name, 2, asked_at, 1, body)])


def _after(run: Run, bodies: list[Body], at: float) -> Run:
    events = [Event(run.id, run.seq + n, at, 1, body) for n, body in enumerate(bodies, start=1)]
    return fold(run, events)


def _due(run: Run, now: float, remind_s: float | None = 900.0, give_up_s: float | None = None):
    return unanswered.due(run, now, remind_s, give_up_s, lambda: "message:1")


def test_open_request_is_notified_of_once_and_then_reminded_of() -> None:
    run = _run()
    assert _due(run, 101.0) == []  # a rule may answer it
    (notice,) = _due(run, 102.5)
    assert notice == Notice("info", "needs you: run `npm ci`", subject=Subject.NEEDS_INPUT)
    run = _after(run, [notice], 102.5)
    assert _due(run, 900.0) == []
    assert _due(run, 90000.0, remind_s=None) == []
    (again,) = _due(run, 1003.0)
    assert isinstance(again, Notice)
    assert again.text == "needs you since 15:03: run `npm ci`"
    assert _due(replace(run, status=Status.CANCELLING), 1003.0) == []


def test_request_that_nobody_answers_is_declined_by_the_limit() -> None:
    run = _run()
    assert _due(run, 399.0, None, 300.0)[0].text.startswith("needs you")
    told, answer = _due(run, 400.0, None, 300.0)
    assert told.text.startswith("No one answered in time")
    assert (answer.decision, answer.decided_by) == (Decision.DENY, "limit")
    assert not _after(run, [told, answer], 400.0).unanswered


def test_sleep_of_the_machine_is_no_time_to_answer() -> None:
    run = _run()
    run = _after(run, [Notice("info", "slept", skipped_s=10_000.0)], 10_110.0)
    assert [body.type for body in _due(run, 10_111.0, None, 300.0)] == ["notice"]
    assert len(_due(run, 10_401.0, None, 300.0)) == 2


def test_wait_for_an_answer_does_not_count_against_the_time_limit_and_is_no_stall() -> None:
    run = _run()
    assert watchdog.stall(run, 90_000.0, SETTINGS, idle=True) == ""
    assert watchdog.verdict(run, 90_000.0, SETTINGS, "") is None
    done = InputRequest("0", RequestPhase.ANSWERED, decision=Decision.APPROVE, decided_by="user")
    run = _after(run, [done], 90_000.0)
    assert watchdog.verdict(run, 90_049.0, SETTINGS, "") is None
    assert watchdog.verdict(run, 90_051.0, SETTINGS, "") is not None


def test_answer_that_the_agent_does_not_take_is_a_stall() -> None:
    done = InputRequest("0", RequestPhase.ANSWERED, decision=Decision.APPROVE, decided_by="user")
    run = _after(_run(), [done], 200.0)
    assert watchdog.stall(run, 229.0, SETTINGS, idle=False) == ""
    assert "answer" in watchdog.stall(run, 231.0, SETTINGS, idle=False)


async def test_night_without_a_person_ends_with_a_result(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(input_reminder, "LOOK_S", 0.02)
    monkeypatch.setattr(unanswered, "SETTLED_S", 0.0)
    approvals = ApprovalSettings(give_up=Duration(0.2))
    async with supervising(paths, approvals=approvals) as engine:
        with mode_of_specs(Mode.INTERACTIVE):
            run = await engine.start(spec(ASK, "say on"))
        await until(engine, lambda: engine.view.runs[run.id].finished_at)
        await settled(engine)
        run, events = engine.view.runs[run.id], await engine.events(run.id)
    assert run.status is Status.SUCCEEDED
    assert texts(events)[-1] == "on"
    decided = [body.decided_by for body in of_type(events, "input_request") if body.decided_by]
    assert decided == ["limit"]


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    """Make the tables of messages."""
    made = sqlite3.connect(":memory:")
    made.execute(
        "CREATE TABLE messages (key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, topic TEXT,"
        " at REAL, subject TEXT, payload TEXT)"
    )
    made.execute(
        "CREATE TABLE deliveries (message INTEGER, receiver TEXT, state TEXT, tries INTEGER,"
        " due REAL, tried_at REAL)"
    )
    yield made
    made.close()


def _written(db: sqlite3.Connection, receiver: str) -> list[tuple[str, float, dict]]:
    query = (
        "SELECT m.id, d.due, m.payload FROM messages m JOIN deliveries d ON d.message = m.key"
        " WHERE d.receiver = ? ORDER BY m.key"
    )
    rows = db.execute(query, (receiver,))
    return [(name, due, json.loads(text)["data"]) for name, due, text in rows]


def test_people_get_one_digest_a_minute_and_programs_each_message(db: sqlite3.Connection) -> None:
    topics = frozenset({TOPIC})
    outbox = Outbox([Subscription("hook", topics), Subscription("me", topics, is_for_people=True)])
    times = {"a": 100.0, "b": 110.0, "c": 120.0, "d": 170.0, "e": 300.0}
    for name, at in times.items():
        if name == "d":  # the digest before was sent
            db.execute("UPDATE deliveries SET due = 0, tried_at = 160 WHERE due = 160")
        run = _run(name, asked_at=at - 3, batch="night")
        (notice,) = _due(run, at)
        event = Event(name, 3, at, 1, notice)
        outbox.write_events(db, [event], {name: fold(run, [event])})
    hooks = _written(db, "hook")
    assert [name for name, _, _ in hooks] == [f"msg_{name}_3" for name in times]
    assert hooks[0][2]["request"]["id"] == "a:1:0"
    assert (hooks[0][2]["request"]["kind"], hooks[0][2]["request"]["digest"]) == ("command", "d")
    people = _written(db, "me")
    assert [[one["id"] for one in data["runs"]] for _, _, data in people] == [
        ["a"],
        ["b", "c"],
        ["d"],
        ["e"],
    ]
    assert [due for _, due, _ in people] == [0.0, 0.0, 220.0, 0.0]
    assert words(TOPIC, people[0][2])[0] == "Needs you: title a"
    title, text = words(TOPIC, people[1][2])
    assert title == "2 runs of the batch night need you"
    assert "title b · b: needs you: run `npm ci`" in text
