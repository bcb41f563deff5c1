"""Who takes part in the DHT, and where each stands: the relays of the directory's whole set.

A node's position comes from its identity and the nonce of its proof of work, so that a try at a
chosen position costs a whole proof. Nobody else than a member is ever asked or named. Sans-IO.
"""

from __future__ import annotations

import heapq
import ipaddress
from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from engine.crypto.kdf import sha256
from engine.wire.advert import Advert

POSITION_BITS = 256
_LABEL = b"peer2prompt dht position v1"


@dataclass(frozen=True, slots=True)
class Member:
    """A relay in the DHT. `prefix` is the /24 or /48 of its first address."""

    node_id: bytes
    position: int
    prefix: bytes


def position_of(advert: Advert) -> int:
    """Where a node stands, until it renews its proof of work."""
    digest = sha256(
        _LABEL,
        advert.network,
        advert.node_id,
        advert.work_epoch.to_bytes(4, "big"),
        advert.work_nonce,
    )
    return int.from_bytes(digest, "big")


def member_of(advert: Advert) -> Member:
    """The advert's node as a member."""
    return Member(advert.node_id, position_of(advert), prefix_of(advert.addresses[0].host))


@lru_cache(maxsize=65_536)
def prefix_of(host: str) -> bytes:
    """The IPv4 /24 or IPv6 /48 of an address."""
    packed = ipaddress.ip_address(host).packed
    return packed[:3] if len(packed) == 4 else packed[:6]


class Members:
    """Members by NodeID and in the order of their positions."""

    def __init__(self, members: Iterable[Member] = ()) -> None:
        self._by_id: dict[bytes, Member] = {}
        self._order: list[tuple[int, bytes]] = []
        self.replace(members)

    def replace(self, members: Iterable[Member]) -> None:
        """From now on these are the members."""
        self._by_id = {member.node_id: member for member in members}
        self._order = sorted((m.position, m.node_id) for m in self._by_id.values())

    def add(self, member: Member) -> None:
        """One more, or one that stands elsewhere now."""
        self.remove(member.node_id)
        self._by_id[member.node_id] = member
        insort(self._order, (member.position, member.node_id))

    def remove(self, node_id: bytes) -> None:
        """One less, if it is there."""
        member = self._by_id.pop(node_id, None)
        if member is not None:
            del self._order[bisect_left(self._order, (member.position, node_id))]

    def get(self, node_id: bytes) -> Member | None:
        """The member with this NodeID."""
        return self._by_id.get(node_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def closest(self, target: int, count: int) -> list[Member]:
        """The members closest to `target` by XOR, closest first. Exact."""
        low, high = self._around(target, count)
        near = heapq.nsmallest(count, self._order[low:high], key=lambda item: item[0] ^ target)
        return [self._by_id[node_id] for _, node_id in near]

    def _around(self, target: int, count: int) -> tuple[int, int]:
        """The smallest subtree around `target` that holds `count` members: whoever shares more
        leading bits with it is closer than all who share fewer."""
        shared = 0
        best = (0, len(self._order))
        while shared < POSITION_BITS:
            shared += 1
            rest = POSITION_BITS - shared
            start = (target >> rest) << rest
            low = bisect_left(self._order, (start, b""), *best)
            high = bisect_left(self._order, (start + (1 << rest), b""), *best)
            if high - low < count:
                break
            best = (low, high)
        return best

    def rank(self, target: int, position: int, most: int) -> int:
        """How many members are closer to `target` than `position`; `most` stands for more."""
        distance = position ^ target
        return sum(m.position ^ target < distance for m in self.closest(target, most))
