"""Rules applied to open requests, and answers in bulk: each decided on the run as it is stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support import LIMIT_S, quick, spec

from engine.config.paths import Paths
from engine.domain.approval_rules import ApprovalRule, RuleScope
from engine.domain.errors import UserError
from engine.domain.events import StatusChanged
from engine.domain.interaction import (
    Decision,
    InputRequest,
    RequestAnswer,
    RequestKind,
    RequestPhase,
)
from engine.domain.model import Run, Status
from engine.engine import Engine
from engine.execution.rule_applier import RuleApplier
from engine.store.appending import AppendRequest

S = Status
RULE = ApprovalRule(
    RequestKind.COMMAND, ("npm ci",), RuleScope.PROJECT, "a project", Decision.APPROVE
)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "home", tmp_path / "config.yaml")


@pytest.fixture
async def engine(paths: Paths) -> AsyncGenerator[Engine]:
    """An engine that follows the home, and supervises nothing."""
    async with Engine.open(paths, quick()) as opened:
        yield opened


def request(name: str = "0", script: str = "npm ci") -> InputRequest:
    return InputRequest(
        name,
        RequestPhase.RAISED,
        RequestKind.COMMAND,
        command=f"/bin/bash -lc '{script}'",
        digest=f"digest of {script}",
        subject=("bash", script),
    )


async def asking(engine: Engine, *requests: InputRequest) -> Run:
    run = await engine.start(spec("say x"))
    bodies = [StatusChanged(S.PREPARING), StatusChanged(S.RUNNING), *requests]
    return (await engine._journal.append([AppendRequest(run.id, bodies)])).runs[run.id]


def to(run: Run, **more: object) -> RequestAnswer:
    (asked,) = run.unanswered
    answer = RequestAnswer(run.attempt, asked.request, asked.digest, Decision.APPROVE)
    return replace(answer, **more)


async def test_bulk_answers_fail_each_by_itself(engine: Engine) -> None:
    one, two, three = [await asking(engine, request()) for _ in range(3)]
    done = await engine.answer_all(
        [
            (one.id, to(one)),
            (two.id, to(two, digest="another")),
            (one.id, to(one)),
            (three.id, to(three)),
        ]
    )
    assert [getattr(each, "code", "") for each in done] == [
        "",
        "REQUEST_NOT_PENDING",
        "REQUEST_NOT_PENDING",
        "",
    ]
    found = {run.id: run.unanswered for run in await engine.runs()}
    assert [len(found[run.id]) for run in (one, two, three)] == [0, 1, 0]


async def test_bulk_answer_for_an_unknown_run_costs_no_other(engine: Engine) -> None:
    run = await asking(engine, request())
    done = await engine.answer_all([("unknown", to(run)), (run.id, to(run))])
    assert isinstance(done[0], UserError)
    assert done[0].code == "RUN_NOT_FOUND"
    assert isinstance(done[1], Run)
    assert done[1].unanswered == ()


async def answered(engine: Engine, run: Run) -> None:
    stream = engine.batches(0)
    async with asyncio.timeout(LIMIT_S):
        while engine.view.runs[run.id].unanswered:
            await anext(stream)


async def decided_by(engine: Engine, run: Run) -> list[str]:
    bodies = [event.body for event in await engine.events(run.id, kinds=["input_request"])]
    phase = RequestPhase.ANSWERED
    return [
        one.decided_by for one in bodies if isinstance(one, InputRequest) and one.phase is phase
    ]


@pytest.fixture
async def applier(engine: Engine) -> AsyncGenerator[Callable[[], RuleApplier]]:
    """Start appliers as a supervising engine does; they hear of what is published."""
    started: list[RuleApplier] = []
    tasks: list[asyncio.Task[None]] = []

    def start() -> RuleApplier:
        made = RuleApplier(engine.view, engine._store, engine._journal, lambda _: [])
        started.append(made)
        tasks.append(asyncio.create_task(made.run()))
        return made

    async def listen() -> None:
        async for batch in engine.batches(0):
            for each in started:
                each.notify(batch.events)

    tasks.append(asyncio.create_task(listen()))
    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_rule_answers_requests_when_they_are_raised(
    engine: Engine, applier: Callable[[], RuleApplier]
) -> None:
    rule = await engine.add_rule(RULE)
    applier()
    runs = [await asking(engine, request(), request("1", "rm x")) for _ in range(2)]
    stream = engine.batches(0)
    for run in runs:
        async with asyncio.timeout(LIMIT_S):
            while len(engine.view.runs[run.id].unanswered) != 1:
                await anext(stream)
        assert await decided_by(engine, run) == [f"rule:{rule.id}"]
    (kept,) = await engine.rules()
    assert kept.uses == 2
    assert kept.used_at


async def test_rule_answers_what_was_raised_before_the_takeover(
    engine: Engine, applier: Callable[[], RuleApplier]
) -> None:
    run = await asking(engine, request())
    rule = await engine.add_rule(RULE)
    for _ in range(2):  # two at once still answer once
        applier()
    await answered(engine, run)
    assert await decided_by(engine, run) == [f"rule:{rule.id}"]


async def test_new_rule_of_another_process_answers_equal_open_requests(
    engine: Engine, paths: Paths, applier: Callable[[], RuleApplier]
) -> None:
    run = await asking(engine, request())
    applier()
    async with Engine.open(paths, quick(), follow=False) as other:
        rule = await other.add_rule(RULE)
    await answered(engine, run)
    assert await decided_by(engine, run) == [f"rule:{rule.id}"]


async def test_fault_of_one_run_keeps_no_other_from_its_answer(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.add_rule(RULE)
    runs = [await asking(engine, request()) for _ in range(3)]
    answer = engine._journal.answer_by_rules

    async def broken(names: list[str], others: object) -> object:
        if runs[1].id in names:
            raise RuntimeError("odd")
        return await answer(names, others)  # pyright: ignore[reportArgumentType]  passed on

    monkeypatch.setattr(engine._journal, "answer_by_rules", broken)
    made = RuleApplier(engine.view, engine._store, engine._journal, lambda _: [])
    with pytest.raises(RuntimeError, match="odd"):
        await made.run()
    assert [len(engine.view.runs[run.id].unanswered) for run in runs] == [0, 1, 0]
