# ruff: noqa: ARG001 - virtual time is asked for by naming its fixture
"""When and with whom a relay compares its set."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from engine.directory.gossip import (
    CONTACTS_EVERY_S,
    RETRY_AFTER_S,
    RUMOUR_EVERY_S,
    RUMOUR_FANOUT,
    Gossip,
)
from engine.directory.relays import RelaySet
from engine.errors import CircuitClosed
from engine.wire.advert import Advert
from tests.helpers.adverts import NOW, advert_of, identity_of

pytestmark = pytest.mark.trio

OWN = identity_of(1).node_id


def known(*numbers: int) -> RelaySet:
    """A set whose clock stands still."""
    relays = RelaySet(None, test_network=True, clock=lambda: NOW)
    for number in numbers:
        relays.adverts.add(advert_of(number), NOW)
    return relays


class Peers:
    """Counts comparisons; says which bring news and which fail."""

    def __init__(self) -> None:
        self.asked: Counter[bytes] = Counter()
        self.times: list[float] = []
        self.news: Callable[[Advert], bool] = lambda _peer: False
        self.broken: set[bytes] = set()
        self.bootstraps = 0
        self.found: Callable[[], None] = lambda: None

    async def compare(self, peer: Advert) -> bool:
        self.asked[peer.node_id] += 1
        self.times.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        if peer.node_id in self.broken:
            raise CircuitClosed("gone")
        return self.news(peer)

    async def bootstrap(self) -> None:
        self.bootstraps += 1
        self.found()

    def gossip(self, relays: RelaySet) -> Gossip:
        return Gossip(
            relays, OWN, self.compare, bootstrap=self.bootstrap, steady_s=60, rng=random.Random(7)
        )


async def run_for(gossip: Gossip, seconds: float) -> None:
    with trio.move_on_after(seconds):
        await gossip.run()


async def test_a_quiet_relay_compares_about_once_a_minute(autojump_clock: MockClock) -> None:
    peers = Peers()
    await run_for(peers.gossip(known(1, 2, 3, 4)), 3_600)
    assert 45 <= sum(peers.asked.values()) <= 75
    assert OWN not in peers.asked
    assert len(peers.asked) == 3


async def test_news_are_carried_on_within_seconds_to_a_few(autojump_clock: MockClock) -> None:
    peers = Peers()
    gossip = peers.gossip(known(*range(1, 20)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gossip.run)
        await trio.sleep(10)
        before = sum(peers.asked.values())
        gossip.on_news()
        await trio.sleep(3)
        assert sum(peers.asked.values()) - before == RUMOUR_FANOUT
        nursery.cancel_scope.cancel()


async def test_a_peer_that_brings_news_makes_us_carry_them_on(autojump_clock: MockClock) -> None:
    peers = Peers()
    first = identity_of(2).node_id
    peers.news = lambda peer: peer.node_id == first and peers.asked[first] == 1
    await run_for(peers.gossip(known(1, 2, 3, 4, 5, 6)), 600)
    gaps = [b - a for a, b in zip(peers.times, peers.times[1:], strict=False)]
    assert any(gap < 3 for gap in gaps)


async def test_where_there_are_always_news_they_are_carried_at_a_bounded_rate(
    autojump_clock: MockClock,
) -> None:
    peers = Peers()
    peers.news = lambda _peer: True
    await run_for(peers.gossip(known(*range(1, 20))), 3_600)
    expected = RUMOUR_FANOUT * 3_600 / RUMOUR_EVERY_S
    assert 0.7 * expected < sum(peers.asked.values()) < 1.3 * expected


async def test_a_peer_that_failed_is_passed_over_for_a_while(autojump_clock: MockClock) -> None:
    peers = Peers()
    dead = identity_of(2).node_id
    peers.broken = {dead}
    gossip = peers.gossip(known(1, 2, 3, 4))
    await run_for(gossip, RETRY_AFTER_S - 60)
    assert peers.asked[dead] <= 1
    assert gossip.failures == peers.asked[dead]


async def test_the_only_peer_is_tried_again_although_it_failed(autojump_clock: MockClock) -> None:
    peers = Peers()
    peers.broken = {identity_of(2).node_id}
    await run_for(peers.gossip(known(1, 2)), 600)
    assert peers.asked[identity_of(2).node_id] > 5


async def test_contacts_are_asked_now_and_then_although_peers_are_known(
    autojump_clock: MockClock,
) -> None:
    peers = Peers()
    await run_for(peers.gossip(known(1, 2, 3)), 10 * CONTACTS_EVERY_S)
    assert 6 <= peers.bootstraps <= 15


async def test_a_lonely_relay_asks_its_contacts_until_it_has_one(
    autojump_clock: MockClock,
) -> None:
    peers, relays = Peers(), known(1)
    gossip = peers.gossip(relays)

    def found() -> None:
        if peers.bootstraps == 4:
            relays.adverts.add(advert_of(2), NOW)

    peers.found = found
    await run_for(gossip, 60)
    assert peers.bootstraps == 4
    assert peers.asked[identity_of(2).node_id] >= 1
