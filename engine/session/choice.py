"""Which ghost answers, and why: needs first, then a score, then a throw among near-equals.

    score = honesty x reliability x weighted mean of (price, speed, quality, load, steadiness)
    share = softmax of the scores, with bounds that no score lifts:
              all newcomers together get `explore`, however many names they come under; more only
              as long as fewer than three good ghosts are known
              no known ghost gets more than `most` while two others are nearly as good

So a price that is too good, or ten thousand fresh names, attract a bounded share; ghosts that are
about as good get about as much, which keeps clients from herding and a ghost from seeing most of
what one client asks. What is over a bound never goes to a ghost that is clearly worse. A price
counts against the middle of all prices, not against the lowest: one bait does not make every other
ghost look dear. Pure; the clock and the dice are arguments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from statistics import median

from engine.market.meter import part_cost
from engine.market.reputation import Reputation, Score
from engine.session.preferences import MAX_TIER, Preferences, in_place
from engine.wire.policy import GhostPolicy

USUAL_IN, USUAL_OUT = 1_000, 500
"""Tokens of the question that prices are compared by."""
NO_MINT = "it takes no ecash of your mints"
SPREAD = 0.05
"""A score this much lower gets a share e times smaller."""
NEARLY = 0.75
"""Of the best score: a ghost with less is clearly worse."""
OF_ONE_KNOWN = 0.4
"""What each good ghost that is known takes from the newcomers, until they are down to `explore`."""
WHOLE_WEIGHT = 3.0
"""A weight of reliability at which it counts as it is; more or less is a power of it."""


def usual_msat(in_price: int, out_price: int) -> int:
    """What a usual question costs at these prices (msat per million tokens)."""
    return part_cost(USUAL_IN, in_price) + part_cost(USUAL_OUT, out_price)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A ghost for one of its models. Without a model nothing is known of what it offers.

    Prices are msat per million tokens."""

    ghost: bytes
    model: str = ""
    in_price: int = 0
    out_price: int = 0
    context: int = 0
    features: frozenset[str] = frozenset()
    mints: frozenset[str] = frozenset()
    policy: GhostPolicy | None = None

    @property
    def usual_msat(self) -> int:
        """What a usual question costs there."""
        return usual_msat(self.in_price, self.out_price)


@dataclass(frozen=True, slots=True)
class Choice:
    """A ghost that may answer. `share` is the chance with which it came first."""

    ghost: bytes
    candidate: Candidate
    score: float
    share: float
    why: str
    opinion: Score


@dataclass(frozen=True, slots=True)
class _Rated:
    candidate: Candidate
    opinion: Score
    score: float


def rank(
    candidates: Sequence[Candidate],
    want: Preferences,
    reputation: Reputation,
    *,
    now: float,
    rng: Random,
) -> list[Choice]:
    """The ghosts that may answer, in the order to try them; one entry a ghost."""
    fit = [one for one in candidates if misfit(one, want) == ""]
    middle = _middle(fit)
    rated = [_rate(one, want, reputation, now, middle) for one in fit]
    free = _best_of_each([one for one in rated if want.ghost or one.opinion.ban is None])
    if not free:
        free = _best_of_each([one for one in rated if one.opinion.ban and one.opinion.ban.rest])
    given = shares(free, explore=want.explore, most=want.most)
    order = sorted(range(len(free)), key=_draw(given, rng))
    among = Field.of([one.candidate for one in free])
    return [_choice(free[n], given[n], among, want) for n in order]


def misfit(candidate: Candidate, want: Preferences) -> str:
    """Why a ghost cannot be asked whatever its score; "" when it can."""
    if want.ghost and not candidate.ghost.hex().startswith(want.ghost):
        return "you named another"
    if candidate.ghost in want.avoid:
        return "it was asked just now"
    if not candidate.model:
        return "" if not (want.only_places or want.features) else "it does not say what it offers"
    if want.model is not None and candidate.model != want.model:
        return "it does not serve the model"
    if missing := want.features - candidate.features:
        return f"the model takes no {sorted(missing)[0]}"
    if candidate.context and candidate.context < want.context:
        return "its context is too short"
    if want.tier(candidate.model) < want.min_tier:
        return "the model's tier is too low"
    if want.mints and not want.mints & candidate.mints:
        return NO_MINT
    return _against_policy(candidate.policy, want)


def _against_policy(policy: GhostPolicy | None, want: Preferences) -> str:
    place = "" if policy is None else policy.jurisdiction
    if want.only_places and not in_place(place, want.only_places):
        return "its jurisdiction is none of yours" if place else "it names no jurisdiction"
    if place and in_place(place, want.avoid_places):
        return "you avoid its jurisdiction"
    if policy is not None and policy.moderation in want.avoid_moderation:
        return f"its questions are read by {policy.moderation}"
    return ""


def _rate(
    candidate: Candidate, want: Preferences, reputation: Reputation, now: float, middle: float
) -> _Rated:
    opinion = reputation.score(candidate.ghost, candidate.model, now)
    price = middle / (middle + candidate.usual_msat) if candidate.model and middle else 0.5
    tier = want.tier(candidate.model) / MAX_TIER
    parts = {
        "price": price,
        "speed": opinion.speed,
        "quality": tier * opinion.quality,
        "load": opinion.load,
        "steadiness": opinion.steadiness,
    }
    weights = {name: weight for name, weight in want.weights.items() if name in parts}
    total = sum(weights.values())
    mean = sum(weights[name] * parts[name] for name in parts) / total if total else 1.0
    answers = opinion.reliability ** (want.weights.reliability / WHOLE_WEIGHT)
    return _Rated(candidate, opinion, opinion.honesty * answers * mean)


def _middle(candidates: Sequence[Candidate]) -> float:
    priced = [one.usual_msat for one in candidates if one.model]
    return float(median(priced)) if priced else 0.0


def _best_of_each(rated: Sequence[_Rated]) -> list[_Rated]:
    best: dict[bytes, _Rated] = {}
    for one in rated:
        other = best.get(one.candidate.ghost)
        if other is None or other.score < one.score:
            best[one.candidate.ghost] = one
    return list(best.values())


def shares(rated: Sequence[_Rated], *, explore: float, most: float) -> list[float]:
    """The chance of each to be tried first."""
    new = [n for n, one in enumerate(rated) if one.opinion.newcomer]
    known = [n for n, one in enumerate(rated) if not one.opinion.newcomer]
    good = _nearly_best([rated[n].score for n in known])
    mass = 1.0 - explore if new else 1.0
    if new and explore:
        mass = min(mass, OF_ONE_KNOWN * sum(good))
    found = [0.0] * len(rated)
    parts = _capped(_softmax([rated[n].score for n in known]), good, most)
    for n, part in zip(known, parts, strict=True):
        found[n] = mass * part
    for n, part in zip(new, _softmax([rated[n].score for n in new]), strict=True):
        found[n] = (1.0 - mass if known else 1.0) * part
    return found


def _nearly_best(scores: Sequence[float]) -> list[bool]:
    best = max(scores, default=0.0)
    return [score >= NEARLY * best for score in scores]


def _softmax(scores: Sequence[float]) -> list[float]:
    if not scores:
        return []
    best = max(scores)
    weights = [math.exp((score - best) / SPREAD) for score in scores]
    total = sum(weights)
    return [weight / total for weight in weights]


def _capped(parts: list[float], good: list[bool], most: float) -> list[float]:
    """The same with nobody above `most` where three are good; what is over goes to the others of
    them by their parts."""
    if sum(good) < 3:
        return parts
    most = max(most, sum(part for part, fine in zip(parts, good, strict=True) if fine) / sum(good))
    capped: set[int] = set()
    while over := {n for n, part in enumerate(parts) if part > most + 1e-12} - capped:
        capped |= over
        taking = {n for n, fine in enumerate(good) if fine} - capped
        left = 1.0 - sum(min(parts[n], most) for n in range(len(parts)) if n not in taking)
        rest = sum(parts[n] for n in taking)
        parts = [
            most if n in capped else part * left / rest if n in taking else part
            for n, part in enumerate(parts)
        ]
    return parts


def _draw(given: Sequence[float], rng: Random) -> Callable[[int], float]:
    """Sort keys that draw without putting back, each with its share (Efraimidis, Spirakis 2006)."""
    keys = [rng.expovariate(1.0) / share if share > 0 else math.inf for share in given]
    return keys.__getitem__


# -- in words -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Field:
    """All that could be chosen, in three numbers: how many ghosts, and their prices (msat for a
    usual question; 0 for unknown)."""

    ghosts: int
    cheapest: int
    middle: float

    @classmethod
    def of(cls, candidates: Sequence[Candidate]) -> Field:
        prices = [one.usual_msat for one in candidates if one.model]
        return cls(len(candidates), min(prices, default=0), _middle(candidates))


def _choice(one: _Rated, share: float, among: Field, want: Preferences) -> Choice:
    why = explain(one.candidate, one.opinion, among, want)
    return Choice(one.candidate.ghost, one.candidate, one.score, share, why, one.opinion)


def explain(candidate: Candidate, opinion: Score, among: Field, want: Preferences) -> str:
    """Why this ghost, in one sentence."""
    words = [*_price_words(candidate, among), *opinion.reasons, *_own_words(candidate, want)]
    facts = ", ".join(words)
    told = f": {facts}." if facts else "."
    if want.ghost:
        return f"You named it{told}"
    if among.ghosts == 1:
        serves = f"serves {candidate.model}" if candidate.model else "can be asked now"
        return f"The only ghost that {serves}{told}"
    serve = f"serve {candidate.model}" if candidate.model else "can be asked"
    return f"One of {among.ghosts} that {serve}{told}"


def _own_words(candidate: Candidate, want: Preferences) -> list[str]:
    """What the question needs and the user's own table says of it, and the ghost's word on where it
    stands and who reads."""
    found = [f"takes {', '.join(sorted(want.features))}"] if want.features else []
    if candidate.model and want.names(candidate.model):
        found.append(f"tier {want.tier(candidate.model)} of {MAX_TIER} to you")
    policy = candidate.policy
    if policy is not None and policy.jurisdiction:
        found.append(f"in {policy.jurisdiction} by its own word")
    if policy is not None and policy.moderation != "none":
        found.append(f"questions are read by {policy.moderation} first")
    return found


def _price_words(candidate: Candidate, among: Field) -> list[str]:
    if not candidate.model:
        return []
    words = f"{candidate.usual_msat / 1000:.2f} sat for a usual question"
    if among.ghosts < 2:
        return [words]
    if candidate.usual_msat == among.cheapest < among.middle:
        return [f"the cheapest with {words}"]
    return [f"{words} (the middle is {among.middle / 1000:.2f})"]
