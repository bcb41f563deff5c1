"""Providers' list prices as they were on a date: a first guess, which the operator confirms."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class ListPrice:
    """Dollars per million tokens, as decimal text."""

    tokens_in: str
    tokens_out: str
    cached: str


@dataclass(frozen=True)
class PriceTable:
    date: str
    prices: dict[str, ListPrice]

    def guess(self, model: str) -> ListPrice | None:
        """The price of a model: of its own name, or of the longest listed name it begins with
        (providers add dates to names)."""
        name = model.rpartition("/")[2]
        fitting = [key for key in self.prices if name == key or name.startswith(f"{key}-")]
        return self.prices[max(fitting, key=len)] if fitting else None


def read_table() -> PriceTable:
    """The table that comes with the program."""
    text = files("engine.exit").joinpath("data/prices.toml").read_text("utf-8")
    data = tomllib.loads(text)
    prices = {
        name: ListPrice(price["in"], price["out"], price["cached"])
        for name, price in data["models"].items()
    }
    return PriceTable(data["date"], prices)
