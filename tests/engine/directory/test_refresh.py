# ruff: noqa: ARG001 - virtual time is asked for by naming its fixture
"""How a client completes its set, and how it notices that sources differ."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from engine.directory.adverts import AdvertSet
from engine.directory.reconcile import Librarian, Reconciler, Report
from engine.directory.refresh import RETRY_S, SOURCES, Refresh, ViewAgreement
from engine.directory.relays import RelaySet
from engine.errors import CircuitClosed, NoRoute
from engine.wire.advert import Advert, Role
from tests.helpers.adverts import NOW, advert_of, identity_of

pytestmark = pytest.mark.trio

EVERYONE = list(range(1, 41))


def holding(numbers: list[int]) -> AdvertSet:
    adverts = AdvertSet()
    for number in numbers:
        adverts.add(advert_of(number, published=NOW - 900), NOW)
    return adverts


class World:
    """Relays with views of their own, and a client that asks them."""

    def __init__(self, known: list[int]) -> None:
        self.now: Callable[[], int] = lambda: NOW
        self.relays = RelaySet(None, test_network=True, clock=lambda: self.now())
        for number in known:
            self.relays.adverts.add(advert_of(number, published=NOW - 900), NOW)
        self.view: Callable[[bytes], list[int]] = lambda _node: EVERYONE
        self.asked: list[bytes] = []
        self.bootstraps = 0
        self.saves = 0
        self.failure: Exception | None = None
        self.contact: list[int] = []
        self.refresh = Refresh(
            self.relays,
            self._compare,
            bootstrap=self._bootstrap,
            changed=self._changed,
            refresh_s=1_000,
            clock=lambda: NOW,
            rng=random.Random(3),
        )

    async def _compare(self, relay: Advert) -> Report:
        self.asked.append(relay.node_id)
        await trio.lowlevel.checkpoint()
        if self.failure is not None:
            raise self.failure
        asking = Reconciler(self.relays.adverts, NOW, push=False)
        serving = Librarian(holding(self.view(relay.node_id)))
        while (request := asking.request) is not None:
            asking.answer(serving.answer(request, NOW))
        return asking.report

    async def _bootstrap(self) -> None:
        self.bootstraps += 1
        for number in self.contact:
            self.relays.adverts.add(advert_of(number, published=NOW - 900), self.now())

    async def _changed(self) -> None:
        self.saves += 1

    async def run_for(self, seconds: float) -> ViewAgreement | None:
        with trio.move_on_after(seconds):
            await self.refresh.run()
        return self.refresh.agreement


async def test_the_set_is_completed_from_three_sources(autojump_clock: MockClock) -> None:
    world = World([1, 2, 3, 4, 5])
    agreement = await world.run_for(100)
    assert agreement is not None
    assert (agreement.sources, agreement.known, agreement.agree) == (SOURCES, 40, True)
    assert len(set(world.asked)) == SOURCES
    assert world.bootstraps == 0
    assert world.saves == 1


async def test_who_may_not_be_asked_is_no_source(autojump_clock: MockClock) -> None:
    """As a node's own relay: what it holds is what the client holds."""
    world = World([1, 2, 3, 4, 5])
    own = identity_of(2).node_id
    world.refresh._allowed = lambda relays: [r for r in relays if r.node_id != own]
    await world.run_for(10_000)
    assert len(world.asked) > 5 * SOURCES
    assert own not in world.asked


async def test_a_client_with_relays_never_asks_its_contacts(
    autojump_clock: MockClock,
) -> None:
    world = World([1, 2, 3, 4, 5])
    await world.run_for(10_000)
    assert world.bootstraps == 0
    assert len(world.asked) > 5 * SOURCES


async def test_the_first_adverts_come_from_contacts(autojump_clock: MockClock) -> None:
    world = World([])
    world.contact = [7, 8, 9]
    agreement = await world.run_for(100)
    assert agreement is not None
    assert agreement.known == 40
    assert world.bootstraps == 1


async def test_a_slow_clock_is_doubted_within_seconds_of_the_second_contact(
    autojump_clock: MockClock,
) -> None:
    """One contact does not answer at first. What two say is told; set right, they are taken."""
    world = World([])
    off_s = -7_200
    world.now = lambda: NOW + off_s
    world.contact = [7]
    await world.run_for(60)
    assert world.relays.clock_doubt.warning == ""
    world.contact = [7, 8]
    await world.run_for(2)
    assert "105 min slow or more" in world.relays.clock_doubt.warning  # they are 15 minutes old
    assert not world.relays.with_role(Role.RELAY)
    off_s = 0
    agreement = await world.run_for(60)
    assert agreement is not None
    assert agreement.known == 40
    assert world.relays.clock_doubt.warning == ""


async def test_a_source_that_hides_relays_is_named(autojump_clock: MockClock) -> None:
    """Criterion: whichever source shows half the network, it and only it is named."""
    world = World(EVERYONE)
    liar = identity_of(11).node_id
    world.view = lambda node: EVERYONE[:20] if node == liar else EVERYONE
    named: set[bytes] = set()
    for _ in range(60):
        agreement = await world.run_for(5)
        assert agreement is not None
        assert agreement.agree == (liar not in world.asked[-SOURCES:])
        named.update(agreement.dissenting)
    assert named == {liar}


async def test_a_source_cannot_hide_relays_by_inventing_others(autojump_clock: MockClock) -> None:
    """Counting would be fooled: the liar holds as many adverts as the others."""
    world = World([1, 2, 3])
    liar = identity_of(2).node_id
    invented = list(range(1_000, 1_020))
    world.view = lambda node: EVERYONE[:20] + invented if node == liar else EVERYONE
    agreement = await world.run_for(5)
    assert agreement is not None
    assert liar in agreement.dissenting


async def test_sources_are_in_different_networks(autojump_clock: MockClock) -> None:
    world = World([])
    for number in range(1, 10):
        world.relays.adverts.add(advert_of(number, host=f"127.9.0.{number}"), NOW)
    agreement = await world.run_for(5)
    assert agreement is not None
    assert agreement.sources == 1


@pytest.mark.parametrize("failure", [CircuitClosed("gone"), NoRoute("too small")])
async def test_without_a_source_it_tries_again_ever_more_slowly(
    failure: Exception, autojump_clock: MockClock
) -> None:
    world = World([1, 2, 3])
    world.failure = failure
    assert await world.run_for(200) is None
    assert 200 / RETRY_S[-1] / 1.3 < world.bootstraps < 20


async def test_expired_adverts_leave_the_set(autojump_clock: MockClock) -> None:
    world = World([1, 2, 3])
    world.view = lambda _node: [1, 2, 3]
    stale = advert_of(50, published=NOW - 3_000, life_s=3_000 + 600)
    world.relays.adverts.add(stale, NOW)
    world.relays._clock = lambda: NOW + 700
    await world.run_for(5)
    assert identity_of(50).node_id not in {a.node_id for a in world.relays.with_role(Role.RELAY)}
    assert len(world.relays.adverts) == 3


async def test_a_source_without_the_newest_adverts_is_not_named(
    autojump_clock: MockClock,
) -> None:
    world = World(EVERYONE)
    for number in range(60, 80):
        world.relays.adverts.add(advert_of(number), NOW)
    agreement = await world.run_for(5)
    assert agreement is not None
    assert agreement.agree
