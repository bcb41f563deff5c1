"""Circuits that several uses of one purpose and tag share, one after the other, and clean spares.

A shared circuit takes new streams for a while only: how long and how many is drawn for each, so
that an exit cannot tell by the clock that the next circuit is the same client's. A spare is built
ahead of need for a purpose, has carried nothing, and is claimed by the first tag that needs one.
Pure bookkeeping; the pool builds and closes.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from engine.circuit.client import CircuitState, ClientCircuit

UNUSED_LIFE_S = (1_800.0, 3_600.0)  # a circuit older than this takes no new streams
DIRTY_LIFE_S = (480.0, 720.0)  # nor does one first used so long ago
MAX_STREAMS = (64, 128)  # nor one that has carried so many

Key = tuple[str, str]


@dataclass
class Lease:
    """A circuit with the limits drawn for it; times on the clock of the event loop."""

    circuit: ClientCircuit
    ends: float
    dirty_s: float
    streams: int

    @classmethod
    def draw(cls, circuit: ClientCircuit, rng: Random) -> Lease:
        """Limits for a new circuit."""
        return cls(
            circuit,
            circuit.created_at + rng.uniform(*UNUSED_LIFE_S),
            rng.uniform(*DIRTY_LIFE_S),
            rng.randint(*MAX_STREAMS),
        )

    def over(self, now: float) -> str:
        """Why the circuit takes no new streams, empty while it does."""
        circuit = self.circuit
        if circuit.state is not CircuitState.OPEN:
            return circuit.reason or "closed"
        if now >= self.ends:
            return "replaced by a fresh circuit for its age"
        if circuit.used_at is not None and now >= circuit.used_at + self.dirty_s:
            return "replaced by a fresh circuit after some minutes of use"
        if circuit.streams_opened >= self.streams:
            return "replaced by a fresh circuit after many streams"
        return ""


class SharedCircuits:
    """Who uses which circuit, and which spares are ready."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._taken: dict[Key, Lease] = {}
        self._spares: dict[str, Lease] = {}
        self._old: list[Lease] = []  # no longer handed out, perhaps still carrying a stream

    def current(self, key: Key, now: float) -> ClientCircuit | None:
        """The circuit in service for `key`, or the purpose's spare, which it then claims."""
        lease = self._taken.get(key)
        if lease is not None and not lease.over(now):
            return lease.circuit
        spare = self._spares.pop(key[0], None)
        if spare is None:
            return None
        if spare.over(now):
            self._old.append(spare)
            return None
        self._serve(key, spare)
        return spare.circuit

    def take(self, key: Key, circuit: ClientCircuit) -> None:
        """Put a new circuit into the service of `key`."""
        self._serve(key, Lease.draw(circuit, self._rng))

    def _serve(self, key: Key, lease: Lease) -> None:
        before = self._taken.get(key)
        if before is not None:
            self._old.append(before)
        self._taken[key] = lease

    def keep(self, purpose: str, circuit: ClientCircuit) -> None:
        """A new circuit becomes the spare of `purpose`."""
        before = self._spares.get(purpose)
        if before is not None:
            self._old.append(before)
        self._spares[purpose] = Lease.draw(circuit, self._rng)

    def has_spare(self, purpose: str, now: float) -> bool:
        """True while a clean circuit waits for `purpose`."""
        spare = self._spares.get(purpose)
        return spare is not None and not spare.over(now)

    def worn(self, now: float) -> list[tuple[ClientCircuit, str]]:
        """Open circuits that take no new streams and carry none any more, each with the reason."""
        self._old = [lease for lease in self._old if lease.circuit.state is CircuitState.OPEN]
        found = []
        for lease in (*self._taken.values(), *self._spares.values(), *self._old):
            circuit, reason = lease.circuit, lease.over(now)
            idle = circuit.state is CircuitState.OPEN and not circuit.endpoint.mux.stream_count
            if reason and idle:
                found.append((circuit, reason))
        return found
