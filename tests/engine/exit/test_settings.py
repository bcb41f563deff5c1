"""[ghost] settings: old and new forms, prices, and a sentence for every mistake."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.exit.price_checks import price_warnings, uncounted
from engine.exit.prices import Price, PriceSettings
from engine.exit.settings import GhostConfig, parse_ghost
from engine.exit.settings_models import Costs, ModelSettings
from engine.exit.settings_upstreams import UpstreamSettings, foreign_hosts
from engine.exit.terms import terms_hash, terms_text
from engine.exit.terms_of import offers_of, policy_of, terms_of
from engine.settings_table import Table, parse_usd
from engine.wire.policy import GhostPolicy
from engine.wire.sheet import Sheet

LOCAL = "http://127.0.0.1:1/v1"
OLD: dict[str, Any] = {
    "provider_url": LOCAL,
    "models": ["small", "large"],
    "mints": ["http://127.0.0.1:2"],
}
NEW: dict[str, Any] = {
    "mints": ["http://127.0.0.1:2"],
    "upstreams": [
        {"kind": "openai", "url": LOCAL, "key": "main", "models": {"small": "vendor/small"}},
        {"kind": "anthropic", "url": LOCAL, "key_file": "k", "models": ["large"], "weight": 3},
    ],
    "models": [
        {"name": "small", "in_usd": "0.15", "out_usd": 0.60, "cached_usd": "0.075"},
        {"name": "large", "in_usd": 3, "out_usd": 15, "max_out": 9_000, "features": ["tools"]},
    ],
    "prices": {"mode": "margin", "margin_percent": 50, "sat_per_usd": 1_000},
    "caps": {"usd_per_day": 5, "concurrent": 3, "queue": 7},
    "policy": {"refuse": ["hate"], "moderation": "rules", "rules": "r.txt", "tools": True},
    "payout": {"address": "me@pay.example", "threshold_sat": 5_000},
}


def parse(data: dict[str, Any], **more: Any) -> GhostConfig:
    table = Table({**data, **more}, "ghost.")
    config = parse_ghost(table, Path("/base"))
    table.finish()
    return config


def test_the_old_form_is_still_read() -> None:
    config = parse(OLD, in_price=5, out_price=7, max_out=99, provider_key_file="key")
    assert config.models == ("small", "large")
    assert config.upstreams == (
        UpstreamSettings(
            url=LOCAL,
            key_file=Path("/base/key"),
            models=(("small", "small"), ("large", "large")),
        ),
    )
    offer = terms_of(config, {}).models[0]
    assert (offer.in_price, offer.out_price, offer.max_out) == (5, 7, 99)


def test_the_new_form() -> None:
    config = parse(NEW)
    first, second = config.upstreams
    assert (first.key, dict(first.models)) == ("main", {"small": "vendor/small"})
    assert (second.kind, second.weight, second.key_file) == ("anthropic", 3, Path("/base/k"))
    assert config.caps.micro_usd_per_day == 5_000_000
    assert config.policy.rules == Path("/base/r.txt")
    assert config.payout.address == "me@pay.example"
    terms = terms_of(config, {"large": {"tools", "json"}})
    small, large = terms.models
    assert small.in_price == 150_000 * 1_000 * 1_000 // 10**6 * 3 // 2
    assert small.cached_price * 2 == small.in_price
    assert large.features == ("tools",)
    assert terms.chunk_msat % 1_000 == 0
    Sheet.decode(terms.sheet().encode())


def test_the_policy_document() -> None:
    policy = policy_of(parse(NEW))
    assert policy.provider == "mixed"
    assert (policy.refused, policy.moderation, policy.tools) == (("hate",), "rules", True)
    assert GhostPolicy.decode(policy.encode()) == policy


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"mints": []}, "ghost.mints"),
    ({"upstreams": [{"url": LOCAL, "models": ["other"]}]}, "other"),
    ({"upstreams": [{"url": LOCAL, "models": ["small"]}]}, "'large'"),
    ({"upstreams": [{"kind": "magic", "url": LOCAL}]}, "kind"),
    ({"upstreams": [{"kind": "openai"}]}, "needs ghost.upstreams.url"),
    ({"upstreams": [{"kind": "llama-cpp"}]}, "model_file"),
    ({"upstreams": [{"url": LOCAL, "key": "a", "key_file": "b"}]}, "both"),
    ({"upstreams": [{"url": LOCAL, "key": "sk-ABC123"}]}, "must be a name"),
    ({"upstreams": [{"url": LOCAL, "wieght": 2}]}, "wieght"),
    ({"models": [{"name": "small"}, {"name": "small"}]}, "twice"),
    ({"models": [{"name": "small", "in_usd": 1}, {"name": "large"}]}, "both in_usd and out_usd"),
    ({"prices": {"mode": "margin"}}, "sat_per_usd"),
    ({"prices": {"mode": "auction"}}, "prices.mode"),
    ({"prices": {"mode": "fixed", "rate_on": "today"}}, "ghost.prices.rate_on"),
    ({"chunk_msat": 16_001}, "multiple"),
    ({"models": [{"name": "small", "out_price": 10**12}, {"name": "large"}],
      "prices": {}, "caps": {}, "chunk_msat": 16_000}, "too small"),
    ({"models": ["small", "large"], "prices": {}}, "costs of 'small'"),
    ({"policy": {"refuse": ["hate"]}}, "nothing finds out"),
    ({"policy": {"refuse": ["fun"], "moderation": "rules", "rules": "x"}}, "'fun'"),
    ({"policy": {"moderation": "command"}}, "ghost.policy.command"),
    ({"policy": {"moderation": "command", "command": ["judge"]}}, "absolute"),
    ({"policy": {"jurisdiction": "Mars"}}, "jurisdiction"),
    ({"payout": {"address": "nobody"}}, "payout.address"),
    ({"caps": {"usd_per_day": "much"}}, "US dollars"),
    ({"models": [{"name": "small", "features": ["magic"]}]}, "magic"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "says"), MISTAKES)
def test_mistakes_are_named(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(NEW, **change)
    assert says in caught.value.message + caught.value.hint
    assert "sk-ABC123" not in caught.value.message + caught.value.hint


def test_a_provider_that_is_not_ours_needs_its_terms_acknowledged() -> None:
    far = {**OLD, "provider_url": "https://api.openai.com/v1", "in_price": 1, "out_price": 1}
    with pytest.raises(ConfigError, match="not acknowledged"):
        parse(far)
    said = {"text": terms_hash(["api.openai.com"]), "acknowledged": "2026-11-21"}
    assert parse(far, terms=said).models
    with pytest.raises(ConfigError, match="changed"):
        parse(far, terms={**said, "text": "0" * 64})
    with pytest.raises(ConfigError, match="date"):
        parse(far, terms={**said, "acknowledged": "today"})


@pytest.mark.parametrize("mode", ["fixed", "demand"])
def test_a_provider_is_not_resold_at_a_price_that_nobody_said(mode: str) -> None:
    url = "https://api.openai.com/v1"
    terms = {"text": terms_hash(["api.openai.com"]), "acknowledged": "2026-11-21"}
    far = {**OLD, "provider_url": url, "terms": terms, "prices": {"mode": mode}}
    with pytest.raises(ConfigError, match="has no price"):
        parse(far)
    with pytest.raises(ConfigError, match="has no price"):
        parse(far, in_price=1)
    assert parse(far, in_price=1, out_price=1).models
    costs = [{"name": "small", "in_usd": 1, "out_usd": 1}]
    known = {**far, "models": costs, "prices": {"mode": mode, "sat_per_usd": 1}}
    if mode == "demand":
        assert parse(known).models
    else:
        with pytest.raises(ConfigError, match="has no price"):
            parse(known)


@pytest.mark.parametrize(
    ("prices", "days_later", "says"),
    [
        ({"rate_on": "2026-11-21"}, 14, ""),
        ({"rate_on": "2026-11-21"}, 15, "15 days old"),
        ({"rate_on": date(2026, 11, 21)}, 90, "90 days old"),
        ({"rate_on": "2026-11-21", "rate_days": 0}, 999, ""),
        ({"rate_on": "2026-11-21"}, -3, ""),
        ({}, 0, "nobody noted"),
    ],
)
def test_an_old_rate_is_told(prices: dict[str, Any], days_later: int, says: str) -> None:
    config = parse(NEW, prices={"mode": "margin", "sat_per_usd": 1_000, **prices})
    now = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp() + 86_400 * days_later
    told = list(price_warnings(config.prices, config.offers, now))
    assert len(told) == bool(says)
    assert all(says in text for text in told)
    assert not list(price_warnings(parse(OLD).prices, parse(OLD).offers, now))


def test_a_price_below_what_the_provider_asks_is_told() -> None:
    models = [{"name": "small", "in_usd": 1, "out_usd": 4, "in_price": 10**6, "out_price": 10**6}]
    data = {**OLD, "models": models, "prices": {"sat_per_usd": 1_000}}
    (told,) = price_warnings(parse(data).prices, parse(data).offers, 0)
    assert "small" in told
    models[0]["out_price"] = 4 * 10**6
    assert not list(price_warnings(parse(data).prices, parse(data).offers, 0))


@pytest.mark.parametrize(
    ("far", "model", "rate", "counted"),
    [
        (True, {"in_price": 1, "out_price": 1}, 1_000, False),
        (True, {"in_price": 1, "out_price": 1, "in_usd": 1, "out_usd": 1}, 0, False),
        (True, {"in_price": 1, "out_price": 1, "in_usd": 1, "out_usd": 1}, 1_000, True),
        (True, {"in_price": 1, "out_price": 1, "in_usd": 0, "out_usd": 0}, 0, True),
        (False, {}, 0, True),
        (False, {"in_usd": 1, "out_usd": 1}, 0, False),
    ],
)
def test_costs_that_are_in_no_sum_are_named(
    far: bool, model: dict[str, Any], rate: int, counted: bool
) -> None:
    url = "https://llm.example/v1" if far else LOCAL
    terms = {"text": terms_hash(["llm.example"]), "acknowledged": "2026-11-21"} if far else {}
    data = {**OLD, "provider_url": url, "models": [{"name": "small", **model}], "terms": terms}
    config = parse(data, prices={"sat_per_usd": rate})
    found = uncounted(config.prices, config.offers, config.upstreams)
    assert found == ([] if counted else ["small"])


def test_the_terms_name_whose_they_are() -> None:
    text = terms_text(["api.openai.com", "api.anthropic.com", "llm.example"])
    assert all(name in text for name in ("OpenAI", "Anthropic", "llm.example"))
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://localhost:8000/v1", True),
        ("http://10.1.2.3/v1", True),
        ("http://[::1]/v1", True),
        ("http://gpu/v1", True),
        ("https://api.openai.com/v1", False),
        ("http://8.8.8.8/v1", False),
    ],
)
def test_own_machines(url: str, own: bool) -> None:
    assert UpstreamSettings(url=url).is_own is own
    assert bool(foreign_hosts([UpstreamSettings(url=url)])) is not own


@pytest.mark.parametrize(("said", "micro"), [("0.15", 150_000), (2, 2_000_000), (0.1, 100_000)])
def test_dollars_are_exact(said: object, micro: int) -> None:
    assert parse_usd(said, "x") == micro


@pytest.mark.parametrize("said", ["-1", "nan", "0.0000001", True, "1e99", None])
def test_what_is_no_amount(said: object) -> None:
    with pytest.raises(ConfigError):
        parse_usd(said, "x")


PRICES = st.integers(0, 10**11)


@given(PRICES, PRICES, st.floats(0, 1), st.integers(0, 300))
def test_a_moving_price_stays_between_its_ends(tin: int, tout: int, load: float, rise: int) -> None:
    model = ModelSettings("m", tin, tout)
    price = PriceSettings("demand", rise_percent=rise).price(model)
    assert price.at(0) == price.lowest == (tin, tout, tin, tout)
    assert price.at(1) == price.highest
    assert all(
        low <= now <= high
        for low, now, high in zip(price.lowest, price.at(load), price.highest, strict=True)
    )
    assert price.at(load)[0] <= price.at(min(1, load + 0.1))[0]


def test_a_margin_is_on_the_providers_price() -> None:
    model = ModelSettings("m", costs=Costs(150_000, 600_000, 75_000, 600_000))
    price = PriceSettings("margin", margin_percent=20, sat_per_usd=1_500).price(model)
    assert price == Price("m", (270_000, 1_080_000, 135_000, 1_080_000), price.lowest)


def test_a_quote_is_never_dearer_than_the_sheet() -> None:
    config = parse(NEW, prices={"mode": "demand", "sat_per_usd": 1_000, "rise_percent": 80})
    sheet = terms_of(config, {}).models
    for load in (0.0, 0.3, 1.0):
        for offer, listed in zip(offers_of(config, {}, load=load), sheet, strict=True):
            assert listed.allows(offer)


def test_half_a_chunk_holds_the_hidden_reasoning_that_may_be_billed() -> None:
    found = parse({**OLD, "max_hidden": 2_000, "out_price": 50_000_000})
    assert found.chunk_msat == 400_000  # twice what is needed, as for the smallest piece
    assert Sheet.decode(terms_of(found, {}).sheet().encode()).models[0].max_hidden == 2_000
    with pytest.raises(ConfigError, match="max_hidden"):
        parse({**OLD, "max_hidden": 2_000, "out_price": 50_000_000, "chunk_msat": 199_000})


def test_a_ghost_may_ask_for_locked_payments_only() -> None:
    assert not terms_of(parse(OLD), {}).locked_only
    assert terms_of(parse({**OLD, "locked_only": True}), {}).locked_only
