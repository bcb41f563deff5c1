"""What this client thinks of each ghost, from what it saw itself: fading, in separate dimensions.

    reliability   a question is answered                    per ghost, and per model within it
    honesty       bills, receipts and probes hold           per ghost
    quality       known answers come out right              per model
    steadiness    its price today is its price tomorrow     per ghost
    load          it has room when asked                    per ghost
    speed         time to the first word, words a second    per model

Each is a Beta estimate whose counts halve in a half-life of its own; a model's reliability starts
from its ghost's. A ghost nobody has tried has the prior and is a newcomer: how much newcomers get
is bounded where ghosts are chosen (`engine.session.choice`), which is what a flood of fresh names
runs into. What others tell counts for at most two small doubts. Docs: docs/reputation.md. Pure;
times are arguments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from engine.market.observations import Observation, Seen
from engine.market.quarantine import WRONG, Ban, Conduct
from engine.market.tally import DAY_S, Belief, FadingMean, Tally

RELIABILITY = Belief(3.0, 1.0, 14 * DAY_S)
HONESTY = Belief(4.0, 1.0, 60 * DAY_S)
QUALITY = Belief(3.0, 1.0, 60 * DAY_S)
STEADINESS = Belief(3.0, 1.0, 30 * DAY_S)
LOAD = Belief(3.0, 1.0, 0.25 * DAY_S)
SPEED_HALF_LIFE_S = 7 * DAY_S
EXPERIENCE = Belief(0.0, 1.0, 60 * DAY_S)
KNOWN_AFTER = 5.0
"""Answers, as they weigh now, after which a ghost is a newcomer no longer."""
USUAL_TTFT_MS = 2_000.0
"""A ghost as fast as this has a speed of one half."""
STEADY = 1.05
"""A price that rises by less is the same price."""
WRONG_BELOW, WRONG_AFTER = 0.35, 3.0
TOLD_COUNTS = 2.0
FORGIVEN = 0.5
MAX_GHOSTS = 4_096
MAX_MODELS = 256

_WEIGHTS: dict[Seen, tuple[tuple[str, float, float], ...]] = {
    Seen.ANSWERED: (("reliability", 1, 0), ("honesty", 0.25, 0), ("load", 1, 0)),
    Seen.FAILED: (("reliability", 0, 1),),
    Seen.CUT: (("reliability", 0, 0.75),),
    Seen.UNREACHABLE: (("reliability", 0, 0.25),),
    Seen.BUSY: (("load", 0, 1),),
    Seen.REFUSED: (),
    Seen.OVERBILLED: (("honesty", 0, 8),),
    Seen.CHEATED: (("honesty", 0, 8),),
    Seen.CANARY: (("honesty", 0, 8),),
    Seen.KEPT: (("honesty", 0, 4),),
    Seen.DEARER: (("steadiness", 0, 2), ("honesty", 0, 0.5)),
    Seen.PROBE_RIGHT: (("honesty", 0.5, 0), ("quality", 1, 0)),
    Seen.PROBE_WRONG: (("honesty", 0, 0.5), ("quality", 0, 1)),
}


@dataclass(frozen=True, slots=True)
class Score:
    """What is thought of one ghost for one model; parts and value from 0 to 1."""

    value: float
    reliability: float
    honesty: float
    quality: float
    steadiness: float
    load: float
    speed: float
    ttft_ms: float
    """0 when it was never measured."""
    rate: float
    answered: float
    """Answers and failures behind it, as they weigh now."""
    failed: float
    newcomer: bool
    ban: Ban | None

    @property
    def reasons(self) -> tuple[str, ...]:
        """In phrases for people."""
        return tuple(_phrases(self))


class _Model:
    """One model of one ghost."""

    __slots__ = ("price", "quality", "rate", "reliability", "ttft_ms")

    def __init__(self) -> None:
        self.price = 0
        self.reliability = Tally(RELIABILITY)
        self.quality = Tally(QUALITY)
        self.ttft_ms = FadingMean(SPEED_HALF_LIFE_S)
        self.rate = FadingMean(SPEED_HALF_LIFE_S)


class _Ghost:
    """Everything thought of one ghost."""

    def __init__(self) -> None:
        self.all = {
            "reliability": Tally(RELIABILITY),
            "honesty": Tally(HONESTY),
            "quality": Tally(QUALITY),
            "steadiness": Tally(STEADINESS),
            "load": Tally(LOAD),
        }
        self.experience = Tally(EXPERIENCE)
        self.told = 0.0
        self.models: dict[str, _Model] = {}
        self.conduct = Conduct()
        self.last = 0.0

    def model(self, name: str) -> _Model:
        found = self.models.get(name)
        if found is None:
            if len(self.models) >= MAX_MODELS:
                self.models.pop(next(iter(self.models)))
            found = self.models[name] = _Model()
        return found


class Reputation:
    """The opinions of one client."""

    def __init__(self) -> None:
        self._ghosts: dict[bytes, _Ghost] = {}
        self._trusted: set[bytes] = set()
        self._banned: dict[bytes, Ban] = {}

    def __repr__(self) -> str:
        return f"Reputation(ghosts={len(self._ghosts)})"

    def note(self, ghost: bytes, observation: Observation, now: float | None = None) -> None:
        """Something was seen of a ghost; `now` where the exact time is known, else its hour."""
        at = float(observation.at) if now is None else now
        about = self._about(ghost)
        self._come_back(about, at)
        about.last = max(about.last, at)
        seen = observation.seen
        model = about.model(observation.model) if observation.model else None
        for name, good, bad in _WEIGHTS.get(seen, ()):
            about.all[name].add(good, bad, at)
            if model is not None and name == "reliability":
                model.reliability.add(good, bad, at)
            elif model is not None and name == "quality":
                model.quality.add(good, bad, at)
        if seen is Seen.ANSWERED:
            about.experience.add(1, 0, at)
            if model is not None:
                model.ttft_ms.add(observation.ttft_ms, at)
                model.rate.add(observation.rate, at)
                self._priced(about, model, observation.price, at)
        elif seen is Seen.TOLD and about.told < TOLD_COUNTS:
            about.told += 1.0
            about.all["honesty"].add(0, 1, at)
        about.conduct.note(seen, at)
        if seen is Seen.PROBE_WRONG and model is not None:
            _, wrong = model.quality.counts(at)
            if wrong >= WRONG_AFTER and model.quality.mean(at) < WRONG_BELOW:
                about.conduct.strike(WRONG, at)

    def score(self, ghost: bytes, model: str, now: float) -> Score:
        """What is thought of a ghost for a model; nothing known of it gives the prior."""
        about = self._ghosts.get(ghost)
        if about is None:
            return self._unknown(ghost, now)
        self._come_back(about, now)
        known = about.models.get(model)
        overall = about.all["reliability"].mean(now)
        reliability = overall if known is None else known.reliability.mean(now, prior=overall)
        tally = about.all["reliability"] if known is None else known.reliability
        good, bad = tally.counts(now)
        quality = about.all["quality"].mean(now)
        if known is not None:
            quality = known.quality.mean(now, prior=quality)
        ttft_ms = 0.0 if known is None else known.ttft_ms.value
        parts = {
            "reliability": reliability,
            "honesty": about.all["honesty"].mean(now),
            "quality": quality,
            "steadiness": about.all["steadiness"].mean(now),
            "load": about.all["load"].mean(now),
            "speed": USUAL_TTFT_MS / (USUAL_TTFT_MS + ttft_ms) if ttft_ms else 0.5,
        }
        experience, _ = about.experience.counts(now)
        return Score(
            value=_value(parts),
            **parts,
            ttft_ms=ttft_ms,
            rate=0.0 if known is None else known.rate.value,
            answered=good,
            failed=bad,
            newcomer=experience < KNOWN_AFTER and ghost not in self._trusted,
            ban=self.quarantined(ghost, now),
        )

    def _unknown(self, ghost: bytes, now: float) -> Score:
        newcomer = ghost not in self._trusted
        return replace(_PRIOR, newcomer=newcomer, ban=self.quarantined(ghost, now))

    def quarantined(self, ghost: bytes, now: float) -> Ban | None:
        """Why and how long a ghost is left alone; None when it is not. The user's word is last."""
        if ghost in self._banned:
            return self._banned[ghost]
        about = self._ghosts.get(ghost)
        if about is None or ghost in self._trusted:
            return None
        self._come_back(about, now)
        return about.conduct.ban

    def known(self) -> list[bytes]:
        """Every ghost that something is known of or that the user marked."""
        return list(self._ghosts | dict.fromkeys(self._banned) | dict.fromkeys(self._trusted))

    def models(self, ghost: bytes) -> list[str]:
        """The models of a ghost that something was seen of."""
        about = self._ghosts.get(ghost)
        return [] if about is None else sorted(about.models)

    def trusted(self, ghost: bytes) -> bool:
        """Whether the user said that this ghost is to be trusted."""
        return ghost in self._trusted

    def forget(self, ghost: bytes) -> None:
        """Nothing is known of this ghost any more, and no mark of the user's stays."""
        self._ghosts.pop(ghost, None)
        self._banned.pop(ghost, None)
        self._trusted.discard(ghost)

    def trust(self, ghost: bytes) -> None:
        """The user's word: never in quarantine, never a newcomer. What was seen still counts."""
        self._banned.pop(ghost, None)
        self._trusted.add(ghost)

    def ban(self, ghost: bytes, now: float) -> None:
        """The user's word: never asked unless named."""
        self._trusted.discard(ghost)
        self._banned[ghost] = Ban("you said so", now, math.inf, by_user=True)

    def _about(self, ghost: bytes) -> _Ghost:
        about = self._ghosts.get(ghost)
        if about is None:
            if len(self._ghosts) >= MAX_GHOSTS:
                oldest = min(self._ghosts, key=lambda one: self._ghosts[one].last)
                del self._ghosts[oldest]
            about = self._ghosts[ghost] = _Ghost()
        return about

    @staticmethod
    def _come_back(about: _Ghost, now: float) -> None:
        ended = about.conduct.ended(now)
        if ended is None or ended.rest:
            return
        for name in ("honesty", "quality"):
            about.all[name].forgive(ended.until, FORGIVEN)
        for model in about.models.values():
            model.quality.forgive(ended.until, FORGIVEN)
        about.experience = Tally(EXPERIENCE)

    @staticmethod
    def _priced(about: _Ghost, model: _Model, price: int, now: float) -> None:
        if model.price and price > model.price * STEADY:
            about.all["steadiness"].add(0, 1, now)
        elif model.price:
            about.all["steadiness"].add(0.25, 0, now)
        model.price = price or model.price


_PARTS = {"honesty": 3.0, "reliability": 3.0, "quality": 1.0, "speed": 1.0, "steadiness": 1.0}


def _value(parts: dict[str, float]) -> float:
    """The weighted geometric mean: one bad part is not made up for by the others."""
    total = sum(_PARTS.values())
    return math.exp(sum(weight * math.log(parts[name]) for name, weight in _PARTS.items()) / total)


_PRIORS = {
    "reliability": RELIABILITY.mean,
    "honesty": HONESTY.mean,
    "quality": QUALITY.mean,
    "steadiness": STEADINESS.mean,
    "load": LOAD.mean,
    "speed": 0.5,
}
_PRIOR = Score(
    value=_value(_PRIORS),
    **_PRIORS,
    ttft_ms=0.0,
    rate=0.0,
    answered=0.0,
    failed=0.0,
    newcomer=True,
    ban=None,
)


def _phrases(score: Score) -> list[str]:
    tried = score.answered + score.failed
    found = []
    if tried >= 0.5:
        found.append(f"answered {score.answered:.0f} of the last {tried:.0f}")
    if score.ttft_ms:
        found.append(f"first words after {score.ttft_ms / 1000:.1f} s")
    if score.honesty < HONESTY.mean - 0.05:
        found.append("its bills or answers gave cause for doubt")
    if score.quality < QUALITY.mean - 0.05:
        found.append("known answers came out wrong")
    if score.load < 0.6:
        found.append("often busy today")
    if score.steadiness < 0.6:
        found.append("its price moves")
    if score.newcomer:
        found.append("little is known of it")
    return found
