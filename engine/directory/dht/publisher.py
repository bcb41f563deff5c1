"""A ghost's records in the DHT: made, paid for, renewed before they end and for each new epoch.

A ghost is public, so it stores its records over links of its own. Only it renews them: what it does
not renew is gone after two hours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random, SystemRandom

import trio

from engine.crypto.memory_work import MAX_BITS
from engine.directory.dht.making import sign_record, solve_record
from engine.directory.dht.service import DhtService
from engine.identity import Identity
from engine.wire.record import MAX_LIFE_S, Capability

RENEW_S = 2_400.0  # a third of a record's life
RETRY_S = 60.0  # where few took it
CHECK_S = 10.0
LONELY_S = 0.5  # while no relay is known
ENOUGH_SHARE = 0.5  # of the holders there should be
RAISE_BITS = 6  # how much more work than usual a full key may cost


@dataclass
class _Place:
    """One key, and our record under it."""

    capability: Capability
    key: bytes
    bits: int
    nonce: bytes | None = None
    sequence: int = 0
    due: float = 0.0
    holders: int = 0


class Publisher:
    """Keeps the records of `capabilities` in the DHT."""

    def __init__(
        self,
        dht: DhtService,
        identity: Identity,
        capabilities: Sequence[Capability],
        own_advert: Callable[[], bytes],
        *,
        bits: int,
        clock: Callable[[], float],
        rng: Random | None = None,
    ) -> None:
        self._dht = dht
        self._identity = identity
        self._capabilities = capabilities
        self._own_advert = own_advert
        self._bits = bits
        self._clock = clock
        self._rng = rng or SystemRandom()
        self._places: dict[bytes, _Place] = {}
        self._offered = trio.Event()

    @property
    def records(self) -> int:
        """Records of ours that somebody holds."""
        return sum(place.holders > 0 for place in self._places.values())

    async def run(self) -> None:
        """Publish and renew until cancelled."""
        while True:
            self._turn_over(self._clock())
            for place in list(self._places.values()):
                if place.due <= self._clock() and self._dht.members:
                    await self._publish(place)
            if self._capabilities:
                await trio.sleep(CHECK_S if self._dht.members else LONELY_S)
            else:
                self._offered = trio.Event()
                await self._offered.wait()

    def offer(self, capabilities: Sequence[Capability]) -> None:
        """Publish these from now on; what is out under others ends by itself."""
        self._capabilities = capabilities
        self._offered.set()

    def _turn_over(self, now: float) -> None:
        """Take up the keys of epochs that begin, and forget those of epochs that ended."""
        served = {
            key: capability
            for capability in self._capabilities
            for epoch in capability.epochs_served(now)
            for key in capability.keys(epoch)
        }
        self._places = {
            key: self._places.get(key) or _Place(capability, key, self._bits)
            for key, capability in served.items()
        }

    async def _publish(self, place: _Place) -> None:
        if place.nonce is None:
            place.nonce = await trio.to_thread.run_sync(
                solve_record, self._identity, place.key, place.bits
            )
        publication = await self._dht.publish(place.key, self._record(place, place.nonce))
        place.holders = publication.stored
        if publication.bits > place.bits:
            place.bits = min(publication.bits, self._bits + RAISE_BITS, MAX_BITS)
            place.nonce = None
        enough = publication.stored >= ENOUGH_SHARE * self._dht.holders
        wait = RENEW_S if enough and publication.stored else RETRY_S
        place.due = self._clock() + wait * self._rng.uniform(0.8, 1.2)

    def _record(self, place: _Place, nonce: bytes) -> bytes:
        now = self._clock()
        place.sequence = max(place.sequence + 1, int(now * 1_000))
        return sign_record(
            self._identity,
            place.capability,
            place.key,
            advert=self._own_advert(),
            sequence=place.sequence,
            expires=int(now) + MAX_LIFE_S,
            nonce=nonce,
        )
