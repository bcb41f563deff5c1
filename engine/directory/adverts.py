"""The set of verified adverts a node holds, and its hashes by bucket. DESIGN section 5, layer A.

Sans-IO and without a clock: `now` (unix seconds) is an argument. Nothing enters that has not been
verified; of two adverts of one node the later published counts. Bounded in all and by network, so
that one address block cannot fill it.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from engine.directory.clock_doubt import ClockDoubt
from engine.directory.rules import network_of
from engine.errors import WireError
from engine.wire.advert import Advert, UntimelyAdvert
from engine.wire.directory import BUCKET_HASH_BYTES, BUCKETS, advert_id, bucket_hash

MAX_NODES = 20_000  # twice the largest network planned for: 5 MB
MAX_PER_NETWORK = 256  # nodes of one IPv4 /16 or IPv6 /32


class Outcome(enum.Enum):
    """What became of an advert that was offered."""

    KEPT = "kept"
    KNOWN = "known"  # this one, or a later one of the node
    REFUSED = "refused"


class AdvertSet:
    """Verified adverts by NodeID."""

    def __init__(
        self,
        *,
        admits: Callable[[Advert], bool] = lambda _advert: True,
        is_paid: Callable[[Advert], bool] = lambda _advert: True,
        max_nodes: int = MAX_NODES,
        max_per_network: int = MAX_PER_NETWORK,
        doubt: ClockDoubt | None = None,
    ) -> None:
        self._doubt = doubt or ClockDoubt()
        self._admits = admits
        self._is_paid = is_paid  # costs a proof of work's check, so it comes last
        self._max_nodes = max_nodes
        self._max_per_network = max_per_network
        self._entries: dict[bytes, tuple[Advert, bytes, bytes]] = {}  # advert, raw, id
        self._by_id: dict[bytes, bytes] = {}  # advert id -> NodeID
        self._buckets: list[set[bytes]] = [set() for _ in range(BUCKETS)]
        self._hashes: list[bytes | None] = [None] * BUCKETS
        self._networks: Counter[str] = Counter()
        self._in_order: list[Advert] | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Advert]:
        return iter(self.in_order())

    def in_order(self) -> list[Advert]:
        """Every advert, by NodeID. Not to be changed by the caller."""
        if self._in_order is None:
            self._in_order = [self._entries[node_id][0] for node_id in sorted(self._entries)]
        return self._in_order

    def get(self, node_id: bytes) -> Advert | None:
        """The advert of a node, if it is held."""
        entry = self._entries.get(node_id)
        return entry[0] if entry else None

    # -- changing ------------------------------------------------------------------------------

    def add(self, raw: bytes, now: int) -> Outcome:
        """Verify an encoded advert and keep it if it is news. Never raises for its content."""
        if self.knows(advert_id(raw)):
            return Outcome.KNOWN
        try:
            advert = Advert.decode(raw, now)
        except UntimelyAdvert as refused:
            self._doubt.untimely(refused)
            return Outcome.REFUSED
        except WireError:
            return Outcome.REFUSED
        self._doubt.fits(advert.node_id)
        self._doubt.came(advert.node_id, advert.published, now)
        outcome = self._judge(advert)
        if outcome is Outcome.KEPT and not self._paid(advert):
            return Outcome.REFUSED
        return self.keep(advert, bytes(raw)) if outcome is Outcome.KEPT else outcome

    def _judge(self, advert: Advert) -> Outcome:
        """What becomes of a verified advert whose identity was paid for."""
        known = self.get(advert.node_id)
        if known is not None and known.published >= advert.published:
            return Outcome.KNOWN
        fits = self._admits(advert) and (known is not None or self._has_room(advert))
        return Outcome.KEPT if fits else Outcome.REFUSED

    def _paid(self, advert: Advert) -> bool:
        """True when the identity's work is good; checked once for a node and epoch."""
        known = self.get(advert.node_id)
        same = known is not None and (known.work_epoch, known.work_nonce) == (
            advert.work_epoch,
            advert.work_nonce,
        )
        return (same and advert.work_is_due()) or self._is_paid(advert)

    def keep(self, advert: Advert, raw: bytes) -> Outcome:
        """Keep an advert that was verified before, by the same rules."""
        if (outcome := self._judge(advert)) is not Outcome.KEPT:
            return outcome
        node_id = advert.node_id
        self.forget(node_id)
        name = advert_id(raw)
        self._entries[node_id] = (advert, raw, name)
        self._in_order = None
        self._by_id[name] = node_id
        self._buckets[node_id[0]].add(name)
        self._hashes[node_id[0]] = None
        self._networks.update(_networks(advert))
        return Outcome.KEPT

    def _has_room(self, advert: Advert) -> bool:
        if len(self._entries) >= self._max_nodes:
            return False
        return all(self._networks[n] < self._max_per_network for n in _networks(advert))

    def forget(self, node_id: bytes) -> None:
        """Drop the advert of a node, if it is held."""
        if node_id in self._entries:
            self._remove(node_id)

    def _remove(self, node_id: bytes) -> None:
        advert, _raw, name = self._entries.pop(node_id)
        self._in_order = None
        del self._by_id[name]
        self._buckets[node_id[0]].discard(name)
        self._hashes[node_id[0]] = None
        self._networks.subtract(_networks(advert))

    def expire(self, now: float) -> int:
        """Forget the adverts whose time is over; how many those were."""
        dead = [node for node, (advert, _, _) in self._entries.items() if advert.expires <= now]
        for node_id in dead:
            self._remove(node_id)
        self._networks += Counter()  # drops the zeros
        return len(dead)

    # -- comparing -----------------------------------------------------------------------------

    def hashes(self) -> bytes:
        """The hash of every bucket, in order."""
        for place, known in enumerate(self._hashes):
            if known is None:
                self._hashes[place] = bucket_hash(self._buckets[place])
        return b"".join(known for known in self._hashes if known is not None)

    def differing(self, hashes: bytes) -> bytes:
        """The buckets in which a set with these hashes differs from this one."""
        mine, size = self.hashes(), BUCKET_HASH_BYTES
        return bytes(
            place
            for place in range(BUCKETS)
            if mine[place * size : (place + 1) * size] != hashes[place * size : (place + 1) * size]
        )

    def ids(self, buckets: Iterable[int]) -> list[bytes]:
        """The ids of the adverts in these buckets."""
        return [name for place in buckets for name in sorted(self._buckets[place])]

    def ids_before(self, published: float) -> set[bytes]:
        """The ids of the adverts published before that time (unix seconds)."""
        return {name for advert, _, name in self._entries.values() if advert.published < published}

    def knows(self, name: bytes) -> bool:
        """True when the advert with this id is held."""
        return name in self._by_id

    def raw(self, name: bytes) -> bytes | None:
        """The encoded advert with this id."""
        node_id = self._by_id.get(name)
        return self._entries[node_id][1] if node_id is not None else None

    def dump(self) -> list[bytes]:
        """Every encoded advert, in a stable order."""
        return [raw for _, raw, _ in sorted(self._entries.values(), key=lambda entry: entry[2])]


def _networks(advert: Advert) -> set[str]:
    return {network_of(address.host) for address in advert.addresses}
