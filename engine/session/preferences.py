"""What a user wants of the ghost that answers: needs that must be met, and weights for the rest.

Needs exclude; weights only order. The user's own table of quality tiers says what a model is worth
to this user; nothing a ghost says about itself moves it. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from engine.errors import ConfigError

MAX_WEIGHT = 10
MAX_TIER = 5
USUAL_TIER = 3
"""Of a model that the user's table does not name."""
BIASES = ("price", "speed", "quality", "reliability")
BIASED = 8.0


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each thing counts against the others; only their ratios matter."""

    price: float = 3.0
    reliability: float = 3.0
    speed: float = 2.0
    quality: float = 2.0
    load: float = 1.0
    steadiness: float = 1.0

    def items(self) -> list[tuple[str, float]]:
        """By name."""
        return [(name, getattr(self, name)) for name in self.__slots__]


@dataclass(frozen=True, slots=True)
class Preferences:
    """What is wanted for one session."""

    model: str | None = None
    features: frozenset[str] = frozenset()
    context: int = 0
    """Tokens that the model's context must hold at least; 0 asks for nothing."""
    ghost: str = ""
    """The hex of a ghost's NodeID, or its beginning: nobody else, quarantine or not."""
    avoid: frozenset[bytes] = frozenset()
    """NodeIDs of ghosts that are not to be asked now."""
    weights: Weights = field(default_factory=Weights)
    tiers: tuple[tuple[str, int], ...] = ()
    """(pattern of a model's name, tier from 1 to 5); the first that fits counts."""
    min_tier: int = 0
    only_places: tuple[str, ...] = ()
    avoid_places: tuple[str, ...] = ()
    avoid_moderation: tuple[str, ...] = ()
    """Ways of reading questions before they are answered that the user does not want."""
    mints: frozenset[str] = frozenset()
    """Mints whose ecash is at hand; empty when the wallet is."""
    explore: float = 0.15
    """The share of new sessions that all newcomers together get."""
    most: float = 0.5
    """The share of new sessions that one ghost gets at most when there are three or more."""

    def names(self, model: str) -> bool:
        """Whether the user's table has a tier for a model."""
        return any(fnmatchcase(model, name) for name, _ in self.tiers)

    def tier(self, model: str) -> int:
        """The user's tier of a model."""
        return next((tier for name, tier in self.tiers if fnmatchcase(model, name)), USUAL_TIER)

    def biased(self, bias: str) -> Preferences:
        """The same with one thing above all others ("": as it is). Raises ConfigError."""
        if not bias:
            return self
        if bias not in BIASES:
            raise ConfigError(
                f"There is no preference {bias!r}.", hint=f"Prefer one of: {', '.join(BIASES)}."
            )
        return replace(self, weights=replace(self.weights, **{bias: BIASED}))


def in_place(place: str, wanted: tuple[str, ...]) -> bool:
    """Whether a jurisdiction is one of `wanted`: "US" stands for all of its parts."""
    return any(place == one or place.startswith(f"{one}-") for one in wanted)


def parse_tiers(table: Mapping[str, object]) -> tuple[tuple[str, int], ...]:
    """`[market.tiers]`, in the order of the file. Raises ConfigError."""
    for name, tier in table.items():
        if type(tier) is not int or not 1 <= tier <= MAX_TIER:
            raise ConfigError(
                f"The tier of {name!r} under [market.tiers] must be from 1 to {MAX_TIER}."
            )
    return tuple((name, tier) for name, tier in table.items() if isinstance(tier, int))


def parse_weights(table: Mapping[str, object]) -> Weights:
    """`[market.weights]`: whole numbers from 0 to 10. Raises ConfigError."""
    names = Weights.__slots__
    if unknown := sorted(set(table) - set(names)):
        raise ConfigError(
            f"There is no weight {unknown[0]!r} under [market.weights].",
            hint=f"Weights are: {', '.join(names)}.",
        )
    for name, weight in table.items():
        if type(weight) is not int or not 0 <= weight <= MAX_WEIGHT:
            raise ConfigError(f"The weight of {name} must be from 0 to {MAX_WEIGHT}.")
    found = Weights(**{name: float(str(weight)) for name, weight in table.items()})
    if not any(weight for _, weight in found.items()):
        raise ConfigError("At least one weight under [market.weights] must be above 0.")
    return found
