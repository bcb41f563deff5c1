"""The prices of a ghost: fixed, a margin over what the provider asks, or moving with the load.

    fixed    in_price and out_price of each model
    margin   provider's price in dollars x sat_per_usd x (1 + margin_percent / 100), rounded up
    demand   the price above when idle, up to rise_percent more when every place is taken

What moves with the load moves in ten steps, so that a quote says little about the ghost's traffic.
The sheet holds the highest price; a quote is never above it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.errors import ConfigError
from engine.exit.settings_models import IN_PRICE, MOST_PRICE, OUT_PRICE, ModelSettings
from engine.settings_table import Table, one_of

MODES = ("fixed", "margin", "demand")
STEPS = 10
MSAT_PER_SAT = 1000
MICRO = 1_000_000
MOST_PERCENT = 10_000


@dataclass(frozen=True)
class Price:
    """Msat per million tokens of one model, for idle and for full load."""

    name: str
    lowest: tuple[int, int, int, int]
    highest: tuple[int, int, int, int]
    """In, out, cached and reasoning."""

    @property
    def highest_out(self) -> int:
        return max(self.highest[1], self.highest[3])

    def at(self, load: float) -> tuple[int, int, int, int]:
        """In, out, cached, reasoning for a load from 0 to 1."""
        step = min(STEPS, max(0, int(load * STEPS)))
        a, b, c, d = (
            low + -(-(high - low) * step // STEPS)
            for low, high in zip(self.lowest, self.highest, strict=True)
        )
        return a, b, c, d


@dataclass(frozen=True)
class PriceSettings:
    """`[ghost.prices]`. `sat_per_usd` is the operator's own rate, said on the day `rate_on`.
    Nothing asks for a newer one; after `rate_days` the operator is told (0: never)."""

    mode: str = "fixed"
    margin_percent: int = 30
    rise_percent: int = 100
    sat_per_usd: int = 0
    rate_on: str = ""
    rate_days: int = 14

    def by_costs(self, model: ModelSettings) -> bool:
        """Whether the price of a model follows from what its provider asks."""
        own = model.in_price is not None or model.out_price is not None
        wanted = self.mode == "margin" or (self.mode == "demand" and not own)
        return wanted and model.costs is not None

    def check(self, models: Iterable[ModelSettings]) -> list[Price]:
        """The price of each model. Raises ConfigError when one cannot be told."""
        return [self.price(model) for model in models]

    def price(self, model: ModelSettings) -> Price:
        """The price of one model. Raises ConfigError."""
        lowest = self._base(model)
        rise = self.rise_percent if self.mode == "demand" else 0
        a, b, c, d = (_up(price, 100 + rise) for price in lowest)
        return Price(model.name, lowest, (a, b, c, d))

    def _base(self, model: ModelSettings) -> tuple[int, int, int, int]:
        costs = model.costs
        if costs is not None and self.by_costs(model):
            if not self.sat_per_usd:
                raise ConfigError(
                    "Prices by a margin need ghost.prices.sat_per_usd.",
                    hint="It is your own rate: how many sat a dollar is worth.",
                )
            usd = (costs.tokens_in, costs.tokens_out, costs.cached, costs.reasoning)
            tin, tout, cached, thought = (
                _up(to_msat(part, self.sat_per_usd), 100 + self.margin_percent) for part in usd
            )
            return tin, tout, min(cached, tin), min(thought, tout)
        if self.mode == "margin":
            raise ConfigError(
                f"The price of {model.name!r} is by margin, and its costs are not known.",
                hint="Give it in_usd and out_usd, dollars per million tokens.",
            )
        tin = IN_PRICE if model.in_price is None else model.in_price
        tout = OUT_PRICE if model.out_price is None else model.out_price
        cached = tin if model.cached_price is None else model.cached_price
        thought = tout if model.reasoning_price is None else model.reasoning_price
        if cached > tin or thought > tout:
            raise ConfigError(
                f"The model {model.name!r} has a cached or reasoning price above that of the whole."
            )
        return tin, tout, cached, thought


def parse_prices(table: Table) -> PriceSettings:
    """`[ghost.prices]`. Raises ConfigError."""
    usual = PriceSettings()
    found = PriceSettings(
        mode=one_of(table.take("mode", str, usual.mode), MODES, "ghost.prices.mode"),
        margin_percent=table.bounded("margin_percent", usual.margin_percent, 0, MOST_PERCENT),
        rise_percent=table.bounded("rise_percent", usual.rise_percent, 0, MOST_PERCENT),
        sat_per_usd=table.bounded("sat_per_usd", 0, 0, 10**9),
        rate_on=table.date("rate_on"),
        rate_days=table.bounded("rate_days", usual.rate_days, 0, 3_650),
    )
    table.finish()
    return found


def to_msat(micro_usd: int, sat_per_usd: int) -> int:
    """Micro-dollars as msat at a rate, rounded up."""
    return -(-micro_usd * sat_per_usd * MSAT_PER_SAT // MICRO)


def _up(price: int, percent: int) -> int:
    return min(MOST_PRICE, -(-price * percent // 100))
