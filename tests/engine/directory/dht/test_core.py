"""The core: joining, finding, publishing, time-outs and rates, in a net without sockets."""

from __future__ import annotations

from random import Random

import pytest

from engine.directory.dht.settings import DhtSettings
from engine.identity import Identity
from engine.wire import dht as wire
from engine.wire.dht import Verdict
from tests.helpers.dht_net import DhtNet
from tests.helpers.records import KEY, NOW, member, record

TARGET = int.from_bytes(KEY, "big")
BUCKETS_ONLY = DhtSettings(use_set=False)


@pytest.fixture(scope="module")
def net() -> DhtNet:
    made = DhtNet(80, settings=BUCKETS_ONLY)
    made.join_all()
    return made


def test_buckets_alone_find_the_closest(net: DhtNet) -> None:
    for core in net.cores[::9]:
        target = net.rng.getrandbits(256)
        lookup = core.find_nodes(target, net.now)
        net.run(3)
        assert lookup.done
        exact = {m.node_id for m in net.members.closest(target, 20)} - {core.own.node_id}
        assert len(exact & {m.node_id for m in lookup.closest}) >= 0.9 * len(exact)
        assert lookup.requests <= 60


def test_a_record_is_found_from_everywhere(net: DhtNet) -> None:
    raw = record()
    publication = net.cores[0].publish(KEY, raw, net.now)
    net.run(3)
    assert publication.done
    assert publication.stored >= 18
    assert publication.refused == 0
    for core in net.cores[::7]:
        lookup = core.find_values(KEY, net.now)
        net.run(3)
        assert lookup.done
        assert lookup.records == [raw]
        assert 0 <= lookup.hops <= 4  # none when it lies here


def test_a_publication_says_what_holders_said() -> None:
    """FACTS: set() of the package returns True when every holder refused."""
    net = DhtNet(10)
    publication = net.cores[0].publish(KEY, record(expires=NOW + 10**6), net.now)
    net.run(3)
    assert publication.done
    assert publication.stored == 0
    assert publication.refused == 10


def test_a_node_that_only_asks_answers_nothing() -> None:
    net = DhtNet(8)
    ghost = net.add(member(Random(9)), serves=False)
    assert ghost.receive(b"p" * 32, wire.Ping(bytes(8)), net.now) is None
    publication = ghost.publish(KEY, record(), net.now)
    net.run(3)
    assert publication.stored == 8
    assert not len(ghost.store)


def test_silence_costs_a_soft_time_out_and_no_more() -> None:
    """FACTS: in the package one dead peer costs five seconds."""
    net = DhtNet(40)
    net.join_all()
    raw = record()
    net.cores[0].publish(KEY, raw, net.now)
    net.run(3)
    net.dead = {m.node_id for m in net.members.closest(TARGET, 40)[:12]}
    asking = next(c for c in net.cores if c.own.node_id not in net.dead and not len(c.store))
    lookup = asking.find_values(KEY, net.now)
    started = net.now
    while not lookup.done:
        net.run(0.05)
    assert lookup.records == [raw]
    assert net.now - started < 5


def test_nobody_to_ask_ends_at_once() -> None:
    net = DhtNet(1)
    lookup = net.cores[0].find_values(KEY, net.now)
    assert lookup.done
    assert lookup.records == []
    assert net.cores[0].publish(KEY, record(), net.now).done


def test_what_cannot_be_reached_fails_at_once() -> None:
    net = DhtNet(6)
    core = net.cores[0]
    lookup = core.find_nodes(TARGET, net.now)
    while core.outbox:
        sent, core.outbox = core.outbox, []
        for send in sent:
            core.unreachable(send.to, net.now)
    assert lookup.done
    assert lookup.closest == []
    assert core.counts.unanswered == core.counts.asked > 0


def test_a_peer_is_answered_at_its_rate() -> None:
    core = DhtNet(3, settings=DhtSettings(rate=2, burst=5)).cores[0]
    answers = [core.receive(b"p" * 32, wire.Ping(bytes(8)), NOW) for _ in range(9)]
    assert sum(answer is not None for answer in answers) == 5
    assert core.receive(b"q" * 32, wire.Ping(bytes(8)), NOW) is not None  # others as before
    assert core.receive(b"p" * 32, wire.Ping(bytes(8)), NOW + 1) is not None
    assert core.counts.limited == 4


def test_the_peers_that_are_counted_are_bounded() -> None:
    core = DhtNet(3, settings=DhtSettings(peers=10)).cores[0]
    rng = Random(3)
    for _ in range(50):
        core.receive(rng.randbytes(32), wire.Ping(bytes(8)), NOW)
    assert len(core._responder._peers) == 10


def test_only_who_answered_us_enters_the_table() -> None:
    """FACTS: in the package any datagram enters its sender in the table."""
    net = DhtNet(5)
    core, other = net.cores[:2]
    core.receive(other.own.node_id, wire.Ping(bytes(8)), net.now)
    assert not len(core.table)
    (send,) = core.outbox  # it is asked back, once
    assert send.to == other.own.node_id
    core.receive(other.own.node_id, wire.Ping(bytes(8)), net.now)
    assert len(core.outbox) == 1
    core.receive(other.own.node_id, wire.Pong(send.message.request_id), net.now)
    assert other.own.node_id in core.table


def test_a_stranger_is_not_asked_back() -> None:
    core = DhtNet(5).cores[0]
    core.receive(b"s" * 32, wire.FindNode(bytes(8), KEY), NOW)
    assert core.outbox == []


def test_far_keys_are_refused() -> None:
    """FACTS: in the package pushed values go to wrong nodes."""
    net = DhtNet(90)
    for core in net.cores:
        rank = net.members.rank(TARGET, core.own.position, 1_000)
        answer = core.receive(b"p" * 32, wire.Store(bytes(8), KEY, record()), NOW)
        assert isinstance(answer, wire.Stored)
        assert (answer.verdict is Verdict.FAR) == (rank >= 40)


def test_members_that_leave_or_move_leave_the_table() -> None:
    net = DhtNet(12)
    net.join_all()
    core = net.cores[0]
    before = len(core.table)
    gone = next(iter(core.table)).member
    net.members.remove(gone.node_id)
    core.sync()
    assert len(core.table) == before - 1
    core.sync(member(Random(7)))
    assert len(core.table) == before - 1
    assert core.own == core.table.own


def test_a_record_of_ours_is_renewed_where_it_lies() -> None:
    net = DhtNet(30)
    ghost = Identity.generate()
    for sequence in (1, 2):
        publication = net.cores[0].publish(KEY, record(ghost, sequence=sequence), net.now)
        net.run(3)
        assert publication.stored >= 20
    lookup = net.cores[5].find_values(KEY, net.now)
    net.run(3)
    (found,) = lookup.records
    assert found[33:41] == (2).to_bytes(8, "big")


def test_the_upkeep_expires_what_is_stored() -> None:
    net = DhtNet(3)
    net.cores[0].publish(KEY, record(expires=NOW + 100), net.now)
    net.run(3)
    assert all(len(core.store) for core in net.cores)
    net.run(200)
    assert not any(len(core.store) for core in net.cores)
