"""Interactive runs of the simulated agent: its requests, messages to it, and what kills it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Collection, Iterator
from pathlib import Path

import psutil
import pytest
from support import (
    LIMIT_S,
    Mode,
    becomes,
    mode_of_specs,
    of_type,
    settled,
    spec,
    supervising,
    texts,
    until,
)

from engine.config.paths import Paths
from engine.config.settings import WatchdogSettings
from engine.domain.errors import UserError
from engine.domain.events import Step
from engine.domain.interaction import Decision, DeliveryTime, InputRequest, RequestAnswer
from engine.domain.model import Run, Status
from engine.engine import Engine
from engine.execution import scheduler
from engine.execution.local.process_marks import mark, marked

ASK = 'ask "npm ci" reason="May I?" writes=ran.txt'


@pytest.fixture(autouse=True)
def _interactive() -> Iterator[None]:
    with mode_of_specs(Mode.INTERACTIVE):
        yield


async def asks(engine: Engine, run: Run, but: Collection[str] = ()) -> InputRequest:
    """Wait until the run asks for something, of another kind than these."""

    def found() -> list[InputRequest]:
        return [one for one in engine.view.runs[run.id].unanswered if one.kind not in but]

    await until(engine, found)
    return found()[0]


async def answer(
    engine: Engine,
    run: Run,
    request: InputRequest,
    decision: Decision,
    text: str = "",
    **answers: tuple[str, ...],
) -> None:
    attempt = engine.view.runs[run.id].attempt
    given = RequestAnswer(attempt, request.request, request.digest, decision, text, answers)
    await engine.answer(run.id, given)


async def until_said(engine: Engine, run: Run, text: str) -> None:
    batches = engine.batches(0)
    async with asyncio.timeout(LIMIT_S):
        while text not in texts(await engine.events(run.id)):
            await anext(batches)


def ran(engine: Engine, run: Run) -> str:
    """Return what the approved commands have written."""
    file = Path(engine.view.runs[run.id].workspace.path, "ran.txt")
    return file.read_text() if file.exists() else ""


@pytest.mark.parametrize(
    ("decision", "status", "written", "phases"),
    [
        (Decision.APPROVE, Status.SUCCEEDED, "npm ci\n", ["started", "completed"]),
        (Decision.DENY, Status.SUCCEEDED, "", ["started", "declined"]),
        (Decision.STOP, Status.INTERRUPTED, "", ["started", "declined"]),
    ],
)
async def test_decision_on_a_command(
    paths: Paths, decision: Decision, status: Status, written: str, phases: list[str]
) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec(ASK, "say after"))
        request = await asks(engine, run)
        assert (request.text, request.reason, request.cwd) == ("npm ci", "May I?", ".")
        assert ran(engine, run) == ""
        await answer(engine, run, request, decision)
        await settled(engine)
        ended, events = engine.view.runs[run.id], await engine.events(run.id)
        assert ran(engine, run) == written
    assert (ended.status, ended.input_requests) == (status, ())
    steps = [step.phase for step in of_type(events, "step") if step.kind == "command"]
    assert steps == phases
    assert texts(events) == (["after"] if status is Status.SUCCEEDED else [])


async def test_patch_permissions_and_tool_are_asked_for(paths: Paths) -> None:
    lines = ("ask-patch a.txt one", "ask-rights network", "ask-tool docs lookup")
    async with supervising(paths) as engine:
        run = await engine.start(spec(*lines))
        kinds: list[str] = []
        for _ in lines:
            request = await asks(engine, run, but=kinds)
            kinds.append(request.kind)
            if request.kind == "patch":
                assert [(one.path, one.diff) for one in request.changes] == [("a.txt", "one\n")]
            await answer(engine, run, request, Decision.APPROVE)
        await settled(engine)
        ended, events = engine.view.runs[run.id], await engine.events(run.id)
    assert ended.status is Status.SUCCEEDED
    assert kinds == ["patch", "permissions", "tool"]
    assert (Path(ended.workspace.path) / "a.txt").read_text() == "one\n"
    assert texts(events) == ['granted: {"network": {"enabled": true}}']


async def test_questions_and_forms_are_answered(paths: Paths) -> None:
    schema = '{"type": "object", "properties": {"size": {"type": "integer"}}}'
    async with supervising(paths) as engine:
        run = await engine.start(spec('question "Which colour?" "red|blue"', f"form {schema}"))
        request = await asks(engine, run)
        await answer(engine, run, request, Decision.ANSWER, q1=("blue",))
        request = await asks(engine, run, but=[request.kind])
        await answer(engine, run, request, Decision.ANSWER, size=("7",))
        await settled(engine)
        ended, events = engine.view.runs[run.id], await engine.events(run.id)
    assert ended.status is Status.SUCCEEDED
    assert texts(events) == ['answered: {"q1": {"answers": ["blue"]}}', 'answered: {"size": 7}']


async def test_unknown_request_is_refused_at_once_and_reported(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec("ask-unknown item/brandNew/request", "say on"))
        await settled(engine)
        ended, events = engine.view.runs[run.id], await engine.events(run.id)
    assert ended.status is Status.SUCCEEDED
    (notice,) = of_type(events, "notice")
    assert "item/brandNew/request" in notice.text


async def test_messages_now_with_a_denial_and_after_the_turn(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec(ASK, "say one"))
        request = await asks(engine, run)
        await engine.send(run.id, "sim: say three", DeliveryTime.AFTER_TURN)
        await answer(engine, run, request, Decision.DENY, "sim: say two")
        await settled(engine)
        ended, events = engine.view.runs[run.id], await engine.events(run.id)
    assert (ended.status, ended.attempt, ended.messages) == (Status.SUCCEEDED, 1, ())
    assert texts(events) == ["two", "one", "three"]


async def test_interrupt_ends_the_command_and_goes_on_with_a_message(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec("background 300", "say never"))
        await until(engine, lambda: engine.view.runs[run.id].doing.startswith("running"))
        command = _command_of(paths, run)
        await engine.interrupt(run.id, "sim: say back")
        await settled(engine)
        ended, events = engine.view.runs[run.id], await engine.events(run.id)
    assert (ended.status, ended.attempt) == (Status.SUCCEEDED, 1)
    assert texts(events) == ["back"]
    assert not any("still running" in str(one.body) for one in events)
    ends = [
        one.body.phase
        for one in events
        if isinstance(one.body, Step) and one.body.kind == "command"
    ]
    assert ends == ["started", "failed"]
    assert not psutil.pid_exists(command)


def _command_of(paths: Paths, run: Run) -> int:
    """Return the process of the agent's command."""
    pids = marked(mark(paths.attempt(run.id, 1)))
    return next(pid for pid in pids if "simulated-command" in psutil.Process(pid).cmdline())


async def test_agent_that_answers_nothing_can_be_cancelled(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec("deaf", "say ready", "until message"))
        await until_said(engine, run, "ready")
        await engine.interrupt(run.id, "go on")
        await engine.cancel(run.id)
        await settled(engine)
        assert engine.view.runs[run.id].status is Status.CANCELLED
    assert marked(mark(paths.attempt(run.id, 1))) == []


async def test_waiting_for_an_answer_is_not_a_stall_and_costs_no_time(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "LOOK_S", 0.05)
    watchdog = WatchdogSettings(silent_s=0.2, action="fail")
    async with supervising(paths, watchdog=watchdog) as engine:
        run = await engine.start(spec(ASK, "say on", timeout_s=20))
        request = await asks(engine, run)
        other = await engine.start(spec("say ready", "hang"))
        # The other one stalls meanwhile: the watchdog has looked at both.
        await until(engine, lambda: engine.view.runs[other.id].finished_at)
        assert engine.view.runs[run.id].status is Status.RUNNING
        await answer(engine, run, request, Decision.APPROVE)
        await settled(engine)
        assert engine.view.runs[run.id].status is Status.SUCCEEDED


async def test_exec_refuses_what_it_cannot_ask(paths: Paths) -> None:
    async with supervising(paths) as engine:
        lines = (ASK, "ask-patch a.txt x", "ask-tool docs lookup", "say on")
        run = await engine.start(spec(*lines, interactive=False))
        await settled(engine)
        ended, events = engine.view.runs[run.id], await engine.events(run.id)
        assert ran(engine, run) == ""
    assert ended.status is Status.SUCCEEDED
    assert texts(events) == ["on"]
    assert not (Path(ended.workspace.path) / "a.txt").exists()


# Killed with a request open


def _part(paths: Paths, run: Run, part: str) -> int:
    """Return the process of a part of the attempt: `bridge` or `app-server`."""
    for pid in marked(mark(paths.attempt(run.id, 1))):
        words = psutil.Process(pid).cmdline()
        if words[0].endswith("sh"):
            continue
        if ("--inbox" in words) == (part == "bridge"):
            return pid
    raise AssertionError(f"no {part}")


@pytest.mark.parametrize(
    ("part", "status", "code"),
    [
        ("bridge", Status.FAILED, "AGENT_CRASHED"),
        ("app-server", Status.FAILED, "AGENT_CRASHED"),
    ],
)
async def test_request_of_a_killed_agent_is_withdrawn_and_asked_again(
    paths: Paths, part: str, status: Status, code: str
) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec("attempt 1+", ASK, "say on", "end"))
        request = await asks(engine, run)
        await engine.send(run.id, "sim: say kept", DeliveryTime.AFTER_TURN)
        os.kill(_part(paths, run, part), signal.SIGKILL)
        await until(engine, lambda: engine.view.runs[run.id].finished_at)
        ended = engine.view.runs[run.id]
        assert (ended.status, ended.error.code) == (status, code)
        assert ended.input_requests == ()
        with pytest.raises(UserError) as caught:
            await answer(engine, run, request, Decision.APPROVE)
        assert caught.value.code == "REQUEST_NOT_PENDING"
        await becomes(lambda: not marked(mark(paths.attempt(run.id, 1))))
        await engine.retry(run.id)
        again = await asks(engine, run)
        assert (again.request, again.digest) == (request.request, request.digest)
        with pytest.raises(UserError):  # an answer to the request of the attempt before
            stale = RequestAnswer(1, request.request, request.digest, Decision.APPROVE)
            await engine.answer(run.id, stale)
        await answer(engine, run, again, Decision.APPROVE)
        await settled(engine)
        assert engine.view.runs[run.id].status is Status.SUCCEEDED
        assert ran(engine, run) == "npm ci\n"
        # What was not read is carried over to the next attempt.
        assert sorted(texts(await engine.events(run.id))) == ["kept", "on"]
