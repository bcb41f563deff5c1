"""A provider's own list of its models: their names and, where it says so, what it asks for them.

OpenRouter, and gateways that follow it, put a price in dollars per token beside each name. A price
that holds more than tokens (a sum for each request) cannot be metered here and counts as untold.
Sources: OpenAI API reference, "List models"; OpenRouter API reference, "List available models".
Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Protocol, runtime_checkable

from engine.exit.backends.faults import provider_error
from engine.exit.backends.reading import items, mapping, word

MAX_MODELS = 10_000
MOST_DIGITS = 32
MICRO_PER_MILLION = Decimal(10**12)
"""Dollars a token in micro-dollars a million tokens."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a provider asks, in micro-dollars per million tokens."""

    tokens_in: int
    tokens_out: int
    cached: int


@dataclass(frozen=True, slots=True)
class Listing:
    """The models that a provider names, and the prices of those it prices."""

    names: tuple[str, ...]
    prices: Mapping[str, Asked] = field(default_factory=dict)


@runtime_checkable
class Lister(Protocol):
    """A backend whose provider may tell prices."""

    async def listing(self) -> Listing: ...


def read_listing(found: Mapping[str, object], key: str = "data", name: str = "id") -> Listing:
    """The models in a document; ProviderError when there is no such list."""
    if not isinstance(found.get(key), list):
        raise provider_error("protocol")
    named = [(word(item.get(name)), item) for item in items(found[key])]
    named = [(model, item) for model, item in named if model][:MAX_MODELS]
    asked = {model: _asked(mapping(item.get("pricing"))) for model, item in named}
    prices = {model: price for model, price in asked.items() if price is not None}
    return Listing(tuple(model for model, _ in named), prices)


def usd_text(micro_usd: int) -> str:
    """Micro-dollars as dollars, exactly, as settings take them."""
    return format(Decimal(micro_usd).scaleb(-6).normalize(), "f")


def _asked(pricing: Mapping[str, object]) -> Asked | None:
    tokens_in, tokens_out = _price(pricing.get("prompt")), _price(pricing.get("completion"))
    if tokens_in is None or tokens_out is None or _price(pricing.get("request", "0")) != 0:
        return None
    cached = _price(pricing.get("input_cache_read"))
    thoughts = _price(pricing.get("internal_reasoning")) or 0
    return Asked(
        tokens_in,
        max(tokens_out, thoughts),
        tokens_in if cached is None else min(cached, tokens_in),
    )


def _price(said: object) -> int | None:
    """A price as it is written, rounded up; None for what is none (OpenRouter says -1 for a model
    that is another one each time)."""
    if not isinstance(said, str) or len(said) > MOST_DIGITS:
        return None
    try:
        amount = Decimal(said)
    except InvalidOperation:
        return None
    if not amount.is_finite() or not 0 <= amount <= 1:
        return None
    return int((amount * MICRO_PER_MILLION).to_integral_value(ROUND_CEILING))
