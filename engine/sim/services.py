"""Ghosts of a simulated DHT: records under four keys, renewed by their owner. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from engine.directory.dht.publication import Publication
from engine.sim.lookups import HOUR_S, Network
from engine.wire.record import RECORD_BYTES, SALTS, Record

RENEW_S = 2_400.0  # as engine.directory.dht.publisher does
LIFE_S = 2 * HOUR_S


@dataclass
class Service:
    """A ghost's records under the four keys of what it offers."""

    keys: tuple[bytes, ...]
    epoch_key: bytes
    sequence: int = 0

    @classmethod
    def made_up(cls, rng: Random) -> Service:
        """Keys at random and an owner."""
        return cls(tuple(rng.randbytes(32) for _ in range(SALTS)), rng.randbytes(32))

    def record(self, now: float) -> bytes:
        """The next record: nobody opens it here, so its box is empty."""
        self.sequence += 1
        bare = Record(self.epoch_key, self.sequence, int(now + LIFE_S), bytes(8), b"", bytes(64))
        return bare.head + bytes(RECORD_BYTES - len(bare.raw)) + bare.signature

    def renew(self, network: Network) -> list[Publication]:
        """Publish under all keys, and again every RENEW_S."""
        record = self.record(network.events.now)
        network.events.after(RENEW_S, lambda: self._again(network))
        return [network.publish(key, record) for key in self.keys]

    def _again(self, network: Network) -> None:
        self.renew(network)
