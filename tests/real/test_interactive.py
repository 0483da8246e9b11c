"""Interactive runs of the real Codex: requests, answers, messages and interrupts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from bridge_run import escalated
from house import House, ended, happened, task, until
from loopback import LoopbackServer, command, message

from engine.domain.activity import activity
from engine.domain.errors import UserError
from engine.domain.interaction import (
    Decision,
    DeliveryTime,
    InputRequest,
    MessageChanged,
    RequestAnswer,
    TurnInterrupt,
)
from engine.domain.model import Pause, Run, RunSpec, Status
from engine.domain.run_json import run_json
from engine.engine import Engine

HOLD = "sleep 300 & while :; do echo out; sleep 0.1; done"


def interactive(prompt: str, **fields: object) -> RunSpec:
    """Return the spec of an interactive run."""
    return task(prompt, interactive=True, **fields)


async def asks(engine: Engine, run: Run) -> tuple[Run, InputRequest]:
    """Follow a run until it asks for something."""
    run = await until(engine, run, lambda now: bool(now.unanswered))
    return run, run.unanswered[0]


def to(run: Run, request: InputRequest, decision: Decision, text: str = "") -> RequestAnswer:
    """Return an answer to a request."""
    return RequestAnswer(run.attempt, request.request, request.digest, decision, text)


async def test_run_asks_and_goes_on_once_it_is_approved(
    house: House, server: LoopbackServer, lab: Path
) -> None:
    wish = escalated(f"touch {lab}/written", "May I write there?")
    prompt = server.script("a", [wish, message("done")])
    async with house.engine() as engine:
        run, request = await asks(engine, await engine.start(interactive(prompt)))
        assert run.status is Status.RUNNING
        assert activity(run, run.last_event_at) == f"needs you: run `touch {lab}/written`"
        assert not (lab / "written").exists()
        assert house.attempt(run).inbox.stat().st_mode & 0o777 == 0o600
        await engine.answer(run.id, to(run, request, Decision.APPROVE))
        run = await ended(engine, run)
        requests = await happened(engine, run, InputRequest)
    assert run.status is Status.SUCCEEDED
    assert (lab / "written").exists()
    assert [one.phase.value for one in requests] == ["raised", "answered", "applied"]
    assert (run.input_requests, run.asked_since) == ((), None)
    assert run.waited_s > 0
    assert not house.attempt(run).inbox.exists()


async def test_denial_with_a_message(house: House, server: LoopbackServer, lab: Path) -> None:
    prompt = server.script("a", [escalated(f"touch {lab}/written")], [message("I see")])
    async with house.engine() as engine:
        run, request = await asks(engine, await engine.start(interactive(prompt)))
        await engine.answer(run.id, to(run, request, Decision.DENY, "write into the workspace"))
        run = await ended(engine, run)
        changed = await happened(engine, run, MessageChanged)
    assert run.status is Status.SUCCEEDED
    assert not (lab / "written").exists()
    assert [one.phase.value for one in changed] == ["queued", "sent", "delivered"]
    assert "write into the workspace" in str(server.requests[-1].body["input"])


async def test_request_is_answered_once_and_only_as_it_was_shown(
    house: House, server: LoopbackServer
) -> None:
    prompt = server.script("a", [escalated("true"), message("done")])
    async with house.engine() as engine:
        run, request = await asks(engine, await engine.start(interactive(prompt)))
        right = to(run, request, Decision.APPROVE)
        for wrong in (
            RequestAnswer(run.attempt + 1, right.request, right.digest, right.decision),
            RequestAnswer(run.attempt, "7", right.digest, right.decision),
            RequestAnswer(run.attempt, right.request, "0" * 64, right.decision),
        ):
            with pytest.raises(UserError, match=r"request") as refused:
                await engine.answer(run.id, wrong)
            assert refused.value.code == "REQUEST_NOT_PENDING"
        both = await asyncio.gather(
            *(engine.answer(run.id, right) for _ in range(2)), return_exceptions=True
        )
        run = await ended(engine, run)
    assert sorted(type(one).__name__ for one in both) == ["Run", "UserError"]
    assert run.status is Status.SUCCEEDED


async def test_messages_now_and_after_the_turn(house: House, server: LoopbackServer) -> None:
    prompt = server.script("a", [escalated("true")], [message("one")], [message("two")])
    async with house.engine() as engine:
        run, request = await asks(engine, await engine.start(interactive(prompt)))
        await engine.send(run.id, "later-words", DeliveryTime.AFTER_TURN)
        await engine.send(run.id, "steer-words")
        await until(engine, run, lambda now: any(one.phase == "sent" for one in now.messages))
        await engine.answer(run.id, to(run, request, Decision.APPROVE))
        run = await ended(engine, run)
    assert run.status is Status.SUCCEEDED
    assert (run.attempt, run.messages) == (1, ())
    said = str(server.requests[-1].body["input"])
    assert said.index("steer-words") < said.index("later-words")


async def test_interrupt_ends_the_run_and_a_message_goes_on(
    house: House, server: LoopbackServer
) -> None:
    prompt = server.script(
        "a", [command(HOLD, yield_time_ms=30_000), message("never")], [message("back")]
    )
    async with house.engine() as engine:
        run = await engine.start(interactive(prompt))
        run = await until(engine, run, lambda now: now.doing.startswith("running"))
        await engine.interrupt(run.id)
        run = await ended(engine, run)
        assert (run.status, run.reason) == (Status.INTERRUPTED, "interrupted by the user")
        assert run.error is None
        thread = run.thread_id
        run = await ended(engine, await engine.send(run.id, "go on"))
    assert (run.status, run.attempt, run.thread_id) == (Status.SUCCEEDED, 2, thread)


async def test_interrupt_with_a_message_goes_on_at_once(
    house: House, server: LoopbackServer
) -> None:
    prompt = server.script(
        "a", [command(HOLD, yield_time_ms=30_000), message("never")], [message("back")]
    )
    async with house.engine() as engine:
        run = await engine.start(interactive(prompt))
        run = await until(engine, run, lambda now: now.doing.startswith("running"))
        await engine.interrupt(run.id, "another way")
        run = await ended(engine, run)
        interrupts = await happened(engine, run, TurnInterrupt)
    assert (run.status, run.attempt) == (Status.SUCCEEDED, 1)
    assert [one.phase.value for one in interrupts] == ["requested", "done"]
    assert "another way" in str(server.requests[-1].body["input"])


async def test_next_engine_answers(house: House, server: LoopbackServer, lab: Path) -> None:
    prompt = server.script("a", [escalated(f"echo x >> {lab}/written"), message("done")])
    async with house.engine() as engine:
        run, request = await asks(engine, await engine.start(interactive(prompt)))
    # Decided without a supervisor: the next supervisor delivers it.
    async with Engine.open(house.paths, follow=False) as engine:
        await engine.answer(run.id, to(run, request, Decision.APPROVE))
    async with house.engine() as engine:
        run = await ended(engine, run)
    assert run.status is Status.SUCCEEDED
    assert (lab / "written").read_text() == "x\n"


async def test_cancel_with_an_open_request(house: House, server: LoopbackServer) -> None:
    prompt = server.script("a", [escalated("true"), message("never")])
    async with house.engine() as engine:
        run, _ = await asks(engine, await engine.start(interactive(prompt)))
        await engine.cancel(run.id)
        run = await ended(engine, run)
        requests = await happened(engine, run, InputRequest)
    assert run.status is Status.CANCELLED
    assert [one.phase.value for one in requests] == ["raised", "withdrawn"]
    assert run.input_requests == ()


async def test_run_of_exec_cannot_be_spoken_to_but_goes_on(
    house: House, server: LoopbackServer
) -> None:
    prompt = server.script("a", [message("one")], [message("two")])
    async with house.engine() as engine:
        run = await ended(engine, await engine.start(task(prompt)))
        with pytest.raises(UserError) as refused:
            await engine.interrupt(run.id)
        assert refused.value.code == "RUN_NOT_INTERACTIVE"
        run = await ended(engine, await engine.send(run.id, "more"))
    assert (run.status, run.attempt) == (Status.SUCCEEDED, 2)


async def test_home_that_became_unsafe_is_refused_at_the_start(
    house: House, server: LoopbackServer
) -> None:
    prompt = server.script("a", [message("never")])
    async with house.engine() as engine:
        await engine.set_pause(Pause("by hand"))
        run = await engine.start(interactive(prompt))
        roots = f"[sandbox_workspace_write]\nwritable_roots = ['{house.paths.home}']\n"
        settings = house.codex_home / "config.toml"
        settings.write_text(f"{settings.read_text()}\n{roots}")
        await engine.set_pause(None)
        run = await ended(engine, run)
    assert run.error
    assert run.error.code == "HOME_UNSAFE"
    assert server.requests == []


@pytest.mark.parametrize(
    "setting",
    ['approval_policy="never"', 'sandbox_mode="danger-full-access"', "approvals_reviewer='x'"],
)
async def test_rights_by_settings_of_codex_are_refused(
    house: House, server: LoopbackServer, setting: str
) -> None:
    async with house.engine() as engine:
        with pytest.raises(UserError, match="cannot be set for an interactive run"):
            await engine.start(interactive("x", codex_config=(setting,)))


async def test_json_of_a_run_that_needs_input(house: House, server: LoopbackServer) -> None:
    prompt = server.script("a", [escalated("true"), message("never")])
    async with house.engine() as engine:
        run, _ = await asks(engine, await engine.start(interactive(prompt)))
        shown = run_json(run, run.last_event_at + 5)
        await engine.cancel(run.id, kill=True)
        run = await ended(engine, run)
    assert shown["interactive"] is True
    (request,) = shown["input_requests"]
    assert request["id"] == f"{run.id}:1:0"
    assert request["waiting_s"] >= 5
