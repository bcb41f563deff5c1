"""What a ghost offers: its models with prices, list prices of the provider and limits.

    models = ["small", "large"]            with ghost.in_price, out_price, max_out for all
    [[ghost.models]] name = "small" ...    each with values of its own

Prices are msat per million tokens. `*_usd` is what the provider asks, in dollars per million.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.errors import ConfigError
from engine.settings_table import Table
from engine.wire.quote import FEATURES

MAX_MODELS = 128
MOST_PRICE = 10**12
MOST_OUT = 1_000_000
MOST_CONTEXT = 100_000_000
MAX_NAME_BYTES = 128
IN_PRICE = 10_000_000
OUT_PRICE = 40_000_000
MAX_OUT = 2_048


@dataclass(frozen=True)
class Costs:
    """What the provider asks, in micro-dollars per million tokens."""

    tokens_in: int = 0
    tokens_out: int = 0
    cached: int = 0
    reasoning: int = 0


@dataclass(frozen=True)
class ModelSettings:
    """One offered model. A price that is None follows from the costs, if there is a margin."""

    name: str
    in_price: int | None = None
    out_price: int | None = None
    cached_price: int | None = None
    reasoning_price: int | None = None
    costs: Costs | None = None
    """None: it costs nothing that the ghost has to count (an own machine)."""
    max_out: int = MAX_OUT
    context: int = 0
    max_hidden: int = 0
    """Reasoning tokens that may be billed though their text is not delivered."""
    features: tuple[str, ...] | None = None
    """What it can do beyond text; None leaves that to the upstream's kind."""


def parse_models(table: Table) -> tuple[ModelSettings, ...]:
    """`models`, with the values for all that stand beside it. Raises ConfigError."""
    in_price = table.optional("in_price", 0, MOST_PRICE)
    out_price = table.optional("out_price", 0, MOST_PRICE)
    cached_price = table.optional("cached_price", 0, MOST_PRICE)
    reasoning_price = table.optional("reasoning_price", 0, MOST_PRICE)
    max_hidden = table.bounded("max_hidden", 0, 0, MOST_OUT)
    max_out = table.positive("max_out", MAX_OUT, MOST_OUT)
    usual = ModelSettings(
        "", in_price, out_price, cached_price, reasoning_price, None, max_out, 0, max_hidden
    )
    if table.lists_tables("models"):
        models = [_model(entry, usual) for entry in table.tables("models")]
    else:
        models = [replace(usual, name=name) for name in table.strings("models")]
    _check_names([model.name for model in models])
    return tuple(models)


def _model(table: Table, usual: ModelSettings) -> ModelSettings:
    def price(key: str, default: int | None) -> int | None:
        found = table.optional(key, 0, MOST_PRICE)
        return default if found is None else found

    model = ModelSettings(
        name=table.take("name", str, ""),
        in_price=price("in_price", usual.in_price),
        out_price=price("out_price", usual.out_price),
        cached_price=price("cached_price", usual.cached_price),
        reasoning_price=price("reasoning_price", usual.reasoning_price),
        costs=_costs(table),
        max_out=table.positive("max_out", usual.max_out, MOST_OUT),
        context=table.bounded("context", 0, 0, MOST_CONTEXT),
        max_hidden=table.bounded("max_hidden", usual.max_hidden, 0, MOST_OUT),
        features=_features(table),
    )
    table.finish()
    return model


def _features(table: Table) -> tuple[str, ...] | None:
    if not table.has("features"):
        return None
    found = tuple(sorted(set(table.strings("features"))))
    if unknown := set(found) - set(FEATURES):
        raise ConfigError(
            f"There is no feature {sorted(unknown)[0]!r} for ghost.models.",
            hint=f"Features are: {', '.join(FEATURES)}.",
        )
    return found


def _costs(table: Table) -> Costs | None:
    tokens_in, tokens_out = table.usd("in_usd"), table.usd("out_usd")
    cached, reasoning = table.usd("cached_usd"), table.usd("reasoning_usd")
    if tokens_in is None and tokens_out is None and cached is None and reasoning is None:
        return None
    if tokens_in is None or tokens_out is None:
        raise ConfigError("A model of ghost.models needs both in_usd and out_usd, or neither.")
    return Costs(
        tokens_in,
        tokens_out,
        tokens_in if cached is None else cached,
        tokens_out if reasoning is None else reasoning,
    )


def _check_names(names: list[str]) -> None:
    for name in names:
        if not name or not name.isprintable() or len(name.encode()) > MAX_NAME_BYTES:
            raise ConfigError("Each of ghost.models needs a name of 1 to 128 bytes.")
    if len(set(names)) != len(names):
        raise ConfigError("ghost.models names a model twice.")
    if len(names) > MAX_MODELS:
        raise ConfigError(f"ghost.models must be at most {MAX_MODELS}.")
