"""What an operator is told of prices that may lose money: an old rate, a price below its cost.

Prices in dollars become msat by the operator's own rate, and nothing asks anybody for a newer one:
so its age is looked at. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime

from engine.errors import ConfigError
from engine.exit.prices import PriceSettings, to_msat
from engine.exit.settings_models import Costs, ModelSettings
from engine.exit.settings_upstreams import UpstreamSettings

SAY_IT = "`peer2prompt ghost prices --sat-per-usd SAT`"


def check_priced(
    prices: PriceSettings, models: Iterable[ModelSettings], upstreams: Iterable[UpstreamSettings]
) -> None:
    """Raises ConfigError where a provider is to be paid for a model that the operator put no price
    on: the usual price fits machines of one's own, and may be below what a provider asks."""
    paid = _paid(upstreams)
    for model in models:
        said = model.in_price is not None and model.out_price is not None
        if model.name in paid and not said and not prices.by_costs(model):
            raise ConfigError(
                f"The model {model.name!r} has no price, and its provider asks one.",
                hint="Give it in_price and out_price (msat per million tokens), or in_usd and "
                'out_usd with ghost.prices.mode = "margin".',
            )


def uncounted(
    prices: PriceSettings, models: Iterable[ModelSettings], upstreams: Iterable[UpstreamSettings]
) -> list[str]:
    """The models whose provider asks something that is in no sum: what it asks is not known, or
    there is no rate to count dollars by."""
    paid = _paid(upstreams)
    return [
        model.name
        for model in models
        if (model.costs is None and model.name in paid)
        or (model.costs not in (None, Costs()) and not prices.sat_per_usd)
    ]


def _paid(upstreams: Iterable[UpstreamSettings]) -> set[str]:
    return {name for one in upstreams if not one.is_own for name, _ in one.models}


def price_warnings(
    prices: PriceSettings, models: Sequence[ModelSettings], now: float
) -> Iterator[str]:
    """What is to be told now, in whole sentences."""
    if prices.sat_per_usd and any(prices.by_costs(model) for model in models):
        yield from _age(prices, now)
    if below := [model.name for model in models if _is_below_cost(prices, model)]:
        yield (
            f"Below what the provider asks, by your rate: {', '.join(below)}. Each answer loses "
            "money: `peer2prompt ghost prices`."
        )


def _age(prices: PriceSettings, now: float) -> Iterator[str]:
    if not prices.rate_days:
        return
    rate = f"Your rate of {prices.sat_per_usd} sat a dollar makes the prices, and"
    if not prices.rate_on:
        yield f"{rate} nobody noted when it was set. Look at it and say it again: {SAY_IT}."
        return
    days = (datetime.fromtimestamp(now, UTC).date() - date.fromisoformat(prices.rate_on)).days
    if days > prices.rate_days:
        yield f"{rate} it is {days} days old. Look at it and say it again: {SAY_IT}."


def _is_below_cost(prices: PriceSettings, model: ModelSettings) -> bool:
    costs = model.costs
    if costs is None or not prices.sat_per_usd:
        return False
    asked = (costs.tokens_in, costs.tokens_out, costs.cached, costs.reasoning)
    price = prices.price(model).lowest
    return any(
        mine < to_msat(theirs, prices.sat_per_usd)
        for mine, theirs in zip(price, asked, strict=True)
    )
