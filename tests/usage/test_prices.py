"""Prices of models and the cost of tokens: to the cent, offline, for any name."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import genai_prices
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.settings import ModelPrice
from engine.domain.model import Usage
from engine.domain.numeric import MAX_COUNT
from engine.usage.prices import MOST_NAMES, PriceList

OWN = {"gpt-5.5": ModelPrice(1.25, 10, 0.125), "House-Model": ModelPrice(2, 8)}
LISTED = PriceList({})


def test_cost_counts_fresh_cached_and_output_once() -> None:
    # 600,000 fresh × 1.25 + 400,000 cached × 0.125 + 50,000 out × 10, per million.
    usage = Usage(1_000_000, 400_000, 50_000, reasoning=30_000, requests=7)
    assert PriceList(OWN).cost_usd("gpt-5.5", usage) == pytest.approx(1.30, abs=1e-12)


def test_cached_input_without_a_price_costs_as_much_as_other() -> None:
    usage = Usage(1_000_000, 400_000, 250_000)
    assert PriceList(OWN).cost_usd("house-model", usage) == pytest.approx(4.00, abs=1e-12)


def test_more_cached_than_input_is_never_negative() -> None:
    assert PriceList(OWN).cost_usd("gpt-5.5", Usage(100, 900, 0)) == pytest.approx(0.0000125)


@pytest.mark.parametrize(
    "name", ["gpt-5.5", " GPT-5.5\n", "openai/gpt-5.5", "gpt-5.5-2026-04-23", "gpt-5.5-20990101"]
)
def test_own_prices_win_however_the_model_is_named(name: str) -> None:
    assert PriceList(OWN).price(name) == OWN["gpt-5.5"]


def test_own_prices_need_no_list() -> None:
    prices = PriceList(OWN)
    assert prices.cost_usd("gpt-5.5", Usage(8, 0, 0)) == pytest.approx(0.00001)
    assert not prices.is_loaded


@pytest.mark.parametrize(
    "model",
    ["gpt-5", "gpt-5-codex", "gpt-5.1-codex-max", "gpt-5.2", "gpt-5.5", "codex-mini-latest", "o3"],
)
def test_list_prices_are_those_of_the_library(model: str) -> None:
    usage = Usage(200_000, 50_000, 10_000)  # below every tier of a long context
    theirs = genai_prices.calc_price(
        genai_prices.Usage(input_tokens=200_000, cache_read_tokens=50_000, output_tokens=10_000),
        model,
        provider_id="openai",
        genai_request_timestamp=datetime.now(UTC),
    )
    assert LISTED.cost_usd(model, usage) == pytest.approx(float(theirs.total_price), abs=1e-9)


def test_many_requests_do_not_reach_the_tier_of_a_long_one() -> None:
    once, twice = (LISTED.cost_usd("gpt-5.5", Usage(n, 0, 0)) for n in (200_000, 400_000))
    assert once is not None
    assert twice == pytest.approx(2 * once)


def test_dates_that_the_list_lacks_are_ignored() -> None:
    for date in ("2099-01-31", "20990131"):
        assert LISTED.price(f"gpt-5.5-{date}") == LISTED.price("gpt-5.5") is not None


def test_other_providers_count_only_where_they_are_named() -> None:
    assert LISTED.price("claude-opus-4-5") is None
    assert LISTED.price("anthropic/claude-opus-4-5") is not None
    assert LISTED.price("openrouter/openai/gpt-5") is not None
    assert LISTED.price("azure/gpt-5") == LISTED.price("gpt-5")


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "/", "//", "openai/", "/gpt-5", "my-proxy/gpt-5", "gpt-99", "gpt-oss:20b"),
        *("gpt-5\x1b[31m", "\0", "\ud800", "g" * 10**6, "gpt-5/" * 10**4, f"o3{' ' * 10**5}x"),
    ],
)
def test_unknown_and_hostile_names_have_no_price(name: str) -> None:
    assert LISTED.cost_usd(name, Usage(10, 5, 1)) is None


@given(st.text(max_size=300), st.integers(0, MAX_COUNT), st.integers(0, MAX_COUNT))
def test_no_name_and_no_count_raises(name: str, input_tokens: int, cached: int) -> None:
    cost = LISTED.cost_usd(name, Usage(input_tokens, cached, input_tokens))
    assert cost is None or cost >= 0


def test_a_flood_of_names_is_not_remembered() -> None:
    prices = PriceList(OWN)
    for number in range(3 * MOST_NAMES):
        prices.price(f"proxy/{number}")
    assert len(prices._found) <= MOST_NAMES


def test_a_damaged_list_costs_only_the_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices.data", None)  # an import raises ImportError
    prices = PriceList(OWN)
    assert prices.price("gpt-5") is None
    assert prices.price("gpt-5.5") == OWN["gpt-5.5"]


OFFLINE = """
import sys, threading

def refuse(event, _):
    if event.startswith("socket."):
        raise AssertionError(event)

sys.addaudithook(refuse)
from engine.domain.model import Usage
from engine.usage.prices import PriceList
before = {name.split(".")[0] for name in sys.modules}
assert not before & {"pydantic", "pydantic_core", "genai_prices", "httpx2"}, before
assert PriceList({}).cost_usd("gpt-5.5", Usage(1000, 0, 0))
assert threading.active_count() == 1, threading.enumerate()
from genai_prices import data_snapshot
assert data_snapshot._custom_snapshot is None
"""


def test_prices_are_imported_late_and_never_fetched() -> None:
    done = subprocess.run([sys.executable, "-c", OFFLINE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_exact_decimals_survive_the_sum() -> None:
    usage = Usage(123_456, 65_432, 7_890)
    exact = (
        Decimal(123_456 - 65_432) * Decimal("1.25")
        + Decimal(65_432) * Decimal("0.125")
        + Decimal(7_890) * Decimal(10)
    ) / 10**6
    assert PriceList(OWN).cost_usd("gpt-5.5", usage) == pytest.approx(float(exact), abs=1e-12)
