"""Modes of runs of the real Codex: changed between attempts, chosen by settings, checked early."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from bridge_run import escalated
from house import House, NewHouse, ended, task, until
from loopback import LoopbackServer, codex_binary, message

from engine.agents.codex.settings import CodexSettings
from engine.domain.errors import UserError
from engine.domain.interaction import (
    ApprovalPolicy,
    Decision,
    ModeChange,
    RequestAnswer,
    RunMode,
)
from engine.domain.model import Status
from engine.domain.run_json import run_json

INTERACTIVE = ModeChange(interactive=True)
EXEC = ModeChange(interactive=False)


@pytest.fixture(params=["packaged", "newest"])
def codex(request: pytest.FixtureRequest) -> str:
    """Return one of the two binaries."""
    named = os.environ.get("SWARM_TEST_CODEX") if request.param == "newest" else codex_binary()
    if named is None or not os.access(named, os.X_OK):
        pytest.skip("no Codex of npm's: set SWARM_TEST_CODEX")
    return named


async def test_thread_goes_on_in_the_other_mode_and_back(
    house: House, server: LoopbackServer, codex: str
) -> None:
    prompt = server.script(
        "a", [message("one")], [escalated("true"), message("two")], [message("three")]
    )
    async with house.engine() as engine:
        run = await ended(engine, await engine.start(task(prompt, codex_bin=codex)))
        thread, first = run.thread_id, run.usage
        run = await engine.resume(run.id, "ask-me", INTERACTIVE)
        assert run.is_interactive
        run = await until(engine, run, lambda now: bool(now.unanswered))
        (request,) = run.unanswered
        answered = RequestAnswer(run.attempt, request.request, request.digest, Decision.APPROVE)
        await engine.answer(run.id, answered)
        run = await ended(engine, run)
        assert (run.status, run.attempt, run.thread_id) == (Status.SUCCEEDED, 2, thread)
        second = run.usage
        run = await ended(engine, await engine.resume(run.id, "alone-again", EXEC))
    assert (run.status, run.attempt, run.thread_id) == (Status.SUCCEEDED, 3, thread)
    assert (run.is_interactive, run_json(run, 0)["approvals"]) == (False, None)
    said = str(server.requests[-1].body["input"])
    assert said.index("ask-me") < said.index("alone-again")
    # The same is counted for each request to the model, in whichever mode it was made.
    a_request = first.input
    assert (second.input, run.usage.input) == (3 * a_request, 4 * a_request)


async def test_next_engine_reads_an_attempt_of_another_mode(
    house: House, server: LoopbackServer
) -> None:
    prompt = server.script("a", [message("one")], [escalated("true"), message("two")])
    async with house.engine() as engine:
        run = await ended(engine, await engine.start(task(prompt)))
        run = await engine.retry(run.id, change=ModeChange(True, ApprovalPolicy.UNTRUSTED))
        run = await until(engine, run, lambda now: bool(now.unanswered))
    async with house.engine() as engine:
        run = engine.view.runs[run.id]
        assert (run.is_interactive, run.approval_policy) == (True, ApprovalPolicy.UNTRUSTED)
        (request,) = run.unanswered
        answered = RequestAnswer(run.attempt, request.request, request.digest, Decision.APPROVE)
        await engine.answer(run.id, answered)
        run = await ended(engine, run)
    assert run.status is Status.SUCCEEDED


async def test_settings_choose_the_mode(house: House, server: LoopbackServer) -> None:
    prompt = server.script("a", [message("one")])
    settings = CodexSettings(mode=RunMode.INTERACTIVE, approvals=ApprovalPolicy.UNTRUSTED)
    async with house.engine(codex=settings) as engine:
        run = await engine.check(task(prompt))
        assert (run.interactive, run.approvals) == (True, ApprovalPolicy.UNTRUSTED)
        run = await engine.check(task(prompt, interactive=False))
        assert (run.interactive, run.approvals) == (False, None)
        run = await ended(engine, await engine.start(task(prompt)))
    assert (run.status, run.is_interactive) == (Status.SUCCEEDED, True)


async def test_unsafe_home_is_refused_before_a_run_is_queued(
    new_house: NewHouse, server: LoopbackServer, lab: Path
) -> None:
    house = new_house()
    prompt = server.script("a", [message("one")])
    spec = task(prompt, add_dirs=(str(lab),))
    async with house.engine() as engine:
        with pytest.raises(UserError) as refused:
            await engine.start(task(prompt, add_dirs=(str(lab),), interactive=True))
        assert refused.value.code == "HOME_UNSAFE"
        assert engine.view.runs == {}
        run = await ended(engine, await engine.start(spec))
        with pytest.raises(UserError) as refused:
            await engine.retry(run.id, change=INTERACTIVE)
        assert refused.value.code == "HOME_UNSAFE"
        with pytest.raises(UserError) as refused:
            await engine.resume(run.id, "x", INTERACTIVE)
        assert refused.value.code == "HOME_UNSAFE"
        assert (await engine.find(run.id)).status is Status.SUCCEEDED
