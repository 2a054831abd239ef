"""What an answer would have cost at list price.

The prices are a dated table in the package, in USD per million tokens; the owner's `prices:` come
first. An account with a flat rate costs what it costs: for it this is what the same tokens would
cost by the token. Amounts are whole nanodollars, so that sums of any length are exact.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final

import msgspec
from msgspec import Struct

from cliproxy.base import wildcard
from cliproxy.config.schema import Price
from cliproxy.usage.record import Tokens

NANO: Final = 1_000_000_000
_REST: Final = re.compile(
    r"[-@:](?:\d{4,8}|\d{4}-\d\d-\d\d|\d\d-\d{4}|v\d+(?::\d+)?|latest|preview(?:-[\d-]+)?|exp"
    r"|thinking|minimal|low|medium|high|xhigh|free)"
)
"""What may follow a model's name without making it another model."""


class _Bundled(Struct):
    date: str
    sources: str
    models: dict[str, Price]


@cache
def bundled() -> _Bundled:
    """Return the table of the package."""
    data = resources.files("cliproxy.data").joinpath("prices.json").read_bytes()
    return msgspec.json.decode(data, type=_Bundled)


class Prices:
    """Finds the price of a model; remembers what it found."""

    def __init__(self, own: Mapping[str, Price] | None = None) -> None:
        self._own = {name.lower(): price for name, price in (own or {}).items()}
        self._found: dict[tuple[str, str], Price | None] = {}

    def find(self, provider: str, model: str) -> Price | None:
        """Return the price of a model at a provider, None when it is not known."""
        key = (provider, model)
        if key not in self._found:
            if len(self._found) >= 4096:
                self._found.clear()
            self._found[key] = self._look(provider.lower(), model.lower())
        return self._found[key]

    def cost(self, provider: str, model: str, tokens: Tokens) -> int | None:
        """Return nanodollars, None when the price is not known."""
        price = self.find(provider, model)
        return None if price is None else cost(price, tokens)

    def _look(self, provider: str, model: str) -> Price | None:
        for name in (f"{provider}/{model}", model):
            if (found := self._own.get(name)) is not None:
                return found
        for pattern, price in self._own.items():
            if "*" in pattern and (
                wildcard.matches(pattern, model) or wildcard.matches(pattern, f"{provider}/{model}")
            ):
                return price
        if provider == "local":
            return Price()
        table = bundled().models
        # Aggregators put the vendor before the name.
        for spelling in (model, model.rpartition("/")[2]):
            name = spelling
            while name:
                if (found := table.get(name)) is not None:
                    return found
                shorter = _without_rest(name)
                if shorter == name:
                    break
                name = shorter
        return None


def _without_rest(name: str) -> str:
    for place in range(len(name) - 1, 0, -1):
        if name[place] in "-@:" and _REST.fullmatch(name, place):
            return name[:place]
    return name


def cost(price: Price, tokens: Tokens) -> int:
    """Return nanodollars."""
    if price.above and tokens.input > price.above:
        price = Price(
            input=_or(price.above_input, price.input),
            cached=_or(price.above_cached, price.cached),
            cache_write=_or(price.above_cache_write, price.cache_write),
            cache_write_1h=price.cache_write_1h,
            output=_or(price.above_output, price.output),
        )
    read = _or(price.cached, price.input)
    write = _or(price.cache_write, price.input)
    hour = _or(price.cache_write_1h, write)
    written = max(0, tokens.cache_write - tokens.cache_write_1h)
    plain = max(0, tokens.input - tokens.cached - tokens.cache_write)
    # A dollar for a million tokens is a thousand nanodollars for one.
    return round(
        1000
        * (
            plain * price.input
            + tokens.cached * read
            + written * write
            + tokens.cache_write_1h * hour
            + tokens.output * price.output
        )
    )


def _or(value: float | None, other: float | None) -> float:
    return value if value is not None else other or 0.0
