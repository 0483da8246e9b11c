"""Budgets of runs and batches: in tokens, in money, or in percent of a rate-limit window."""

from __future__ import annotations

import re
from typing import Any

from engine.domain.open_enum import OpenEnum
from engine.domain.record import record
from engine.domain.text import printable_name

EXAMPLES = "use for example 200k or 1.5M (tokens), $5, 10% (of the week) or 10%5h"
MAX_TOKENS, MAX_USD = 10**12, 1e9


class BudgetUnit(OpenEnum):
    """The unit of a budget."""

    TOKENS = "tokens"
    USD = "usd"
    WEEK = "percent_week"
    """Percent of the weekly window of the account."""
    WINDOW = "percent_5h"
    """Percent of its short window."""


@record
class Budget:
    """The most that may be used."""

    amount: float
    unit: BudgetUnit = BudgetUnit.TOKENS

    @property
    def is_percent(self) -> bool:
        """Return whether it is a part of a rate-limit window."""
        return self.unit in (BudgetUnit.WEEK, BudgetUnit.WINDOW)

    @property
    def is_tokens(self) -> bool:
        """Return whether it is a number of tokens, which is counted exactly."""
        return self.unit is BudgetUnit.TOKENS


_NUMBER = r"(?P<number>\d{1,15}(?:\.\d{1,6})?)"
_FORMS = (
    (re.compile(rf"{_NUMBER}(?P<power>[kM]?)", re.ASCII), BudgetUnit.TOKENS),
    (re.compile(rf"(?:\$|usd)\s*{_NUMBER}", re.ASCII | re.IGNORECASE), BudgetUnit.USD),
    (re.compile(rf"{_NUMBER}\s*(?:\$|usd)", re.ASCII | re.IGNORECASE), BudgetUnit.USD),
    (re.compile(rf"{_NUMBER}\s*%\s*(?:week)?", re.ASCII), BudgetUnit.WEEK),
    (re.compile(rf"{_NUMBER}\s*%\s*(?:5h)", re.ASCII), BudgetUnit.WINDOW),
)
_POWERS = {"": 1, "k": 1000, "M": 1_000_000}
_MOST = {BudgetUnit.TOKENS: MAX_TOKENS, BudgetUnit.USD: MAX_USD}
_MOST_WORDS = {BudgetUnit.TOKENS: f"{MAX_TOKENS:,} tokens", BudgetUnit.USD: f"${MAX_USD:,.0f}"}


def read_budget(text: str) -> Budget:
    """Read a budget such as `200k`, `$5`, `5 USD`, `10%` or `10%5h`; raises ValueError."""
    for form, unit in _FORMS:
        if found := form.fullmatch(text.strip()):
            parts = found.groupdict()
            return _checked(float(parts["number"]) * _POWERS[parts.get("power") or ""], unit)
    raise ValueError(f"invalid budget: {printable_name(text[:40])!r}; {EXAMPLES}")


def _checked(amount: float, unit: BudgetUnit) -> Budget:
    if amount <= 0:
        raise ValueError(f"it must be more than nothing; {EXAMPLES}")
    if amount > _MOST.get(unit, 100):
        raise ValueError(f"it is more than {_MOST_WORDS.get(unit, '100%')}; {EXAMPLES}")
    if unit is not BudgetUnit.TOKENS:
        return Budget(amount, unit)
    if amount != int(amount):
        raise ValueError(f"a number of tokens is a whole number; {EXAMPLES}")
    return Budget(int(amount))


def written(budget: Budget) -> str:
    """Write a budget as `read_budget` reads it: `200k`, `$5`, `10%week`."""
    match budget.unit:
        case BudgetUnit.USD:
            return f"${budget.amount:.15g}"
        case BudgetUnit.WEEK:
            return f"{budget.amount:.15g}%week"
        case BudgetUnit.WINDOW:
            return f"{budget.amount:.15g}%5h"
        case _:
            return _short(int(budget.amount))


def _short(tokens: int) -> str:
    for power, letter in ((1_000_000, "M"), (1000, "k")):
        if tokens and tokens % power == 0:
            return f"{tokens // power}{letter}"
    return str(tokens)


def amount_words(amount: float, unit: BudgetUnit) -> str:
    """Write an amount in the unit of a budget: `500 tokens`, `$5.00`, `10 % of the week`."""
    match unit:
        case BudgetUnit.USD:
            return f"${amount:,.2f}" if amount >= 0.01 or not amount else f"${amount:.4f}"
        case BudgetUnit.WEEK:
            return f"{amount:.3g} % of the week"
        case BudgetUnit.WINDOW:
            return f"{amount:.3g} % of the 5 h window"
        case _:
            return f"{int(amount)} tokens"


def over_words(used: float, budget: Budget) -> str:
    """Return that more than a budget was used, in its unit."""
    if budget.is_tokens:
        return f"used {int(used)} tokens, more than its budget of {int(budget.amount)}"
    amounts = (amount_words(amount, budget.unit) for amount in (used, budget.amount))
    return "used about {}, more than its budget of {}".format(*amounts)


def budget_json(budget: Budget | None) -> dict[str, Any] | None:
    """Return a budget as a JSON object."""
    return budget and {"amount": budget.amount, "unit": budget.unit.value}
