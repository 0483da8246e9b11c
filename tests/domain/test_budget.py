"""Budgets as they are typed, written, stored and shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.budget import (
    MAX_TOKENS,
    MAX_USD,
    Budget,
    BudgetUnit,
    amount_words,
    budget_json,
    over_words,
    read_budget,
    written,
)
from engine.domain.model import RunSpec
from engine.store import codec


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("50000", 50_000, BudgetUnit.TOKENS),
        ("200k", 200_000, BudgetUnit.TOKENS),
        (" 1.5M ", 1_500_000, BudgetUnit.TOKENS),
        ("$5", 5, BudgetUnit.USD),
        ("$ 0.50", 0.5, BudgetUnit.USD),
        ("5usd", 5, BudgetUnit.USD),
        ("5 USD", 5, BudgetUnit.USD),
        ("USD 5", 5, BudgetUnit.USD),
        ("5$", 5, BudgetUnit.USD),
        ("10%", 10, BudgetUnit.WEEK),
        ("10 % week", 10, BudgetUnit.WEEK),
        ("12.5%week", 12.5, BudgetUnit.WEEK),
        ("10%5h", 10, BudgetUnit.WINDOW),
        ("10% 5h", 10, BudgetUnit.WINDOW),
    ],
)
def test_a_budget_is_read_in_its_unit(text: str, amount: float, unit: BudgetUnit) -> None:
    budget = read_budget(text)
    assert (budget.amount, budget.unit) == (amount, unit)
    assert read_budget(written(budget)) == budget
    assert budget_json(budget) == {"amount": amount, "unit": unit.value}


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "-5", "$", "$0", "$-1", "0%", "101%", "1e9", "$1e3", "5 eur", "10%day", "1.5"),
        *("٣%", "9" * 20, "1.0001k", "nan", "inf", "$nan", "5h10%", "200 k", "10%%", "\x1b[31m"),
    ],
)
def test_what_is_no_budget_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="200k") as refused:
        read_budget(text)
    assert "\x1b" not in str(refused.value)


_BUDGETS = st.one_of(
    st.builds(Budget, st.integers(1, MAX_TOKENS)),
    st.builds(
        Budget, st.integers(1, int(MAX_USD * 100)).map(lambda n: n / 100), st.just(BudgetUnit.USD)
    ),
    st.builds(
        Budget,
        st.integers(1, 10_000).map(lambda n: n / 100),
        st.sampled_from([BudgetUnit.WEEK, BudgetUnit.WINDOW]),
    ),
)


@given(_BUDGETS)
def test_a_written_budget_is_read_back(budget: Budget) -> None:
    assert read_budget(written(budget)) == budget
    spec = RunSpec(prompt="p", title="t", project="p", budget=budget)
    assert codec.spec_from(codec.spec_text(spec)) == spec
    assert over_words(budget.amount * 2, budget)


def test_a_stored_number_of_tokens_is_a_budget() -> None:
    old = codec.spec_text(RunSpec(prompt="p", title="t", project="p"))
    spec = codec.spec_from(old[:-1] + ',"budget_tokens":500}')
    assert spec.budget == Budget(500)
    assert spec.budget_tokens is None


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (Budget(500), "used 512 tokens, more than its budget of 500"),
        (Budget(5, BudgetUnit.USD), "used about $512.00, more than its budget of $5.00"),
        (Budget(10, BudgetUnit.WEEK), "used about 512 % of the week, more than its budget of 10 %"),
    ],
)
def test_numbers_are_in_the_unit_that_was_asked(budget: Budget, words: str) -> None:
    assert over_words(512.0, budget).startswith(words)
    assert amount_words(0.0004, BudgetUnit.USD) == "$0.0004"
