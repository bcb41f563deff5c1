"""The routing table: members that answered our own questions, in buckets by distance. Sans-IO.

One bucket for each number of leading bits shared with our own position. A member that answered
stays as long as it answers; newcomers wait until somebody falls out. Members of one address prefix
are capped in every bucket and in the whole table.
"""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from engine.directory.dht.members import POSITION_BITS, Member
from engine.directory.dht.settings import DhtSettings

WAITING = 8  # newcomers remembered for each bucket


@dataclass(slots=True)
class Contact:
    """A member in a bucket, and when it last answered."""

    member: Member
    heard: float
    failures: int = 0


class _Bucket:
    """Contacts, the one that has been silent longest first, and who would like to come in."""

    def __init__(self) -> None:
        self.contacts: OrderedDict[bytes, Contact] = OrderedDict()
        self.waiting: OrderedDict[bytes, Member] = OrderedDict()
        self.prefixes: Counter[bytes] = Counter()
        self.touched: float | None = None  # when somebody in it answered or it was looked into
        self.looked = False  # into, since this node came

    def wait(self, member: Member) -> None:
        self.waiting[member.node_id] = member
        self.waiting.move_to_end(member.node_id)
        while len(self.waiting) > WAITING:
            self.waiting.popitem(last=False)


class Table:
    """Contacts around `own` position."""

    def __init__(self, own: Member, settings: DhtSettings) -> None:
        self.own = own
        self._settings = settings
        self._buckets: dict[int, _Bucket] = {}
        self._prefixes: Counter[bytes] = Counter()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Contact]:
        for bucket in self._buckets.values():
            yield from bucket.contacts.values()

    def __contains__(self, node_id: object) -> bool:
        return any(node_id in bucket.contacts for bucket in self._buckets.values())

    def closest(self, target: int, count: int) -> list[Member]:
        """The contacts closest to `target`, closest first. Exact."""
        members = (contact.member for contact in self)
        return heapq.nsmallest(count, members, key=lambda member: member.position ^ target)

    # -- changing ------------------------------------------------------------------------------

    def answered(self, member: Member, now: float) -> Member | None:
        """`member` has answered a question of ours: it may have a place.

        Where its bucket is full, the contact to be asked whether it is still there.
        """
        if member.node_id == self.own.node_id:
            return None
        bucket = self._buckets.setdefault(self._index(member.position), _Bucket())
        bucket.touched = now
        known = bucket.contacts.get(member.node_id)
        if known is not None and known.member == member:
            known.heard, known.failures = now, 0
            bucket.contacts.move_to_end(member.node_id)
            return None
        if not self._prefix_has_room(bucket, member.prefix):
            return None
        if len(bucket.contacts) < self._settings.k:
            self._insert(bucket, member, now)
            return None
        bucket.wait(member)
        return next(iter(bucket.contacts.values())).member

    def failed(self, node_id: bytes) -> Member | None:
        """It did not answer. After some failures its place is free: for whom it is, if anybody."""
        for bucket in self._buckets.values():
            contact = bucket.contacts.get(node_id)
            if contact is not None:
                contact.failures += 1
                if contact.failures < self._settings.failures:
                    return None
                self._drop(bucket, node_id)
                return bucket.waiting.popitem()[1] if bucket.waiting else None
        return None

    def remove(self, node_id: bytes) -> None:
        """It is no member any more, or stands elsewhere."""
        for bucket in self._buckets.values():
            bucket.waiting.pop(node_id, None)
            if node_id in bucket.contacts:
                self._drop(bucket, node_id)

    def _insert(self, bucket: _Bucket, member: Member, now: float) -> None:
        bucket.waiting.pop(member.node_id, None)
        bucket.contacts[member.node_id] = Contact(member, now)
        bucket.prefixes[member.prefix] += 1
        self._prefixes[member.prefix] += 1
        self._size += 1

    def _drop(self, bucket: _Bucket, node_id: bytes) -> None:
        prefix = bucket.contacts.pop(node_id).member.prefix
        bucket.prefixes[prefix] -= 1
        self._prefixes[prefix] -= 1
        self._size -= 1

    def _prefix_has_room(self, bucket: _Bucket, prefix: bytes) -> bool:
        return (
            bucket.prefixes[prefix] < self._settings.per_prefix_bucket
            and self._prefixes[prefix] < self._settings.per_prefix_table
        )

    def _index(self, position: int) -> int:
        return POSITION_BITS - (position ^ self.own.position).bit_length()

    # -- upkeep --------------------------------------------------------------------------------

    def stale(self, now: float) -> list[int]:
        """Buckets to be looked into, by the leading bits shared with us: those that never were,
        and those that nothing was heard of for a refresh period."""
        old = now - self._settings.refresh_s
        deepest = max((i for i, b in self._buckets.items() if b.contacts), default=0)
        found = []
        for index in range(min(deepest + 1, POSITION_BITS)):
            bucket = self._buckets.get(index)
            if bucket is None or not bucket.looked or (bucket.touched or 0.0) <= old:
                found.append(index)
        return found

    def look_into(self, index: int, now: float) -> None:
        """The bucket `index` is being looked into."""
        bucket = self._buckets.setdefault(index, _Bucket())
        bucket.looked, bucket.touched = True, now

    def position_in(self, index: int, low_bits: int) -> int:
        """A position in the bucket `index`; `low_bits` is a random number of 256 bits."""
        rest = POSITION_BITS - index - 1
        flipped = (self.own.position >> rest) ^ 1
        return (flipped << rest) | (low_bits & ((1 << rest) - 1))
