"""How long messages take between two nodes, and whether they arrive at all. Seeded, pure.

Nodes lie at random places of a square; a way there and back takes 80 ms in the median, as on the
internet between homes and data centres, and jitters. Loss stands for links that die under a
message: TCP loses nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from random import Random

_MEDIAN_DISTANCE = 0.512  # of two random points of a unit square


@dataclass(frozen=True, slots=True)
class Climate:
    """Seconds and shares."""

    rtt_median_s: float = 0.080
    access_s: float = 0.005  # of each way, wherever one is
    jitter_s: float = 0.004  # mean of an exponential
    loss: float = 0.001


class Weather:
    """Delays between named nodes, and what cuts them off from each other."""

    def __init__(self, rng: Random, climate: Climate | None = None) -> None:
        self._rng = rng
        self._climate = climate or Climate()
        self._places: dict[Hashable, tuple[float, float]] = {}
        self._sides: dict[Hashable, int] = {}
        half = self._climate.rtt_median_s / 2 - self._climate.access_s - self._climate.jitter_s
        self._per_distance = half / _MEDIAN_DISTANCE

    def delay(self, one: Hashable, other: Hashable) -> float | None:
        """Seconds until a message from one is with the other; None when it never is."""
        if self._sides.get(one) != self._sides.get(other):
            return None
        if self._rng.random() < self._climate.loss:
            return None
        distance = math.dist(self._place(one), self._place(other))
        jitter = self._rng.expovariate(1 / self._climate.jitter_s)
        return self._climate.access_s + distance * self._per_distance + jitter

    def _place(self, name: Hashable) -> tuple[float, float]:
        place = self._places.get(name)
        if place is None:
            place = self._places[name] = (self._rng.random(), self._rng.random())
        return place

    def part(self, sides: dict[Hashable, int]) -> None:
        """Nodes of different sides do not reach each other; unnamed ones are on one side."""
        self._sides = dict(sides)

    def mend(self) -> None:
        """Everyone reaches everyone."""
        self._sides = {}
