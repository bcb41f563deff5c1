"""A network on paper for attacks on path choice: the real guards and rules, outcomes by adversary.

No bytes flow. A `PathClient` chooses paths as the pool does and tells its guard list what came of
each circuit; an adversary decides what comes of it from what it could see in its places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from engine.directory.guards import GuardList
from engine.directory.paths import choose_middles
from engine.directory.rules import PathRules
from engine.errors import NoRoute
from engine.wire.advert import Advert
from tests.helpers.unsigned import NOW, spread

SESSION_S = 43_200.0  # two sessions a day unless a test says otherwise


@dataclass(frozen=True)
class World:
    """Relays and ghosts, and which of them work for the adversary."""

    relays: list[Advert]
    ghosts: list[Advert]
    bad: frozenset[bytes]

    @classmethod
    def with_share(cls, share: float, rng: Random, relays: int = 100, ghosts: int = 40) -> World:
        """A world in which `share` of the relays and of the ghosts are bad."""
        all_relays, all_ghosts = spread(relays), spread(ghosts, relays)
        bad = [
            *rng.sample(all_relays, round(share * relays)),
            *rng.sample(all_ghosts, round(share * ghosts)),
        ]
        return cls(all_relays, all_ghosts, frozenset(advert.node_id for advert in bad))

    def is_bad(self, advert: Advert) -> bool:
        """True for a node of the adversary."""
        return advert.node_id in self.bad


@dataclass(frozen=True)
class Path:
    """A path as chosen: guard, middles, ghost."""

    guard: Advert
    middles: tuple[Advert, ...]
    ghost: Advert


Fate = Callable[[Path], bool]
"""What the adversary makes of a circuit: True when it lets it be built."""


@dataclass
class PathClient:
    """One client's choices, with the real guard list."""

    world: World
    rng: Random
    guards: GuardList = field(default_factory=GuardList)
    rules: PathRules = field(default_factory=PathRules)
    now: float = NOW

    def choose(self, middles: int = 2) -> Path:
        """A path to a random ghost. Raises NoRoute."""
        world = self.world
        ghost = self.rng.choice(world.ghosts)
        guard = self.guards.choose(
            world.relays, [ghost], now=self.now, rng=self.rng, rules=self.rules
        )
        drawn: Sequence[Advert] = ()
        if middles:
            drawn = choose_middles(
                world.relays, [ghost, guard], middles, avoid={}, rng=self.rng, rules=self.rules
            )
        return Path(guard, tuple(drawn), ghost)

    def circuit(self, fate: Fate, middles: int = 2) -> Path | None:
        """Build one circuit and count its end; the path, or None when it failed."""
        path = self.choose(middles)
        good = fate(path)
        self.guards.succeeded(path.guard.node_id, self.now)
        self.guards.built(path.guard.node_id, good, middles + 2)
        return path if good else None

    def reach(self, answers: Callable[[Advert], bool]) -> set[bytes]:
        """Try guards until one answers or none is left to try now; who was tried."""
        tried: set[bytes] = set()
        while True:
            try:
                guard = self.guards.choose(
                    self.world.relays, [], now=self.now, rng=self.rng, rules=self.rules
                )
            except NoRoute:
                return tried
            tried.add(guard.node_id)
            if answers(guard):
                self.guards.succeeded(guard.node_id, self.now)
                return tried
            self.guards.failed(guard.node_id, self.now)
