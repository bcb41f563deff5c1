"""The settings under [market]."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.config import parse_config
from engine.errors import ConfigError
from engine.session.market_settings import MarketSettings


def parse(**market: Any) -> MarketSettings:
    return parse_config(Path("/h"), {"market": market}, base=Path("/h")).market


def test_nothing_is_probed_or_shared_unless_the_user_says_so() -> None:
    usual = parse()
    assert usual == MarketSettings()
    assert (usual.probe_sat_per_day, usual.share_evidence) == (0, False)


def test_every_setting_is_read() -> None:
    found = parse(
        explore_percent=5,
        most_percent=40,
        min_tier=2,
        only_jurisdictions=["CH", "US-CA"],
        avoid_jurisdictions=["DE"],
        avoid_moderation=["provider"],
        probe_sat_per_day=20,
        share_evidence=True,
        weights={"price": 0, "speed": 10},
        tiers={"gpt-5*": 5, "*": 2},
    )
    wishes = found.wishes
    assert (wishes.explore, wishes.most, wishes.min_tier) == (0.05, 0.4, 2)
    assert (wishes.only_places, wishes.avoid_places) == (("CH", "US-CA"), ("DE",))
    assert (wishes.weights.price, wishes.weights.speed, wishes.weights.load) == (0.0, 10.0, 1.0)
    assert (wishes.tier("gpt-5-mini"), wishes.tier("other")) == (5, 2)
    assert (found.probe_sat_per_day, found.share_evidence) == (20, True)


@pytest.mark.parametrize(
    "market",
    [
        {"explore_percent": 51},
        {"most_percent": 9},
        {"min_tier": 6},
        {"only_jurisdictions": ["Switzerland"]},
        {"avoid_jurisdictions": ["ch"]},
        {"avoid_moderation": ["everybody"]},
        {"probe_sat_per_day": -1},
        {"weights": {"luck": 1}},
        {"tiers": {"a": 9}},
        {"probes": 1},
    ],
)
def test_wrong_settings_are_refused_with_a_sentence(market: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        parse(**market)
