"""Approval rules in the database: added once, ended with their run, applied once and counted."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from earlier_databases import go_back
from support import spec

from engine.domain.approval_rules import ApprovalRule, RuleScope
from engine.domain.errors import UserError
from engine.domain.events import Notice, StatusChanged
from engine.domain.interaction import Decision, InputRequest, RequestKind, RequestPhase
from engine.domain.model import Run, Status
from engine.store.appending import AppendRequest
from engine.store.migrations import MIGRATIONS
from engine.store.store import Store, open_store

BEFORE_RULES = next(n for n, step in enumerate(MIGRATIONS) if "approval_rules" in step[0])
S = Status


def rule(**more: object) -> ApprovalRule:
    made = ApprovalRule(
        RequestKind.COMMAND, ("npm ci",), RuleScope.PROJECT, "a project", Decision.APPROVE
    )
    return replace(made, **more)


async def asking(store: Store, count: int = 1, script: str = "npm ci", **more: object) -> Run:
    """Add a run that asks to run a command, `count` times."""
    run = next(iter((await store.create(spec("x", **more), [])).runs))
    requests = [
        InputRequest(
            str(n),
            RequestPhase.RAISED,
            RequestKind.COMMAND,
            command=f"/bin/bash -lc '{script}'",
            digest="d",
            subject=("bash", script),
        )
        for n in range(count)
    ]
    bodies = [StatusChanged(S.PREPARING), StatusChanged(S.RUNNING), *requests]
    return (await store.append([AppendRequest(run, bodies)])).runs[run]


async def applied(store: Store, *runs: Run) -> list[InputRequest]:
    """Apply the rules, and return the answers."""
    done = await store.answer_by_rules([run.id for run in runs], lambda _: [])
    return [event.body for event in done.events if isinstance(event.body, InputRequest)]


async def test_rule_is_kept_over_a_restart(database: Path) -> None:
    async with open_store(database) as store:
        added = await store.rules.add(rule())
        assert added.id
        assert await store.rules.add(rule()) == added
        run = await asking(store)
        (answer,) = await applied(store, run)
        assert (answer.decision, answer.decided_by) == (Decision.APPROVE, f"rule:{added.id}")
    async with open_store(database) as store:
        assert await store.rules.all() == [added]
        assert (await store.rules.uses())[added.id].uses == 1
        assert await applied(store, run) == []
        (after,) = await store.runs()
        assert after.unanswered == ()


async def test_two_processes_answer_once(store: Store, other: Store) -> None:
    await store.rules.add(rule())
    run = await asking(store)
    answers = [*await applied(store, run), *await applied(other, run)]
    assert len(answers) == 1


async def test_removed_rule_answers_nothing_from_then_on(store: Store, other: Store) -> None:
    added = await store.rules.add(rule())
    run = await asking(store)
    assert (await other.rules.remove(added.id)).id == added.id
    assert await applied(store, run) == []
    assert await store.rules.uses() == {}
    with pytest.raises(UserError, match="There is no rule") as refused:
        await store.rules.remove(added.id)
    assert refused.value.code == "RULE_NOT_FOUND"


async def test_change_of_rules_is_seen_by_other_processes(store: Store, other: Store) -> None:
    before = await other.settings()
    added = await store.rules.add(rule())
    between = await other.settings()
    await store.rules.remove(added.id)
    assert len({str(before), str(between), str(await other.settings())}) == 3


async def test_rule_of_a_run_ends_with_it(store: Store) -> None:
    run = await asking(store)
    await store.rules.add(rule(scope=RuleScope.RUN, scope_id=run.id))
    await store.append([AppendRequest(run.id, [StatusChanged(S.FAILED)])])
    assert await store.rules.all() == []
    with pytest.raises(UserError, match="The run of the rule has ended"):
        await store.rules.add(rule(scope=RuleScope.RUN, scope_id=run.id))
    again = await store.append([AppendRequest(run.id, [StatusChanged(S.QUEUED)])])
    assert await applied(store, *again.runs.values()) == []


async def test_rule_of_a_batch_ends_with_its_last_run(store: Store) -> None:
    runs = [await asking(store, batch="b") for _ in range(2)]
    added = await store.rules.add(rule(scope=RuleScope.BATCH, scope_id="b"))
    await store.append([AppendRequest(runs[0].id, [StatusChanged(S.FAILED)])])
    assert await store.rules.all() == [added]
    assert len(await applied(store, runs[1])) == 1
    await store.append([AppendRequest(runs[1].id, [StatusChanged(S.SUCCEEDED)])])
    assert (await store.rules.all(), await store.rules.uses()) == ([], {})


async def test_loop_is_shown_by_one_notice(store: Store) -> None:
    added = await store.rules.add(rule())
    run = await asking(store, count=45)
    done = await store.answer_by_rules([run.id], lambda _: [])
    (notice,) = [event.body for event in done.events if isinstance(event.body, Notice)]
    assert f"rule {added.id} answered 20 requests within 60 s: Approve each" in notice.text
    assert (await store.rules.uses())[added.id].uses == 45


async def test_run_that_is_ending_is_not_answered(store: Store) -> None:
    await store.rules.add(rule())
    run = await asking(store)
    await store.append([AppendRequest(run.id, [StatusChanged(S.CANCELLING)])])
    assert await applied(store, run) == []
    assert await store.rules.uses() == {}


async def test_database_of_an_earlier_version_gets_its_tables(database: Path) -> None:
    async with open_store(database) as store:
        await store.create(spec("x"), [])
    with closing(sqlite3.connect(database)) as db:
        go_back(db, BEFORE_RULES)
    async with open_store(database) as store:
        assert await store.rules.all() == []
        await store.rules.add(rule())
        assert len(await store.runs()) == 1
    with closing(sqlite3.connect(database)) as db:
        assert db.execute("SELECT count(*) FROM approval_rules").fetchone() == (1,)


async def test_supervising_process_answers_in_the_transaction_that_raises(store: Store) -> None:
    added = await store.rules.add(rule())
    store.rules_of = lambda _: []
    run = await asking(store, count=2)
    assert run.unanswered == ()
    assert {one.decided_by for one in run.input_requests} == {f"rule:{added.id}"}
    events, last_id = await store.events_between(0, 100)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert last_id == len(events)
    assert (await store.rules.uses())[added.id].uses == 2


async def test_fault_of_a_rule_leaves_the_request_open(store: Store) -> None:
    def broken(_: Run) -> list[ApprovalRule]:
        raise RuntimeError("odd")

    store.rules_of = broken
    assert len((await asking(store)).unanswered) == 1
