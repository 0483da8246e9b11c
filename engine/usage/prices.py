"""Prices of models, and the estimated cost of tokens at them.

List prices come from `genai-prices`, as its installed version holds them: nothing is fetched. It is
slow to import, so it is imported when the first price is needed.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

from engine.agents.profiles import MODEL_PROVIDERS
from engine.config.settings import ModelPrice

if TYPE_CHECKING:
    from genai_prices.types import Provider

    from engine.domain.model import Usage

PER_TOKENS = 1_000_000
LONGEST_NAME = 200
MOST_NAMES = 1000
"""Models of which the price is remembered; agents may report any number of names."""
_log = logging.getLogger(__name__)
_DATE = re.compile(r"-20\d\d-?[01]\d-?[0-3]\d$")


class PriceList:
    """The user's own prices, then the list prices; what has neither has no price."""

    def __init__(self, own: Mapping[str, ModelPrice]) -> None:
        self._own = {name.lower(): price for name, price in own.items()}
        self._found: dict[str, ModelPrice | None] = {}
        self._providers: dict[str, Provider] | None = None
        self._loading = Lock()

    @property
    def is_loaded(self) -> bool:
        """Return whether the list prices are in memory: until then, the first price is slow."""
        return self._providers is not None

    async def load(self) -> None:
        """Load the list prices in a thread."""
        if not self.is_loaded:
            await asyncio.to_thread(self._load)

    def cost_usd(self, model: str, usage: Usage) -> float | None:
        """Estimate the cost of tokens in USD; None where no price of the model is known.

        Cached input is a part of the input, reasoning a part of the output.
        """
        price = self.price(model)
        if price is None:
            return None
        cached = min(usage.cached, usage.input)
        parts = (
            (usage.input - cached) * price.input,
            cached * price.of_cached,
            usage.output * price.output,
        )
        return sum(parts) / PER_TOKENS

    def price(self, model: str) -> ModelPrice | None:
        """Return the price of a model by the name that its agent has for it; None: unknown."""
        if len(model) > LONGEST_NAME:
            return None
        if model in self._found:
            return self._found[model]
        if len(self._found) >= MOST_NAMES:
            self._found.clear()
        found = self._found[model] = self._find(model.strip().lower())
        return found

    def _find(self, name: str) -> ModelPrice | None:
        if not name or not name.isprintable():
            return None
        undated = _DATE.sub("", name)
        first, _, rest = name.partition("/")
        bare = (rest, _DATE.sub("", rest)) if first in MODEL_PROVIDERS else ()
        for one in (name, undated, *bare):
            if one in self._own:
                return self._own[one]
        if rest:
            return self._listed(first, rest)
        found = (self._listed(provider, name) for provider in MODEL_PROVIDERS)
        return next(filter(None, found), None)

    def _listed(self, name: str, model: str) -> ModelPrice | None:
        """Return the list price of a provider's model; a date that the list lacks is ignored."""
        known = self._load()
        if name not in known:
            return None
        # Some sell models of others, at the prices of those: a reseller those of the maker.
        find = partial(known[name].find_model, all_providers=list(known.values()))
        found = find(model) or find(_DATE.sub("", model))
        return _standard(found.get_prices(datetime.now(tz=UTC))) if found else None

    def _load(self) -> dict[str, Provider]:
        with self._loading:
            if self._providers is None:
                self._providers = _list_prices()
            return self._providers


def _list_prices() -> dict[str, Provider]:
    """Return the providers of the installed list by id; none where it cannot be imported."""
    try:
        from genai_prices.data import providers  # late: pydantic, and 1.5 MB of prices
    except Exception as error:  # whatever a damaged package raises: runs matter more than costs
        _log.warning("the list of prices cannot be loaded: %s", error)
        return {}
    return {one.id: one for one in providers}


def _standard(prices: Any) -> ModelPrice | None:  # noqa: ANN401  its attributes are not typed
    """Return the prices below all tiers; None where input or output has none."""
    first, second, cached = (
        getattr(price, "base", price)
        for price in (prices.input_mtok, prices.output_mtok, prices.cache_read_mtok)
    )
    if first is None or second is None:
        return None
    return ModelPrice(float(first), float(second), None if cached is None else float(cached))
