"""Unit economics of a ghost: what one request earns and costs, in expectation and in draws.

Money is msat, prices and costs are msat per token. The rule of docs/economics.md is `expected`;
`Pool` holds seeded draws of the same model, for what has no closed form (ruin). No I/O.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import accumulate
from typing import Protocol


class Tail(Protocol):
    """Lengths in tokens, cut at a cap."""

    def mean_below(self, limit: float) -> float:
        """E[min(X, limit)]."""
        ...

    def sample(self, rng: random.Random) -> float: ...


@dataclass(frozen=True, slots=True)
class Lognormal:
    """The usual shape of chat answers; `cap` is the model's longest."""

    median: float
    sigma: float
    cap: float

    def mean_below(self, limit: float) -> float:
        limit, mu = min(limit, self.cap), math.log(self.median)
        z = (math.log(limit) - mu) / self.sigma
        body = math.exp(mu + self.sigma**2 / 2) * _phi(z - self.sigma)
        return body + limit * (1 - _phi(z))

    def sample(self, rng: random.Random) -> float:
        return min(self.cap, rng.lognormvariate(math.log(self.median), self.sigma))


@dataclass(frozen=True, slots=True)
class Pareto:
    """A power-law tail: below alpha = 2 the variance is whatever the cap allows."""

    least: float
    alpha: float
    cap: float

    def mean_below(self, limit: float) -> float:
        limit, a = min(limit, self.cap), self.alpha
        if limit <= self.least:
            return limit
        return self.least * float(a - (self.least / limit) ** (a - 1)) / (a - 1)

    def sample(self, rng: random.Random) -> float:
        return min(self.cap, self.least * rng.paretovariate(self.alpha))


def _phi(z: float) -> float:
    return (1 + math.erf(z / math.sqrt(2))) / 2


class Kind(StrEnum):
    """What becomes of a request."""

    SERVED = "served"
    CANCELLED = "cancelled"
    VANISHED = "vanished"
    FAILED = "failed"
    REFUSED = "refused"
    DOUBLE = "double"


@dataclass(frozen=True, slots=True)
class Abuse:
    """Shares of all requests. An abuser sends the longest prompt and asks for the longest answer
    that the ghost's policy allows."""

    cancelled: float = 0.0
    """The client cancels after the provider began and before the first word."""
    vanished: float = 0.0
    """It takes a first word, lets the ghost read one chunk ahead, and is gone."""
    failed: float = 0.0
    """The provider breaks in the middle: free for the client, billed to the ghost."""
    refused: float = 0.0
    """Moderation says no, which costs `Business.check`."""
    double: float = 0.0
    """A payment with spent coins: the mint refuses, nothing is served."""

    @property
    def served(self) -> float:
        return 1 - (self.cancelled + self.vanished + self.failed + self.refused + self.double)


@dataclass(frozen=True, slots=True)
class Business:
    """One ghost with one model. Defaults: 0.5 and 1.5 msat per token, as of a middling API at one
    sat for a tenth of a US cent."""

    tokens_in: Tail = field(default_factory=lambda: Lognormal(600, 1.0, 32_000))
    tokens_out: Tail = field(default_factory=lambda: Lognormal(250, 1.1, 4_096))
    cost_in: float = 0.5
    cost_out: float = 1.5
    margin: float = 0.2
    chunk: float = 16_000
    abuse: Abuse = field(default_factory=Abuse)
    abuse_in: float = 32_000
    abuse_out: float = 4_096
    cancel_is_free: bool = False
    """False: the accepted half of the input is billed, one chunk at most."""
    check: float = 0.0
    mint_fee: float = 0.0
    """What refunds cost at the mint, per request."""
    payout: float = 0.01
    """Share of the revenue that leaves with the payout's Lightning fees."""

    def at(self, margin: float) -> Business:
        return replace(self, margin=margin)

    def profit(self, kind: Kind, tokens_in: float, tokens_out: float, part: float) -> float:
        """msat earned by one request; `part` in 0..1 is where a failure cuts the answer."""
        up, keep = 1 + self.margin, 1 - self.payout
        cost_in, cost_out = self.cost_in * tokens_in, self.cost_out * tokens_out
        fixed = -self.mint_fee - self.check
        if kind is Kind.SERVED:
            return fixed + (cost_in + cost_out) * (up * keep - 1)
        if kind is Kind.CANCELLED:
            lost = self.cost_in * self.abuse_in
            paid = 0.0 if self.cancel_is_free else min(up * lost / 2, self.chunk)
            return fixed + keep * paid - lost
        if kind is Kind.VANISHED:
            ahead = min(self.chunk / up, self.cost_out * self.abuse_out)
            return fixed + self.cost_in * self.abuse_in * (up * keep - 1) - ahead
        if kind is Kind.FAILED:
            return fixed - cost_in - part * cost_out
        return fixed if kind is Kind.REFUSED else -self.mint_fee

    def expected(self) -> float:
        """E[profit] of one request, in closed form."""
        mean_in, mean_out = self._mean(self.tokens_in), self._mean(self.tokens_out)
        shares = (
            (Kind.SERVED, self.abuse.served),
            (Kind.CANCELLED, self.abuse.cancelled),
            (Kind.VANISHED, self.abuse.vanished),
            (Kind.FAILED, self.abuse.failed),
            (Kind.REFUSED, self.abuse.refused),
            (Kind.DOUBLE, self.abuse.double),
        )
        return sum(
            share * self.profit(kind, mean_in, mean_out, 0.5) for kind, share in shares if share
        )

    @staticmethod
    def _mean(tail: Tail) -> float:
        return tail.mean_below(math.inf)

    def break_even(self) -> float:
        """The margin at which the expected profit is zero."""
        return bisect(lambda margin: self.at(margin).expected())

    def kind(self, where: float) -> Kind:
        """The kind of a request, from a uniform draw."""
        abuse, seen = self.abuse, 0.0
        for kind in (Kind.CANCELLED, Kind.VANISHED, Kind.FAILED, Kind.REFUSED, Kind.DOUBLE):
            seen += getattr(abuse, kind.value)
            if where < seen:
                return kind
        return Kind.SERVED


def bisect(value: Callable[[float], float], low: float = -0.5, high: float = 8.0) -> float:
    """Where a function that grows with its argument crosses zero."""
    for _ in range(28):
        middle = (low + high) / 2
        if value(middle) < 0:
            low = middle
        else:
            high = middle
    return high


Draw = tuple[Kind, float, float, float]


class Pool:
    """Seeded draws of requests, the same for every margin that is tried."""

    def __init__(self, business: Business, size: int, seed: int) -> None:
        rng = random.Random(seed)
        self.business = business
        self.draws: list[Draw] = [
            (
                business.kind(rng.random()),
                business.tokens_in.sample(rng),
                business.tokens_out.sample(rng),
                rng.random(),
            )
            for _ in range(size)
        ]

    def profits(self, margin: float) -> list[float]:
        business = self.business.at(margin)
        return [business.profit(*draw) for draw in self.draws]

    def safe_margin(self, float_msat: float, ruin: float) -> float:
        """The least margin at which the chance of ever losing `float_msat` is at most `ruin`:
        Lundberg's bound exp(-R float), with R from these draws."""
        rate = math.log(1 / ruin) / float_msat
        return bisect(lambda margin: 1 - growth(self.profits(margin), rate))


def growth(profits: Sequence[float], rate: float) -> float:
    """E[exp(-rate * profit)], over the draws."""
    return sum(math.exp(min(700.0, -rate * profit)) for profit in profits) / len(profits)


def float_needed(profits: Sequence[float], ruin: float) -> float:
    """The least float whose chance of being lost is bounded by `ruin`; infinite when the expected
    profit is not positive."""
    if sum(profits) <= 0:
        return math.inf
    low, high = 1e-12, 1.0
    for _ in range(80):
        middle = math.sqrt(low * high)
        if growth(profits, middle) <= 1:
            low = middle
        else:
            high = middle
    return math.log(1 / ruin) / low


def ruined(
    profits: Sequence[float], float_msat: float, requests: int, runs: int, rng: random.Random
) -> float:
    """Share of `runs` histories of `requests` requests in which the float was lost."""
    lost = sum(min(accumulate(rng.choices(profits, k=requests))) < -float_msat for _ in range(runs))
    return lost / runs
