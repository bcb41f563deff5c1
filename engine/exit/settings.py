"""The `[ghost]` table: whom the ghost asks, what it offers at which price, its caps and its policy.

Secrets never stand in the file: an upstream names a key in the encrypted store (`key`) or a file
(`key_file`). The short form for one upstream (`provider_url`, `provider_key_file`, a list of model
names with one price) goes on being read. Values only; the parts of `engine.exit` act on them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import ConfigError
from engine.exit.price_checks import check_priced
from engine.exit.prices import PriceSettings, parse_prices
from engine.exit.settings_models import ModelSettings, parse_models
from engine.exit.settings_rules import (
    CapSettings,
    PayoutSettings,
    PolicySettings,
    parse_caps,
    parse_payout,
    parse_policy,
)
from engine.exit.settings_upstreams import UpstreamSettings, foreign_hosts, parse_upstream
from engine.exit.terms import Acknowledged, check_acknowledged
from engine.settings_table import Table, check_url
from engine.wire.quote import MIN_TOKENS_PER_CHUNK

MAX_UPSTREAMS = 32


@dataclass(frozen=True)
class GhostConfig:
    """The serving side. Prices are msat per million tokens, chunk and cap are msat."""

    upstreams: tuple[UpstreamSettings, ...]
    offers: tuple[ModelSettings, ...]
    mints: tuple[str, ...]
    chunk_msat: int = 16_000
    cap_msat: int = 200_000
    prices: PriceSettings = field(default_factory=PriceSettings)
    caps: CapSettings = field(default_factory=CapSettings)
    policy: PolicySettings = field(default_factory=PolicySettings)
    payout: PayoutSettings = field(default_factory=PayoutSettings)
    listed: bool = True  # in the directory that everybody keeps; else found by its models alone
    locked_only: bool = False  # take no payment that is not locked to the key of the quote

    @property
    def models(self) -> tuple[str, ...]:
        """The names that are offered."""
        return tuple(offer.name for offer in self.offers)


def parse_ghost(table: Table, base: Path, *, test: bool = False) -> GhostConfig:
    """The settings under [ghost]. Raises ConfigError.

    On a test network nobody but its operator is served, so no provider's terms are asked for.
    """
    offers = parse_models(table)
    names = tuple(offer.name for offer in offers)
    old_url = table.take("provider_url", str, "")
    old_key = table.path("provider_key_file", base)
    found = table.tables("upstreams")
    mints = table.strings("mints")
    if not (old_url or found) or not names or not mints:
        raise ConfigError(
            "A ghost needs somebody to ask ([[ghost.upstreams]] or ghost.provider_url), "
            "ghost.models and ghost.mints.",
            hint="Run `peer2prompt ghost setup`, or set them in config.toml.",
        )
    if len(found) > MAX_UPSTREAMS:
        raise ConfigError(f"[[ghost.upstreams]] must be at most {MAX_UPSTREAMS} tables.")
    upstreams = [parse_upstream(entry, base, names) for entry in found]
    if old_url:
        url = check_url(old_url, "ghost.provider_url")
        upstreams.append(
            UpstreamSettings(url=url, key_file=old_key, models=tuple((n, n) for n in names))
        )
    _check_served(names, upstreams)
    prices = parse_prices(table.table("prices"))
    priced = prices.check(offers)
    dearest = max(price.highest_out for price in priced) * MIN_TOKENS_PER_CHUNK
    hidden = max(
        2 * offer.max_hidden * price.highest[3] for offer, price in zip(offers, priced, strict=True)
    )
    chunk = _chunk(table, max(dearest, hidden))
    config = GhostConfig(
        upstreams=tuple(upstreams),
        offers=offers,
        mints=tuple(check_url(mint, "ghost.mints") for mint in mints),
        chunk_msat=chunk,
        cap_msat=table.positive("cap_msat", max(200_000, 12 * chunk), 10**10),
        prices=prices,
        caps=parse_caps(table.table("caps"), offers),
        policy=parse_policy(table.table("policy"), base),
        payout=parse_payout(table.table("payout")),
        listed=table.take("listed", bool, True),
        locked_only=table.take("locked_only", bool, False),
    )
    said = Acknowledged.parse(table.table("terms"))
    if not test:
        check_acknowledged(said, foreign_hosts(upstreams))
        check_priced(prices, offers, upstreams)
    return config


def _check_served(names: tuple[str, ...], upstreams: list[UpstreamSettings]) -> None:
    served = {name for upstream in upstreams for name, _ in upstream.models}
    for name in names:
        if name not in served:
            raise ConfigError(f"The model {name!r} of ghost.models is served by no upstream.")


def _chunk(table: Table, least_micros: int) -> int:
    """The chunk in msat: large enough for the dearest model's smallest piece and, in its half, for
    the hidden reasoning that may be billed; in millionths of a msat."""
    least = -(-least_micros // 10**9) * 1000
    chunk = table.positive("chunk_msat", max(16_000, 2 * least), 10**9)
    if chunk % 1000:
        raise ConfigError("ghost.chunk_msat must be a multiple of 1000 (whole sat).")
    if chunk < least:
        raise ConfigError(
            f"ghost.chunk_msat is too small for the prices and max_hidden: {least} at least.",
            hint="Remove the setting, and it is chosen to fit.",
        )
    return chunk
