"""Messages to simulated agents in both modes: withdrawn, carried over, and in the log."""

from __future__ import annotations

import pytest
from support import Mode, mode_of_specs, of_type, settled, spec, supervising, texts, until

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.interaction import DeliveryTime, MessageChanged, ModeChange
from engine.domain.model import Pause, Run, Status
from engine.domain.run_json import run_json
from engine.engine import Engine

LATER = DeliveryTime.AFTER_TURN
ASK = 'ask "npm ci"'


def _phases(events: list, message: str = "") -> list[str]:
    return [
        body.phase.value for body in of_type(events, "message") if message in ("", body.message)
    ]


async def _asking(engine: Engine, *lines: str) -> Run:
    """Start an interactive run that asks first."""
    run = await engine.start(spec(ASK, *lines, interactive=True))
    await until(engine, lambda: engine.view.runs[run.id].unanswered)
    return engine.view.runs[run.id]


async def _queued(engine: Engine, run: Run, text: str) -> MessageChanged:
    return (await engine.send(run.id, text, LATER)).messages[-1]


async def _cancel(engine: Engine, run: Run) -> Run:
    await engine.cancel(run.id)
    await settled(engine)
    return engine.view.runs[run.id]


async def test_queued_message_is_withdrawn_and_the_other_one_stays(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await _asking(engine)
        gone, kept = [await _queued(engine, run, f"sim: say {n}") for n in (1, 2)]
        await engine.withdraw(run.id, gone.message)
        await until(engine, lambda: len(engine.view.runs[run.id].messages) == 1)
        assert engine.view.runs[run.id].messages[0].message == kept.message
        with pytest.raises(UserError) as refused:
            await engine.withdraw(run.id, gone.message)
        assert refused.value.code == "MESSAGE_NOT_PENDING"
        await engine.interrupt(run.id)
        await settled(engine)
        events = await engine.events(run.id)
    assert texts(events) == ["2"]
    assert _phases(events, gone.message) == ["queued", "withdrawing", "withdrawn"]
    assert _phases(events, kept.message)[-1] == "delivered"


async def test_message_is_withdrawn_while_the_run_waits_for_an_attempt(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await _asking(engine, "say on")
        sent = await _queued(engine, run, "sim: say never")
        run = await _cancel(engine, run)
        assert [one.message for one in run.messages] == [sent.message]
        run = await engine.withdraw(run.id, sent.message)
        assert run.messages == ()


async def test_messages_are_carried_over_into_the_other_mode_and_read_once(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await _asking(engine, "say on")
        sent = [await _queued(engine, run, f"sim: say kept {n}") for n in (1, 2)]
        await _cancel(engine, run)
        # Of an exec attempt, each message begins one of its own.
        run = await engine.resume(run.id, "sim: say alone", ModeChange(interactive=False))
        assert [one.message for one in run.messages][:2] == [one.message for one in sent]
        await settled(engine)
        run, events = engine.view.runs[run.id], await engine.events(run.id)
    assert (run.status, run.messages, run.attempt) == (Status.SUCCEEDED, (), 4)
    assert texts(events) == ["alone", "kept 1", "kept 2"]
    for one in sent:
        assert _phases(events, one.message).count("delivered") == 1


@pytest.mark.parametrize("mode", list(Mode))
async def test_message_of_resume_is_a_message_that_begins_the_attempt(
    paths: Paths, mode: Mode
) -> None:
    async with supervising(paths) as engine:
        with mode_of_specs(mode):
            run = await engine.start(spec("say one"))
        await settled(engine)
        await engine.resume(run.id, "sim: say two")
        await settled(engine)
        run = engine.view.runs[run.id]
        events = [event for event in await engine.events(run.id) if event.attempt == 2]
    assert [event.body.type for event in events[:2]] == ["status", "message"]
    assert events[1].body.text == "sim: say two"
    assert _phases(events) == ["queued", "delivered"]
    assert (run.messages, run.attempt_prompt) == ((), "sim: say two")


@pytest.mark.parametrize("mode", list(Mode))
async def test_prompt_of_a_retry_begins_its_attempt_in_the_log(paths: Paths, mode: Mode) -> None:
    async with supervising(paths) as engine:
        with mode_of_specs(mode):
            run = await engine.start(spec("say one"))
        await settled(engine)
        await engine.retry(run.id, prompt="sim: say two")
        await settled(engine)
        run = engine.view.runs[run.id]
        events = [event for event in await engine.events(run.id) if event.attempt == 2]
        shown = run_json(run, 0.0)
        again = await engine.retry(run.id)
        await settled(engine)
    assert [getattr(event.body, "text", "") for event in events[:2]] == ["", "sim: say two"]
    assert shown["attempt_prompt"] == "sim: say two"
    assert (run.messages, again.attempt_prompt) == ((), "")


async def test_message_that_begins_an_attempt_is_not_withdrawn(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec("say one", interactive=True))
        await settled(engine)
        await engine.set_pause(Pause("by hand"))
        run = await engine.resume(run.id, "sim: say two")
        with pytest.raises(UserError, match="begins with this message"):
            await engine.withdraw(run.id, run.messages[0].message)
        await engine.set_pause(None)
        await settled(engine)
        assert engine.view.runs[run.id].status is Status.SUCCEEDED
