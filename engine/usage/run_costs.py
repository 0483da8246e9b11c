"""The estimated cost of runs at the prices of their models."""

from __future__ import annotations

from engine.domain.cost import has_price
from engine.domain.model import Run, Usage
from engine.usage.prices import PriceList


class RunCosts:
    """Service for the costs of runs."""

    def __init__(self, prices: PriceList) -> None:
        self._prices = prices

    async def load(self) -> None:
        """Load the prices in a thread."""
        await self._prices.load()

    def of_run(self, run: Run) -> float | None:
        """Estimate the cost of a run in USD so far; the first price of all takes its time.

        None where it has used nothing, no price of its models is known, or its agent is simulated.
        """
        return cost_of(self._prices, run) if has_price(run) else None

    def known(self, run: Run) -> float | None:
        """Return the cost of a run without a wait: None until `load` is done."""
        return self.of_run(run) if self._prices.is_loaded else None


def cost_of(prices: PriceList, run: Run) -> float | None:
    """Return the sum of the costs of a run's models in USD; None where none of them has a price."""
    known = [
        usd for model, used in parts_of(run) if (usd := prices.cost_usd(model, used)) is not None
    ]
    return sum(known) if known else None


def parts_of(run: Run) -> list[tuple[str, Usage]]:
    """Return the usage of a run by model; what no event names a model for is its own model's."""
    named = sum((used for _, used in run.usage_by_model), Usage())
    if named.input > run.usage.input or named.output > run.usage.output:  # it was counted again
        return [(model_of(run), run.usage)]
    rest = run.usage - named
    has_rest = rest.input or rest.output
    return [*run.usage_by_model, *([(model_of(run), rest)] if has_rest else [])]


def model_of(run: Run) -> str:
    """Return the model that a run uses, as far as it is known."""
    return run.model or run.spec.model or ""
