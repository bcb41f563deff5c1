"""Counts of good and bad that fade: what is known of a yes-or-no quality after some tries.

The estimate is the mean of a Beta distribution whose counts halve in every half-life, so that a
past long gone weighs nothing, neither for nor against. Pure; the time is an argument.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

DAY_S = 86_400.0
MOST = 40.0
"""The most either count holds. Ten thousand good answers must not pay for a theft."""


@dataclass(frozen=True, slots=True)
class Belief:
    """What is believed before anything was seen, as counts; and how fast what was seen fades."""

    good: float
    bad: float
    half_life_s: float

    @property
    def mean(self) -> float:
        return self.good / (self.good + self.bad)


class Tally:
    """Fading counts of one quality."""

    __slots__ = ("_at", "_bad", "_good", "belief")

    def __init__(self, belief: Belief) -> None:
        self.belief = belief
        self._good = 0.0
        self._bad = 0.0
        self._at = 0.0

    def __repr__(self) -> str:
        return f"Tally(good={self._good:.2f}, bad={self._bad:.2f})"

    def add(self, good: float, bad: float, now: float) -> None:
        """Something was seen. A time before the last one counts as that one."""
        self._good, self._bad = self.counts(now)
        self._at = max(self._at, now)
        self._good = min(MOST, self._good + good)
        self._bad = min(MOST, self._bad + bad)

    def forgive(self, now: float, share: float) -> None:
        """Take `share` of the bad away."""
        self._good, self._bad = self.counts(now)
        self._at = max(self._at, now)
        self._bad *= 1 - share

    def counts(self, now: float) -> tuple[float, float]:
        """(good, bad) as they weigh now."""
        left = 0.5 ** (max(0.0, now - self._at) / self.belief.half_life_s)
        return self._good * left, self._bad * left

    def mean(self, now: float, prior: float | None = None) -> float:
        """The chance that the next time is good; `prior` replaces the mean of what is believed."""
        good, bad = self.counts(now)
        weight = self.belief.good + self.belief.bad
        first = self.belief.mean if prior is None else prior
        return (first * weight + good) / (weight + good + bad)


class FadingMean:
    """A fading mean of positive measures, taken of their logarithms: one slow answer in ten does
    not make a fast ghost slow. 0 before the first."""

    __slots__ = ("_at", "_half_life_s", "_sum", "_weight")

    def __init__(self, half_life_s: float) -> None:
        self._half_life_s = half_life_s
        self._sum = 0.0
        self._weight = 0.0
        self._at = 0.0

    def add(self, value: float, now: float) -> None:
        """Note a measure; one that is not positive is none."""
        if value <= 0:
            return
        left = 0.5 ** (max(0.0, now - self._at) / self._half_life_s)
        self._at = max(self._at, now)
        self._sum, self._weight = self._sum * left, self._weight * left
        # A past of many measures counts for nine: a change shows within a handful of answers.
        scale = min(1.0, 9.0 / self._weight) if self._weight else 1.0
        self._sum = self._sum * scale + math.log(value)
        self._weight = self._weight * scale + 1.0

    @property
    def value(self) -> float:
        return math.exp(self._sum / self._weight) if self._weight else 0.0
