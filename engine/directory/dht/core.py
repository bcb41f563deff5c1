"""The DHT of one node, without sockets and clocks: requests in, answers and questions out.

Whoever drives it hands in messages with the NodeID of the link they came over, sends what is in
`outbox` after every call, and calls `tick` when `due` says. `now` is unix seconds of one steady
clock. DESIGN section 5, layer B; docs/protocol.md, "The DHT".
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from engine.directory.dht.counts import Counts
from engine.directory.dht.lookup import Lookup
from engine.directory.dht.members import POSITION_BITS, Member, Members
from engine.directory.dht.publication import Publication
from engine.directory.dht.responder import Responder
from engine.directory.dht.settings import DhtSettings
from engine.directory.dht.store import Check, RecordStore
from engine.directory.dht.table import Table
from engine.errors import WireError
from engine.wire import dht as wire
from engine.wire.record import Record

UPKEEP_S = 60.0
FILLING_S = 5.0  # while there are buckets that were never looked into
PING_AGAIN_S = 60.0  # a member that asked us is asked back so often at most
PINGED_KEPT = 4_096
REFRESHES_AT_ONCE = 2
MAX_PAGES = wire.MAX_PAGE + 1


@dataclass(frozen=True, slots=True)
class Send:
    """A question for the member `to`."""

    to: bytes
    message: wire.Request


@dataclass(slots=True)
class _Question:
    """A request under way. `lookup` or `publication` or nothing (a ping) waits for it."""

    to: bytes
    wanted: type[wire.Answer]
    lookup: Lookup | None = None
    publication: Publication | None = None
    ends: float = 0.0


class Dht:
    """One node's part. `serves` is False for a node that only asks and publishes."""

    def __init__(
        self,
        own: Member,
        members: Members,
        *,
        network: bytes,
        rng: Random,
        settings: DhtSettings | None = None,
        serves: bool = True,
        check: Check | None = None,
    ) -> None:
        self.outbox: list[Send] = []
        self.counts = Counts()
        self.members = members
        self.settings = settings or DhtSettings()
        self.table = Table(own, self.settings)
        self._network = network
        self._rng = rng
        self._serves = serves
        self._check = check or self._check_record
        self.store = RecordStore(self.settings, self._check, rng)
        self._questions: dict[bytes, _Question] = {}
        self._publications: dict[Lookup, Publication] = {}
        self._timers: list[tuple[float, bytes]] = []
        self._responder = Responder(self.table, members, self.store, self.settings, self.counts)
        self._pinged: OrderedDict[bytes, float] = OrderedDict()
        self._upkeep_at: float | None = None

    @property
    def own(self) -> Member:
        """Where this node stands."""
        return self.table.own

    def _check_record(self, key: bytes, raw: bytes, now: float) -> int:
        return Record.parse(raw).check(self._network, key, now, self.settings.work_bits)

    # -- what others ask -----------------------------------------------------------------------

    def receive(self, peer: bytes, message: wire.Message, now: float) -> wire.Answer | None:
        """Take a message of the neighbour `peer`; the answer to send back when it was a request.

        None when nothing is to be said: for answers, and for requests over the peer's rate.
        """
        if isinstance(message, wire.Pong | wire.Nodes | wire.Values | wire.Stored):
            self._take_answer(peer, message, now)
            return None
        answer = self._responder.answer(peer, message, now) if self._serves else None
        if answer is not None:
            self._ask_back(peer, now)
        return answer

    def _ask_back(self, peer: bytes, now: float) -> None:
        """A member that asks us may get a place in the table: when it answers us."""
        if self.members.get(peer) is None or peer in self.table:
            return
        if now - self._pinged.get(peer, 0.0) < PING_AGAIN_S:
            return
        self._ping(peer, now)

    def _ping(self, peer: bytes, now: float) -> None:
        self._pinged[peer] = now
        self._pinged.move_to_end(peer)
        if len(self._pinged) > PINGED_KEPT:
            self._pinged.popitem(last=False)
        self._ask(_Question(peer, wire.Pong), wire.Ping(self._new_id()), now)

    # -- what we ask ---------------------------------------------------------------------------

    def find_nodes(self, target: int, now: float, seeds: Sequence[Member] = ()) -> Lookup:
        """Look for the members closest to `target`. `seeds` are asked first of all."""
        return self._start(target, None, now, seeds)

    def find_values(self, key: bytes, now: float) -> Lookup:
        """Look for the records under `key`; those held here count as well."""
        lookup = self._start(int.from_bytes(key, "big"), key, now, ())
        for page in range(-(-self.settings.records_per_key // wire.MAX_RECORDS)):
            total, held = self.store.get(key, page, now)
            lookup.add_records(Record.parse(raw) for raw in held)
            if (page + 1) * wire.MAX_RECORDS >= total:
                break
        return lookup

    def publish(self, key: bytes, record: bytes, now: float) -> Publication:
        """Store a record of ours with the members closest to `key`."""
        publication = Publication(key, record)
        if self._serves and self._responder.is_near(key):
            publication.keeps(*self.store.put(key, record, now))
        lookup = Lookup(*self._plan(int.from_bytes(key, "big"), ()), key=None)
        self._publications[lookup] = publication
        self._advance(lookup, now)
        return publication

    def join(self, now: float, through: Sequence[Member] = ()) -> Lookup:
        """Fill the table: look for our own place."""
        return self.find_nodes(self.own.position, now, through)

    def _start(self, target: int, key: bytes | None, now: float, seeds: Sequence[Member]) -> Lookup:
        lookup = Lookup(*self._plan(target, seeds), key=key)
        self.counts.lookups += 1
        self._advance(lookup, now)
        return lookup

    def _plan(
        self, target: int, seeds: Sequence[Member]
    ) -> tuple[int, bytes, list[list[Member]], DhtSettings]:
        """Where each path starts: dealt from the table in turn, one path from the whole set."""
        settings = self.settings
        from_set = self.members.closest(target, settings.k) if settings.use_set else []
        known = [*seeds, *self.table.closest(target, settings.k)]
        dealt = settings.paths - bool(from_set) if settings.paths > 1 else 1
        if len(known) < dealt:
            known += from_set
        starts = [known[place::dealt] for place in range(dealt)]
        if from_set:
            starts = [*starts, from_set] if settings.paths > 1 else [[*known, *from_set]]
        return target, self.own.node_id, starts, settings

    def _advance(self, lookup: Lookup, now: float) -> None:
        """Ask what there is to ask; a look-up that ends may have a record to be stored."""
        questions = lookup.next_questions()
        for member in questions:
            self._ask_for(lookup, member.node_id, now)
        publication = self._publications.pop(lookup, None) if lookup.done else None
        if publication is not None:
            holders = self._holders(lookup)
            for holder in holders:
                self._send_record(publication, holder, now)
            publication.sent_to(holders)

    def _holders(self, lookup: Lookup) -> list[bytes]:
        """Who should hold a record: the closest that answered, and the closest of the set."""
        k, target = self.settings.k, lookup.target
        found = {m.node_id: m for m in lookup.closest}
        if self.settings.use_set:
            found |= {m.node_id: m for m in self.members.closest(target, k)}
        found.pop(self.own.node_id, None)
        nearest = heapq.nsmallest(k, found.values(), key=lambda m: m.position ^ target)
        return [member.node_id for member in nearest]

    def _ask_for(self, lookup: Lookup, peer: bytes, now: float) -> None:
        name = self._new_id()
        if lookup.key is None:
            target = lookup.target.to_bytes(POSITION_BITS // 8, "big")
            self._ask(_Question(peer, wire.Nodes, lookup), wire.FindNode(name, target), now)
        else:
            page = self._rng.randrange(MAX_PAGES)
            request = wire.FindValue(name, lookup.key, page)
            self._ask(_Question(peer, wire.Values, lookup), request, now)
        heapq.heappush(self._timers, (now + self.settings.soft_s, name))

    def _send_record(self, publication: Publication, holder: bytes, now: float) -> None:
        request = wire.Store(self._new_id(), publication.key, publication.record)
        self._ask(_Question(holder, wire.Stored, publication=publication), request, now)

    def _new_id(self) -> bytes:
        return self._rng.randbytes(wire.REQUEST_ID_BYTES)

    def _ask(self, question: _Question, request: wire.Request, now: float) -> None:
        name = request.request_id
        self.counts.asked += 1
        question.ends = now + self.settings.hard_s
        self._questions[name] = question
        heapq.heappush(self._timers, (question.ends, name))
        self.outbox.append(Send(question.to, request))

    # -- what comes of it ----------------------------------------------------------------------

    def _take_answer(self, peer: bytes, answer: wire.Answer, now: float) -> None:
        question = self._questions.get(answer.request_id)
        if question is None or question.to != peer or not isinstance(answer, question.wanted):
            self.counts.bad_answers += question is not None
            return
        del self._questions[answer.request_id]
        self.counts.answered += 1
        member = self.members.get(peer)
        if member is not None:
            self._heard_from(member, now)
        if question.publication is not None and isinstance(answer, wire.Stored):
            question.publication.answered(peer, answer.verdict, answer.bits)
        elif question.lookup is not None and isinstance(answer, wire.Nodes | wire.Values):
            self._take_contacts(question.lookup, peer, answer, now)

    def _heard_from(self, member: Member, now: float) -> None:
        doubtful = self.table.answered(member, now)
        if doubtful is not None and now - self._pinged.get(doubtful.node_id, 0.0) > PING_AGAIN_S:
            self._ping(doubtful.node_id, now)

    def _take_contacts(
        self, lookup: Lookup, peer: bytes, answer: wire.Nodes | wire.Values, now: float
    ) -> None:
        found = (self.members.get(name) for name in answer.contacts)
        lookup.answered(peer, [member for member in found if member is not None])
        if isinstance(answer, wire.Values) and lookup.key is not None:
            records = self._valid(lookup, lookup.key, answer.records, now)
            if records:
                lookup.holds(peer, records)
        self._advance(lookup, now)

    def _valid(self, lookup: Lookup, key: bytes, raws: Sequence[bytes], now: float) -> list[Record]:
        good = []
        for raw in raws:
            try:
                record = Record.parse(raw)
                if not lookup.knows(record):
                    self._check(key, raw, now)
            except WireError:
                self.counts.bad_answers += 1
                continue
            good.append(record)
        return good

    def unreachable(self, peer: bytes, now: float) -> None:
        """No link to `peer` can be had: whatever it was asked fails at once."""
        lost = [name for name, question in self._questions.items() if question.to == peer]
        for name in lost:
            self._fail(name, now)

    def _fail(self, name: bytes, now: float) -> None:
        question = self._questions.pop(name)
        self.counts.unanswered += 1
        newcomer = self.table.failed(question.to)
        if newcomer is not None:
            self._ping(newcomer.node_id, now)
        if question.publication is not None:
            question.publication.failed(question.to)
        elif question.lookup is not None:
            question.lookup.failed(question.to)
            self._advance(question.lookup, now)

    # -- time ----------------------------------------------------------------------------------

    def due(self) -> float | None:
        """When `tick` is to be called; None when nothing is awaited and nothing is kept."""
        times = [self._upkeep_at] if self._upkeep_at is not None else []
        if self._timers:
            times.append(self._timers[0][0])
        return min(times, default=None)

    def tick(self, now: float) -> None:
        """Let what is overdue go; look after the table and the store once a minute."""
        while self._timers and self._timers[0][0] <= now:
            _, name = heapq.heappop(self._timers)
            question = self._questions.get(name)
            if question is None:
                continue
            if question.ends <= now:
                self._fail(name, now)
            elif question.lookup is not None:
                question.lookup.late(question.to)
                self._advance(question.lookup, now)
        if self._upkeep_at is None or now >= self._upkeep_at:
            self._look_after(now)

    def _look_after(self, now: float) -> None:
        self.store.expire(now)
        stale = self.table.stale(now)
        for index in stale[:REFRESHES_AT_ONCE]:
            self.table.look_into(index, now)
            self.find_nodes(self.table.position_in(index, self._rng.getrandbits(256)), now)
        left = len(stale) > REFRESHES_AT_ONCE
        self._upkeep_at = now + (FILLING_S if left else UPKEEP_S)

    def sync(self, own: Member | None = None) -> None:
        """The members have changed, or our own place: who is none any more leaves the table."""
        if own is not None and own != self.own:
            contacts = list(self.table)
            self.table = self._responder.table = Table(own, self.settings)
            for contact in contacts:
                self.table.answered(contact.member, contact.heard)
        for contact in list(self.table):
            if self.members.get(contact.member.node_id) != contact.member:
                self.table.remove(contact.member.node_id)
