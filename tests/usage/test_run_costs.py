"""The cost of a run: each of its models at its own price."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.paths import Paths
from engine.config.settings import ModelPrice
from engine.domain.events import Event, StatusChanged, UsageCounted
from engine.domain.messages import MessageTopic, Subscription
from engine.domain.model import Agent, Run, RunSpec, Status, Usage
from engine.domain.projection import MOST_MODELS, fold
from engine.store.store import open_store
from engine.usage.prices import PriceList
from engine.usage.run_costs import RunCosts, parts_of
from tui.cli.support.summaries import details

PRICES = PriceList({"dear": ModelPrice(10, 100), "cheap": ModelPrice(1, 10)})
COSTS = RunCosts(PRICES)
SPEC = RunSpec("do it", "Task", "garden", model="dear")


def counted(*bodies: UsageCounted, spec: RunSpec = SPEC) -> Run:
    events = [Event("r1", seq, 1.0, 1, body) for seq, body in enumerate(bodies, start=1)]
    return fold(Run("r1", spec, 0.0), events)


def test_each_model_of_a_run_has_its_own_price() -> None:
    run = counted(
        UsageCounted(1_000_000, 0, 0, model="dear"),
        UsageCounted(3_000_000, 0, 0, model="cheap", of_sub_agent=True),
        UsageCounted(3_000_000, 0, 100_000, model="dear"),
    )
    assert run.model == "dear"
    assert COSTS.of_run(run) == pytest.approx(10 + 2 + 10)


def test_usage_without_a_model_counts_as_the_one_that_was_asked_for() -> None:
    assert COSTS.of_run(counted(UsageCounted(1_000_000, 0, 0))) == pytest.approx(10)
    stored = replace(Run("r1", SPEC, 0.0), usage=Usage(1_000_000))  # of an earlier version
    assert COSTS.of_run(stored) == pytest.approx(10)
    nameless = counted(UsageCounted(5, 0, 0), spec=replace(SPEC, model=None))
    assert COSTS.of_run(nameless) is None


def test_the_part_of_an_unknown_model_is_left_out() -> None:
    run = counted(
        UsageCounted(1_000_000, 0, 0, model="dear"), UsageCounted(9_000_000, 0, 0, model="proxy/x")
    )
    assert COSTS.of_run(run) == pytest.approx(10)


def test_a_total_that_was_counted_again_is_priced_once() -> None:
    run = counted(UsageCounted(9_000_000, 0, 0, model="dear"), UsageCounted(1_000_000, 0, 0))
    assert COSTS.of_run(run) == pytest.approx(10)


def test_simulated_runs_and_runs_without_tokens_cost_nothing() -> None:
    used = UsageCounted(5, 0, 5, model="dear")
    assert COSTS.of_run(counted(used, spec=replace(SPEC, agent=Agent.SIMULATED))) is None
    assert COSTS.of_run(Run("r1", SPEC, 0.0)) is None


def test_nothing_is_known_before_the_list_is_loaded() -> None:
    run, prices = counted(UsageCounted(5, 0, 5, model="dear")), PriceList({})
    assert RunCosts(prices).known(run) is None
    assert not prices.is_loaded


@given(
    st.lists(
        st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from("abcde")),
        max_size=30,
    )
)
def test_the_parts_are_the_whole(steps: list[tuple[int, int, str]]) -> None:
    total, bodies = Usage(), list[UsageCounted]()
    for given_tokens, made, model in steps:
        total += Usage(given_tokens, 0, made)
        bodies.append(UsageCounted(total.input, 0, total.output, model=model))
    run = counted(*bodies)
    assert sum((used for _, used in parts_of(run)), Usage()) == run.usage


async def test_the_messages_of_runs_have_the_cost(paths: Paths) -> None:
    paths.prepare()
    wishes = [Subscription("hook", frozenset({MessageTopic.RUN_SUCCEEDED}))]
    ends = map(StatusChanged, (Status.PREPARING, Status.RUNNING, Status.SUCCEEDED))
    async with open_store(paths.database, wishes, cost=COSTS.of_run) as store:
        await store.create(SPEC, (UsageCounted(250_000, 0, 0, model="dear"), *ends))
    with closing(sqlite3.connect(paths.database)) as database:
        ((payload,),) = database.execute("SELECT payload FROM messages").fetchall()
    assert json.loads(payload)["data"]["cost_usd"] == 2.5


def test_the_end_of_a_run_is_told_with_its_cost() -> None:
    run = counted(UsageCounted(250_000, 0, 0, model="dear"))
    words = "  250.0k tokens in · 0 out · ~$2.50 (estimate at list prices)"
    assert details(run, None, COSTS.of_run(run))[0] == words
    assert details(run)[0] == "  250.0k tokens in · 0 out"


def test_a_flood_of_models_is_not_kept() -> None:
    run = counted(*(UsageCounted(n, 0, 0, model=f"m{n}") for n in range(1, 5 * MOST_MODELS)))
    assert len(run.usage_by_model) == MOST_MODELS
    assert sum((used for _, used in parts_of(run)), Usage()) == run.usage
