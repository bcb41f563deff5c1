"""One guard: when it was drawn, how it fares, until when it is kept. Plain state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

from engine.directory.bias import Tally, Verdict

LIFE_S = (90 * 86_400.0, 150 * 86_400.0)  # drawn for each guard: three to five months
OLD_LIFE_S = 120 * 86_400.0  # of guards saved before lifetimes were drawn
BACKOFF_S = (5.0, 30.0, 120.0, 600.0, 1_800.0)  # after the first, second, ... failure in a row


@dataclass
class Guard:
    """A sampled guard. Times are unix seconds; `node_id` is hex."""

    node_id: str
    added: float
    expires: float
    tried: float | None = None  # first connection attempt
    confirmed: float | None = None  # first circuit built through it
    unlisted_since: float | None = None
    failures: int = 0
    retry_at: float = 0.0
    circuits: int = 0
    dropped: str = ""  # the stage at which it failed too many circuits: "building" or "use"
    tallies: dict[tuple[str, int], Tally] = field(default_factory=dict)  # by stage and hops
    listed: bool = True  # in the directory now; not saved
    allowed: bool = True  # by the user's settings; not saved
    missed_at: float | None = None  # first looked for in vain by this process; not saved

    @classmethod
    def draw(cls, node_id: str, now: float, rng: Random) -> Guard:
        """A new guard with a lifetime of its own."""
        return cls(node_id, now, now + rng.uniform(*LIFE_S))

    @classmethod
    def load(cls, saved: Mapping[str, object]) -> Guard:
        """A guard as `dump` (of this or an earlier version) wrote it."""
        added, circuits = _number(saved["added"]), int(_number(saved.get("circuits", 0)))
        old = added if circuits else None  # earlier versions kept no such dates
        return cls(
            node_id=str(saved["node_id"]),
            added=added,
            expires=_number(saved.get("expires", added + OLD_LIFE_S)),
            tried=_maybe(saved.get("tried", old)),
            confirmed=_maybe(saved.get("confirmed", old)),
            unlisted_since=_maybe(saved.get("unlisted_since")),
            failures=int(_number(saved.get("failures", 0))),
            retry_at=_number(saved.get("retry_at", 0.0)),
            circuits=circuits,
            dropped=str(saved.get("dropped", "")),
            tallies=dict(_tallies(saved.get("tallies", []))),
        )

    def dump(self) -> dict[str, object]:
        """The guard as plain values."""
        return {
            "node_id": self.node_id,
            "added": self.added,
            "expires": self.expires,
            "tried": self.tried,
            "confirmed": self.confirmed,
            "unlisted_since": self.unlisted_since,
            "failures": self.failures,
            "retry_at": self.retry_at,
            "circuits": self.circuits,
            "dropped": self.dropped,
            "tallies": [
                [stage, hops, tally.tried, tally.good]
                for (stage, hops), tally in self.tallies.items()
            ],
        }

    def count(self, stage: str, hops: int, good: bool) -> Verdict:
        """One more circuit of `hops` hops that went well at `stage`, or did not."""
        tally = self.tallies.setdefault((stage, hops), Tally())
        tally.add(good)
        return tally.verdict()

    def total(self, stage: str) -> Tally:
        """The counts of a stage over paths of all lengths."""
        ours = [tally for (one, _), tally in self.tallies.items() if one == stage]
        return Tally(sum(tally.tried for tally in ours), sum(tally.good for tally in ours))

    @property
    def suspicious(self) -> bool:
        """True when it fails more circuits than an honest guard should."""
        fine = all(tally.verdict() is Verdict.FINE for tally in self.tallies.values())
        return bool(self.dropped) or not fine

    @property
    def usable(self) -> bool:
        """True when nothing but reachability can keep it from serving."""
        return self.listed and self.allowed and not self.dropped

    def ready(self, now: float) -> bool:
        """True when it may be tried; a wait beyond every back-off is a clock that was set back."""
        return not now < self.retry_at <= now + BACKOFF_S[-1]

    @property
    def short_id(self) -> str:
        """The first eight hex digits of the NodeID, as users see it."""
        return self.node_id[:8]


def _number(value: object) -> float:
    if not isinstance(value, int | float):
        raise TypeError("a saved guard is damaged")
    return float(value)


def _maybe(value: object) -> float | None:
    return None if value is None else _number(value)


def _tallies(value: object) -> Iterator[tuple[tuple[str, int], Tally]]:
    if not isinstance(value, list):
        raise TypeError("a saved guard is damaged")
    for stage, hops, tried, good in value:
        yield (str(stage), int(hops)), Tally(_number(tried), _number(good))
