"""The guards of this client: a small sampled list, kept, so that few relays ever see its address.

One guard is in use; the next of the sample serves only while it cannot be reached. Pure state:
loading and saving is the caller's. DESIGN section 4, "Paths".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from random import Random

from engine.directory.paths import fits
from engine.errors import NoRoute
from engine.wire.advert import Advert

SAMPLE_SIZE = 3
KEEP_S = 120 * 86_400  # a guard is kept for four months
BACKOFF_S = (5.0, 30.0, 120.0, 600.0)  # after the first, second, ... failure in a row


@dataclass
class Guard:
    """One sampled guard. Times are unix seconds."""

    node_id: str
    added: float
    failures: int = 0
    retry_at: float = 0.0
    circuits: int = 0


class GuardList:
    """The sample, in order of preference."""

    def __init__(self, saved: Sequence[dict[str, object]] = ()) -> None:
        self._sample = [Guard(**item) for item in saved]  # type: ignore[arg-type]
        self.in_use: Guard | None = None

    def dump(self) -> list[dict[str, object]]:
        """The sample as plain values, to be stored encrypted."""
        return [asdict(guard) for guard in self._sample]

    def age_s(self, now: float) -> float | None:
        """How long the guard in use has been kept."""
        guard = self.in_use or (self._sample[0] if self._sample else None)
        return None if guard is None else max(0.0, now - guard.added)

    def choose(
        self, relays: Sequence[Advert], chosen: Sequence[Advert], *, now: float, rng: Random
    ) -> Advert:
        """The first guard of the sample that is known, reachable and fits the exit.

        Raises NoRoute when the sample is exhausted: it is never grown past SAMPLE_SIZE because
        guards fail, or an attacker could walk a client through all relays.
        """
        by_id = {relay.node_id.hex(): relay for relay in relays}
        self._refill(by_id, now, rng)
        waiting = 0
        for guard in self._sample:
            relay = by_id.get(guard.node_id)
            if relay is None or not fits(relay, chosen):
                continue
            if guard.retry_at > now:
                waiting += 1
                continue
            self.in_use = guard
            return relay
        raise NoRoute(
            "No guard can be used: "
            + (f"{waiting} did not answer lately." if waiting else "none fits the path rules."),
            kept="Nothing was sent and nothing was paid.",
            hint="Check the network connection; they are tried again within minutes.",
        )

    def _refill(self, by_id: dict[str, Advert], now: float, rng: Random) -> None:
        kept = [g for g in self._sample if now - g.added < KEEP_S and g.node_id in by_id]
        # A guard that left the directory keeps its place unless the sample would run dry.
        gone = [g for g in self._sample if now - g.added < KEEP_S and g.node_id not in by_id]
        names = sorted(set(by_id) - {g.node_id for g in kept})
        rng.shuffle(names)
        while len(kept) < SAMPLE_SIZE and names:
            kept.append(Guard(names.pop(), now))
        self._sample = [*kept, *gone][: SAMPLE_SIZE * 2]

    def failed(self, node_id: bytes, now: float) -> None:
        """The guard could not be reached."""
        for guard in self._sample:
            if guard.node_id == node_id.hex():
                guard.retry_at = now + BACKOFF_S[min(guard.failures, len(BACKOFF_S) - 1)]
                guard.failures += 1

    def succeeded(self, node_id: bytes) -> None:
        """A circuit through the guard was built."""
        for guard in self._sample:
            if guard.node_id == node_id.hex():
                guard.failures = 0
                guard.retry_at = 0.0
                guard.circuits += 1
