"""What a member answers to others' requests, within each peer's rate. Sans-IO."""

from __future__ import annotations

from collections import OrderedDict

from engine.bucket import Bucket
from engine.directory.dht.counts import Counts
from engine.directory.dht.members import Members
from engine.directory.dht.settings import DhtSettings
from engine.directory.dht.store import RecordStore
from engine.directory.dht.table import Table
from engine.wire import dht as wire
from engine.wire.dht import Verdict


class Responder:
    """Serves contacts from the table and records from the store."""

    def __init__(
        self,
        table: Table,
        members: Members,
        store: RecordStore,
        settings: DhtSettings,
        counts: Counts,
    ) -> None:
        self.table = table
        self._members = members
        self._store = store
        self._settings = settings
        self._counts = counts
        self._peers: OrderedDict[bytes, Bucket] = OrderedDict()

    def answer(self, peer: bytes, request: wire.Request, now: float) -> wire.Answer | None:
        """The answer; None when the peer asks too much."""
        if not self._bucket_of(peer, now).take(now):
            self._counts.limited += 1
            return None
        self._counts.served += 1
        match request:
            case wire.Ping(request_id=name):
                return wire.Pong(name)
            case wire.FindNode(request_id=name, target=target):
                return wire.Nodes(name, self._contacts(peer, target, wire.MAX_CONTACTS))
            case wire.FindValue(request_id=name, key=key, page=page):
                total, records = self._store.get(key, page, now)
                most = wire.CONTACTS_WITH_RECORDS if records else wire.MAX_CONTACTS
                return wire.Values(name, total, records, self._contacts(peer, key, most))
            case wire.Store(request_id=name, key=key, record=record):
                return wire.Stored(name, *self._keep(peer, key, record, now))

    def _contacts(self, peer: bytes, target: bytes, most: int) -> tuple[bytes, ...]:
        """The closest members that answered us; from the set where those are few."""
        place = int.from_bytes(target, "big")
        found = self.table.closest(place, most + 1)
        if len(found) <= most and self._settings.use_set:
            found += [m for m in self._members.closest(place, most + 1) if m not in found]
        named = (m.node_id for m in found if m.node_id not in (peer, self.table.own.node_id))
        return tuple(named)[:most]

    def _keep(self, peer: bytes, key: bytes, record: bytes, now: float) -> tuple[Verdict, int]:
        verdict, bits = Verdict.FAR, 0
        if self.is_near(key):
            verdict, bits = self._store.put(key, record, now)
        if verdict is Verdict.KEPT:
            self._counts.stored += 1
        else:
            self._counts.refused += 1
        if verdict is Verdict.INVALID:
            self._bucket_of(peer, now).charge(now, self._settings.bad_record_cost)
        return verdict, bits

    def is_near(self, key: bytes) -> bool:
        """True when this node is one of those that should hold records of `key`."""
        most = self._settings.near * self._settings.k
        position = self.table.own.position
        return self._members.rank(int.from_bytes(key, "big"), position, most) < most

    def _bucket_of(self, peer: bytes, now: float) -> Bucket:
        bucket = self._peers.get(peer)
        if bucket is None:
            bucket = self._peers[peer] = Bucket(self._settings.rate, self._settings.burst, now)
            if len(self._peers) > self._settings.peers:
                self._peers.popitem(last=False)
        self._peers.move_to_end(peer)
        return bucket
