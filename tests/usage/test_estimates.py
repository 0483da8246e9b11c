"""Estimates before a start: from which runs, how far they spread, and where nothing is known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger import price
from support import played, settled, spec, supervising, until

from engine.config.paths import Paths
from engine.domain.model import Agent, RunSpec, Usage
from engine.domain.usage import (
    EstimateBasis,
    LimitCycle,
    SpendEstimate,
    SpentRun,
    WindowShare,
)
from engine.usage.estimate import LATEST, LEAST, estimate, shares
from tui.formatting.estimates import estimate_words

NEW = RunSpec("p", "t", "garden", template="docs", model="gpt-5")


def spent(*tokens: int, **more: str) -> list[SpentRun]:
    known = {"template": "docs", "model": "gpt-5", "project": "garden", **more}
    return [
        SpentRun(
            f"{more}{n}",
            more.get("agent", Agent.CODEX),
            known["template"],
            known["model"],
            known["project"],
            Usage(count, 0, 0),
            known["model"],
        )
        for n, count in enumerate(tokens)
    ]


def known(count: int, runs: list[SpentRun], new: RunSpec = NEW) -> SpendEstimate:
    found = estimate([new] * count, runs, price)
    assert found
    return found


def test_too_few_similar_runs_make_no_estimate() -> None:
    assert estimate([NEW], spent(*[100] * (LEAST - 1)), price) is None
    assert estimate([], spent(*[100] * 50), price) is None


def test_equal_runs_make_an_exact_estimate() -> None:
    found = known(20, spent(*[100_000] * 10))
    assert (found.runs, found.tokens, found.low, found.high) == (20, 2e6, 2e6, 2e6)
    assert (found.sample, found.basis) == (10, EstimateBasis.TEMPLATE)
    assert found.cost_usd == 2.0


def test_the_nearest_runs_count_that_are_enough() -> None:
    of_template = spent(*[1000] * 4)
    of_project = spent(*[2000] * 5, template="other")
    of_home = spent(*[9000] * 90, template="x", project="y")
    assert known(1, [*of_home, *of_template]).basis is EstimateBasis.ALL
    found = known(1, [*of_home, *of_project, *of_template])
    assert (found.basis, found.sample) == (EstimateBasis.PROJECT, 9)
    assert known(1, [*of_home, *spent(*[1000] * 5)]).basis is EstimateBasis.TEMPLATE


def test_another_model_or_agent_is_not_similar() -> None:
    assert known(1, spent(*[1] * 9, model="gpt-5-mini")).basis is EstimateBasis.ALL
    assert estimate([NEW], spent(*[1] * 9, agent="simulated"), price) is None


def test_the_latest_runs_count() -> None:
    found = known(1, spent(*[10] * LATEST, *[10**9] * 50))
    assert (found.high, found.sample) == (10, LATEST)


def test_different_kinds_of_runs_are_added_up() -> None:
    runs = [*spent(*[100] * 9), *spent(*[1000] * 9, template="big")]
    found = estimate([NEW] * 3 + [replace(NEW, template="big")] * 2, runs, price)
    assert found and (found.runs, found.tokens, found.sample) == (5, 2300, 18)


def test_an_unknown_price_of_one_run_makes_no_cost() -> None:
    runs = spent(*[100] * 9)
    assert known(1, runs).cost_usd is not None
    assert known(1, [*runs, *spent(100, model="gpt-5", project="q")]).cost_usd is not None
    unknown = replace(runs[0], id="u", billed_model="llama")
    assert known(1, [*runs, unknown]).cost_usd is None


@given(st.lists(st.integers(1, 10**15), min_size=LEAST, max_size=30), st.integers(1, 50))
def test_the_spread_holds_the_middle_and_stays_within_what_is_possible(
    tokens: list[int], count: int
) -> None:
    found = known(count, spent(*tokens))
    assert count * min(tokens) <= found.low <= found.tokens <= found.high
    assert found.high <= count * max(tokens) * 1.001
    assert known(count, spent(*tokens)) == found
    assert estimate_words(found)


def test_shares_need_a_window_that_is_known_well_enough() -> None:
    week = LimitCycle("default", "secondary", 10.0, 10080, None, None, 0.0, Usage(2_000_000))
    assert shares(3e6, [week], "default") == (WindowShare("secondary", 10080, 15.0),)
    assert shares(3e6, [replace(week, used_percent=1.0)], "default") == ()
    assert shares(3e6, [replace(week, usage=Usage())], "default") == ()
    assert shares(3e6, [week], "work") == ()


def test_the_words_name_the_figures_and_their_basis() -> None:
    found = SpendEstimate(20, 3.1e6, 1.9e6, 4.8e6, 43, EstimateBasis.TEMPLATE)
    assert estimate_words(found) == (
        "20 runs like these take about 3.1M tokens (1.9M to 4.8M); from 43 runs of this template"
    )
    alike = replace(found, low=3.1e6, high=3.1e6)
    assert estimate_words(alike) == (
        "20 runs like these take about 3.1M tokens; from 43 runs of this template"
    )
    week, window = WindowShare("secondary", 10080, 12.2), WindowShare("primary", 300, 0.4)
    found = replace(found, runs=1, cost_usd=4.0, shares=(week, window), basis=EstimateBasis.ALL)
    assert estimate_words(found) == (
        "A run like this takes about 3.1M tokens (1.9M to 4.8M), ~$4.00, 12% of the week,"
        " <1% of the 5h window; from 43 runs of this home"
    )


@pytest.mark.parametrize("template", ["docs", None])
async def test_ended_runs_of_a_home_are_read_in_one_query(
    paths: Paths, template: str | None
) -> None:
    async with supervising(paths) as engine:
        new = spec(template="docs")
        assert await engine.usage.estimate([new] * 3) is None
        for _ in range(LEAST):
            await engine.start(spec("usage input=9000 output=1000", template=template))
        await engine.start(spec("hang", template=template))
        failed = await played(engine, "usage input=9000 output=1000", "fail quota")
        await until(engine, lambda: len(engine.view.live) == 1)
        found = await engine.usage.estimate([new] * 3)
        basis = EstimateBasis.TEMPLATE if template else EstimateBasis.PROJECT
        assert found and (found.tokens, found.basis) == (30_000, basis)
        assert found.sample == LEAST + (template is None)
        assert found.cost_usd is None and found.shares == ()
        await engine.cancel_all(engine.view.live, kill=True)
        await settled(engine)
        assert failed.usage.input == 9000
