"""Approval rules with the real Codex: they answer each time, deny wins, and a killed engine."""

from __future__ import annotations

from pathlib import Path

from bridge_run import escalated
from house import House, ended, happened, task, until
from loopback import LoopbackServer, message

from engine.domain.approval_rules import ApprovalRule, RuleScope
from engine.domain.interaction import Decision, InputRequest, RequestAnswer, RequestPhase
from engine.domain.model import Run, Status
from engine.engine import Engine


async def answers(engine: Engine, run: Run) -> list[tuple[str, str]]:
    """Return the decision of each answer, and by what it was decided."""
    return [
        (str(one.decision), one.decided_by)
        for one in await happened(engine, run, InputRequest)
        if one.phase is RequestPhase.ANSWERED
    ]


async def first_request(engine: Engine, prompt: str) -> tuple[Run, InputRequest]:
    """Start an interactive run, and wait until it asks for something."""
    run = await engine.start(task(prompt, interactive=True))
    run = await until(engine, run, lambda now: bool(now.unanswered))
    return run, run.unanswered[0]


def possible(
    engine: Engine, run: Run, request: InputRequest, decision: Decision, *, is_prefix: bool = False
) -> ApprovalRule:
    """Return the rule for the project that could answer a request."""
    return next(
        rule
        for rule in engine.possible_rules(run, request)
        if (rule.scope, rule.decision, rule.is_prefix) == (RuleScope.PROJECT, decision, is_prefix)
    )


async def test_rule_answers_open_and_later_requests(
    house: House, server: LoopbackServer, lab: Path
) -> None:
    wish = escalated(f"tee -a {lab}/written", "first")
    again = escalated(f"tee -a {lab}/written", "another reason")
    first = server.script("a", [wish, again, escalated("true; true"), message("done")])
    async with house.engine() as engine:
        run, request = await first_request(engine, first)
        assert request.subject == ("bash", f"tee -a {lab}/written")
        rule = await engine.add_rule(possible(engine, run, request, Decision.APPROVE))
        assert f"exactly `tee -a {lab}/written`" in rule.words
        # What is no part of the rule still waits for the user.
        run = await until(
            engine, run, lambda now: any("true; true" in str(it.command) for it in now.unanswered)
        )
        assert len(run.unanswered) == 1
        (other,) = run.unanswered
        await engine.answer(
            run.id, RequestAnswer(run.attempt, other.request, other.digest, Decision.DENY)
        )
        run = await ended(engine, run)
        assert run.status is Status.SUCCEEDED
        by_rule = ("approve", f"rule:{rule.id}")
        assert await answers(engine, run) == [by_rule, by_rule, ("deny", "user")]
        (kept,) = await engine.rules()
    assert (kept.id, kept.uses) == (rule.id, 2)
    assert (lab / "written").exists()


async def test_deny_wins_and_each_rule_ends_when_it_is_removed(
    house: House, server: LoopbackServer, lab: Path
) -> None:
    wish = f"touch {lab}/written"
    prompt = server.script(
        "a", [escalated(wish), escalated(f"true && {wish}"), message("done")], [message("never")]
    )
    async with house.engine() as engine:
        run, request = await first_request(engine, prompt)
        deny = await engine.add_rule(possible(engine, run, request, Decision.DENY, is_prefix=True))
        assert deny.match == ("touch",)
        await engine.add_rule(possible(engine, run, request, Decision.APPROVE, is_prefix=True))
        run = await ended(engine, run)
        by_deny = ("deny", f"rule:{deny.id}")
        assert await answers(engine, run) == [by_deny, by_deny]
        assert not (lab / "written").exists()
        for rule in await engine.rules():
            await engine.remove_rule(rule.id)
        run, _ = await first_request(engine, server.script("b", [escalated(wish)]))
        assert await answers(engine, run) == []
        await engine.cancel(run.id, kill=True)
        await ended(engine, run)


async def test_rule_added_while_no_engine_supervises_answers_once(
    house: House, server: LoopbackServer, lab: Path
) -> None:
    prompt = server.script("a", [escalated(f"echo x >> {lab}/written"), message("done")])
    async with house.engine() as engine:
        run, request = await first_request(engine, prompt)
    async with Engine.open(house.paths, follow=False) as engine:
        rule = await engine.add_rule(possible(engine, run, request, Decision.APPROVE))
    async with house.engine() as engine:
        run = await ended(engine, run)
        assert await answers(engine, run) == [("approve", f"rule:{rule.id}")]
    assert run.status is Status.SUCCEEDED
    assert (lab / "written").read_text() == "x\n"
