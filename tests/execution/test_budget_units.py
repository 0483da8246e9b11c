"""Budgets in money and in percent of a window: what ends a run and a batch, and what is refused."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from support import of_type, played, settled, spec, supervising

from engine.batches.request import BatchRequest
from engine.config.paths import Paths
from engine.domain.budget import Budget, BudgetUnit
from engine.domain.errors import UserError
from engine.domain.model import Run, Status
from engine.execution import budgets
from engine.usage.budget_meter import BudgetMeter

USED = "usage input=600 output=400"
DOLLAR = Budget(1.0, BudgetUnit.USD)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "LOOK_S", 0.1)


@pytest.fixture
def _priced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A price of $1 for 500 tokens, of every model."""

    def cost(_: BudgetMeter, run: Run) -> float | None:
        return (run.usage.input + run.usage.output) / 500

    monkeypatch.setattr(BudgetMeter, "cost", cost)


def report(path: Path, used: float) -> None:
    """Store a report of the week from before the run."""
    now = time.time()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "INSERT INTO limit_samples VALUES ('simulated', 'secondary', ?, ?, 10080, ?)",
            (now - 120, used, now + 86_400),
        )


@pytest.mark.usefixtures("_priced")
async def test_a_budget_in_money_ends_the_run_with_the_numbers(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await played(engine, USED, "hang", budget=DOLLAR)
    assert run.error
    assert (run.status, run.error.code) == (Status.FAILED, "BUDGET_EXCEEDED")
    assert run.error.message == "The run used about $2.00, more than its budget of $1.00."


@pytest.mark.usefixtures("_priced")
async def test_a_batch_ends_when_its_runs_have_used_its_money(paths: Paths) -> None:
    async with supervising(paths, slots=1) as engine:
        order = BatchRequest(spec(USED), count=4, budget=Budget(3.0, BudgetUnit.USD), name="dear")
        batch, runs = await engine.swarms.start(await engine.swarms.plan(order))
        await settled(engine)
        found = [engine.view.runs[run.id] for run in runs]
        assert found[-1].error
        assert found[-1].error.code == "BUDGET_EXCEEDED"
        words = "used about $4.00, more than its budget of $3.00."
        assert found[-1].error.message == f"The batch {batch.id} {words}"
        assert found[0].status is Status.SUCCEEDED
        stored = await engine.swarms.find(batch.id)
        assert stored.budget == Budget(3.0, BudgetUnit.USD)
        for budget in (Budget(500), Budget(0.25, BudgetUnit.WINDOW), None):
            await engine.swarms.set_budget(batch.id, budget)
            assert (await engine.swarms.find(batch.id)).budget == budget


async def test_a_budget_in_percent_of_the_week_ends_the_run(paths: Paths) -> None:
    async with supervising(paths) as engine:
        report(paths.database, 20.0)
        grown = "limits primary=10 secondary=35 secondary_resets_in=86400"
        run = await played(engine, USED, grown, "hang", budget=Budget(10.0, BudgetUnit.WEEK))
    assert run.error
    assert run.error.code == "BUDGET_EXCEEDED"
    assert run.error.message == (
        "The run used about 15 % of the week, more than its budget of 10 % of the week."
    )


async def test_a_model_without_a_price_is_refused_with_a_budget_in_money(paths: Paths) -> None:
    async with supervising(paths) as engine:
        dear = spec("say hello", budget=DOLLAR, model="no-such-model")
        with pytest.raises(UserError) as refused:
            await engine.start(dear)
        assert refused.value.code == "PRICE_UNKNOWN"
        order = BatchRequest(replace(dear, budget=None), count=2, budget=DOLLAR)
        with pytest.raises(UserError) as refused:
            await engine.swarms.start(await engine.swarms.plan(order))
        assert refused.value.code == "PRICE_UNKNOWN"
        assert not engine.view.runs


async def test_a_model_without_a_price_that_is_known_late_is_a_notice_once(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await played(engine, USED, "wait 0.5", USED, budget=DOLLAR)
        notices = of_type(await engine.events(run.id), "notice")
    assert run.status is Status.SUCCEEDED
    told = [one.text for one in notices if "no price is known" in one.text]
    assert told == [
        "no price is known for the model that it uses: the budget of $1 does not count it"
    ]
