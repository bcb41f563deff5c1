"""Who may have a new circuit, and what work it costs when too many ask. Sans-IO.

`now` (seconds, any monotonic clock) comes in, decisions come out. Each neighbour has a bucket of
free circuits that refills; beyond it, and for everybody while the node is overloaded, a CREATE must
bring a proof of work. How many bits rises while pressure lasts and falls when it is over. Nothing
here knows a client: a neighbour is a link's other end, and the seed of the work is the same for
all, so that it names nobody.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from engine.bucket import Bucket
from engine.crypto.hop import WORK_SEED_BYTES, CreateRequest
from engine.crypto.work import check
from engine.limits import Limits
from engine.wire.cells import DestroyReason
from engine.wire.refusal import Refusal

SEED_LIFE_S = 300.0  # then another one; the one before is accepted as long again
RAISE_EVERY_S = 0.25  # the demand rises by RAISE_BITS at most so often
RAISE_BITS = 1
CALM_S = 10.0  # so long without pressure takes one bit off the demand
SLACK_BITS = 1  # the demand may have risen while the work was done
_NO_SEED = bytes(WORK_SEED_BYTES)


class Demand:
    """How many bits of work are asked for: up under pressure, down when it is over."""

    __slots__ = ("_first", "_most", "_next_fall", "_next_rise", "bits")

    def __init__(self, first: int, most: int) -> None:
        self.bits = 0
        self._first = first
        self._most = most
        self._next_rise = 0.0
        self._next_fall = 0.0

    def press(self, now: float) -> None:
        """There is more to do than can be done."""
        self._next_fall = now + CALM_S
        if now >= self._next_rise:
            self._next_rise = now + RAISE_EVERY_S
            self.bits = min(self._most, self.bits + RAISE_BITS) if self.bits else self._first

    def at(self, now: float) -> int:
        """The demand now; it has fallen by a bit for each calm while since the last pressure."""
        while self.bits and now >= self._next_fall:
            self.bits = self.bits - 1 if self.bits > self._first else 0
            self._next_fall += CALM_S
        return self.bits


@dataclass(slots=True)
class _Neighbour:
    free: Bucket
    paid: Bucket  # circuits paid for by work: beyond these the neighbour's price rises
    demand: Demand


class Admission:
    """Decides over each CREATE that is well-formed; the caller has checked that there is room."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._neighbours: dict[bytes, _Neighbour] = {}
        self._overload = Demand(limits.work_bits, limits.work_max_bits)
        self._seed = os.urandom(WORK_SEED_BYTES)
        self._seed_before = self._seed
        self._seed_until = now + SEED_LIFE_S

    def admit(
        self, neighbour: bytes, request: CreateRequest, now: float, *, relay: bool
    ) -> Refusal | None:
        """None when the circuit may be made; otherwise the work it would cost.

        `neighbour` is the NodeID at the other end of the link, `relay` says that a valid advert
        names it as a relay.
        """
        entry = self._entry(neighbour, now, relay=relay)
        overload = self._overload.at(now)
        if not overload and entry.free.take(now):
            return None
        bits = max(overload, entry.demand.at(now), self._limits.work_bits)
        if not self._paid(request, bits, now):
            return Refusal(DestroyReason.WORK_NEEDED, bits, self._seed)
        if not entry.paid.take(now):
            entry.demand.press(now)
        return None

    def press(self, now: float) -> None:
        """The node as a whole is overloaded: everybody pays, and more."""
        self._overload.press(now)

    def overload_bits(self, now: float) -> int:
        """What everybody is asked for now; 0 when the node is not overloaded."""
        return self._overload.at(now)

    def sweep(self, now: float) -> None:
        """Forget the neighbours that have asked for nothing of late."""
        for neighbour, entry in list(self._neighbours.items()):
            entry.free.refill(now)
            entry.paid.refill(now)
            if entry.free.full and entry.paid.full and not entry.demand.at(now):
                del self._neighbours[neighbour]

    def _entry(self, neighbour: bytes, now: float, *, relay: bool) -> _Neighbour:
        entry = self._neighbours.get(neighbour)
        if entry is None:
            limits = self._limits
            rate = limits.relay_create_rate if relay else limits.create_rate
            burst = limits.relay_create_burst if relay else limits.create_burst
            entry = self._neighbours[neighbour] = _Neighbour(
                Bucket(rate, burst, now),
                Bucket(rate, burst, now),
                Demand(limits.work_bits + 1, limits.work_max_bits),
            )
        return entry

    def _paid(self, request: CreateRequest, bits: int, now: float) -> bool:
        self._rotate_seed(now)
        if request.seed == _NO_SEED or request.seed not in (self._seed, self._seed_before):
            return False
        return check(request.work_challenge(), request.nonce, bits - SLACK_BITS)

    def _rotate_seed(self, now: float) -> None:
        if now < self._seed_until:
            return
        fresh = os.urandom(WORK_SEED_BYTES)
        # After a long quiet time the last seed is as old as one before it: both go.
        self._seed_before = self._seed if now < self._seed_until + SEED_LIFE_S else fresh
        self._seed = fresh
        self._seed_until = now + SEED_LIFE_S
