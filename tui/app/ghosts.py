"""Ghosts as this client knows them: score, why, state, latency and price. Headless."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from tui.app.jsonish import Json, line, lines, maybe_real, record, records, whole
from tui.app.text import age, in_sat, msat, percent, plural, took


class Offer(Protocol):
    """What a ghost asks for one model, msat per million tokens."""

    @property
    def name(self) -> str: ...
    @property
    def ghost(self) -> str: ...
    @property
    def in_price(self) -> int: ...
    @property
    def out_price(self) -> int: ...


@dataclass(frozen=True, slots=True, repr=False)
class Quarantine:
    """Why a ghost is left alone; `until` in unix seconds, None: until the user says otherwise."""

    reason: str
    until: float | None
    rest: bool
    by_user: bool

    @classmethod
    def of(cls, value: object) -> Quarantine | None:
        if value is None:
            return None
        source = record(value)
        return cls(
            reason=line(source, "reason"),
            until=maybe_real(source, "until"),
            rest=source.get("rest") is True,
            by_user=source.get("by_user") is True,
        )

    def words(self, now: float) -> str:
        """`resting 5 min`, `left alone 3 d`, `left alone`."""
        name = "resting" if self.rest else "left alone"
        return name if self.until is None else f"{name} {age(self.until - now)}"


@dataclass(frozen=True, slots=True, repr=False)
class GhostLine:
    """One ghost. Parts and score from 0 to 1."""

    short_id: str
    full_id: str
    listed: bool
    score: float
    honesty: float
    reliability: float
    steadiness: float
    load: float
    newcomer: bool
    trusted: bool
    quarantine: Quarantine | None
    latency_ms: float | None
    models: tuple[Json, ...] = field(repr=False)
    seen: tuple[tuple[str, int], ...]
    evidence: tuple[str, ...]
    evidence_told: int
    words: tuple[str, ...]

    @classmethod
    def of(cls, source: Json) -> GhostLine:
        models = tuple(records(source.get("models")))
        waits = [ms for ms in (maybe_real(m, "latency_ms") for m in models) if ms is not None]
        seen = record(source.get("seen"))
        parts = ("score", "honesty", "reliability", "steadiness", "load")
        score, honesty, reliability, steadiness, load = (
            maybe_real(source, part) or 0.0 for part in parts
        )
        return cls(
            short_id=line(source, "ghost")[:8],
            full_id=line(source, "id") or line(source, "ghost"),
            listed=source.get("listed") is True,
            score=score,
            honesty=honesty,
            reliability=reliability,
            steadiness=steadiness,
            load=load,
            newcomer=source.get("newcomer") is True,
            trusted=source.get("trusted") is True,
            quarantine=Quarantine.of(source.get("quarantine")),
            latency_ms=min(waits, default=None),
            models=models,
            seen=tuple((str(name), whole(seen, name)) for name in sorted(seen)),
            evidence=tuple(lines(source, "evidence")),
            evidence_told=whole(source, "evidence_told"),
            words=tuple(lines(source, "words")),
        )

    @property
    def glyph(self) -> str:
        """The state without colour: a star is trusted, a cross left alone, hollow unknown."""
        if self.quarantine is not None:
            return "✗"
        return "★" if self.trusted else "○" if self.newcomer else "●"

    def state(self, now: float) -> str:
        if self.quarantine is not None:
            return self.quarantine.words(now)
        if not self.listed:
            return "gone"
        return "trusted" if self.trusted else "new" if self.newcomer else "known"

    @property
    def why(self) -> str:
        """What speaks for and against it, the reason of a quarantine first."""
        first = [self.quarantine.reason] if self.quarantine is not None else []
        return "; ".join(part for part in (*first, *self.words) if part)

    def facts(self, price: str, now: float) -> list[tuple[str, str]]:
        """Name and words of all that is known."""
        noted = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in self.seen)
        found = [
            ("ghost", self.full_id),
            ("state", self.state(now) + ("" if self.listed else ", not in the directory now")),
            ("score", f"{self.score:.2f} of 1: {self.why or 'nothing is known yet'}"),
            ("honesty", f"{self.honesty:.2f}: bills, receipts and prices as agreed"),
            ("reliability", f"{self.reliability:.2f}: answers that came, whole"),
            ("steady", f"{self.steadiness:.2f}: prices that stay"),
            ("room", f"{self.load:.2f}: how often it had a place"),
            ("price", price or "not known"),
            ("noted", noted or "nothing yet"),
            ("evidence", self._evidence()),
        ]
        return found + [(line(m, "model"), _model(m)) for m in self.models]

    def _evidence(self) -> str:
        own = ", ".join(kind.replace("_", " ") for kind in self.evidence) or "none of ours"
        return own + (
            f"; {plural(self.evidence_told, 'piece')} told by others" * bool(self.evidence_told)
        )


def _model(source: Json) -> str:
    waits, speed = maybe_real(source, "latency_ms"), whole(source, "tokens_per_s")
    parts = [f"first word in {took(waits)}"] if waits is not None else []
    parts += [f"{speed} tokens/s"] if speed else []
    parts.append(f"quality {percent(maybe_real(source, 'quality') or 0.0)}")
    return ", ".join(parts)


@dataclass(slots=True, eq=False, repr=False)
class GhostsView:
    """The last `ghosts` snapshot, the best first."""

    known: bool = False
    ghosts: list[GhostLine] = field(default_factory=list)
    probes: str = ""
    find: str = ""
    revision: int = 0
    _seen: object = None

    def update(self, value: object) -> None:
        source = record(value)
        if value == self._seen:
            return
        self._seen = value
        self.known = True
        self.ghosts = [GhostLine.of(item) for item in records(source.get("ghosts"))]
        self.probes = _probes(record(source.get("probes")))
        self.revision += 1


def _probes(source: Json) -> str:
    """What hidden test questions found out; empty when they are off."""
    limit = whole(source, "sat_per_day")
    if not limit:
        return ""
    spent = msat(whole(source, "spent_today_msat"))
    return (
        f"hidden tests: {whole(source, 'asked')} asked, {whole(source, 'right')} right, "
        f"{whole(source, 'wrong')} wrong; {spent} of {limit} sat today"
    )


@dataclass(frozen=True, slots=True, repr=False)
class Price:
    """A ghost's cheapest model, and how many more it offers."""

    model: str
    in_msat: int
    out_msat: int
    more: int

    @property
    def cell(self) -> str:
        """`100/300`: sat for a million tokens in and out."""
        return f"{in_sat(self.in_msat)}/{in_sat(self.out_msat)}"

    @property
    def name(self) -> str:
        return self.model + (f" +{self.more}" if self.more else "")

    @property
    def words(self) -> str:
        also = f", and {plural(self.more, 'model')} more" if self.more else ""
        return (
            f"{in_sat(self.in_msat)} sat for a million tokens in, {in_sat(self.out_msat)} out, "
            f"of {self.model}{also}"
        )


def price_of(ghost: str, offers: Iterable[Offer]) -> Price | None:
    """What the cheapest model of a ghost costs; None when it offers nothing now."""
    own = [offer for offer in offers if offer.ghost == ghost]
    cheapest = min(own, key=lambda offer: (offer.out_price, offer.in_price), default=None)
    if cheapest is None:
        return None
    return Price(cheapest.name, cheapest.in_price, cheapest.out_price, len(own) - 1)
