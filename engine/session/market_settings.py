"""`[market]`: how ghosts are chosen, probed, and whether evidence is shared. Pure.

[market]
explore_percent = 15            new ghosts together get this share of new sessions
most_percent = 50               one ghost gets no more than this, when there are three or more
min_tier = 0
only_jurisdictions = ["CH"]     avoid_jurisdictions = ["US"]
avoid_moderation = ["provider"]
probe_sat_per_day = 0           hidden test questions; 0 is off
share_evidence = false
[market.weights]                price, reliability, speed, quality, load, steadiness: 0 to 10
[market.tiers]                  "gpt-5*" = 5, "*-mini" = 2: the first pattern that fits
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.errors import ConfigError
from engine.session.preferences import MAX_TIER, Preferences, parse_tiers, parse_weights
from engine.wire.policy import MODERATIONS, is_place

MAX_PROBE_SAT = 100_000


@dataclass(frozen=True, slots=True)
class MarketSettings:
    """See the module."""

    wishes: Preferences = field(default_factory=Preferences)
    probe_sat_per_day: int = 0
    share_evidence: bool = False


def parse_market(
    numbers: Mapping[str, int],
    lists: Mapping[str, tuple[str, ...]],
    weights: Mapping[str, object],
    tiers: Mapping[str, object],
    *,
    share_evidence: bool,
) -> MarketSettings:
    """The settings in values that were read. Raises ConfigError."""
    for name in ("only_jurisdictions", "avoid_jurisdictions"):
        for place in lists[name]:
            if not is_place(place):
                raise ConfigError(
                    f"The setting market.{name} names {place!r}, which is no ISO 3166 code.",
                    hint='Write "CH" for a country, "US-CA" for a part of one.',
                )
    if unknown := set(lists["avoid_moderation"]) - set(MODERATIONS):
        raise ConfigError(
            f"The setting market.avoid_moderation names {sorted(unknown)[0]!r}.",
            hint=f"Use some of: {', '.join(MODERATIONS)}.",
        )
    wishes = Preferences(
        weights=parse_weights(weights),
        tiers=parse_tiers(tiers),
        min_tier=numbers["min_tier"],
        only_places=lists["only_jurisdictions"],
        avoid_places=lists["avoid_jurisdictions"],
        avoid_moderation=lists["avoid_moderation"],
        explore=numbers["explore_percent"] / 100,
        most=numbers["most_percent"] / 100,
    )
    return MarketSettings(wishes, numbers["probe_sat_per_day"], share_evidence)


BOUNDS = {
    "explore_percent": (15, 0, 50),
    "most_percent": (50, 10, 100),
    "min_tier": (0, 0, MAX_TIER),
    "probe_sat_per_day": (0, 0, MAX_PROBE_SAT),
}
"""name: (usual, least, most)."""
LISTS = ("only_jurisdictions", "avoid_jurisdictions", "avoid_moderation")
