"""The onion keys of a relay: X25519 keys that live for an epoch, overlap, and are then forgotten.

Persisted so that a relay that is restarted still answers to its advert. Pure state and arithmetic;
loading and saving is the caller's. Times are unix seconds, from a clock that does not jump
(engine.circuit.steady_clock); a restart may still find keys from the future, because the clock was
wrong then or is wrong now.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.crypto.keys import x25519_generate, x25519_public
from engine.errors import WireError
from engine.wire.advert import OnionKey

ROTATE_EVERY_S = 12 * 3_600
LIFE_S = 24 * 3_600  # every key is served for one period after its successor appeared
CLOCK_SKEW_S = 600  # clients whose clock runs behind, or ahead of ours
MAX_KEYS = 2  # as many as an advert lists
_RECORD = struct.Struct(">32sQQ")


@dataclass(frozen=True)
class _Key:
    private: bytes = field(repr=False)
    not_before: int
    not_after: int

    def served_at(self, now: int) -> bool:
        """True while it is answered to, a little longer than its advert says."""
        return self.not_before - LIFE_S <= now < self.not_after + CLOCK_SKEW_S

    @property
    def public(self) -> OnionKey:
        return OnionKey(x25519_public(self.private), self.not_before, self.not_after)


class OnionKeys:
    """The keys in service, newest first inside, oldest first in adverts."""

    def __init__(self, saved: bytes | None, now: int) -> None:
        self._keys = _load(saved) if saved else []
        self._table: dict[bytes, bytes] = {}
        self.rotate(now)

    def rotate(self, now: int) -> bool:
        """Forget expired keys, make a new one when it is due; True when anything changed.

        A newest key from the future means that the clock is behind: it is kept and no other made,
        unless it is further ahead than a key lives.
        """
        alive = [key for key in self._keys if key.served_at(now)][:MAX_KEYS]
        if not alive or now - alive[0].not_before >= ROTATE_EVERY_S:
            fresh = _Key(x25519_generate(), now - CLOCK_SKEW_S, now + LIFE_S)
            alive = [fresh, *alive[: MAX_KEYS - 1]]
        changed = alive != self._keys or not self._table
        self._keys = alive
        self._table = {key.public.public: key.private for key in alive}
        return changed

    def drop(self, public: bytes) -> None:
        """Stop serving a key, whatever its age; `rotate` makes another when none is left."""
        self._keys = [key for key in self._keys if key.public.public != public]
        self._table.pop(public, None)

    def erase(self) -> None:
        """Forget every key: the node is shutting down."""
        self._keys = []
        self._table.clear()

    def private_keys(self) -> Mapping[bytes, bytes]:
        """Public to private, for the hop handshake."""
        return self._table

    def adverts(self) -> tuple[OnionKey, ...]:
        """The keys as an advert lists them."""
        return tuple(key.public for key in reversed(self._keys))

    def dump(self) -> bytes:
        """Everything, for the encrypted store."""
        return b"".join(_RECORD.pack(k.private, k.not_before, k.not_after) for k in self._keys)


def _load(saved: bytes) -> list[_Key]:
    if len(saved) % _RECORD.size:
        raise WireError("the stored onion keys are damaged")
    return [_Key(*fields) for fields in _RECORD.iter_unpack(saved)]
