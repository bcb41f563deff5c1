"""Attacks on the DHT: records nobody may store, answers nobody may believe, questions without end.

Every adversary is an object that plays members or peers of a net of honest cores (no sockets, a
virtual clock). What colluding Sybils achieve at scale is measured by bench/directory.py.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from random import Random

import pytest
import trio

from engine.circuit.client import ClientCircuit
from engine.directory.dht.finder import GhostFinder
from engine.directory.dht.members import Member
from engine.directory.dht.settings import DhtSettings
from engine.directory.rules import PathRules
from engine.errors import NoRoute
from engine.identity import Identity
from engine.wire import dht as wire
from engine.wire.advert import Advert, Role
from engine.wire.cells import BODY_BYTES
from engine.wire.dht import Verdict
from engine.wire.network import MAIN_NETWORK, network_tag
from engine.wire.record import MAX_LIFE_S, Capability, Record, model_capability
from tests.helpers.dht_net import DhtNet
from tests.helpers.dht_world import dht_world, relay_set
from tests.helpers.records import KEY, MODEL, NOW, record, signed_advert

TARGET = int.from_bytes(KEY, "big")
BUDGET = DhtSettings().budget


@dataclass
class Forger:
    """Offers records that must not be stored, over a link of its own."""

    name: bytes = b"f" * 32
    verdicts: list[Verdict] = field(default_factory=list)

    def store(self, net: DhtNet, key: bytes, raw: bytes) -> None:
        for core in net.cores:
            answer = core.receive(self.name, wire.Store(bytes(8), key, raw), net.now)
            if isinstance(answer, wire.Stored):
                self.verdicts.append(answer.verdict)


def _flipped(raw: bytes, at: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


_OTHER = Capability(network_tag("other"), MODEL.name)
BAD_RECORDS = {
    "forged": _flipped(record(bits=4), 100),
    "forged signature": _flipped(record(bits=4), -1),
    "stale": record(bits=4, expires=NOW),
    "immortal": record(bits=4, expires=NOW + 2 * MAX_LIFE_S),
    "of another network": record(capability=_OTHER, bits=4),
    "of another key": record(key=MODEL.keys(7)[0], bits=4),
    "of another version": b"\2" + record(bits=4)[1:],
}


@pytest.mark.parametrize("kind", BAD_RECORDS)
def test_no_bad_record_is_ever_stored(kind: str) -> None:
    """Forged, stale, immortal and foreign records are refused by every member, and cost the peer
    that brings them a good part of what it may ask."""
    net = DhtNet(8, settings=DhtSettings(work_bits=4))
    forger = Forger()
    forger.store(net, KEY, BAD_RECORDS[kind])
    assert set(forger.verdicts) == {Verdict.INVALID}
    assert not any(len(core.store) for core in net.cores)
    left = [
        core.receive(forger.name, wire.Ping(bytes(8)), net.now) is not None
        for core in net.cores
        for _ in range(100)
    ]
    assert sum(left) < 80 * len(net.cores)


def test_a_cheap_record_is_refused_before_it_is_stored() -> None:
    """A record whose work is worth less than the network asks is stored by nobody."""
    net = DhtNet(8, settings=DhtSettings(work_bits=10))
    cheap = record()
    while Record.parse(cheap).check(MAIN_NETWORK, KEY, NOW, 0) >= 10:
        cheap = record()
    forger = Forger()
    forger.store(net, KEY, cheap)
    assert set(forger.verdicts) == {Verdict.INVALID}


def test_an_oversized_record_does_not_fit_a_message() -> None:
    """A record is 603 bytes or it cannot be said: a longer one is a malformed message."""
    with pytest.raises(wire.WireError):
        wire.parse(wire.encode(wire.Store(bytes(8), KEY, record() + b"x")))


def test_an_old_copy_cannot_be_put_back() -> None:
    """A stranger that kept an owner's older record stores it nowhere while the newer one lives."""
    net, ghost = DhtNet(8), Identity.generate()
    old, new = record(ghost, sequence=1), record(ghost, sequence=2)
    net.cores[0].publish(KEY, new, net.now)
    net.run(3)
    forger = Forger()
    forger.store(net, KEY, old)
    assert set(forger.verdicts) == {Verdict.STALE}


def test_one_identity_cannot_flood_a_key() -> None:
    """A thousand records of one epoch key leave one of them."""
    net = DhtNet(3, settings=DhtSettings(rate=10**6, burst=10**6))
    ghost, forger = Identity.generate(), Forger()
    for sequence in range(60):
        forger.store(net, KEY, record(ghost, sequence=sequence))
    assert all(len(core.store) == 1 for core in net.cores)


def test_many_identities_cannot_push_an_honest_record_out_without_outbidding_it() -> None:
    """On a full key a record stays unless somebody pays more for a place than its owner did."""
    settings = DhtSettings(rate=10**6, burst=10**6, records_per_key=5)
    net = DhtNet(1, settings=settings)
    (core,) = net.cores
    worth: dict[bytes, int] = {}
    core.store._check = lambda _key, raw, _now: worth[raw]
    honest = record()
    worth[honest] = 12
    forger = Forger()
    forger.store(net, KEY, honest)
    for _ in range(40):
        raw = record()
        worth[raw] = 12
        forger.store(net, KEY, raw)
    kept = {raw for page in range(2) for raw in core.store.get(KEY, page, NOW)[1]}
    assert honest in kept
    assert len(kept) == 5


@dataclass
class Liar:
    """Members that answer look-ups with whatever `answer` makes up."""

    net: DhtNet
    answer: object
    names: set[bytes] = field(default_factory=set)
    asked: int = 0

    def take(self, node_id: bytes) -> None:
        self.names.add(node_id)
        self.net.hooks[node_id] = self._hook

    def _hook(self, source: bytes, to: bytes, request: wire.Message) -> wire.Answer | None:
        self.asked += 1
        answer: wire.Answer | None = self.answer(source, to, request)  # type: ignore[operator]
        return answer


def test_endless_closer_ids_end() -> None:
    """A peer that always names ids closer still (FACTS: 37 s and a RecursionError in the package)
    is believed in none of them: nobody outside the set is asked, and the look-up ends."""
    net = DhtNet(40)
    net.join_all()
    rng = Random(8)

    def closer(_source: bytes, _to: bytes, request: wire.Message) -> wire.Answer:
        made_up = tuple(KEY[:31] + bytes([n]) for n in range(20))
        return wire.Values(request.request_id, 0, (), made_up)

    liar = Liar(net, closer)
    for one in net.members.closest(TARGET, 40)[:10]:
        liar.take(one.node_id)
    asking = rng.choice([c for c in net.cores if c.own.node_id not in liar.names])
    lookup = asking.find_values(KEY, net.now)
    net.run(20)
    assert lookup.done
    assert lookup.requests <= BUDGET
    assert liar.asked > 0
    assert net.asked[asking.own.node_id] <= set(net.nodes)
    assert {m.node_id for m in lookup.closest} <= set(net.nodes)


def test_a_chain_of_real_sybils_ends() -> None:
    """Members of the adversary's, each naming the next one closer to the key, cannot make a
    look-up ask more than its budget."""
    net = DhtNet(20)
    net.join_all()
    chain = [Member(bytes([n]) * 32, TARGET ^ (1 << (200 - n)), bytes([n])) for n in range(1, 150)]
    liar = Liar(net, lambda *_: None)
    for one in chain:
        net.add(one)
        liar.take(one.node_id)
    order = {one.node_id: place for place, one in enumerate(chain)}

    def next_one(_source: bytes, to: bytes, request: wire.Message) -> wire.Answer:
        following = chain[order[to] + 1 : order[to] + 3]
        return wire.Values(request.request_id, 0, (), tuple(m.node_id for m in following))

    liar.answer = next_one
    lookup = net.cores[-1].find_values(KEY, net.now)
    net.run(60)
    assert lookup.done
    assert lookup.requests <= BUDGET


def test_poisoned_answers_make_nobody_dial_a_victim() -> None:
    """Answers name NodeIDs and no addresses; one that is no member's is dropped. So whoever asks
    sends to members alone, at the addresses in their own signed adverts."""
    net = DhtNet(30)
    net.join_all()
    victims = tuple(bytes([200 + n]) * 32 for n in range(20))
    liar = Liar(net, lambda _s, _t, request: wire.Nodes(request.request_id, victims))
    for core in net.cores[:15]:
        liar.take(core.own.node_id)
    asking = net.cores[20]
    lookup = asking.find_nodes(TARGET, net.now)
    net.run(20)
    assert lookup.done
    assert liar.asked > 0
    assert not any(asked & set(victims) for asked in net.asked.values())
    assert not any(victim in asking.table for victim in victims)


def test_the_holders_lie_about_the_records() -> None:
    """Half of the holders say there is nothing, return forged records, or repeat another key's:
    the honest record is found, and nothing else."""
    net = DhtNet(60)
    net.join_all()
    raw = record()
    net.cores[0].publish(KEY, raw, net.now)
    net.run(3)
    junk = (_flipped(raw, 300), record(key=MODEL.keys(3)[1]), record(expires=NOW))

    def lie(_source: bytes, _to: bytes, request: wire.Message) -> wire.Answer:
        return wire.Values(request.request_id, 3, junk, ())

    liar = Liar(net, lie)
    for one in net.members.closest(TARGET, 20)[::2]:
        liar.take(one.node_id)
    found = 0
    askers = [c for c in net.cores if c.own.node_id not in liar.names and not len(c.store)]
    for core in askers:
        lookup = core.find_values(KEY, net.now)
        net.run(5)
        assert set(lookup.records) <= {raw}
        found += lookup.records == [raw]
    assert found == len(askers)


def test_twenty_identities_ground_next_to_a_key_hide_one_key_of_four() -> None:
    """All of the twenty members closest to one of a capability's four keys are the adversary's and
    know nothing: a record is still found under the other keys. (The place of a member costs a proof
    of work a try, so this is what the adversary has paid for four times to hide a capability.)"""
    keys = MODEL.keys(MODEL.epoch_at(NOW))
    net = DhtNet(60)
    net.join_all()
    liar = Liar(net, lambda _s, _t, request: wire.Values(request.request_id, 0, (), ()))
    for n in range(20):
        place = int.from_bytes(keys[0], "big") ^ (n + 1)
        bad = Member(bytes([n + 1]) * 32, place, bytes([9, n, 0]))
        net.add(bad)
        liar.take(bad.node_id)
    ghost = Identity.generate()
    raws = [record(ghost, key=key) for key in keys]
    for key, raw in zip(keys, raws, strict=True):
        net.cores[-1].publish(key, raw, net.now)
    net.run(5)
    asking = next(c for c in net.cores if not len(c.store) and c.own.node_id not in liar.names)
    lookups = [asking.find_values(key, net.now) for key in keys]
    net.run(20)
    assert [one.records for one in lookups[1:]] == [[raw] for raw in raws[1:]]


def test_no_question_draws_more_than_it_brings() -> None:
    """FACTS: one spoofed 50-byte ping drew 173 kB from the package. Here every answer is one cell,
    as the question was, whatever is stored; a member that asks is asked back once a minute."""
    net = DhtNet(30)
    net.join_all()
    for _ in range(9):
        net.cores[0].publish(KEY, record(), net.now)
        net.run(3)
    core = net.nodes[net.members.closest(TARGET, 1)[0].node_id]
    stranger, requests = b"s" * 32, 0
    answered = 0
    for request in (
        wire.Ping(bytes(8)),
        wire.FindNode(bytes(8), KEY),
        wire.FindValue(bytes(8), KEY),
        wire.Store(bytes(8), KEY, record()),
    ):
        for _ in range(20):
            requests += 1
            answer = core.receive(stranger, request, net.now)
            if answer is not None:
                answered += len(wire.encode(answer))
    assert answered <= requests * BODY_BYTES
    assert core.outbox == []


def test_a_peer_that_floods_is_cut_to_its_rate_and_harms_nobody_else() -> None:
    """Of 10,000 requests a second a peer gets its burst and its rate answered; another peer's are
    answered as before, and the flood leaves nothing in the table."""
    net = DhtNet(10)
    core = net.cores[0]
    flooder, honest = b"f" * 32, b"h" * 32
    answered = sum(
        core.receive(flooder, wire.FindNode(bytes(8), KEY), NOW + n / 10_000) is not None
        for n in range(10_000)
    )
    assert answered <= net.settings.burst + net.settings.rate + 1
    assert core.receive(honest, wire.FindNode(bytes(8), KEY), NOW + 1) is not None
    assert not len(core.table)


def test_an_answer_counts_from_who_was_asked_and_once() -> None:
    """A peer that guessed or saw a request id answers for another: nothing comes of it."""
    net = DhtNet(6)
    core = net.cores[0]
    lookup = core.find_nodes(TARGET, net.now)
    (first, *_), core.outbox = core.outbox, []
    thief = next(c.own.node_id for c in net.cores[1:] if c.own.node_id != first.to)
    forged = wire.Nodes(first.message.request_id, ())
    core.receive(thief, forged, net.now)
    core.receive(first.to, wire.Pong(first.message.request_id), net.now)
    assert lookup.closest == []
    assert not len(core.table)
    assert core.counts.bad_answers == 2
    core.receive(first.to, forged, net.now)
    core.receive(first.to, forged, net.now)
    assert [m.node_id for m in lookup.closest] == [first.to]


# -- what a relay tells a client -------------------------------------------------------------------


@dataclass
class LyingExit:
    """A relay whose look-ups return what it likes."""

    records: list[bytes]

    async def find(self, _key: bytes) -> list[bytes]:
        await trio.lowlevel.checkpoint()
        return self.records


def _now_record(identity: Identity, key: bytes, *, roles: Role = Role.GHOST) -> bytes:
    now = int(time.time())
    advert = signed_advert(identity, "127.99.0.1", roles=roles, now=now)
    return record(identity, key=key, sequence=now, expires=now + 3_600, advert=advert)


@pytest.mark.trio
async def test_relays_that_lie_name_no_ghost_that_did_not_sign() -> None:
    """Four lying relays return a thief's record with a ghost's advert, a record of another model,
    one of a relay that is no ghost, and noise: the client comes to know nobody."""
    keys = MODEL.keys(MODEL.epoch_at(time.time()))
    thief, ghost = Identity.generate(), Identity.generate()
    now = int(time.time())
    stolen = signed_advert(ghost, "127.99.0.1", now=now)
    other = model_capability(MAIN_NETWORK, "other")
    lies = [record(thief, key=k, sequence=now, expires=now + 60, advert=stolen) for k in keys]
    lies += [
        record(ghost, capability=other, key=k, sequence=now, expires=now + 60, advert=stolen)
        for k in keys
    ]
    lies += [_now_record(Identity.generate(), k, roles=Role.RELAY) for k in keys]
    lies += [b"n" * len(lies[0])]
    async with dht_world(6) as world:
        for one in world.relays:
            one.lookups._find = LyingExit(lies).find
        before = len(world.client_set.with_role(Role.RELAY))
        assert await world.finder().find(MODEL) == []
        assert world.client_set.with_role(Role.GHOST) == []
        assert len(world.client_set.with_role(Role.RELAY)) == before


@pytest.mark.trio
async def test_a_ghost_that_was_found_is_never_a_hop_of_a_path() -> None:
    """Whoever answers look-ups could else choose a client's relays by naming ghosts that relay."""
    keys = MODEL.keys(MODEL.epoch_at(time.time()))
    double = Identity.generate()
    records = [_now_record(double, key, roles=Role.GHOST | Role.RELAY) for key in keys]
    async with dht_world(6) as world:
        for one in world.relays:
            one.lookups._find = LyingExit(records).find
        assert await world.finder().find(MODEL) == [double.node_id]
        relays = {advert.node_id for advert in world.client_set.with_role(Role.RELAY)}
        assert double.node_id not in relays
        assert [a.node_id for a in world.client_set.with_role(Role.GHOST)] == [double.node_id]


@pytest.mark.trio
async def test_no_relay_sees_two_keys_of_a_search() -> None:
    """Two keys at one relay would show that they are of one capability: where only three relays
    are known, three keys are asked for, and each relay is asked once."""
    asked: list[bytes] = []
    async with dht_world(3) as world:

        async def count(relay: Advert) -> ClientCircuit:
            asked.append(relay.node_id)
            raise NoRoute("not now")

        finder = GhostFinder(
            count,
            lambda _circuit: None,
            relay_set([one.node.advert() for one in world.relays]),
            rules=PathRules(),
            work_bits=0,
            clock=time.time,
        )
        assert await finder.find(MODEL) == []
    assert len(asked) == len(set(asked)) == 3
